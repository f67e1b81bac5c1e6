"""run_samples: parts of the samples give what all of them give together."""

import dataclasses

import numpy as np
import pytest
from narrows.sw.engines import EngineName
from narrows.sw.tasks import HERE
from narrows.sw.verify.spread import run_samples
from shuffled_workers import ShuffledWorkers


@pytest.fixture
def levels(tiny_program):
    tensor = tiny_program.graph.tensors["image"]
    choices = tensor.format.levels[tensor.format.levels >= tensor.low]
    return np.random.default_rng(7).choice(choices, (5, *tensor.shape))


@pytest.mark.parametrize("engine", [EngineName.GOLDEN, EngineName.ISA])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_samples_apart_are_samples_together(tiny_program, levels, engine, count):
    told = []
    runs = [
        run_samples(
            tiny_program,
            levels[:count],
            engine,
            simulator="verilator",
            progress=lambda *steps: told.append(steps),
            workers=workers,
        )
        for workers in (HERE, ShuffledWorkers())
    ]
    together, apart = (dataclasses.asdict(run) for run in runs)
    assert together.keys() == apart.keys()
    for name, value in together.items():
        np.testing.assert_equal(apart[name], value, err_msg=name)
    assert told[-1] == (count, count)
