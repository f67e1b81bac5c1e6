"""Every layer knows the nodes of the model that it came from, whatever rewrites it went through."""

import re
from pathlib import Path

import narrows.sw.passes
import numpy as np
import onnx
import pytest
from composed_cases import COMPOSED_CASES
from narrows.hw.spec.config import PRESETS
from narrows.sw.compile import compile_graph
from narrows.sw.costs.diagnose import diagnose
from narrows.sw.costs.examine import Status, examine
from narrows.sw.frontend import load_model
from narrows.sw.frontend.importer import Importer
from narrows.sw.frontend.onnx_file import read_model
from narrows.sw.frontend.onnx_graph import finish_graph, import_nodes
from narrows.sw.frontend.origins import node_label
from narrows.sw.graph import Graph, rebuild
from narrows.sw.layers import Affine, Clamp, Mac
from narrows.sw.origin import joined
from narrows.sw.outputs import Output
from narrows.sw.passes import PASSES, lower
from narrows.sw.program import Program
from narrows.sw.quantised import InputSpec
from narrows.sw.quantize import LayerFormats, QuantSettings, quantise
from operator_cases import CONV, OPERATOR_CASES, node, normal

CASES = OPERATOR_CASES | COMPOSED_CASES


def origins(graph):
    return set(joined(*(layer.origin for layer in graph.layers)))


@pytest.mark.parametrize("case", CASES)
def test_no_pass_loses_a_node(case, onnx_model):
    nodes, shape, constants = CASES[case]
    path = onnx_model(nodes, shape, constants)
    importer = Importer(read_model(path))
    assert all(refusal is None for _, refusal in import_nodes(importer))
    graph = finish_graph(importer, "model")
    known = {node_label(each) for each in onnx.load(path).graph.node}
    # Every node that made a layer, and those that a clean-up fused into it, is some layer's.
    working = {name for layer in importer.layers for name in layer.origin}
    assert origins(graph) == working <= known
    for rewrite in PASSES:
        graph = rewrite(graph)
        assert origins(graph) == working, rewrite.__name__
        assert all(layer.origin for layer in graph.layers), rewrite.__name__


@pytest.mark.parametrize("case", list(CASES)[::4])
def test_a_formats_file_may_name_every_node_that_doctor_shows_as_computed(case, onnx_model):
    nodes, shape, constants = CASES[case]
    examined = examine(onnx_model(nodes, shape, constants))
    found = diagnose(examined, PRESETS["large"], QuantSettings(weights="int8", acts="int8"))
    layers = lower(examined.graph).layers
    shown = [each.name for each in found.nodes if each.status in (Status.ARRAY, Status.FUSED, Status.MAX_POOL)]
    assert shown
    for name in shown:
        QuantSettings(layers={name: LayerFormats(weights="int8")}).check_layers(layers)


def test_all_passes_of_the_folder_run():
    folder = Path(narrows.sw.passes.__file__).parent
    defined = {
        name
        for path in folder.glob("*.py")
        for name in re.findall(r"^def (\w+)\(graph: Graph\) -> Graph", path.read_text(), re.M)
    }
    assert {each.__name__ for each in PASSES} == defined - {"lower"}


def test_layers_name_what_went_into_them_in_the_order_of_the_model(onnx_model, tmp_path):
    nodes = [
        node("Conv", "x", "w", "b", pads=[1, 1, 1, 1], output="c"),
        node("BatchNormalization", "c", "g", "h", "m", "v", output="n"),
        node("Sigmoid", "n", output="s"),
        node("Mul", "n", "s", output="a"),
        node("Conv", "a", "k", pads=[1, 1, 1, 1], output="d"),
        node("Add", "d", "a", output="e"),
        node("Relu", "e", output="r"),
        node("MaxPool", "r", kernel_shape=[2, 2], output="p"),
        node("Clip", "p", "lo", "hi"),
    ]
    constants = CONV | {"g": normal(4), "h": normal(4), "m": normal(4), "v": np.abs(normal(4)) + 0.1}
    constants |= {"lo": np.float32(0), "hi": np.float32(6), "k": normal(4, 4, 3, 3)}
    graph = load_model(onnx_model(nodes, (1, 3, 6, 6), constants))
    lowered = lower(graph)
    names = [
        ("Conv_c", "BatchNormalization_n", "Sigmoid_s", "Mul_a"),
        ("Conv_d", "Add_e", "Relu_r", "the_Clip"),
        ("MaxPool_p",),
    ]
    assert [layer.origin for layer in lowered.layers] == names
    config = PRESETS["medium"].__class__(**PRESETS["medium"].to_dict() | {"tables": 2})
    settings = QuantSettings(layers={"BatchNormalization_n": LayerFormats(weights="int8")})
    quantised = quantise(graph, normal(8, 3, 6, 6), settings, config)
    assert [layer.origin for layer in quantised.layers] == names
    assert np.abs(quantised.layers[0].segments[0].weights).max() > 16  # int8, not dybit4
    program = compile_graph(quantised, config)
    path = tmp_path / "m.nrw"
    program.save(path)
    assert [layer.origin for layer in Program.load(path).graph.layers] == names


def test_a_rewrite_that_says_nothing_keeps_origins():
    affine = Affine(name="a", source="x", scale=np.ones(1), bias=np.ones(1), output="y", origin=("first",))
    clamp = Clamp(name="c", source="y", low=0, high=1, output="z", origin=("second",))
    graph = Graph(
        name="g",
        tensors=dict.fromkeys("xyz", (1, 1, 1)),
        input=InputSpec(tensor="x", shape=(1, 1, 1)),
        layers=(affine, clamp),
        outputs=(Output.whole("z", (1, 1, 1)),),
    )
    whole = rebuild(graph, [affine, Mac(name="new", terms=(), bias=np.zeros(1), output="z")])
    assert [layer.origin for layer in whole.layers] == [("first", "second")]
    split = rebuild(
        graph,
        [
            affine,
            Clamp(name="i", source="y", low=0, high=2, output="i"),
            Clamp(name="c", source="i", low=0, high=1, output="z"),
        ],
    )
    assert [layer.origin for layer in split.layers] == [("first",), ("second",), ("second",)]
    joined_up = rebuild(graph, [Clamp(name="c", source="x", low=0, high=1, output="z")])
    assert [layer.origin for layer in joined_up.layers] == [("first", "second")]
