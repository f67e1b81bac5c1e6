"""Maps by element in front of a layer that sees the whole tensor become part of its weights."""

from __future__ import annotations

import numpy as np
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.layers import ElementAffine, Layer, Mac, MaxPool, Term
from narrows.sw.outputs import Output, given_outputs
from narrows.sw.passes import lower
from narrows.sw.passes.lower_elements import lower_elements
from narrows.sw.quantised import InputSpec
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.windows import Window
from operator_cases import node

SHAPE = (2, 3, 3)


def test_a_map_before_a_fully_connected_layer_takes_no_layer(onnx_model, run_onnx) -> None:
    rng = np.random.default_rng(3)
    constants = {
        "gains": rng.normal(size=(1, 2, 3, 3)).astype(np.float32),
        "shifts": rng.normal(size=(1, 2, 3, 3)).astype(np.float32),
        "shape": np.array([1, 18]),
        "w": rng.normal(size=(18, 4)).astype(np.float32),
    }
    nodes = [
        node("Mul", "x", "gains", output="m"),
        node("Add", "m", "shifts", output="a"),
        node("Reshape", "a", "shape", output="flat"),
        node("MatMul", "flat", "w"),
    ]
    path = onnx_model(nodes, (1, 2, 3, 3), constants)
    graph = lower(load_model(path))
    assert [type(layer) for layer in graph.layers] == [Mac]
    x = rng.normal(size=(5, 2, 3, 3)).astype(np.float32)
    [found] = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(found, run_onnx(path, x), atol=1e-5)


def mapped(reader: Layer, shape: tuple[int, int, int]) -> tuple[Graph, Graph]:
    """A map of every element in front of a layer, and the same lowered."""
    rng = np.random.default_rng(5)
    scale, bias = rng.normal(size=SHAPE), rng.normal(size=SHAPE)
    graph = Graph(
        name="g",
        tensors={"x": SHAPE, "e": SHAPE, "y": shape},
        input=InputSpec(tensor="x", shape=SHAPE),
        layers=(ElementAffine(name="e", source="x", output="e", scale=scale, bias=bias), reader),
        outputs=(Output.whole("y", shape),),
    )
    return graph, lower_elements(graph)


def test_a_window_over_the_whole_image_takes_the_map_in() -> None:
    rng = np.random.default_rng(4)
    term = Term(source="e", weights=rng.normal(size=(4, *SHAPE)), window=Window(kernel=(3, 3)))
    graph, found = mapped(Mac(name="y", terms=(term,), bias=np.ones(4), output="y"), (4, 1, 1))
    [layer] = found.layers
    assert isinstance(layer, Mac) and layer.sources == ("x",)
    x = rng.normal(size=(3, *SHAPE))
    np.testing.assert_allclose(evaluate(found, x)["y"], evaluate(graph, x)["y"], rtol=1e-5)


def test_a_maximum_over_the_whole_image_reads_a_map_that_is_computed() -> None:
    _, found = mapped(MaxPool(name="y", source="e", output="y", window=Window(kernel=(3, 3))), (2, 1, 1))
    assert isinstance(found.layers[-1], MaxPool) and len(found.layers) > 2
