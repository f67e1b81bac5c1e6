"""Images enlarged again and again, as in a U-Net, are written in full size, whatever enlarges them."""

import math

import numpy as np
import pytest
from narrows.sw.frontend import load_model
from narrows.sw.layers import Mac
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize.evaluate import evaluate
from operator_cases import node

WIDTH = 4
RESIZED = {
    "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    "linear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
}


def unet(up, levels=3, kernel=2, behind=(), sizes=(), **attributes):
    """Nodes of a small U-Net (arXiv 1505.04597), one convolution a level; ``behind`` are operators behind each
    enlargement, ``sizes`` what transposed convolutions give in turn, ``attributes`` those of all."""
    rng = np.random.default_rng(4)

    def normal(*shape):
        return rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)

    nodes, constants, last, inputs, skips = [], {}, "x", 3, []
    for level in range(levels):
        outputs = WIDTH << level
        constants[f"d{level}"] = normal(outputs, inputs, 3, 3)
        nodes.append(node("Conv", last, f"d{level}", output=f"c{level}", pads=[1, 1, 1, 1]))
        nodes.append(node("Relu", f"c{level}", output=f"s{level}"))
        nodes.append(node("MaxPool", f"s{level}", output=f"p{level}", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1))
        skips.append(f"s{level}")
        last, inputs = f"p{level}", outputs
    for level in reversed(range(levels)):
        outputs, enlarged = WIDTH << level, f"e{level}"
        if up == "transposed":
            constants[f"t{level}"] = normal(inputs, outputs, kernel, kernel)
            own = attributes | ({"output_shape": sizes[levels - 1 - level]} if sizes else {})
            nodes.append(node("ConvTranspose", last, f"t{level}", output=enlarged, strides=[2, 2], **own))
            inputs = outputs
        else:
            constants["twice"] = np.float32([1, 1, 2, 2])
            nodes.append(node("Resize", last, "", "twice", output=enlarged, **RESIZED[up]))
        for number, kind in enumerate(behind):
            following = f"{enlarged}b{number}"
            extra = []
            if kind == "BatchNormalization":
                extra = [f"n{level}{name}" for name in "sbmv"]
                constants |= {name: rng.uniform(0.5, 1.5, inputs).astype(np.float32) for name in extra}
            nodes.append(node(kind, enlarged, *extra, output=following))
            enlarged = following
        constants[f"u{level}"] = normal(outputs, inputs + outputs, 3, 3)
        nodes.append(node("Concat", skips[level], enlarged, output=f"j{level}", axis=1))
        nodes.append(node("Conv", f"j{level}", f"u{level}", output=f"f{level}", pads=[1, 1, 1, 1]))
        last, inputs = f"f{level}", outputs
    constants["last"] = normal(2, inputs, 1, 1)
    return [*nodes, node("Conv", last, "last")], constants


def lowered(nodes, constants, shape, onnx_model, run_onnx):
    """The lowered graph, which computes what onnxruntime does, and its layers that enlarge."""
    path = onnx_model(nodes, shape, constants)
    graph = lower(load_model(path))
    x = np.random.default_rng(9).normal(size=(2, *shape[1:])).astype(np.float32)
    (values,) = given_outputs(graph.outputs, evaluate(graph, x)).values()
    np.testing.assert_allclose(values, run_onnx(path, x), atol=2e-5)
    return graph, [layer for layer in graph.layers if isinstance(layer, Mac) and layer.enlarge != (1, 1)]


@pytest.mark.parametrize(
    ("kernel", "attributes"),
    [(2, {}), (4, {"pads": [1, 1, 1, 1]}), (3, {"pads": [1, 1, 1, 1], "output_padding": [1, 1]})],
)
def test_transposed_convolutions_write_in_pixel_order(kernel, attributes, onnx_model, run_onnx):
    nodes, constants = unet("transposed", kernel=kernel, **attributes)
    graph, large = lowered(nodes, constants, (1, 3, 24, 16), onnx_model, run_onnx)
    assert [graph.tensors[layer.output][1:] for layer in large] == [(6, 4), (12, 8), (24, 16)]
    assert not any(layer.copies for layer in large)
    assert len(graph.layers) == 3 * 2 + 3 * 2 + 1
    file = sum(values.size for values in constants.values())
    total = sum(term.weights.size for layer in graph.layers if isinstance(layer, Mac) for term in layer.terms)
    assert total <= file * (1 if kernel == 2 else 4)


@pytest.mark.parametrize("up", ["nearest", "linear"])
def test_resized_images_are_written_in_full_size(up, onnx_model, run_onnx):
    graph, large = lowered(*unet(up), (1, 3, 24, 32), onnx_model, run_onnx)
    assert [graph.tensors[layer.output][1:] for layer in large][-2:] == [(12, 16), (24, 32)]
    assert not any("/phases" in layer.name for layer in graph.layers)


@pytest.mark.parametrize("behind", [("Relu",), ("BatchNormalization", "Relu"), ("Sigmoid",)])
def test_what_stands_behind_joins_the_layer(behind, onnx_model, run_onnx):
    graph, large = lowered(*unet("transposed", behind=behind), (1, 3, 16, 16), onnx_model, run_onnx)
    assert len(large) == 3
    assert len(graph.layers) == 3 * 2 + 3 * 2 + 1


def test_images_of_odd_sizes_are_cropped(onnx_model, run_onnx):
    nodes, constants = unet("transposed", levels=2, sizes=([5, 7], [9, 13]))
    graph, large = lowered(nodes, constants, (1, 3, 9, 13), onnx_model, run_onnx)
    assert [graph.tensors[layer.output][1:] for layer in large] == [(6, 8), (10, 14)]


def test_pixels_shown_many_times_are_copied_twice_as_often_and_again(onnx_model, run_onnx):
    rng = np.random.default_rng(3)
    constants = {name: rng.normal(0, 1 / 6, (4, 4, 3, 3)).astype(np.float32) for name in "ab"}
    constants |= {"twice": np.float32([1, 1, 2, 2]), "eight": np.float32([1, 1, 8, 8])}
    nodes = [
        node("Resize", "x", "", "eight", output="e", **RESIZED["nearest"]),
        node("Conv", "e", "a", output="f", pads=[1, 1, 1, 1]),
        node("Resize", "f", "", "twice", output="g", **RESIZED["nearest"]),
        node("Conv", "g", "b", pads=[1, 1, 1, 1]),
    ]
    _, large = lowered(nodes, constants, (1, 4, 4, 4), onnx_model, run_onnx)
    assert [layer.enlarge for layer in large] == [(2, 2)] * 4


def test_max_pools_read_enlarged_images_of_any_size(onnx_model, run_onnx):
    weights = np.random.default_rng(3).normal(size=(3, 4, 2, 2)).astype(np.float32)
    nodes = [
        node("ConvTranspose", "x", "w", output="e", strides=[2, 2]),
        node("MaxPool", "e", kernel_shape=[3, 3], strides=[1, 1]),
    ]
    graph, large = lowered(nodes, {"w": weights}, (1, 3, 20, 24), onnx_model, run_onnx)
    assert len(graph.layers) == 2 and math.prod(large[0].enlarge) == 4
