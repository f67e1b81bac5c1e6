"""Studies: what was proposed comes first, nothing is measured twice, and a stopped study goes on."""

import json
import platform
import subprocess
import warnings

import numpy as np
import pytest

pytest.importorskip("optuna")

from narrows.sw.errors import InputError
from narrows.sw.search.front import front, goals
from narrows.sw.search.study import BATCH, Study, open_storage
from shuffled_workers import ShuffledWorkers

CORE = {"acc_bits": 16, "rescale_bits": 4, "base": "dybit4", "shape": (4, 4, 16)}


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # Optuna's marks of what is experimental
        yield


@pytest.fixture
def make(space, measurer):
    def study(storage=None, sampler="nsga2", seed=3, x=(1, 2), batch=BATCH):
        return Study(
            "mine",
            storage=open_storage(storage),
            sampler=sampler,
            seed=seed,
            space=space,
            measurer=measurer,
            x=np.array(x),
            labels=np.array([0, 1]),
            batch=batch,
        )

    return study


def ignore(done, total):
    """No progress is shown."""


def test_proposed_points_come_first(make, space, measurer):
    study = make()
    points = [space.uniform(weights, "dybit4", **CORE) for weights in space.weights]
    study.propose(points)
    study.run(2, ignore)
    assert measurer.measured == points[:2]
    assert [one.point for one in study.measured] == points[:2]
    assert study.measured[0].cost == measurer.cost(points[0])


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_a_search_finds_what_uniform_formats_do_not(make, space, sampler):
    study = make(sampler=sampler)
    uniform = [space.uniform(weights, acts, **CORE) for weights in space.weights for acts in space.acts]
    study.propose(uniform)
    study.run(80, ignore)
    best = front(study.measured, goals)
    mixed = [one for one in best if not one.point.is_uniform]
    assert any(
        one.cost.speedup > other.cost.speedup and one.worth.accuracy >= other.worth.accuracy
        for one in mixed
        for other in study.measured
        if other.point.is_uniform
    )


def test_nothing_is_measured_twice(make, measurer):
    make().run(60, ignore)
    nothing = np.zeros(1)
    certified = [point.key for point in list(measurer.measured) if measurer.worth(point, nothing, nothing, nothing)]
    assert len(certified) == len(set(certified)) > 10


def test_points_that_cannot_be_certified_are_no_results(make, space):
    study = make()
    study.propose([space.uniform("int8", "int8", **CORE | {"acc_bits": 12})])
    study.run(1, ignore)
    assert study.measured == []


def test_a_stopped_study_goes_on(make, tmp_path, measurer):
    storage = str(tmp_path / "study.journal")
    make(storage).run(5, ignore)
    before = len(measurer.measured)
    again = make(storage)
    seen = []
    again.run(8, lambda done, total: seen.append((done, total)))
    assert seen == [(6, 8), (7, 8), (8, 8)]
    assert len(measurer.measured) <= before + 3
    again.run(8, lambda done, total: pytest.fail("nothing is left to do"))


def test_a_study_whose_writer_was_killed_within_a_line_goes_on(make, tmp_path):
    storage = tmp_path / "study.journal"
    make(str(storage)).run(5, ignore)
    whole = storage.read_bytes()
    storage.write_bytes(whole[:-7])  # the last record is lost: its trial begins anew
    make(str(storage)).run(8, ignore)
    again = make(str(storage))
    again.run(8, lambda done, total: pytest.fail("nothing is left to do"))
    assert all(json.loads(line) for line in storage.read_bytes().splitlines(keepends=True))


def test_values_are_kept_with_a_study(make, tmp_path):
    storage = str(tmp_path / "study.journal")
    assert make(storage).remembered("errors", lambda: [1.0, 2.0]) == [1.0, 2.0]
    assert make(storage).remembered("errors", lambda: pytest.fail("it is known")) == [1.0, 2.0]


def test_other_samples_are_refused(make, tmp_path):
    storage = str(tmp_path / "study.journal")
    make(storage)
    with pytest.raises(InputError, match=r"^study 'mine' was made with another space or other samples: "):
        make(storage, x=(1, 3))


def test_unknown_sampler(make):
    with pytest.raises(InputError, match=r"^sampler must be nsga2 or tpe, not 'grid'$"):
        make(sampler="grid")


def trials(study):
    """What a study was told, in the order of its trials."""
    return [
        (trial.params, trial.values)
        for trial in study._study.get_trials()
        if trial.state.name in ("COMPLETE", "PRUNED")
    ]


@pytest.fixture
def undisturbed(make, space):
    def run(count, sampler="nsga2", batch=6):
        study = make(sampler=sampler, batch=batch)
        study.propose([space.uniform(weights, acts, **CORE) for weights in space.weights for acts in space.acts])
        study.run(count, ignore)
        return trials(study)

    return run


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_trials_are_the_same_whoever_measures_them(make, space, undisturbed, sampler):
    for seed, at_once in enumerate((1, 2, 5)):
        study = make(sampler=sampler, batch=6)
        study.propose([space.uniform(weights, acts, **CORE) for weights in space.weights for acts in space.acts])
        study.run(40, ignore, ShuffledWorkers(seed, at_once))
        assert trials(study) == undisturbed(40, sampler)


@pytest.mark.parametrize("most", [0, 3, 8, 17])
@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_an_interrupted_study_goes_on_to_the_trials_of_an_undisturbed_one(
    make, space, undisturbed, tmp_path, sampler, most
):
    storage = str(tmp_path / "study.journal")
    proposals = [space.uniform(weights, acts, **CORE) for weights in space.weights for acts in space.acts]
    study = make(storage, sampler=sampler, batch=6)
    study.propose(proposals)
    with pytest.raises(KeyboardInterrupt):
        study.run(40, ignore, ShuffledWorkers(most, 3, most))
    again = make(storage, sampler=sampler, batch=6)
    again.propose(proposals)
    again.run(40, ignore, ShuffledWorkers(1, 4))
    assert trials(again) == undisturbed(40, sampler)


def test_trials_of_processes_that_go_on_are_left_to_them(make, tmp_path):
    storage = str(tmp_path / "study.journal")
    other = make(storage)._study.ask()
    with subprocess.Popen(["sleep", "60"]) as process:
        other.set_user_attr("by", f"{platform.node()}/{process.pid}")
        elsewhere = make(storage)._study.ask()
        elsewhere.set_user_attr("by", f"another machine/{process.pid}")
        study = make(storage)
        study.run(3, ignore)
        process.kill()
    states = [trial.state.name for trial in study._study.get_trials()]
    assert states[:2] == ["RUNNING", "RUNNING"]
    assert set(states[2:]) <= {"COMPLETE", "PRUNED"}
    study.run(4, ignore)
    assert [trial.state.name for trial in study._study.get_trials()][:2] == ["FAIL", "RUNNING"]


def test_a_batch_without_points(make):
    with pytest.raises(InputError, match=r"^a batch must have at least a point, not 0$"):
        make(batch=0)
