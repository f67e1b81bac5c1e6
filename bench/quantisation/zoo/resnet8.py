"""ResNet-8 as MLPerf Tiny defines it (arXiv 2106.07597): the network, its folding for deployment, its ONNX file."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import onnx
import torch
from narrows.sw.files import write_whole
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["PIXEL_MAX", "ResNet8", "export_onnx", "folded"]

PIXEL_MAX = 255
"""Largest pixel; training sees pixels divided by it, the folded network takes them as they are."""


class ConvNorm(nn.Module):
    """3x3 convolution with BatchNorm; one of stride 2 finds its padding in ``x``."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        padding = 1 if stride == 1 else 0
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=padding, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Normalised sums, before any activation."""
        return self.norm(self.conv(x))


class Block(nn.Module):
    """Two convolutions beside a skip, which is a 1x1 convolution without BatchNorm where the stride is 2."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.first: nn.Module = ConvNorm(inputs, outputs, stride=stride)
        self.second = ConvNorm(outputs, outputs)
        self.skip = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride=stride)
        # SAME padding of the reference: at stride 2 the odd line and column lie below and to the right.
        self.pad = nn.Identity() if stride == 1 else nn.ZeroPad2d((0, 1, 0, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Output of shape (N, outputs, H / stride, W / stride) for ``x`` of shape (N, inputs, H, W)."""
        return torch.relu(self.second(torch.relu(self.first(self.pad(x)))) + self.skip(x))


class ResNet8(nn.Module):
    """Stem, blocks of 16, 32 and 64 channels, average, classifier: 77,706 weights and biases without BatchNorm's."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 16)
        self.blocks = nn.Sequential(Block(16, 16), Block(16, 32, stride=2), Block(32, 64, stride=2))
        self.mean = nn.AvgPool2d(8)
        self.classify = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Scores of shape (N, 10) for images of shape (N, 32, 32, 3) between 0 and 1."""
        x = torch.relu(self.stem(x.permute(0, 3, 1, 2)))
        return self.classify(torch.flatten(self.mean(self.blocks(x)), 1))


def folded(model: ResNet8) -> ResNet8:
    """The same function without BatchNorm, in evaluation mode, of pixels 0..255 instead of 0..1.

    Returns
    -------
    ResNet8
        A copy; ``model`` is left as it was.
    """
    model = copy.deepcopy(model).eval()
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, ConvNorm):
                setattr(module, name, fuse_conv_bn_eval(child.conv, child.norm))
    with torch.no_grad():
        model.get_parameter("stem.weight").div_(PIXEL_MAX)
    return model


def export_onnx(model: ResNet8, path: Path) -> None:
    """Write the folded network: float32, opset 17, batch dynamic.

    Input ``pixels`` is (N, 32, 32, 3), raw pixels 0..255 as float32, neither scaled nor shifted, as MLPerf Tiny's model
    takes them; output ``scores`` is (N, 10), before softmax.
    """
    network = folded(model)
    for block in network.modules():
        if isinstance(block, Block) and isinstance(block.first, nn.Conv2d) and block.first.padding == (0, 0):
            block.pad = nn.Identity()
            block.first.padding = (1, 1)  # torch's convolution pads all sides alike; the file is put right below
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the other exporter writes opset 18 and converts it down
        torch.onnx.export(
            network,
            (torch.zeros(1, 32, 32, 3),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["pixels"],
            output_names=["scores"],
            dynamic_axes={"pixels": {0: "batch"}, "scores": {0: "batch"}},
        )
    file = onnx.load(path)
    for node in file.graph.node:
        attributes = {attribute.name: attribute.ints for attribute in node.attribute}
        if node.op_type == "Conv" and list(attributes["strides"]) == [2, 2] and any(attributes["pads"]):
            attributes["pads"][:] = [0, 0, 1, 1]
    write_whole(path, file.SerializeToString())
