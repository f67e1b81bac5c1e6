"""bench/models.py: a model from its file to the ISA model, and what is written of it."""

import json
import os
from pathlib import Path

import pytest
from models import CASES, CONFIGS, main

SHARED = Path(os.environ.get("NARROWS_DATA", "."))  # a folder of models and data that are not ours to ship


def test_every_case_has_a_configuration():
    assert {case.config for case in CASES} <= set(CONFIGS)


def test_a_model_is_measured(tmp_path, capsys):
    if not (SHARED / "models" / "TFC_2W2A.onnx").exists():
        pytest.skip(f"{SHARED} is absent")
    report = tmp_path / "models.json"
    main(models=SHARED / "models", data=SHARED / "data", only=["tfc_2w2a"], images=100, compare=1, json_file=report)
    (row,) = json.loads(report.read_text())
    assert (row["model"], row["images"], row["mismatches"], len(row["layers"])) == ("TFC_2W2A.onnx", 100, 0, 4)
    assert row["accuracy"] >= 0.9
    assert 0 < row["utilisation"] < row["busy"] < 1
    assert "TFC_2W2A.onnx" in capsys.readouterr().out
