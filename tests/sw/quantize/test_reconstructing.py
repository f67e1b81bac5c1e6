"""What is said without torch."""

import importlib.util

import numpy as np
import pytest
from narrows.hw.spec.config import PRESETS
from narrows.sw.errors import ToolMissing
from narrows.sw.frontend import load_model
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.reconstructing import quantise_and_reconstruct
from onnx import helper


def test_without_torch_it_is_said_how_to_get_it(onnx_model, monkeypatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else found(name, *rest)
    )
    graph = load_model(onnx_model([helper.make_node("Relu", ["x"], ["y"])], (1, 2, 3, 3), {}))
    with pytest.raises(ToolMissing, match=r"reconstruction needs torch: pip install 'narrows\[train\]'"):
        quantise_and_reconstruct(graph, np.zeros((1, 2, 3, 3)), QuantSettings(reconstruct=True), PRESETS["tiny"])
