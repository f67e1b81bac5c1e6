"""Enlarged images are read in phases, or copied in full size where phases upon phases would take too many weights."""

import numpy as np
import pytest
from narrows.sw.frontend import load_model
from narrows.sw.layers import Mac
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from operator_cases import node

CHANNELS = 6


def pyramid(levels):
    """Nodes of a feature pyramid (arXiv 1612.03144): each level is the enlarged one before plus a larger image, then a
    convolution; at the end all levels enlarged to the size of the largest, side by side."""
    rng = np.random.default_rng(8)

    def weights(outputs, inputs, kernel):
        return rng.normal(0, 1 / np.sqrt(inputs * kernel**2), (outputs, inputs, kernel, kernel)).astype(np.float32)

    nodes, constants, sizes, last = [], {}, ["x"], "x"
    nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    for level in range(1, levels):
        constants[f"d{level}"] = weights(CHANNELS, CHANNELS, 3)
        nodes.append(node("Conv", last, f"d{level}", output=f"s{level}", pads=[1, 1, 1, 1], strides=[2, 2]))
        last = f"s{level}"
        sizes.append(last)
    ends = [last]
    for level in reversed(range(levels - 1)):
        constants |= {"twice": np.float32([1, 1, 2, 2]), f"u{level}": weights(CHANNELS, CHANNELS, 3)}
        nodes.append(node("Resize", last, "", "twice", output=f"e{level}", **nearest))
        nodes.append(node("Add", f"e{level}", sizes[level], output=f"a{level}"))
        nodes.append(node("Conv", f"a{level}", f"u{level}", output=f"c{level}", pads=[1, 1, 1, 1]))
        last = f"c{level}"
        ends.append(last)
    for place, end in enumerate(ends[:-1]):
        times = 1 << (levels - 1 - place)
        constants[f"t{place}"] = np.float32([1, 1, times, times])
        nodes.append(node("Resize", end, "", f"t{place}", output=f"f{place}", **nearest))
    nodes.append(node("Concat", *(f"f{place}" for place in range(levels - 1)), ends[-1], output="joined", axis=1))
    constants["last"] = weights(2, CHANNELS * levels, 3)
    return [*nodes, node("Conv", "joined", "last", pads=[1, 1, 1, 1])], constants


def imported(levels, size, onnx_model, run_onnx):
    """The lowered graph, which computes what onnxruntime does, and its weights over those of the file."""
    nodes, constants = pyramid(levels)
    path = onnx_model(nodes, (1, CHANNELS, size, size), constants)
    graph = lower(load_model(path))
    x = np.random.default_rng(9).normal(size=(2, CHANNELS, size, size)).astype(np.float32)
    (values,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(values, run_onnx(path, x), atol=1e-4)
    macs = [layer for layer in graph.layers if isinstance(layer, Mac) and layer.enlarge == (1, 1)]
    count = sum(term.weights.size for layer in macs for term in layer.terms)
    return graph, count / sum(values.size for values in constants.values())


def has_phases(graph):
    return any("/phases" in layer.name for layer in graph.layers)


@pytest.mark.parametrize("size", [40, 24, 16])
def test_levels_upon_levels_are_copied_in_full_size(size, onnx_model, run_onnx):
    graph, more = imported(4, size, onnx_model, run_onnx)
    assert more < 2 and not has_phases(graph)


def test_one_level_that_single_pixels_are_read_of_stays_a_view(onnx_model, run_onnx):
    rng = np.random.default_rng(10)
    constants = {name: rng.normal(size=(CHANNELS, CHANNELS, 1, 1)).astype(np.float32) for name in "vw"}
    constants["twice"] = np.float32([1, 1, 2, 2])
    nodes = [node("Conv", "x", "v", output="c"), node("Resize", "c", "", "twice", output="e", mode="nearest")]
    path = onnx_model([*nodes, node("Conv", "e", "w")], (1, CHANNELS, 8, 8), constants)
    graph = lower(load_model(path))
    assert not any("/copy" in layer.name for layer in graph.layers)
    x = rng.normal(size=(2, CHANNELS, 8, 8)).astype(np.float32)
    (values,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(values, run_onnx(path, x), atol=1e-4)
