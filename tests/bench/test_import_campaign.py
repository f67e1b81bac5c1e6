"""bench/import_campaign.py: a slice of its random models, and what its outcomes mean."""

import json
from functools import partial

import numpy as np
import pytest
from campaign import judges
from campaign.judges import GOLDEN_LIMIT, judge_onnx, judge_quantised
from campaign.onnx_models import RandomModel, reference_session
from import_campaign import main, reason, summary

SLICE = range(20000, 20160)


def test_random_onnx_models_are_read_rightly_or_refused():
    found = [judge_onnx(seed, 16) for seed in SLICE]
    wrong = [(each.seed, each.kind, each.detail) for each in found if each.kind not in ("right", "refused", "empty")]
    assert [each for each in wrong if each[1] != "refused later"] == []
    assert summary(found)["wrong"] == []
    assert sum(each.kind == "right" for each in found) > len(SLICE) / 4
    assert any(each.golden is not None and each.golden < GOLDEN_LIMIT for each in found)


@pytest.mark.parametrize("seed", [130, 2300, 100025, 100764, 101092, 104439, 105772])
def test_seeds_that_were_wrong_once(seed):
    assert judge_onnx(seed, 1).kind == "right"


@pytest.mark.parametrize("seed", [300184, 300378])
def test_quantised_models_that_were_wrong_once(seed):
    assert judge_quantised(seed).kind == "right"


def test_random_models_that_come_quantised_keep_their_integers():
    found = [judge_quantised(seed) for seed in range(40)]
    assert summary(found)["wrong"] == []
    assert np.median([each.golden for each in found if each.golden is not None]) < 1e-3


def test_a_seed_is_a_model():
    first, second = (RandomModel(7) for _ in range(2))
    assert first.model.SerializeToString() == second.model.SerializeToString()
    assert str(first) == str(second)


def test_models_run_under_onnxruntime_and_vary():
    kinds, opsets = set(), set()
    for seed in range(60):
        made = RandomModel(seed)
        if made.outputs:
            session = reference_session(made.model)
            results = session.run(None, {"x": made.samples(1)})
            assert all(np.isfinite(np.asarray(result)).all() for result in results)
        kinds |= {node.op_type for node in made.nodes}
        opsets.add(made.opset)
    assert len(kinds) > 30 and len(opsets) > 10


def test_a_fault_is_a_difference(monkeypatch):
    evaluate = judges.evaluate
    changed = lambda graph, x: {name: values * 1.01 for name, values in evaluate(graph, x).items()}  # noqa: E731
    seed = next(seed for seed in range(100) if judge_onnx(seed, 1000).kind == "right")
    monkeypatch.setattr(judges, "evaluate", changed)
    assert judge_onnx(seed, 1000).kind == "different"


def test_reasons_leave_out_what_is_a_models_own():
    assert reason("operator Conv (node 'a') is not supported: its input of shape (1, 2, 3) is large") == (
        "operator Conv is not supported: its input of shape # is large"
    )


def test_counts_are_written(tmp_path, capsys):
    report = tmp_path / "campaign.json"
    main(onnx_models=6, qdq=0, seed=3, every=100, jobs=1, json_file=report)
    assert json.loads(report.read_text())["onnx"]["models"] == 6
    assert partial(judge_onnx, every=100)(3).kind in capsys.readouterr().out
