"""examine_model: what would become of a model, node by node, before anything is quantised or compiled."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ...hw.spec.config import PRESETS, AcceleratorConfig
from .config import Config
from .formats import Formats
from .html import table_html
from .lowering import lowered

if TYPE_CHECKING:
    from ..costs.diagnose import Diagnosis, Fit, NodeReport
    from ..costs.propose import Proposal
    from ..reference import Verdict
    from .model import Model

__all__ = ["NODE_HEADER", "Examination", "examine_model"]

NODE_HEADER = ("node", "writes", "becomes", "MACs", "cycles", "weights")
"""Columns of `Examination.node_rows`."""

_DEVICE = "ecp5-85k"


@dataclass(frozen=True, kw_only=True, eq=False)
class Examination:
    """What becomes of a model on a core, and which cores hold it.

    Parameters
    ----------
    name : str
        The model's file.
    found : Diagnosis
        Nodes, what to change, cycles.
    core : AcceleratorConfig
        The core it was examined for.
    verdict : Verdict or None
        On the import; None if there is none.
    cores : list of Fit
        Presets and boards: cycles of a sample, or what they lack.
    smallest : Proposal or None
        The smallest core that holds the model without a backing store.
    whole : bool
        Whether all of the model was read.
    """

    name: str
    found: Diagnosis
    core: AcceleratorConfig
    verdict: Verdict | None
    cores: list[Fit]
    smallest: Proposal | None
    whole: bool

    @property
    def ok(self) -> bool:
        """Whether the model runs on the core as it is."""
        return not self.found.refused

    @property
    def cycles(self) -> int:
        """Of a sample; 0 if the model does not run."""
        return self.found.cycles

    @property
    def changes(self) -> tuple[str, ...]:
        """All that has to be changed before the model can run on the core."""
        return self.found.changes

    def nodes(self, *, every: bool = False) -> list[NodeReport]:
        """Nodes that become layers or are refused; with ``every`` fused, moving and constant ones, too."""
        from ..costs.examine import Status

        folded = {Status.FUSED, Status.MOVEMENT, Status.CONSTANT}
        return [node for node in self.found.nodes if every or node.status not in folded]

    def node_rows(self, *, every: bool = False) -> list[tuple[str, ...]]:
        """Nodes as `NODE_HEADER` names the columns."""
        return [
            (
                f"{node.operator} {node.name}",
                "x".join(map(str, node.shape)) if node.shape else "?",
                _becomes(node),
                _short(node.macs),
                f"{node.cycles:,}" if node.cycles else "",
                f"{_short(node.weight_bytes)}B" if node.weight_bytes else "",
            )
            for node in self.nodes(every=every)
        ]

    @property
    def core_rows(self) -> list[tuple[str, str, str]]:
        """Presets and boards: name, cycles of a sample, what they lack."""
        return [
            (
                fit.name,
                f"{fit.cycles:,}" if not fit.lacking else "",
                ", ".join(f"{lack.parameter} {lack.needed:,} of {lack.available:,}" for lack in fit.shortages)
                or "".join(fit.lacking[:1]),
            )
            for fit in self.cores
        ]

    def to_dict(self) -> dict[str, Any]:
        """The examination as JSON holds it."""
        return (
            asdict(self.found)
            | {"changes": self.changes, "refused": self.found.refused, "macs": self.core.macs}
            | {"import": None if self.verdict is None else asdict(self.verdict), "config": self.core.to_dict()}
            | {"cores": [asdict(fit) for fit in self.cores]}
            | {"smallest": None if self.smallest is None else self.smallest.config.to_dict()}
        )

    def __repr__(self) -> str:
        said = f"{self.cycles:,} cycles" if self.ok else f"{len(self.changes)} things to change: {self.changes[0]}"
        return f"Examination({self.name!r}, {len(self.found.nodes)} nodes, {said})"

    def _repr_html_(self) -> str:
        nodes = table_html(repr(self), NODE_HEADER, self.node_rows())
        return nodes + table_html("cores", ("core", "cycles", "lacks"), self.core_rows)


def examine_model(model: Model, config: Config | None, *, weights: str | None, acts: str | None) -> Examination:
    """Examine a model for a core, or where it is None for one sized for the model.

    Raises
    ------
    ModelError, InputError
        If the file cannot be read at all.
    """
    from ..costs.diagnose import cores_for, diagnose
    from ..costs.examine import examine
    from ..costs.propose import smallest
    from ..reference import judge
    from .sizing import sized

    settings = Formats.of(weights=weights, acts=acts)
    examined = examine(model.path, model.shapes, model.states)
    whole = None if examined.refusals or examined.graph is None else lowered(examined.graph)
    verdict = None if examined.imported is None else judge(model.path, examined.imported, states=model.states)
    if verdict is not None:
        model.listener.note(str(verdict))
    if config is not None:
        core = config.core
    else:
        core = Config().core if whole is None else sized(whole, settings, model.listener)
    return Examination(
        name=str(model.path),
        found=diagnose(examined, core, settings(core)),
        core=core,
        verdict=verdict,
        cores=[] if whole is None else cores_for(whole, _cores(), settings),
        smallest=None if whole is None else smallest(whole, settings, device=_DEVICE),
        whole=whole is not None,
    )


def _cores() -> dict[str, AcceleratorConfig]:
    """Presets and boards by what people call them."""
    from ...boards.catalogue import BOARDS

    presets = {f"preset {name}": config for name, config in PRESETS.items()}
    return presets | {f"board {name}": board.config for name, board in BOARDS.items()}


def _becomes(node: NodeReport) -> str:
    """What becomes of a node; why one is refused stands below the table."""
    from ..costs.examine import Status

    detail = node.detail if node.status is Status.FUSED else ""
    return f"{node.status} {detail}".strip()


def _short(count: int) -> str:
    """A count in at most four characters and a letter; nothing for 0."""
    if not count:
        return ""
    value = float(count)
    for unit in ("", "k", "M", "G"):
        if value < 9999.5:
            return f"{value:,.0f}{unit}" if unit == "" or value >= 100 else f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:,.0f}T"
