"""Study: a multi-objective search in an Optuna study, which stops, goes on and is shared as its storage allows.

Points are proposed a batch at a time, measured by as many workers as there are, and told to the study in the order in
which they were proposed. A proposal comes of the study's seed, of its number, and of what was told before its batch:
not of workers, nor of how often the study was stopped.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, ToolMissing
from ..tasks import HERE, Workers
from .measure import Cost, Measured, Measurer, Worth
from .space import Knob, Point, Space
from .trials import Trials, measure

if TYPE_CHECKING:
    import optuna

__all__ = ["BATCH", "SAMPLERS", "Study", "open_storage"]

SAMPLERS = ("nsga2", "tpe")
"""What proposes points: NSGA-II, or the multi-objective tree-structured Parzen estimator."""

_GOALS = ("maximize", "minimize", "minimize")  # accuracy, cycles, look-up tables
_POPULATION = 24

BATCH = _POPULATION
"""Points proposed before any of them is measured: a generation of NSGA-II, all bred of the generation before it."""


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
    batch : int
        Points proposed at once.

    Raises
    ------
    InputError
        If the sampler or the batch makes no sense, or the storage has a study of that name with another space or other
        samples.
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
        batch: int = BATCH,
    ) -> None:
        optuna = _optuna()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if sampler not in SAMPLERS:
            raise InputError(f"sampler must be {' or '.join(SAMPLERS)}, not {sampler!r}")
        if batch < 1:
            raise InputError(f"a batch must have at least a point, not {batch}")
        self._space, self._sampler, self._seed, self._batch = space, sampler, seed, batch
        self._trials = Trials(measurer=measurer, x=x, labels=labels, scores=measurer.float_scores(x))
        self._proposed: list[Point] = []
        self._study = optuna.create_study(study_name=name, storage=storage, directions=_GOALS, load_if_exists=True)
        about = _digest(space, measurer, x, labels)
        if self._study.user_attrs.setdefault("about", about) != about:
            raise InputError(f"study {name!r} was made with another space or other samples: choose another name for it")
        self._study.set_user_attr("about", about)

    def propose(self, points: Iterable[Point]) -> None:
        """Points that shall be measured before any of the sampler's."""
        self._proposed += points

    def run(self, trials: int, progress: Callable[[int, int], None], workers: Workers = HERE) -> None:
        """Measure until the study has so many trials, by whomever; an interrupted one goes on where it stopped.

        Parameters
        ----------
        trials : int
        progress : callable
            Called with (trials done, trials in all).
        workers : Workers
            What measures.
        """
        left = self._left_over()
        while (done := len(self._finished())) < trials:
            batch = [self._ask(done + n, left) for n in range(min(self._batch - done % self._batch, trials - done))]
            for _ in self._told(batch, workers):
                progress(min(len(self._finished()), trials), trials)

    def _finished(self) -> list[Any]:
        states = _optuna().trial.TrialState
        return self._study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED))

    def _left_over(self) -> list[dict[str, Any]]:
        """Parameters of trials that a process of this machine left when it ended; they are to be tried again.

        Those of other machines may still be under way.
        """
        states = _optuna().trial.TrialState
        found = []
        for trial in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            machine, _, process = trial.user_attrs.get("by", "").rpartition("/")
            if process and machine == platform.node() and not _lives(int(process)):
                found.append(trial.params)
                self._study.tell(trial.number, state=states.FAIL)
        return found

    def _ask(self, number: int, left: list[dict[str, Any]]) -> tuple[optuna.Trial, Point]:
        """A trial, of what is left over, of what was proposed or else of the sampler's; with its point."""
        if left:
            self._study.enqueue_trial(left.pop(0))
        elif (proposed := self._next_proposed()) is not None:
            self._study.enqueue_trial(_parameters(self._space, proposed))
        self._study.sampler = _sampler(self._sampler, self._seed, number)
        trial = self._study.ask()
        trial.set_user_attr("by", f"{platform.node()}/{os.getpid()}")
        chosen = {name: trial.suggest_categorical(name, options) for name, options in _choices(self._space).items()}
        return trial, _point(self._space, chosen)

    def _next_proposed(self) -> Point | None:
        """The next proposal that no trial has, of whatever process."""
        states = _optuna().trial.TrialState
        some = (states.COMPLETE, states.PRUNED, states.RUNNING)
        tried = [trial.params for trial in self._study.get_trials(deepcopy=False, states=some)]
        while self._proposed:
            point = self._proposed.pop(0)
            if _parameters(self._space, point) not in tried:
                return point
        return None

    def _told(self, batch: list[tuple[optuna.Trial, Point]], workers: Workers) -> Iterator[None]:
        """Measure the points of a batch, each once, and tell the study of them in their order."""
        known = self._known()
        points = {point.key: point for _, point in batch if point.key not in known}
        keys = list(points)
        waiting = list(batch)
        with contextlib.closing(workers.run(measure, self._trials, points.values())) as ended:
            while waiting:
                trial, point = waiting[0]
                if point.key in known:
                    self._tell(trial, known[point.key])
                    waiting.pop(0)
                    yield
                else:
                    number, found = next(ended)
                    known[keys[number]] = found

    def _known(self) -> dict[Any, Measured | None]:
        """Points measured before, by key; None of those that could not be certified."""
        pruned = self._study.get_trials(deepcopy=False, states=(_optuna().trial.TrialState.PRUNED,))
        refused = [_point(self._space, trial.params).key for trial in pruned]
        return {**dict.fromkeys(refused), **{one.point.key: one for one in self.measured}}

    def _tell(self, trial: optuna.Trial, found: Measured | None) -> None:
        if found is None:  # it cannot be certified, or no such core holds it
            self._study.tell(trial, state=_optuna().trial.TrialState.PRUNED)
            return
        trial.set_user_attr("error", found.worth.error)
        trial.set_user_attr("cost", vars(found.cost))
        self._study.tell(trial, (found.worth.accuracy, float(found.cost.cycles), found.cost.luts))

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


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise ToolMissing("searching needs Optuna: pip install 'narrows[search]'") from error
    return optuna


def _sampler(name: str, seed: int, number: int) -> Any:
    """What proposes the trial of a number."""
    samplers = _optuna().samplers
    own = int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4], "big")
    if name == "nsga2":
        return samplers.NSGAIISampler(population_size=_POPULATION, seed=own)
    return samplers.TPESampler(n_startup_trials=_POPULATION, seed=own)


def _lives(process: int) -> bool:
    """Whether another process is there."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


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
