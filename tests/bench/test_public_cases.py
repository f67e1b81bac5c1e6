"""bench/public_cases.py: cases judged by right values that are not ours, and what its verdicts mean."""

import json
import os
from pathlib import Path

import numpy as np
import public_cases
import pytest
from narrows.sw.cli import app
from public_cases import compared, judge_case, main

CASES = Path(os.environ.get("NARROWS_DATA", "../shared")) / "cases"  # a folder of models that are not ours to ship

RIGHT = (
    "conv_same_dilated",
    "model_function",
    "opset10_resize",
    "qcdq_clip_4bit",
    "qdq_codes_cast_to_float",
    "qdq_input_channel_scale_w8",
    "qdq_matmul_input_channel_scales",
    "qdq_missing_quantiser",
    "qdq_pad_on_codes",
    "qdq_resize_concat",
    "qdq_uint4_acts",
    "ort_quantize_static_qoperator",
    "qoperator_qlinearconv",
)
"""Cases that once crashed or gave a wrong answer, or were refused though they can run."""

REFUSED = {
    "nan_weight": "initializer 'w' holds NaN or infinity: train or export the model again",
    "bn_training_mode": "operator BatchNormalization (node 'BatchNormalization_y') is not supported: "
    "export the model in evaluation mode",
    "two_inputs": "the model has 2 inputs ('x', 'x2'): one is supported, beside states that take over an output from "
    "run to run (--state INPUT=OUTPUT)",
}
"""Cases that no core can run as they are, with the line that says so."""


def folder(name):
    path = CASES / name
    if not path.exists():
        pytest.skip(f"{path} is absent")
    return path


@pytest.mark.parametrize("name", RIGHT)
def test_answers_are_right(name):
    for verdict in judge_case(folder(name), 120):
        assert (verdict.way, verdict.verdict, verdict.said) == (verdict.way, "right", "")


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_clear(name):
    for verdict in judge_case(folder(name), 120):
        assert (verdict.way, verdict.verdict, verdict.said) == (verdict.way, "refused", REFUSED[name])


def test_outputs_differ_by_name_shape_and_value():
    right = {"y": np.array([[3.0, -4.0]])}
    assert compared({"y": np.array([[3.0, -4.0]])}, right, 0.01) == ("", 0.0)
    assert compared({"z": right["y"]}, right, 0.01) == ("output 'y' is missing, there is 'z'", 0.0)
    assert compared({"y": right["y"].T}, right, 0.01)[0] == "output 'y' has the shape (2, 1) instead of (1, 2)"
    wrong, error = compared({"y": np.array([[3.0, -3.0]])}, right, 0.1)
    assert (wrong, error) == ("relative error 0.2000, at most 0.1 is quantisation", pytest.approx(0.2))
    assert compared({"y": np.array([[np.nan, 0.0]])}, right, 0.1)[0]


def test_a_traceback_is_a_crash(monkeypatch):
    def fail(*_arguments):
        raise RuntimeError("a fault of ours")

    path = folder("lrn")
    monkeypatch.setattr(app, "run", fail)
    (found,) = {(v.verdict, v.said) for v in judge_case(path, 120)}
    assert found == ("CRASH", "doctor: RuntimeError: a fault of ours")


def test_a_fault_in_the_last_net_is_a_crash():
    step = public_cases.Step(status=2, out="", err="narrows: error: this should not happen (KeyError: 'w'): report it")
    assert step.crashed and step.complaint is None
    step = public_cases.Step(status=2, out="", err="narrows: error: it has no input: export it again")
    assert not step.crashed and step.complaint == "it has no input: export it again"


def test_the_table_counts_verdicts(tmp_path, capsys):
    folder("nan_weight")
    report = tmp_path / "cases.json"
    main(cases=CASES, only=["nan_weight"], timeout=120, jobs=1, json_file=report)
    assert json.loads(report.read_text())["cases"] == {"refused": 1}
    assert "nan_weight" in capsys.readouterr().out
