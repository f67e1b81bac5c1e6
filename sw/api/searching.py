"""search: formats of every layer and widths of the core, and the program of the point that was chosen."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CapacityError
from ..extras import need_torch
from ..tasks import HERE, Workers
from .html import table_html
from .samples import SampleSource, samples_of
from .training import train_settings

if TYPE_CHECKING:
    from ...hw.spec.config import AcceleratorConfig
    from ..quantised import QuantisedGraph
    from ..search.explore import Outcome, Samples
    from ..search.measure import Measured, Measurer
    from .program import Program
    from .quantised import Held, Quantised

__all__ = ["HEADER", "Found", "row", "search"]

HEADER = (
    "weights / activations by layer",
    "",
    "base",
    "shape",
    "P",
    "k",
    "accuracy",
    "cycles",
    "array LUT4",
    "speed-up",
)
"""Columns of `row`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What a search found.

    Parameters
    ----------
    summary : dict
        The front, uniform formats beside it and the chosen point, in values of JSON.
    outcome : Outcome
    quantised : Quantised
    measurer : Measurer
    final : Held
        Samples of the final figures.
    """

    summary: dict[str, Any]
    outcome: Outcome
    quantised: Quantised
    measurer: Measurer
    final: Held

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """Points of the front and uniform formats, as `HEADER` names their columns."""
        return [row(one, kind) for kind in ("front", "uniform") for one in self.summary[kind]]

    def page(self) -> str:
        """The front as an HTML page that needs nothing beside it."""
        from ..report.page import search_page
        from ..search.picture import front_picture

        return search_page(self.summary, {"front": front_picture(self.outcome)})

    def chosen(self) -> Measured:
        """The chosen point; CapacityError if none keeps to the bound."""
        if self.outcome.chosen is None:
            raise CapacityError("no point keeps to the bound: loosen it, or raise --trials")
        return self.outcome.chosen

    def formats_text(self) -> str:
        """Formats of the chosen point, as `Model.quantize` reads them."""
        from ..quantize.settings_file import settings_text

        return settings_text(self.measurer.settings(self.chosen().point))

    def compile(self) -> Program:
        """The program of the chosen point.

        Raises
        ------
        CapacityError
            If no point keeps to the bound.
        """
        from .program import Program
        from .quality import recorded

        chosen, plan = self.chosen(), self.quantised
        if chosen.epochs:
            program = self.outcome.trained[chosen.point]
        else:
            program = self.measurer.program(chosen.point, self.measurer.quantised(chosen.point))
        compiled = recorded(
            program,
            plan.graph,
            self.final.x,
            self.final.labels,
            samples=self.final.what,
            verdict=asdict(plan.verdict),
            settings=self.measurer.settings(chosen.point),
            calibration=plan.calibration,
            requantised=plan.requantise,
            trained=chosen.epochs > 0,
            listener=plan.listener,
        )
        return Program(compiled, model=plan.model, calibration=plan.calibration)

    def save(self, folder: str | Path) -> Path:
        """Write the page and the data of the front to a folder, which is made if need be."""
        from ..results import write_json, write_text

        place = Path(folder)
        write_json(place / "front.json", self.summary | {"import": asdict(self.quantised.verdict)})
        write_text(place / "front.html", self.page())
        return place

    def __repr__(self) -> str:
        return f"Found({self.summary['searched']} points, {len(self.summary['front'])} on the front)"

    def _repr_html_(self) -> str:
        return table_html(repr(self), HEADER, self.rows)


def row(one: dict[str, Any], kind: str) -> tuple[Any, ...]:
    """A point of a summary as a row of a table; of the front it says which were trained."""
    return (
        one["short"],
        "trained" if one["epochs"] else kind,
        one["base"],
        one["shape"],
        one["acc_bits"],
        one["rescale_bits"],
        f"{one['accuracy']:.2%}",
        f"{one['cycles']:,}",
        f"{one['array_luts']:,}",
        f"{one['speedup']:.2f}",
    )


def search(
    plan: Quantised,
    data: SampleSource,
    core: AcceleratorConfig,
    *,
    test: SampleSource | None = None,
    images: int = 300,
    weights: Sequence[str] = ("dybit4", "int6", "int8"),
    acts: Sequence[str] = ("dybit4", "int6", "int8"),
    acc_bits: Sequence[int] = (),
    rescale_bits: Sequence[int] = (),
    bases: Sequence[str] = (),
    shapes: Sequence[tuple[int, int, int]] = (),
    max_loss: float | None = None,
    speed_up: float | None = None,
    max_error: float | None = None,
    trials: int = 100,
    sampler: str = "nsga2",
    seed: int = 0,
    storage: str | None = None,
    study: str = "narrows",
    batch: int = 24,
    train: SampleSource | None = None,
    epochs: int = 2,
    trained_points: int = 4,
    trained: str | Path | None = None,
    crop: int = 0,
    mirror: bool = False,
    workers: Workers = HERE,
) -> Found:
    """Search formats and widths around a configuration.

    Parameters
    ----------
    plan : Quantised
        Model and calibration samples; its own formats are not looked at.
    data : path, array, pair or iterable
        Samples, perhaps with labels, to measure points on.
    core : AcceleratorConfig
    test : path, array, pair or iterable, optional
        Samples of the final figures; all of ``data`` without.
    images : int
        Samples of ``data`` that each point is measured on.
    weights, acts : sequence of str
        Formats to choose among.
    acc_bits, rescale_bits : sequence of int
        Widths to choose among; the configuration's without.
    bases : sequence of str
        Base formats of the core; the configuration's without.
    shapes : sequence of (rows, columns, lanes)
        Shapes of the array; the configuration's without.
    max_loss, speed_up, max_error : float, optional
        Bound: the fastest within so many points of float (1 without a bound); the most accurate so many times as fast
        as 8-bit integers; the fastest with at most this error ratio of the output.
    trials : int
        Points to measure in all; 0: the greedy strategies alone.
    sampler, seed, storage, study, batch
        Of `search.study.Study`.
    train : path, array, pair or iterable, optional
        Samples, perhaps with labels, to train points on that could become better than the chosen one: faster ones, or
        under a bound on speed the most accurate ones. Epochs are judged by ``data``; the best one counts.
    epochs, trained_points : int
        Epochs of each, and how many are trained.
    trained : str or Path, optional
        Folder that programs of trained points are kept in: a search that goes on takes them from there.
    crop, mirror
        Of `Quantised.train`.
    workers : Workers
        What measures points and trains them (`narrows.open_workers`); what is found does not depend on it.

    Raises
    ------
    InputError
        If samples or formats do not fit.
    ToolMissing
        If the sampler, or what trains, is not installed.
    """
    from ..quantize.calibration import checked_samples
    from ..search.explore import explore
    from ..search.finetune import FineTuning
    from ..search.front import Bound
    from ..search.measure import Measurer
    from ..search.space import Space
    from ..search.study import Study, open_storage
    from ..search.summary import search_summary
    from ..search.trials import Trials
    from .quality import sound_labels

    nothing = max_loss is None and speed_up is None and max_error is None
    loss = 1.0 if nothing else max_loss
    bound = Bound(loss=None if loss is None else loss / 100, speedup=speed_up, error=max_error)
    measurer = Measurer(plan.graph, core, plan.calibration, _golden, equalise=plan.formats.equalise)
    shape = plan.model.input_shape
    data, test = _kept(data, shape), _kept(data if test is None else test, shape)
    samples, final = _samples(measurer, data, shape, images), _samples(measurer, test, shape, None)
    space = Space.of(
        measurer.lowered,
        weights=tuple(weights),
        acts=tuple(acts),
        acc_bits=tuple(acc_bits) or (core.acc_bits,),
        rescale_bits=tuple(rescale_bits) or (core.rescale_bits,),
        bases=tuple(bases) or (core.formats,),
        shapes=tuple(shapes) or ((core.rows, core.columns, core.lanes),),
    )
    held = plan.held(test)
    tuning = None
    if train is not None:
        need_torch("training needs")
        x, y = samples_of(train, shape, most=sys.maxsize)
        x = checked_samples(plan.graph, x, "training data")  # before the search, which takes long
        scores = measurer.float_scores(samples.x)
        tuning = FineTuning(
            measurer=measurer,
            x=x,
            y=sound_labels(plan.graph.outputs, y, plan.listener),
            judged=Trials(measurer=measurer, x=samples.x, labels=samples.labels, scores=scores),
            settings=train_settings(len(x), epochs, crop=crop, mirror=mirror),
            most=trained_points,
            folder=None if trained is None else Path(trained),
        )
    kept = Study(
        study,
        storage=open_storage(storage),
        sampler=sampler,
        seed=seed,
        space=space,
        measurer=measurer,
        x=samples.x,
        labels=samples.labels,
        batch=batch,
    )
    with plan.listener.progress("searching") as progress:
        outcome = explore(
            space,
            measurer,
            kept,
            samples=samples,
            final=final,
            bound=bound,
            trials=trials,
            progress=lambda what, done, total: progress(done, total, what),
            tuning=tuning,
            workers=workers,
        )
    unit = measurer.costs.integer_unit
    summary = search_summary(
        plan.graph.name, outcome, images=len(samples.x), final_images=len(final.x), integer_unit=unit
    )
    return Found(summary=summary, outcome=outcome, quantised=plan, measurer=measurer, final=held)


def _golden(quantised: QuantisedGraph, config: AcceleratorConfig, x: NDArray) -> NDArray:
    from ...sim.golden import GoldenModel
    from ..runtime import prepare_input, restore_outputs

    tensors = GoldenModel(quantised, config).run(prepare_input(quantised, x))
    return restore_outputs(quantised, tensors, raw=True)[quantised.outputs[0].name]


def _kept(source: SampleSource, shape: tuple[int, ...]) -> SampleSource:
    """Samples that can be read more than once."""
    return source if isinstance(source, (str, os.PathLike)) else samples_of(source, shape)


def _samples(measurer: Measurer, source: SampleSource, shape: tuple[int, ...], limit: int | None) -> Samples:
    """Samples with labels; without labels of their own, the float model's answers."""
    from ..search.explore import Samples

    x, labels = samples_of(source, shape, most=limit)
    answers = measurer.float_scores(x).argmax(axis=1) if labels is None else np.asarray(labels).ravel()
    return Samples(x=x, labels=answers)
