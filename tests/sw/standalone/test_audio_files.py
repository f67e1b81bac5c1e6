"""The C front end, compiled: bit for bit numpy's, which is that of pymicro-features."""

from __future__ import annotations

import numpy as np
import pytest
from c_features import COMPILER, CFeatures
from narrows.sw.audio import MicroFeatures
from sounds import chunks, sounds

SEED = 12
SOUNDS = sounds(1.2, np.random.default_rng(SEED))

pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CFeatures:
    return CFeatures(tmp_path_factory.mktemp("audio"))


@pytest.mark.parametrize("name", SOUNDS)
def test_lines_are_numpys(name: str, compiled: CFeatures) -> None:
    rng = np.random.default_rng(SEED)
    compiled.reset()
    found = np.concatenate([compiled(chunk) for chunk in chunks(SOUNDS[name], rng)])
    np.testing.assert_array_equal(found, MicroFeatures()(SOUNDS[name]))


def test_a_stream_takes_two_kilobytes(compiled: CFeatures) -> None:
    assert compiled.state_bytes == 2148
