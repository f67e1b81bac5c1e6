"""Networks whose packages hold weights alone: written down as ONNX, as their packages' sources and papers have them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx_builder import Builder

__all__ = ["efficientnet_lite0", "esrgan_slim", "mobilenet_v2", "tiny_face", "voice_encoder"]

Weights = Mapping[str, NDArray[np.float64]]


def _checkpoint(path: Path) -> Weights:
    """Arrays of a torch checkpoint, by name."""
    import torch

    state = torch.load(path, map_location="cpu", weights_only=False)
    return {name: value.double().numpy() for name, value in state.get("model_state", state).items()}


def _normalised(weights: Weights, conv: str, norm: str, epsilon: float) -> tuple[NDArray, NDArray]:
    """Weights and bias of a convolution with the normalisation behind it folded in."""
    scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + epsilon)
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return weights[f"{conv}.weight"] * scale[:, np.newaxis, np.newaxis, np.newaxis], bias


def mobilenet_v2(path: Path, files: tuple[Path, ...], size: int) -> Path:
    """MobileNetV2 of width 1 for ImageNet; parts are numbered as in torch's Sequential of it."""
    weights, net = _checkpoint(files[0]), Builder()

    def conv(x: str, name: str, norm: str, stride: int = 1, act: str = "Relu6") -> str:
        kernel, bias = _normalised(weights, name, norm, 1e-5)
        return net.convolution(x, kernel, bias, stride, groups=_groups(kernel), act=act)

    x = conv("x", "features.0.0", "features.0.1", 2)
    for index in range(1, 18):
        block, y = f"features.{index}.conv", x
        parts = 2 if f"{block}.1.0.weight" in weights else 1  # the first block does not expand
        stride = 2 if index in (2, 4, 7, 14) else 1
        for part in range(parts):
            y = conv(y, f"{block}.{part}.0", f"{block}.{part}.1", stride if part == parts - 1 else 1)
        y = conv(y, f"{block}.{parts}", f"{block}.{parts + 1}", act="")
        same = stride == 1 and index > 1 and _outputs(weights, index) == _outputs(weights, index - 1)
        x = net.node("Add", x, y)[0] if same else y
    x = conv(x, "features.18.0", "features.18.1")
    y = net.matrix(net.pooled(x), weights["classifier.1.weight"].T, weights["classifier.1.bias"])
    return net.save(path, (1, 3, size, size), [y])


def _outputs(weights: Weights, index: int) -> int:
    """Channels that a block of MobileNetV2 writes."""
    block = f"features.{index}.conv"
    return len(weights[f"{block}.{2 if index > 1 else 1}.weight"])


def _groups(kernel: NDArray) -> int:
    """As many groups as channels of a depthwise kernel; others have one."""
    return len(kernel) if kernel.shape[1] == 1 < kernel.shape[-1] else 1


_STRIDES = {0: 1, 1: 2, 3: 2, 5: 2, 11: 2}
"""Strides of the blocks of EfficientNet-Lite0; those left out have 1."""


def efficientnet_lite0(path: Path, files: tuple[Path, ...], size: int) -> Path:
    """EfficientNet-Lite0 for ImageNet: no squeeze-and-excitation, ReLU6, padding as in TensorFlow."""
    weights, net = _checkpoint(files[0]), Builder()

    def conv(x: str, name: str, norm: str, stride: int = 1, act: str = "Relu6") -> str:
        kernel, bias = _normalised(weights, name, norm, 1e-3)
        return net.convolution(x, kernel, bias, stride, groups=_groups(kernel), act=act, auto_pad="SAME_UPPER")

    x = conv("x", "_conv_stem", "_bn0", 2)
    for index in range(16):
        block, y = f"_blocks.{index}", x
        if f"{block}._expand_conv.weight" in weights:
            y = conv(y, f"{block}._expand_conv", f"{block}._bn0")
        y = conv(y, f"{block}._depthwise_conv", f"{block}._bn1", _STRIDES.get(index, 1))
        y = conv(y, f"{block}._project_conv", f"{block}._bn2", act="")
        inputs = weights.get(f"{block}._expand_conv.weight", weights[f"{block}._depthwise_conv.weight"]).shape[1]
        same = _STRIDES.get(index, 1) == 1 and inputs == len(weights[f"{block}._project_conv.weight"])
        x = net.node("Add", x, y)[0] if same else y
    x = conv(x, "_conv_head", "_bn1")
    return net.save(path, (1, 3, size, size), [net.matrix(net.pooled(x), weights["_fc.weight"].T, weights["_fc.bias"])])


def voice_encoder(path: Path, files: tuple[Path, ...], size: int) -> Path:
    """The speaker encoder of Resemblyzer, a step for each frame of 40 mel bands: three LSTM, a dense layer, a norm."""
    weights, net, x = _checkpoint(files[0]), Builder(), "x"

    def gates(name: str) -> NDArray[np.float64]:
        parts = np.split(weights[name], 4)  # input, forget, cell, output
        return np.concatenate([parts[0], parts[3], parts[1], parts[2]])

    for layer in range(3):
        biases = np.concatenate([gates(f"lstm.bias_ih_l{layer}"), gates(f"lstm.bias_hh_l{layer}")])
        matrices = gates(f"lstm.weight_ih_l{layer}"), gates(f"lstm.weight_hh_l{layer}")
        x = net.lstm(x, *matrices, biases, (f"h{layer}", f"c{layer}"))
    x = net.matrix(x, weights["linear.weight"].T, weights["linear.bias"], "Relu")
    (norm,) = net.node("ReduceL2", x, axes=[1], keepdims=1)
    return net.save(path, (1, 40), net.node("Div", x, norm))


def _manifest(files: tuple[Path, ...], weights: list[dict[str, Any]]) -> Weights:
    """Arrays of a TensorFlow.js file of weights, by name, as its manifest has them."""
    data, found = files[1].read_bytes(), {}
    at = 0
    for entry in weights:
        quantised = entry.get("quantization")
        dtype = np.dtype(quantised["dtype"] if quantised else entry["dtype"])
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(data, dtype, count, at).astype(np.float64)
        at += count * dtype.itemsize
        if quantised:
            values = values * quantised["scale"] + quantised["min"]
        found[entry["name"]] = values.reshape(entry["shape"])
    return found


def tiny_face(path: Path, files: tuple[Path, ...], size: int) -> Path:
    """The tiny face detector of face-api: a convolution and five separable ones with max-pools between, 25 channels.

    Kernels lie as (kH, kW, I, O). Pixels are scaled as the package does: means off, over 256.
    """
    weights, net = _manifest(files, json.loads(files[0].read_bytes())[0]["weights"]), Builder()
    same = {"auto_pad": "SAME_UPPER"}
    x = net.convolution("x", weights["conv0/filters"].transpose(3, 2, 0, 1), weights["conv0/bias"], act="", **same)
    for index in range(1, 7):
        (x,) = net.node("LeakyRelu", x, alpha=0.1)
        if index == 6:
            break
        (x,) = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], **same)
        kernel = weights[f"conv{index}/depthwise_filter"].transpose(2, 3, 0, 1)
        x = net.convolution(x, kernel, np.zeros(len(kernel)), groups=len(kernel), act="", **same)
        point = weights[f"conv{index}/pointwise_filter"].transpose(3, 2, 0, 1)
        x = net.convolution(x, point, weights[f"conv{index}/bias"], act="")
    (x,) = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[1, 1], **same)
    last = net.convolution(x, weights["conv8/filters"].transpose(3, 2, 0, 1), weights["conv8/bias"], act="")
    return net.save(path, (1, 3, size, size), [last])


def esrgan_slim(path: Path, files: tuple[Path, ...], size: int) -> Path:
    """ESRGAN-slim as UpscalerJS has it: a Keras graph, its layers one by one."""
    described = json.loads(files[0].read_bytes())
    weights, net = _manifest(files, described["weightsManifest"][0]["weights"]), Builder()
    names: dict[str, str] = {}
    layers = list(_layers(described["modelTopology"]))
    for kind, name, config, sources in layers:
        x = [names[source] for source in sources]
        if kind == "InputLayer":
            names[name] = "x"
        elif kind == "Conv2D":
            kernel = weights[f"{name}/kernel"].transpose(3, 2, 0, 1)
            padding = "SAME_UPPER" if config["padding"] == "same" else "VALID"
            names[name] = net.convolution(*x, kernel, weights[f"{name}/bias"], act="", auto_pad=padding)
        elif kind == "Activation":
            names[name] = net.act(x[0], config["activation"].capitalize())
        elif kind == "Add":
            (names[name],) = net.node("Add", *x)
        elif kind == "Concatenate":
            (names[name],) = net.node("Concat", *x, axis=1)
        elif kind == "UpSampling2D":
            names[name] = net.enlarged(x[0], config["size"], config["interpolation"])
        else:
            raise ValueError(f"a layer of the kind {kind}")
    return net.save(path, (1, 3, size, size), [names[layers[-1][1]]])


def _layers(topology: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], list[str]]]:
    """Kind, name, configuration and sources of each layer of a Keras graph."""
    for layer in topology.get("model_config", topology)["config"]["layers"]:
        sources = [source[0] for node in layer["inbound_nodes"] for source in node]
        yield layer["class_name"], layer["name"], layer["config"], sources
