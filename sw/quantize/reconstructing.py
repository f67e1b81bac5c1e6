"""quantise_and_reconstruct: quantisation whose blocks are learned on the calibration samples, if that is asked for."""

from __future__ import annotations

from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ..extras import need_torch
from ..graph import Graph
from ..quantised import QuantisedGraph
from .blocks import Block
from .quantise import Progress, quantise
from .rebuild import Rebuilder, Report
from .settings import QuantSettings

__all__ = ["quantise_and_reconstruct"]


def quantise_and_reconstruct(
    graph: Graph,
    calibration: NDArray,
    settings: QuantSettings,
    config: AcceleratorConfig,
    progress: Progress | None = None,
    report: Report | None = None,
) -> QuantisedGraph:
    """As `quantise`; with ``settings.reconstruct`` each block is learned as soon as its last layer is quantised.

    Layers behind it are quantised on what the learned block gives. The same samples, settings and number of threads
    give the same integers.

    Parameters
    ----------
    graph, calibration, settings, config, progress
        As `quantise` takes them.
    report : callable, optional
        Called with what became of each block (`Reconstructed`).

    Raises
    ------
    ToolMissing
        If torch is asked for and not there.
    NarrowsError
        As from `quantise`.
    """
    if not settings.reconstruct:
        return quantise(graph, calibration, settings, config, progress)
    need_torch("reconstruction needs")
    from .train.reconstruct import Reconstruction

    def learner(ready: Graph, x: NDArray, found: list[Block], own: QuantSettings) -> Reconstruction:
        return Reconstruction(ready, x, found, own, config)

    def rebuild(ready: Graph, samples: NDArray, own: QuantSettings) -> Rebuilder:
        return Rebuilder(ready, samples, own, learner, report)

    return quantise(graph, calibration, settings, config, progress, rebuild)
