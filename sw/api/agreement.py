"""verify: whether engines agree on a program, and where the first difference is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ...hw.spec.errors import among
from ..engines import EngineName
from ..errors import InputError
from ..tasks import Workers
from ..verify import Comparison, compare_engines
from ..verify.bisect import Culprit, bisect
from .html import table_html
from .quality import checked_levels

if TYPE_CHECKING:
    from ..program import Program as Compiled
    from .program import Program

__all__ = ["Agreement", "verify"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Agreement:
    """Engines compared with the golden model; true if nothing differs.

    Parameters
    ----------
    comparison : Comparison
        Runs by engine, and every tensor that differs.
    first : Culprit or None
        Where the earliest difference comes from.
    program : narrows.sw.program.Program
    """

    comparison: Comparison
    first: Culprit | None
    program: Compiled

    def __bool__(self) -> bool:
        return not self.comparison.mismatches

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """Engine, tensors that differ, cycles of a sample."""
        wrong = [mismatch.engine for mismatch in self.comparison.mismatches]
        return [
            (
                str(name),
                wrong.count(name) if name != EngineName.GOLDEN else "reference",
                f"{run.cycles.mean():,.0f}" if len(run.cycles) else "",
            )
            for name, run in self.comparison.runs.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON holds it."""
        found = self.comparison.to_dict(self.program)
        return found if self.first is None else found | {"first": self.first.to_dict()}

    def __repr__(self) -> str:
        found = self.to_dict()
        first = "" if self.first is None else f"; first: {self.first}"
        return (
            f"Agreement({', '.join(found['engines'])}: {found['images']} samples, {len(found['layers'])} layers, "
            f"{found['mismatches']} tensors differ{first})"
        )

    def _repr_html_(self) -> str:
        return table_html(repr(self), ("engine", "tensors that differ", "cycles per sample"), self.rows)


def verify(
    program: Program, x: NDArray[Any], engines: Sequence[str], *, simulator: str, waves: Path, workers: Workers
) -> Agreement:
    """Compare engines; arguments are those of `Program.verify`.

    Raises
    ------
    InputError
        If the samples do not fit, or there is no such engine.
    """
    for name in engines:
        if name not in list(EngineName):
            raise InputError(f"there is no engine {name!r} to compare: {among(name, 'engines', EngineName)}")
    compiled, listener = program.compiled, program.listener
    levels = checked_levels(compiled.graph, x, listener)
    names = [EngineName(name) for name in engines]
    comparison = compare_engines(compiled, levels, names, bar=listener.progress, simulator=simulator, workers=workers)
    first = None
    if comparison.mismatches:
        with listener.progress("looking for the first difference"):
            first = bisect(compiled, comparison, levels, folder=waves, simulator=simulator)
    return Agreement(comparison=comparison, first=first, program=compiled)
