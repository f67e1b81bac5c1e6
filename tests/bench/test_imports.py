"""Quantised float models are at least as near to float as onnxruntime's own static int8 makes them."""

import os
from pathlib import Path

import pytest
from imports import main

SHARED = Path(os.environ.get("NARROWS_DATA", "."))  # a folder of models and data that are not ours to ship


@pytest.mark.skipif(not (SHARED / "models").is_dir(), reason="needs models that are not part of the project")
@pytest.mark.filterwarnings("ignore")  # onnxruntime's quantiser has plenty
@pytest.mark.parametrize("name", ["dscnn", "autoencoder"])
def test_narrows_is_as_near_to_float_as_onnxruntime(name: str, tmp_path: Path) -> None:
    rows = main(
        models=SHARED / "models", data=SHARED / "data", only=[name], images=200, json_file=tmp_path / "rows.json"
    )
    theirs, ours = rows
    assert (theirs.by, ours.by) == ("onnxruntime", "narrows")
    assert ours.snr_db >= theirs.snr_db
    assert ours.agreement >= theirs.agreement
