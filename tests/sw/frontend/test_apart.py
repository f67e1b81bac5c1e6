"""Values named like parts of others get names of their own; the model's outputs keep theirs."""

from __future__ import annotations

from narrows.sw.frontend.apart import keep_apart
from onnx import TensorProto, helper


def test_an_output_named_like_a_part_keeps_its_name_by_an_identity() -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in ("x", "x/scaled"))
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["x/scaled"])], "g", [x], [y])
    assert keep_apart(graph) == {"x/scaled": "x/scaled."}
    assert [(node.op_type, list(node.input), list(node.output)) for node in graph.node] == [
        ("Relu", ["x"], ["x/scaled."]),
        ("Identity", ["x/scaled."], ["x/scaled"]),
    ]
    assert [value.name for value in graph.output] == ["x/scaled"]
