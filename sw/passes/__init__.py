"""Rewrites of the typed float graph, in the order in which they run."""

from __future__ import annotations

from collections.abc import Callable

from ..graph import Graph
from .fold_affine import fold_affine_backward, fold_affine_forward, join_affines, lower_affine
from .fuse_clamps import clamp_before_pooling, fuse_clamps, lower_clamps
from .fuse_curves import fuse_curves, join_curves, lower_curves
from .fuse_pads import fuse_pads
from .fuse_quantisers import fuse_quantisers, quantise_input_first
from .join_channels import join_channels
from .keep_grids import keep_grids
from .lower_averages import lower_averages
from .lower_elements import lower_elements
from .merge_adds import merge_adds
from .own_updates import own_updates
from .split_concats import lower_concats, split_concats
from .take_channels import take_channels
from .trim_windows import trim_windows

__all__ = ["PASSES", "lower"]

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    join_affines,
    fuse_pads,
    lower_averages,
    lower_elements,
    trim_windows,
    quantise_input_first,
    fold_affine_backward,  # before the sums, so that a bias behind a convolution does not hide it
    take_channels,  # so that a mean that is subtracted joins the sum
    merge_adds,
    fold_affine_backward,  # again, for what stands behind a sum
    clamp_before_pooling,
    join_curves,
    fold_affine_forward,
    join_channels,
    split_concats,
    lower_concats,
    fold_affine_backward,  # once more, for what stands behind copies
    lower_affine,
    fuse_clamps,
    fuse_curves,
    take_channels,
    lower_curves,
    fuse_quantisers,
    lower_clamps,
    keep_grids,
    own_updates,
)
"""Each takes a graph and returns an equivalent one; the last leaves only `Mac`, `MaxPool` and `Product` layers."""


def lower(graph: Graph) -> Graph:
    """The graph as `Mac`, `MaxPool` and `Product` layers alone; running it twice changes nothing."""
    for rewrite in PASSES:
        graph = rewrite(graph)
    return graph
