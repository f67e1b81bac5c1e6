"""Study: a multi-objective search in an Optuna study, which stops, goes on and is shared as its storage allows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, ToolMissing
from .measure import Cost, Measured, Measurer, Worth
from .space import Knob, Point, Space

if TYPE_CHECKING:
    import optuna

__all__ = ["SAMPLERS", "Study", "open_storage"]

SAMPLERS = ("nsga2", "tpe")
"""What proposes points: NSGA-II, or the multi-objective tree-structured Parzen estimator."""

_GOALS = ("maximize", "minimize", "minimize")  # accuracy, cycles, look-up tables
_POPULATION = 24


def open_storage(where: str | None) -> Any:
    """Storage of a study: in memory (None), a database (a URL such as ``mysql://...``), or a journal (a file).

    A journal on a file system that several machines mount is enough for them to share a study.

    Raises
    ------
    ToolMissing
        If Optuna is not installed.
    """
    storages = _optuna().storages
    if where is None or "://" in where:
        return where
    from .journal import Journal

    return storages.JournalStorage(Journal(where))


class Study:
    """Points of one space, measured on one set of samples, in the order that a sampler proposes them.

    Parameters
    ----------
    name : str
    storage : object
        See `open_storage`. A study of that name goes on.
    sampler : str
        One of `SAMPLERS`.
    seed : int
    space : Space
    measurer : Measurer
    x, labels : array
        Samples that points are measured on.

    Raises
    ------
    InputError
        If the storage has a study of that name with another space or other samples.
    ToolMissing
        If Optuna is not installed.
    """

    def __init__(
        self,
        name: str,
        *,
        storage: Any,
        sampler: str,
        seed: int,
        space: Space,
        measurer: Measurer,
        x: NDArray,
        labels: NDArray,
    ) -> None:
        optuna = _optuna()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space, self._measurer, self._x, self._labels = space, measurer, x, labels
        self._scores = measurer.float_scores(x)
        if sampler == "nsga2":
            proposes = optuna.samplers.NSGAIISampler(population_size=_POPULATION, seed=seed)
        elif sampler == "tpe":
            proposes = optuna.samplers.TPESampler(n_startup_trials=_POPULATION, seed=seed)
        else:
            raise InputError(f"sampler must be {' or '.join(SAMPLERS)}, not {sampler!r}")
        self._study = optuna.create_study(
            study_name=name, storage=storage, sampler=proposes, directions=_GOALS, load_if_exists=True
        )
        about = _digest(space, measurer, x, labels)
        if self._study.user_attrs.setdefault("about", about) != about:
            raise InputError(f"study {name!r} was made with another space or other samples: choose another name for it")
        self._study.set_user_attr("about", about)

    def propose(self, points: Iterable[Point]) -> None:
        """Points that shall be measured before any of the sampler's."""
        for point in points:
            self._study.enqueue_trial(_parameters(self._space, point), skip_if_exists=True)

    def run(self, trials: int, progress: Callable[[int, int], None]) -> None:
        """Measure until the study has so many trials, by whomever; an interrupted one goes on where it stopped.

        Parameters
        ----------
        trials : int
        progress : callable
            Called with (trials done, trials in all).
        """
        optuna = _optuna()
        done = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)

        def tell(study: optuna.Study, _trial: object) -> None:
            count = len(study.get_trials(deepcopy=False, states=done))
            progress(min(count, trials), trials)
            if count >= trials:
                study.stop()

        if len(self._study.get_trials(deepcopy=False, states=done)) < trials:
            self._study.optimize(self._objective, callbacks=[tell])

    def remembered(self, name: str, make: Callable[[], Any]) -> Any:
        """A plain value that is kept with the study, made at first."""
        if name not in self._study.user_attrs:
            self._study.set_user_attr(name, make())
        return self._study.user_attrs[name]

    @property
    def measured(self) -> list[Measured]:
        """All points that could be certified, each once."""
        complete = _optuna().trial.TrialState.COMPLETE
        found: dict[tuple[object, ...], Measured] = {}
        for trial in self._study.get_trials(deepcopy=False, states=(complete,)):
            point = _point(self._space, trial.params)
            worth = Worth(accuracy=trial.values[0], error=trial.user_attrs["error"])
            found[point.key] = Measured(point=point, cost=Cost(**trial.user_attrs["cost"]), worth=worth)
        return list(found.values())

    def _objective(self, trial: optuna.Trial) -> tuple[float, float, float]:
        choices = _choices(self._space)
        point = _point(
            self._space, {name: trial.suggest_categorical(name, options) for name, options in choices.items()}
        )
        known = next((one for one in self.measured if one.point.key == point.key), None)
        if known is None:
            known = self._measurer.measure(point, self._x, self._labels, self._scores)
        if known is None:
            raise _optuna().TrialPruned("it cannot be certified, or no such core holds it")
        trial.set_user_attr("error", known.worth.error)
        trial.set_user_attr("cost", vars(known.cost))
        return known.worth.accuracy, float(known.cost.cycles), known.cost.luts


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ToolMissing("searching needs Optuna: pip install 'narrows[search]'") from error
    return optuna


def _name(knob: Knob) -> str:
    return f"{knob.kind} {knob.layer}"


def _choices(space: Space) -> dict[str, list[Any]]:
    """Categorical parameters; shapes as text, since a storage keeps plain values only."""
    core = {
        "acc_bits": list(space.acc_bits),
        "rescale_bits": list(space.rescale_bits),
        "base": list(space.bases),
        "shape": ["x".join(map(str, shape)) for shape in space.shapes],
    }
    return {_name(knob): list(space.options(knob)) for knob in space.knobs} | core


def _parameters(space: Space, point: Point) -> dict[str, Any]:
    core = {"acc_bits": point.acc_bits, "rescale_bits": point.rescale_bits, "base": point.base}
    return (
        {_name(knob): point.formats[knob] for knob in space.knobs} | core | {"shape": "x".join(map(str, point.shape))}
    )


def _point(space: Space, values: dict[str, Any]) -> Point:
    rows, columns, lanes = map(int, values["shape"].split("x"))
    return Point(
        formats={knob: values[_name(knob)] for knob in space.knobs},
        acc_bits=values["acc_bits"],
        rescale_bits=values["rescale_bits"],
        base=values["base"],
        shape=(rows, columns, lanes),
    )


def _digest(space: Space, measurer: Measurer, x: NDArray, labels: NDArray) -> str:
    sha = hashlib.sha256(
        json.dumps([_choices(space), measurer.config.to_dict(), measurer.equalise], sort_keys=True).encode()
    )
    for array in (x, labels, measurer.float_scores(x[:1])):
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
