"""A lowered graph as a Brevitas network: its own quantisers on our layers, to be compared with."""

from __future__ import annotations

import warnings

import torch
from narrows.sw.graph import Graph
from narrows.sw.layers import Mac, MaxPool
from narrows.sw.quantize.train.convolution import convolve, max_pool
from torch import Tensor, nn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its imports deprecate one another
    import brevitas.nn as qnn
    from brevitas.quant import (
        Int8AccumulatorAwareWeightQuant,
        Int8AccumulatorAwareZeroCenterWeightQuant,
        Uint8ActPerTensorFloat,
    )

__all__ = ["PIXEL_MAX", "BrevitasNetwork"]

PIXEL_MAX = 255
"""Pixels are divided by it: the step of an optimiser suits weights of usual size."""

_QUANTISERS = {"a2q": Int8AccumulatorAwareWeightQuant, "a2q+": Int8AccumulatorAwareZeroCenterWeightQuant}


class BrevitasNetwork(nn.Module):
    """Convolutions with A2Q or A2Q+ weights of 4 bits, unsigned activations of 4 bits, an 8-bit image, real scores.

    Every term of a layer is a convolution with an accumulator of its own: a residual sum costs it none of its bits.

    Parameters
    ----------
    graph : Graph
        Lowered; activations between layers are clamps at 0, or nothing behind them: then averages.
    method : str
        ``a2q`` or ``a2q+``.
    acc_bits : int
    statistics : int
        Steps after which scales of activations are learned instead of measured.
    """

    def __init__(self, graph: Graph, method: str, acc_bits: int, statistics: int) -> None:
        super().__init__()
        self.graph = graph
        bits = {"collect_stats_steps": statistics}
        self.image = qnn.QuantIdentity(act_quant=Uint8ActPerTensorFloat, return_quant_tensor=True, **bits)
        self.convolutions, self.activations = nn.ModuleDict(), nn.ModuleDict()
        for number, layer in enumerate(graph.layers):
            if not isinstance(layer, Mac):
                continue
            for index, term in enumerate(layer.terms):
                if term.constant:
                    continue
                outputs, inputs, *_ = term.weights.shape
                convolution = qnn.QuantConv2d(
                    inputs,
                    outputs,
                    term.window.kernel,
                    stride=term.window.stride,
                    bias=index == 0,
                    weight_quant=_QUANTISERS[method],
                    weight_bit_width=4,
                    weight_accumulator_bit_width=acc_bits,
                    return_quant_tensor=False,
                )
                pixels = PIXEL_MAX if term.source == graph.input.tensor else 1
                state = {"weight": torch.tensor(term.weights * pixels).float()}
                if index == 0:
                    state["bias"] = torch.tensor(layer.bias).float()
                convolution.load_state_dict(state, strict=False)  # scales and norms start from these
                self.convolutions[f"{number}_{index}"] = convolution
            self.activations[str(number)] = qnn.QuantReLU(
                act_quant=Uint8ActPerTensorFloat, bit_width=4, return_quant_tensor=True, **bits
            )

    def forward(self, x: Tensor, means: list[Tensor] | None = None) -> Tensor:
        """Scores (N, K) of images (N, C, H, W), pixels 0 to 1.

        Given the ``means`` of each layer's sums in the float model, biases are first corrected to them.
        """
        tensors = {self.graph.input.tensor: self.image(x)}
        for number, layer in enumerate(self.graph.layers):
            if isinstance(layer, MaxPool):
                source = tensors[layer.source]
                tensors[layer.output] = source.set(value=max_pool(source.value, layer.window))
                continue
            assert isinstance(layer, Mac), "the graph is lowered"
            total: Tensor | float = 0.0
            for index, term in enumerate(layer.terms):
                source = tensors[term.source]
                if term.constant:
                    weights = torch.tensor(term.weights).float()
                    total = total + convolve(source.value, weights, term)
                    continue
                top, left, bottom, right = term.window.pads
                padded = source
                if any(term.window.pads):
                    padded = source.set(value=nn.functional.pad(source.value, (left, right, top, bottom)))
                total = total + self.convolutions[f"{number}_{index}"](padded)
            if means is not None and f"{number}_0" in self.convolutions:
                deviation = means[number] - total.mean((0, 2, 3))
                self.convolutions[f"{number}_0"].bias.data += deviation.detach()
                total = total + deviation[:, None, None]
            output = layer.output
            tensors[output] = total if output == self.graph.outputs[0].tensor else self.activations[str(number)](total)
        return tensors[self.graph.outputs[0].tensor].flatten(1)
