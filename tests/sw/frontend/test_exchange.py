"""exchanged: a view is taken for channels in the place of pixels only where it is nothing else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from narrows.sw.frontend.exchange import exchanged
from narrows.sw.frontend.view import View
from onnx import NodeProto

SHAPE = (2, 2, 2)
PLACES = {
    "another pixel beside each": [[[0, 5]], [[1, 6]]],
    "another channel below each": [[[0, 0]], [[5, 5]]],
    "the image itself": [[[0, 1], [2, 3]], [[4, 5], [6, 7]]],
}


@pytest.mark.parametrize("places", PLACES.values(), ids=PLACES)
def test_what_moves_both_along_one_axis_is_no_exchange(places: list[Any]) -> None:
    importer = cast(Any, SimpleNamespace(tensors={"t": SHAPE}))
    assert exchanged(importer, NodeProto(), View("t", np.array([places]))) is None
