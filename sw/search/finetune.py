"""FineTuning: points that a search found, trained for a few epochs with the integers of their cores."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import CapacityError, CertificateError
from ..files import write_whole
from ..program import Program
from ..tasks import Workers
from .front import Bound
from .measure import Measured, Measurer
from .space import Point
from .trials import Trials

if TYPE_CHECKING:
    from ..quantize.train import TrainSettings

__all__ = ["FineTuning", "fine_tuned", "worth_training"]


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """How points are trained.

    Parameters
    ----------
    measurer : Measurer
    x, y : array of shape (N, ...), array of int of shape (N,) or None
        Samples to train on, and their labels.
    judged : Trials
        What epochs are judged by, post-training quantisation among them; the best is kept.
    settings : TrainSettings
    most : int
        Points trained.
    folder : Path or None
        Where programs of trained points are kept: a search that goes on takes them from there.
    """

    measurer: Measurer
    x: NDArray
    y: NDArray | None
    judged: Trials
    settings: TrainSettings
    most: int
    folder: Path | None = None

    def run(
        self, points: Sequence[Point], progress: Callable[[int, int], None], workers: Workers
    ) -> dict[Point, Program]:
        """Programs of points after training; without those whose sums no longer fit, or that no core holds.

        Parameters
        ----------
        points : sequence of Point
        progress : callable
            Called with (points done, points in all).
        workers : Workers
            What trains; what comes out does not depend on it.
        """
        found = {point: program for point in points if (program := self._kept(point)) is not None}
        missing = [point for point in points if point not in found]
        progress(len(found), len(points))
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        for number, data in workers.run(fine_tuned, self, missing):
            if data is None:
                continue
            found[missing[number]] = Program.from_bytes(data)
            if self.folder is not None:
                write_whole(self._place(missing[number]), data)
            progress(len(found), len(points))
        return {point: found[point] for point in points if point in found}

    def _kept(self, point: Point) -> Program | None:
        """What an earlier run has left of a point."""
        place = None if self.folder is None else self._place(point)
        return None if place is None or not place.exists() else Program.load(place)

    def _place(self, point: Point) -> Path:
        """File of a point's program, of a name that everything it depends on has a part in."""
        assert self.folder is not None, "nothing is kept without a folder"
        measurer = self.measurer
        about = (point.key, asdict(self.settings), measurer.config.digest, measurer.equalise, measurer.graph.name)
        sha = hashlib.sha256(repr(about).encode())
        for array in (self.x, self.y, self.judged.x, self.judged.labels, measurer.calibration):
            if array is not None:
                sha.update(np.ascontiguousarray(array).tobytes())
        return self.folder / f"{sha.hexdigest()[:16]}.nrw"


def worth_training(points: Sequence[Measured], bound: Bound, chosen: Measured | None, most: int) -> list[Measured]:
    """Points that could take the place of the chosen one if training makes them accurate enough.

    Parameters
    ----------
    points : sequence of Measured
        Those that no other one beats without training.
    bound : Bound
    chosen : Measured or None
        The best of them without training.
    most : int
        Of a bound on speed the so many most accurate ones that keep to it; else so many of those that are faster than
        the chosen one, the nearest first: the faster a point, the more it has lost.
    """
    if bound.speedup is not None:
        allowed = [one for one in points if one.cost.speedup >= bound.speedup]
        return sorted(allowed, key=lambda one: -one.worth.accuracy)[:most]
    faster = [one for one in points if chosen is None or one.cost.speedup > chosen.cost.speedup]
    return sorted(faster, key=lambda one: one.cost.speedup)[:most]


def fine_tuned(tuning: FineTuning, point: Point) -> bytes | None:
    """A point's program after training, as bytes of its file; None if there is none. A task."""
    from ..quantize.train import Samples, Trainer, network_of, to_quantised

    measurer = tuning.measurer
    try:
        network = network_of(
            measurer.graph,
            measurer.calibration,
            measurer.settings(point),
            point.config(measurer.config),
            tuning.settings,
        )
        trainer = Trainer(network, Samples(network.start, tuning.x, tuning.y))
        held = Samples(network.start, tuning.judged.x, tuning.judged.labels)
        trainer.judge(held)
        while not trainer.done:
            trainer.train_epoch()
            trainer.judge(held)
        return measurer.program(point, to_quantised(trainer.result())).to_bytes()
    except (CertificateError, CapacityError):
        return None
