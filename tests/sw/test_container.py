"""The container of a file gives back what was packed, and tells what is wrong; damage is in `test_program`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from narrows.hw.spec.registers import VERSION
from narrows.sw.container import contained, pack_container
from narrows.sw.errors import InputError, ProgramError, ProgramMismatch

ARRAYS = {"a": np.arange(6, dtype=np.int16).reshape(2, 3), "b.c": np.zeros((0, 4), dtype=np.uint32)}


def test_manifest_and_arrays_come_back_and_equal_ones_give_equal_bytes() -> None:
    packed = pack_container({"x": [1, {"y": "z"}]}, ARRAYS)
    assert packed == pack_container({"x": [1, {"y": "z"}]}, dict(ARRAYS))
    manifest, arrays = contained(packed, "file", lambda *parts: parts)
    assert manifest == {"contract": VERSION, "x": [1, {"y": "z"}]}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_another_contract_is_no_business_of_the_reader() -> None:
    def never(manifest: dict[str, Any], arrays: dict[str, Any]) -> None:
        raise AssertionError

    with pytest.raises(ProgramMismatch, match=r"^file was written for version 999 of the machine, this is version"):
        contained(pack_container({"contract": 999}, {}), "file", never)


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (InputError("choose one"), InputError, "^choose one$"),
        (ProgramError("no END"), ProgramError, "^file makes no sense: no END$"),
        (KeyError("graph"), ProgramError, r"^file makes no sense \('graph'\): compile the model again$"),
    ],
)
def test_what_a_reader_raises_is_one_line(raised: Exception, kind: type[Exception], message: str) -> None:
    def fails(manifest: dict[str, Any], arrays: dict[str, Any]) -> None:
        raise raised

    with pytest.raises(kind, match=message):
        contained(pack_container({}, {}), "file", fails)
