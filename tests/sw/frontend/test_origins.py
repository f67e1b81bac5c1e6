"""Short names of nodes."""

from __future__ import annotations

import pytest
from narrows.sw.frontend.origins import node_label
from onnx import helper


@pytest.mark.parametrize(
    ("name", "outputs", "label"),
    [("conv", ["y"], "conv"), ("a/b;c;d", ["y"], "a/b"), ("", ["", "y", "z"], "y"), ("", ["y;z"], "y")],
)
def test_a_node_is_called_by_its_name_or_its_first_output(name: str, outputs: list[str], label: str) -> None:
    assert node_label(helper.make_node("LSTM", ["x"], outputs, name=name)) == label
