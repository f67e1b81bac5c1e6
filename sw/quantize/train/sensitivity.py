"""How much the outputs of a float model depend on each value between its layers."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from ...graph import Graph
from .float_network import FloatNetwork

__all__ = ["sensitivities"]

_AT_ONCE = 32


def sensitivities(
    graph: Graph, x: Tensor, names: Collection[str], *, probes: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Squared derivatives of all outputs by each value of some tensors, summed over the outputs' elements.

    They are the diagonal of the Gauss-Newton matrix of the square distance of the outputs, each in its own variance:
    what an error of one value costs (the Fisher information of BRECQ, arXiv 2102.05426, without labels). Estimated from
    ``probes`` random signs on the outputs.

    Parameters
    ----------
    graph : Graph
        Lowered, of `Mac` and `MaxPool` layers only.
    x : Tensor, shape (N, C, H, W)
        Real inputs.
    names : collection of str
        Tensors.
    probes : int
    generator : torch.Generator
        Of the signs.

    Returns
    -------
    dict of Tensor
        By name, of each tensor's shape (N, C, H, W), float32, mean 1 over all values (0 where nothing depends on it).
    """
    network, wanted = FloatNetwork(graph), list(names)
    found: dict[str, list[Tensor]] = {name: [] for name in wanted}
    for part in x.split(_AT_ONCE):
        tensors = network.traced(part.clone().requires_grad_())
        scores = [tensors[name] / tensors[name].detach().std().clamp(min=1e-12) for name in graph.output_tensors]
        squares = [torch.zeros_like(tensors[name]) for name in wanted]
        for _ in range(probes):
            signs = [torch.randint(0, 2, each.shape, generator=generator) * 2.0 - 1 for each in scores]
            total = torch.stack([(each * sign).sum() for each, sign in zip(scores, signs, strict=True)]).sum()
            slopes = torch.autograd.grad(total, [tensors[name] for name in wanted], retain_graph=True)
            squares = [square + slope.square() for square, slope in zip(squares, slopes, strict=True)]
        for name, square in zip(wanted, squares, strict=True):
            found[name].append(square.detach())
    whole = {name: torch.cat(parts) for name, parts in found.items()}
    return {name: each / each.mean().clamp(min=1e-30) for name, each in whole.items()}
