"""Max-pools on their unit: what they lack where it is not there, and that all channels are pooled at once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from narrows.sw.compile.max_planner import MaxPlanner
from narrows.sw.compile.shortages import Shortages
from narrows.sw.errors import CapacityError
from random_graphs import CONFIGS, GraphBuilder

CONFIG = CONFIGS["square"]


def pool(config=CONFIG) -> MaxPlanner:
    build = GraphBuilder(config, np.random.default_rng(1))
    build.max(build.tensor((6, 4, 4)), (2, 2), kernel=(2, 2), stride=(2, 2), pads=(0, 0, 0, 0))
    return MaxPlanner(build.layers[-1], build.graph([build.layers[-1].output]), config)


def test_a_core_without_the_unit_lacks_it() -> None:
    shortages = Shortages(dataclasses.replace(CONFIG, max_pool=0))
    pool().check_units(shortages)
    with pytest.raises(CapacityError, match="max-pool unit"):
        shortages.check()


def test_channels_are_pooled_at_once_in_words() -> None:
    assert pool().unit == 0
    assert pool().extent({}) == {"column_groups": 2}
    assert [phase.layer for phase in pool().phases()] == [pool().layer]
