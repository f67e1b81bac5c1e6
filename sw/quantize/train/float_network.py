"""The float model in torch: what a lowered graph computes, as the teacher of its quantised form."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...graph import Graph
from ...layers import Mac, MaxPool
from ...outputs import Output
from .convolution import convolve, enlarged, max_pool
from .functions import function

__all__ = ["FloatNetwork", "scores_of"]


def scores_of(output: Output, values: Tensor) -> Tensor:
    """Elements that an output shows of its tensor, of shape (N, C, H, W), as (N, scores) in the model's order."""
    flat = values.flatten(1)
    return flat if output.order is None else flat[:, torch.from_numpy(output.order)]


class FloatNetwork(nn.Module):
    """A lowered graph with its own weights, which are not trained.

    Parameters
    ----------
    graph : Graph
        Of `Mac` and `MaxPool` layers only, without trained grids.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        for number, layer in enumerate(graph.layers):
            if isinstance(layer, Mac):
                self.register_buffer(f"bias{number}", torch.tensor(layer.bias, dtype=torch.float32))
                for index, term in enumerate(layer.terms):
                    self.register_buffer(f"weights{number}_{index}", torch.tensor(term.weights, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        """First output, without its head, (N, scores) for real inputs (N, C, H, W); in the type of ``x``."""
        return self.scores(self.tensors(x))

    def scores(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """The same, from all tensors."""
        return scores_of(self.graph.outputs[0], tensors[self.graph.outputs[0].tensor])

    @torch.no_grad()
    def tensors(self, x: Tensor) -> dict[str, Tensor]:
        """All tensors by name, for real inputs."""
        return self.traced(x)

    def traced(self, x: Tensor) -> dict[str, Tensor]:
        """The same with gradients to ``x``, if it has any."""
        tensors = {self.graph.input.tensor: x}
        for number, layer in enumerate(self.graph.layers):
            if isinstance(layer, Mac):
                tensors[layer.output] = enlarged(self._mac(number, layer, tensors), layer.enlarge)
            elif isinstance(layer, MaxPool):
                tensors[layer.output] = max_pool(tensors[layer.source], layer.window)
            else:
                raise TypeError(f"layer {layer.name!r} is a {type(layer).__name__}: lower the graph first")
        return tensors

    def _mac(self, number: int, layer: Mac, tensors: dict[str, Tensor]) -> Tensor:
        total = None
        for index, term in enumerate(layer.terms):
            part = convolve(tensors[term.source], self.get_buffer(f"weights{number}_{index}"), term)
            total = part if total is None else total + part
        assert total is not None, "a layer has terms"
        sums = total + self.get_buffer(f"bias{number}").to(total.dtype)[:, None, None]
        if layer.curve is not None:
            return function(layer.curve, sums.float()).to(sums.dtype)
        return sums.clamp(layer.low, layer.high)
