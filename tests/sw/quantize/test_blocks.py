"""Blocks: between two of them one tensor alone is passed on, and each has weights to learn."""

import numpy as np
from narrows.sw.graph import Graph
from narrows.sw.layers import Mac, Term
from narrows.sw.outputs import Output
from narrows.sw.quantised import InputSpec
from narrows.sw.quantize.blocks import blocks
from narrows.sw.windows import Window

POINT = Window(kernel=(1, 1))


def layer(output, *sources, constant=()):
    terms = [
        Term(source=source, weights=np.ones((2, 1 if source in constant else 2, 1, 1)), window=POINT,
             depthwise=source in constant, constant=source in constant)
        for source in sources
    ]  # fmt: skip
    return Mac(name=output, terms=tuple(terms), bias=np.zeros(2), output=output)


def graph(*layers, outputs):
    shape = (2, 4, 4)
    return Graph(
        name="g",
        tensors={"x": shape} | {each.output: shape for each in layers},
        input=InputSpec(tensor="x", shape=shape),
        layers=layers,
        outputs=tuple(Output.whole(name, shape) for name in outputs),
    )


def found(*layers, outputs):
    cut = blocks(graph(*layers, outputs=outputs))
    return [(block.source, [each.name for each in block.layers], block.outputs) for block in cut]


def test_a_chain_is_layer_by_layer():
    assert found(layer("a", "x"), layer("b", "a"), outputs=["b"]) == [("x", ["a"], ("a",)), ("a", ["b"], ("b",))]


def test_a_residual_block_is_one():
    layers = [layer("a", "x"), layer("b", "a"), layer("c", "b", "a", constant={"a"}), layer("d", "c")]
    assert found(*layers, outputs=["d"]) == [
        ("x", ["a"], ("a",)), ("a", ["b", "c"], ("c",)), ("c", ["d"], ("d",))
    ]  # fmt: skip


def test_constant_layers_go_with_those_behind_them_and_at_the_end_with_those_before():
    layers = [layer("a", "x", constant={"x"}), layer("b", "a"), layer("c", "b", constant={"b"})]
    assert found(*layers, outputs=["c"]) == [("x", ["a", "b", "c"], ("c",))]


def test_what_outputs_show_is_passed_on_to_the_end():
    layers = [layer("a", "x"), layer("b", "a"), layer("c", "b")]
    assert found(*layers, outputs=["a", "c"]) == [("x", ["a"], ("a",)), ("a", ["b", "c"], ("c",))]


def test_a_name_is_that_of_its_ends():
    layers = layer("a", "x"), layer("b", "x"), layer("c", "a", "b")
    assert [each.name for each in blocks(graph(*layers, outputs=["c"]))] == ["a .. c"]


def test_without_learned_weights_there_is_none():
    assert found(layer("a", "x", constant={"x"}), outputs=["a"]) == []
