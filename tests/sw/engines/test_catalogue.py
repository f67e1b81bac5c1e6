"""find_engine: every engine gives the same levels, and a name that is none of them says which there are."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.boards.board import BoardError
from narrows.sw.engines import EngineName, find_engine
from narrows.sw.engines.port import BoardEngine
from narrows.sw.errors import InputError
from narrows.sw.program import Program


def test_golden_and_isa_give_the_same_levels(tiny_program: Program, tiny_levels: np.ndarray) -> None:
    seen: list[tuple[int, int]] = []
    levels = np.stack([tiny_levels, tiny_levels[:, ::-1]])
    golden = find_engine("golden").run(tiny_program, levels, keep_tensors=True)
    isa = find_engine("isa").run(tiny_program, levels, dump_layers=1, progress=lambda *steps: seen.append(steps))
    assert seen == [(1, 2), (2, 2)]
    assert golden.outputs.keys() == isa.outputs.keys() == {"pooled"}
    assert np.array_equal(golden.outputs["pooled"], isa.outputs["pooled"])
    assert np.array_equal(golden.tensors["features"][:1], isa.tensors["features"])
    assert len(isa.cycles) == 2
    assert not len(golden.cycles)


@pytest.mark.parametrize("name", list(EngineName))
def test_engines_know_their_names(name: EngineName) -> None:
    assert find_engine(name).name == name


def test_a_board_and_its_port_are_an_engine() -> None:
    engine = find_engine("ulx3s:socket://host:2000")
    assert isinstance(engine, BoardEngine)
    assert (engine.name, engine.port) == ("ulx3s", "socket://host:2000")


@pytest.mark.parametrize("name", ["goldne", "", ":", "ulx3s", "ulx3s:", ":/dev/ttyUSB0"])
def test_a_name_of_no_engine_says_which_there_are(name: str) -> None:
    with pytest.raises(InputError, match=r"[Tt]he engines are golden, isa, rtl, or a board and its port"):
        find_engine(name)


def test_a_misspelt_engine_and_a_misspelt_board_are_guessed() -> None:
    with pytest.raises(InputError, match="did you mean golden"):
        find_engine("goldne")
    with pytest.raises(BoardError, match="did you mean ulx3s"):
        find_engine("ulx3:/dev/ttyUSB0")
