"""Rebuilder: which parts of a network are reconstructed while it is quantised, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from ..graph import Graph
from ..layers import Layer, Mac, Product
from ..quantised import IntegerLayer, QuantisedTensor
from . import evaluate
from .blocks import Block, blocks
from .problem import Source
from .settings import QuantSettings

if TYPE_CHECKING:
    from .train.reconstruct import Learned, Reconstruction

__all__ = ["Rebuilder", "Report", "Reconstructed"]


@dataclass(frozen=True, kw_only=True)
class Reconstructed:
    """What became of a block.

    Errors are mean square distances of its outputs from the float model's, as parts of their variance, each value
    counted as the model's outputs depend on it; on samples that were not learned from.

    Parameters
    ----------
    block : str
        Its layers.
    before, after : float
        Errors as post-training quantisation made it, and as it was learned.
    seconds : float
        What it took.
    why : str
        What kept it from being learned at all; empty if nothing did.
    """

    block: str
    before: float = 0.0
    after: float = 0.0
    seconds: float = 0.0
    why: str = ""

    @property
    def kept(self) -> bool:
        """Whether the block is used as it was learned: it is if that is better."""
        return not self.why and self.after < self.before


Report = Callable[[Reconstructed], None]
Learner = Callable[[Graph, NDArray, list[Block], QuantSettings], "Reconstruction"]


class Rebuilder:
    """Follows a quantiser from layer to layer, and has each block learned when its last layer is quantised.

    Parameters
    ----------
    graph : Graph
        As the quantiser reads it.
    samples : array, shape (N, ...)
        Calibration samples as the model takes them.
    settings : QuantSettings
    learner : callable
        Gives the `Reconstruction` of a graph's blocks, on its real inputs.
    report : callable, optional
        Called with each block's `Reconstructed`.
    """

    def __init__(
        self, graph: Graph, samples: NDArray, settings: QuantSettings, learner: Learner, report: Report | None = None
    ) -> None:
        self._report = report or (lambda result: None)
        self._integers: dict[str, QuantisedTensor] = {}
        self._sharing: set[str] = set()
        self._given: tuple[Source, NDArray] | None = None
        self._wanted: dict[str, NDArray] = {}
        found: list[Block] = []
        if why := _unsupported(graph):
            self._report(Reconstructed(block="all layers", why=why))
        else:
            found = blocks(graph)
        self._first = {block.layers[0].name: block for block in found}
        self._last = {block.layers[-1].name: block for block in found}
        own = settings.for_layers(graph.layers)
        self._learner = learner(graph, evaluate.model_input(graph, samples), found, own) if found else None

    def enter(self, layer: Layer, sources: Mapping[str, Source], floats: Mapping[str, NDArray]) -> None:
        """Before a layer is quantised: ``sources`` and ``floats`` are what it may read."""
        block = self._first.get(layer.name)
        if block is not None:
            self._given, self._wanted = (sources[block.source], floats[block.source]), {}

    def looks_up(self, layer: Mac, integers: QuantisedTensor, *, shared: bool) -> None:
        """Take the integers that a layer's table is made for, and whether other layers look up the same."""
        self._integers[layer.name] = integers
        if shared:
            self._sharing.add(layer.name)

    def leave(
        self,
        layer: Layer,
        layers: Sequence[IntegerLayer],
        tensors: Mapping[str, QuantisedTensor],
        floats: Mapping[str, NDArray],
    ) -> Learned | None:
        """After a layer is quantised, the last one of ``layers``: its block, if it ends with it and was learned well.

        ``floats`` hold what the float layer writes.
        """
        self._wanted[layer.output] = floats[layer.output]
        block = self._last.get(layer.name)
        if block is None or self._learner is None or self._given is None:
            return None
        sharing = [each.name for each in block.layers if each.name in self._sharing]
        if sharing:
            self._report(Reconstructed(block=block.name, why=f"{sharing[0]} shares its table with other layers"))
            return None
        own = tuple(layers[-len(block.layers) :])
        integers = {each.name: self._integers[each.name] for each in block.layers if each.name in self._integers}
        wanted = {name: self._wanted[name] for name in block.outputs}
        learned = self._learner.learn(block, own, tensors, integers, self._given, wanted)
        self._given, self._wanted = None, {}
        self._report(learned.result)
        return learned if learned.result.kept else None


def _unsupported(graph: Graph) -> str:
    """Why a model is left as it is; empty if it is not."""
    if graph.grids:
        return "the model keeps its own integers"
    if graph.states:
        return "the model keeps states from run to run"
    products = [layer.name for layer in graph.layers if isinstance(layer, Product)]
    return f"{products[0]} multiplies two tensors" if products else ""


Rebuild = Callable[[Graph, NDArray, QuantSettings], Rebuilder]
