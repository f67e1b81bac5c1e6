"""diagnose: what each node of a model costs on a core, what the core lacks for the model, and which cores hold it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...hw.spec.config import AcceleratorConfig
from ..graph import Graph
from ..layers import MaxPool
from ..passes import lower
from ..quantize import QuantSettings
from ..quantize.halves import in_halves
from ..shortage import Shortage
from .estimate import estimate, with_cures
from .examine import ExaminedModel, ExaminedNode, Status
from .timeline import timeline
from .work import LayerWork, layer_work

__all__ = ["Diagnosis", "Fit", "NodeReport", "cores_for", "diagnose"]


@dataclass(frozen=True, kw_only=True)
class NodeReport:
    """A node of the file.

    ``detail`` says what it is fused into or why it is refused. ``macs``, ``cycles`` and ``..._bytes`` are those of the
    layer that the node becomes; ``weight_bytes`` and ``written_bytes`` are codes.
    """

    operator: str
    name: str
    shape: tuple[int, ...] | None
    status: Status
    detail: str = ""
    macs: int = 0
    cycles: int = 0
    weight_bytes: int = 0
    written_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Nodes in the file's order, what to change, and the cycles of the whole if it can run (0: it cannot).

    ``refusals`` are those of nodes and outputs, ``lacking`` lines on what the core has too little of, ``shortages`` the
    same as far as it can be counted.
    """

    nodes: tuple[NodeReport, ...]
    refusals: tuple[str, ...]
    lacking: tuple[str, ...]
    shortages: tuple[Shortage, ...]
    notes: tuple[str, ...]
    cycles: int

    @property
    def changes(self) -> tuple[str, ...]:
        """All that has to be changed before the model can run."""
        return self.refusals + self.lacking

    @property
    def refused(self) -> bool:
        """Whether something has to be changed."""
        return bool(self.changes)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Whether a core holds a model: cycles for a sample, or what it lacks."""

    name: str
    cycles: int = 0
    lacking: tuple[str, ...] = ()
    shortages: tuple[Shortage, ...] = ()


def diagnose(examined: ExaminedModel, config: AcceleratorConfig, settings: QuantSettings) -> Diagnosis:
    """Diagnosis of a model for a configuration, without quantising or compiling the model itself.

    Cycles are those of a program of the same shapes and formats with blank weights, on the nearest core that holds the
    model where ``config`` does not; of a model with refused nodes only those of the layers before them.
    """
    graph, whole = examined.graph, not examined.refusals
    costs: dict[str, LayerWork] = {}
    owners: dict[str, tuple[str, Status]] = {}
    lacking: tuple[str, ...] = ()
    shortages: tuple[Shortage, ...] = ()
    cycles = 0
    if graph is not None:
        lowered = in_halves(lower(graph))
        owners = _owners(graph, lowered)
        guess = with_cures(estimate(lowered, config, settings), lowered, config, settings)
        if whole:
            lacking, shortages = guess.problems, guess.shortages
        if guess.program is not None:
            run = timeline(guess.program)
            costs, cycles = {work.name: work for work in layer_work(guess.program, run)}, run.cycles
    names = {layer: node.name for node in examined.nodes for layer in node.layers}
    return Diagnosis(
        nodes=tuple(_report(node, owners, costs, names) for node in examined.nodes),
        refusals=examined.refusals,
        lacking=lacking,
        shortages=shortages,
        notes=examined.notes,
        cycles=cycles if whole and not lacking else 0,
    )


def cores_for(
    graph: Graph, cores: Mapping[str, AcceleratorConfig], settings: Callable[[AcceleratorConfig], QuantSettings]
) -> list[Fit]:
    """Which of some cores, by name, hold a lowered model; cores that differ in their port alone are tried once."""
    tried: dict[str, Fit] = {}
    fits = []
    for name, config in cores.items():
        if config.digest not in tried:
            found = estimate(graph, config, settings(config), only=True)
            program = None if found.problems else found.program
            cycles = 0 if program is None else timeline(program).cycles
            tried[config.digest] = Fit(name=name, cycles=cycles, lacking=found.problems, shortages=found.shortages)
        one = tried[config.digest]
        fits.append(Fit(name=name, cycles=one.cycles, lacking=one.lacking, shortages=one.shortages))
    return fits


def _owners(graph: Graph, lowered: Graph) -> dict[str, tuple[str, Status]]:
    """For each layer of the graph the lowered one that does its work: of its name, or of what its output goes into."""
    final = {layer.name: layer for layer in lowered.layers}
    writes = {layer.output: layer for layer in lowered.layers}
    readers = {source: layer for layer in reversed(graph.layers) for source in layer.sources}
    owners = {}
    for layer in graph.layers:
        found, output = final.get(layer.name), layer.output
        while found is None and output is not None:
            found = writes.get(output)
            reader = readers.get(output)
            output = None if reader is None else reader.output
        if found is not None:
            owners[layer.name] = found.name, Status.MAX_POOL if isinstance(found, MaxPool) else Status.ARRAY
    return owners


def _report(
    node: ExaminedNode,
    owners: Mapping[str, tuple[str, Status]],
    costs: Mapping[str, LayerWork],
    names: Mapping[str, str],
) -> NodeReport:
    """All that is known of a node; ``names`` are those of nodes by their layers."""

    def report(status: Status, detail: str = "", cost: LayerWork | None = None) -> NodeReport:
        return NodeReport(
            operator=node.operator,
            name=node.name,
            shape=node.shape,
            status=status,
            detail=detail,
            macs=cost.macs if cost else 0,
            cycles=cost.cycles if cost else 0,
            weight_bytes=cost.weight_bytes if cost else 0,
            written_bytes=cost.written_bytes if cost else 0,
        )

    if node.status is not Status.ARRAY:
        return report(node.status, node.detail)
    work = next(((name, *owners[name]) for name in node.layers if name in owners), None)
    if work is None:
        return report(Status.FUSED, "nothing reads it")
    name, owner, unit = next(((n, *owners[n]) for n in node.layers if owners.get(n, ("",))[0] == n), work)
    if name != owner:
        return report(Status.FUSED, f"into {names.get(owner, owner)}")
    return report(unit, cost=costs.get(owner))
