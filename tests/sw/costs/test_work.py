"""What counts as work: products with trained weights and of two tensors, nothing that the graph's structure adds."""

from __future__ import annotations

import numpy as np
import onnx
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Int
from narrows.sw.costs.timeline import timeline
from narrows.sw.costs.work import layer_macs, layer_work, step_bytes, useful_macs, utilisation
from narrows.sw.examples import digits_model
from narrows.sw.graph import Graph
from narrows.sw.layers import Mac, MaxPool, Product, Term, scaled
from narrows.sw.outputs import Output
from narrows.sw.program import Program
from narrows.sw.quantised import (
    HeldSegment,
    InputSpec,
    MacLayer,
    QuantisedGraph,
    QuantisedTensor,
    Segment,
)
from narrows.sw.windows import Window

SHAPES = {"x": (2, 6, 5), "dense": (3, 4, 3), "pooled": (3, 2, 1), "own": (3, 2, 1), "all": (2, 2, 1), "y": (2, 2, 1)}
WINDOW = Window(kernel=(3, 3))


def mac(name: str, *terms: Term) -> Mac:
    return Mac(name=name, output=name, terms=terms, bias=np.zeros(len(terms[0].weights)))


def float_graph() -> Graph:
    by_channel = Term(source="pooled", weights=np.ones((3, 1, 1, 1)), window=Window(kernel=(1, 1)), depthwise=True)
    return Graph(
        name="g",
        tensors=SHAPES,
        input=InputSpec(tensor="x", shape=SHAPES["x"]),
        layers=(
            mac("dense", Term(source="x", weights=np.zeros((3, 2, 3, 3)), window=WINDOW)),
            MaxPool(name="pooled", source="dense", output="pooled", window=Window(kernel=(2, 2), stride=(2, 2))),
            mac("own", by_channel, scaled("pooled", np.ones(3))),  # the latter is a skip connection
            Product(name="all", output="all", first="own", second="pooled", matrix=True),
            Product(name="y", output="y", first="all", second="all"),
        ),
        outputs=(Output(name="y", tensor="y", shape=(4,)),),
    )


def test_useful_multiplications_are_those_with_trained_weights_and_of_two_tensors() -> None:
    dense = 4 * 3 * (3 * 2 * 9)  # zeros and padding count: a trained weight is one
    own = 2 * 1 * 3
    matrix, elementwise = 3 * (2 * 2 * 1), 2 * 2 * 1
    assert useful_macs(float_graph()) == dense + own + matrix + elementwise


def quantised(*segments: Segment, name: str = "y", size: int = 2) -> MacLayer:
    zeros = np.zeros(size, dtype=np.int64)
    return MacLayer(name=name, segments=segments, bias=zeros, multiplicand=zeros, shift=zeros, cert_bits=8, output=name)


def test_segments_that_are_the_graphs_structure_are_no_work() -> None:
    def tensor(name: str, shape: tuple[int, int, int]) -> QuantisedTensor:
        return QuantisedTensor(name=name, shape=shape, format=Int(4), scale=1.0, zero=0, low=-7, high=7)

    mean = Segment(source="x", weights=np.ones((2, 1, 3, 3), dtype=np.int64), depthwise=True)
    learned = Segment(source="x", weights=np.arange(18).reshape(2, 1, 3, 3), depthwise=True)
    one = Segment(source="x", weights=np.ones((2, 2, 1, 1), dtype=np.int64))  # alike by chance, but not by channel
    held = HeldSegment(source="x", held="x", weights=HeldSegment.blank((2, 4, 5), (2, 4, 5), depthwise=True))
    graph = QuantisedGraph(
        name="g",
        tensors={"x": tensor("x", (2, 4, 5))} | {name: tensor(name, (2, 4, 5)) for name in "abcd"},
        input=InputSpec(tensor="x", shape=(2, 4, 5)),
        layers=tuple(
            quantised(*segments, name=name)
            for name, segments in {"a": (mean,), "b": (learned, mean), "c": (one,), "d": (mean, held)}.items()
        ),
        outputs=(Output(name="d", tensor="d", shape=(40,)),),
    )
    assert layer_macs(graph) == {"a": 0, "b": 4 * 5 * 18, "c": 4 * 5 * 4, "d": 4 * 5 * 2}


def test_the_digits_model_has_as_many_as_its_file_says(graph: Graph, program: Program) -> None:
    """Weights times output pixels of every Conv and Gemm, by onnx's shape inference."""
    with digits_model() as path:
        model = onnx.shape_inference.infer_shapes(onnx.load(path))
    weights = {each.name: tuple(each.dims) for each in model.graph.initializer}
    shapes = {
        each.name: [size.dim_value for size in each.type.tensor_type.shape.dim]
        for each in (*model.graph.value_info, *model.graph.output)
    }
    wanted = sum(
        int(np.prod(weights[node.input[1]])) * int(np.prod(shapes[node.output[0]][2:]))
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm")
    )
    assert useful_macs(graph) == sum(layer_macs(program.graph).values()) == wanted > 50_000


def test_layers_take_all_cycles_of_a_run_and_all_weights(program: Program) -> None:
    work, run = layer_work(program), timeline(program)
    assert [each.name for each in work] == [layer.name for layer in program.graph.layers]
    assert sum(each.cycles for each in work) == max(item.end for item in run.slices)  # the last write
    assert sum(each.macs for each in work) == sum(layer_macs(program.graph).values())
    for each, layer in zip(work, program.graph.layers, strict=True):
        assert each.busy + each.stall_drain + each.stall_walk <= each.cycles, each.name
        if isinstance(layer, MacLayer) and len(layer.segments) == 1 and each.macs:
            assert each.weight_bytes == -(-layer.segments[0].weights.size // 2), each.name  # 4-bit codes


def test_shares_and_bytes_of_a_cycle() -> None:
    config = AcceleratorConfig(rows=4, columns=2, lanes=8, rescalers=2)
    assert utilisation(640, 20, config.macs) == 0.5
    assert step_bytes(config) == (4 * 8 * 4 + 2 * 8 * 4) / 8  # four words of activations, one of weights, 4-bit codes
