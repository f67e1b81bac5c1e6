"""Trained: a model that is fine-tuned with the integers that the core computes with, on its way to a program."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..extras import need_torch
from ..results import writable_folder
from .config import Config
from .samples import SampleSource, samples_of

if TYPE_CHECKING:
    from ...hw.spec.config import AcceleratorConfig
    from ..listener import Listener
    from ..quantize.train import Samples, Trainer, TrainSettings
    from .program import Program
    from .quantised import Quantised

__all__ = ["CALIBRATION", "Trained", "train_settings"]

CALIBRATION = 128
"""Training samples that scales start from, where no others are given."""

_HELD = 0.05
_TOO_GOOD = 0.995
_ADVICE = (
    "judged by every twentieth sample of --data: if the float model was trained on them, the score flatters it; give "
    "others with --val"
)


def train_settings(
    samples: int, epochs: int, *, batch: int | None = None, rate: float | None = None, **settings: Any
) -> TrainSettings:
    """Settings with the batch and the rate that suit so many samples, where none are given; scales take a fortieth."""
    from ..quantize.train import TrainSettings, suited

    usual_batch, usual_rate = suited(samples, epochs)
    rate = usual_rate if rate is None else rate
    return TrainSettings(epochs=epochs, batch=batch or usual_batch, rate=rate, scale_rate=rate / 40, **settings)


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """How a model is trained inside the narrow formats; `compile`, which knows the core, does it.

    Made by `Quantised.train`.

    Parameters
    ----------
    quantised : Quantised
        What training starts from.
    data, val : (x, y)
        Samples to train on and to judge epochs by; labels may be None.
    split : bool
        Whether ``val`` is a part of what was given to train on.
    settings : TrainSettings
    checkpoint : Path or None
        Written after every epoch.
    resume : bool
        Go on from the checkpoint, if there is one.
    keep : Path or None
        File of the best program so far, at any time.
    """

    quantised: Quantised
    data: tuple[NDArray[Any], NDArray[Any] | None]
    val: tuple[NDArray[Any], NDArray[Any] | None]
    split: bool
    settings: TrainSettings
    checkpoint: Path | None = None
    resume: bool = False
    keep: Path | None = None

    @classmethod
    def of(
        cls,
        quantised: Quantised,
        data: SampleSource,
        val: SampleSource | None,
        *,
        epochs: int,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
        keep: str | os.PathLike[str] | None = None,
        batch: int | None = None,
        rate: float | None = None,
        **settings: Any,
    ) -> Trained:
        """Samples gathered and settings completed; arguments and errors are those of `Quantised.train`."""
        need_torch("training needs")
        for path in (checkpoint, keep):
            if path is not None:
                writable_folder(Path(path))
        shape = quantised.model.input_shape
        given = samples_of(data, shape, most=sys.maxsize)
        trains, judges = _split(*given) if val is None else (given, samples_of(val, shape, most=sys.maxsize))
        return cls(
            quantised=quantised,
            data=trains,
            val=judges,
            split=val is None,
            settings=train_settings(len(trains[0]), epochs, batch=batch, rate=rate, **settings),
            checkpoint=None if checkpoint is None else Path(checkpoint),
            resume=resume,
            keep=None if keep is None else Path(keep),
        )

    def compile(
        self, config: Config | str | os.PathLike[str] | AcceleratorConfig | None = None, **parameters: Any
    ) -> Program:
        """Train for a core and compile the best epoch to a program.

        What `Quantised.compile` would make is judged first, then every epoch, beside the float model.

        Parameters
        ----------
        config, **parameters
            The core, as `Quantised.compile` takes it.

        Raises
        ------
        ConfigError, CapacityError, CertificateError
            As `Quantised.compile` does.
        """
        from ..compile import compile_graph
        from ..quantize.train import Samples, Trainer, float_score, network_of, to_quantised
        from .program import Program
        from .quality import recorded, sound_labels

        plan, listener = self.quantised, self.quantised.listener
        core = plan.core(config, **parameters)
        settings, graph = plan.formats(core), plan.graph
        held_x, held_y = self.val
        labels = sound_labels(graph.outputs, held_y, listener)
        with listener.progress("quantising") as progress:
            network = network_of(
                graph, plan.calibration, settings, core, self.settings, lambda _, done, total: progress(done, total)
            )
        label = {"model": graph.name, "formats": repr(settings), "config": core.digest}
        trainer = Trainer(network, Samples(network.start, *self.data), label=label)
        if self.resume and self.checkpoint is not None and self.checkpoint.exists():
            trainer.load(self.checkpoint)
        held = Samples(network.start, held_x, held_y)
        goal = None if held_y is None else float_score(network, held)
        if self.split:
            flattering = "" if goal is None or goal < _TOO_GOOD else f" (it labels {_shown(goal)} of them)"
            listener.warn(f"{_ADVICE}{flattering}")

        def keep() -> None:
            if self.keep is not None:
                compile_graph(to_quantised(trainer.result()), core).save(self.keep)

        _run(trainer, held, goal, self.checkpoint, keep, listener)
        compiled = recorded(
            compile_graph(to_quantised(trainer.result()), core),
            graph,
            held_x,
            labels,
            samples="samples that it was not trained on",
            verdict=asdict(plan.verdict),
            settings=settings,
            calibration=plan.calibration,
            trained=True,
            listener=listener,
        )
        listener.note(f"judged {_beside(trainer.best, goal)} on {len(held_x)} samples it was not trained on")
        history = {"epochs": trainer.history, "best": trainer.best, "float": goal}
        program = Program(compiled, model=plan.model, calibration=plan.calibration, history=history)
        if self.keep is not None:
            program.save(self.keep)
        return program

    def __repr__(self) -> str:
        return f"Trained({self.quantised!r}, {len(self.data[0])} samples, {self.settings.epochs} epochs)"


def _split(x: NDArray, y: NDArray | None) -> tuple[tuple[NDArray, NDArray | None], tuple[NDArray, NDArray | None]]:
    """Most samples to train on, and one in twenty to judge by."""
    held = np.zeros(len(x), dtype=bool)
    held[:: max(2, round(1 / _HELD))] = True
    return (x[~held], None if y is None else y[~held]), (x[held], None if y is None else y[held])


def _run(
    trainer: Trainer,
    held: Samples,
    goal: float | None,
    place: Path | None,
    keep: Callable[[], None],
    listener: Listener,
) -> None:
    """All epochs, each judged and saved; ``keep`` is called whenever one is the best so far."""
    if not trainer.history:
        _judged(trainer, held, goal, {"epoch": 0}, "before training", keep, listener)
    while not trainer.done:
        start, number = time.monotonic(), trainer.epoch + 1
        with listener.progress(f"epoch {number} of {trainer.settings.epochs}") as progress:
            loss = trainer.train_epoch(progress)
        entry = {"epoch": number, "loss": loss, "seconds": time.monotonic() - start}
        _judged(trainer, held, goal, entry, f"epoch {number}: loss {loss:.4f}", keep, listener)
        if place is not None:
            trainer.save(place)


def _judged(
    trainer: Trainer,
    held: Samples,
    goal: float | None,
    entry: dict[str, float],
    title: str,
    keep: Callable[[], None],
    listener: Listener,
) -> None:
    judged = trainer.judge(held)
    trainer.history.append({**entry, "judged": judged})
    if trainer.since_best == 0:
        keep()
    seconds = f", {entry['seconds']:.0f} s" if "seconds" in entry else ""
    best = ", the best so far" if trainer.since_best == 0 and len(trainer.history) > 1 else ""
    listener.note(f"{title}, judged {_beside(judged, goal)}{seconds}{best}")


def _beside(score: float, goal: float | None) -> str:
    """A score beside the float model's."""
    return _shown(score) if goal is None else f"{_shown(score)} (float {_shown(goal)}, {100 * (score - goal):+.2f})"


def _shown(score: float) -> str:
    """A share of labels as a percentage; without labels, 0 less the distance from the float model."""
    return f"{100 * score:.2f} %" if score > 0 else f"{score:.4f}"
