"""The file of linked programs gives them back, one of them by name, or one clear line."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from linked_cases import drawn_programs
from narrows.sw.compile.link import link
from narrows.sw.errors import InputError, ProgramError
from narrows.sw.linked import Linked, load_program
from narrows.sw.program import Program
from random_graphs import CONFIGS

CONFIG = dataclasses.replace(CONFIGS["square"], instructions=64)


@pytest.fixture(scope="module")
def linked() -> Linked:
    """Two programs, the second one with states."""
    return link(drawn_programs(CONFIG, 1, 2))


def test_a_saved_file_loads_equal_and_holds_shared_tables_once(linked: Linked, tmp_path: Path) -> None:
    path = tmp_path / "both.nrw"
    linked.save(path)
    loaded = Linked.load(path)
    assert loaded.to_bytes() == linked.to_bytes() == path.read_bytes()
    assert list(loaded) == ["program 0", "program 1"]
    for name, program in linked.items():
        assert loaded[name].to_bytes() == program.to_bytes()
    assert len(path.read_bytes()) < sum(len(program.to_bytes()) for program in linked.values())


def test_one_of_them_is_a_program_by_itself(linked: Linked, tmp_path: Path) -> None:
    path = tmp_path / "both.nrw"
    linked.save(path)
    program = load_program(path, "program 1")
    assert program.entry == len(linked["program 0"].instructions)
    again = Program.from_bytes(program.to_bytes())
    assert (again.entry, again.layers) == (program.entry, program.layers)
    alone = tmp_path / "alone.nrw"
    linked["program 0"].save(alone)
    assert load_program(alone).to_bytes() == linked["program 0"].to_bytes()
    assert len(Linked.load(alone)) == 1


def test_a_name_is_asked_for(linked: Linked, tmp_path: Path) -> None:
    path = tmp_path / "both.nrw"
    linked.save(path)
    for load in (Program.load, load_program):
        with pytest.raises(InputError, match=r"both\.nrw holds several programs \(program 0, program 1\): say which"):
            load(path)
    with pytest.raises(InputError, match=r"^there is no program 'program 2'"):
        load_program(path, "program 2")
    assert "program 1" in linked and "program 2" not in linked
    assert linked.get("program 2") is None


def test_what_no_linker_makes_is_refused(linked: Linked, tmp_path: Path) -> None:
    first, second = linked.values()
    with pytest.raises(ProgramError, match="the instructions of b lie where others do"):
        Linked({"a": first, "b": dataclasses.replace(second, entry=1)})
    with pytest.raises(ProgramError, match="b has other tables than the programs before it"):
        Linked({"a": first, "b": dataclasses.replace(second, weights=np.zeros_like(second.weights))})
    with pytest.raises(ProgramError, match="b is for another core"):
        Linked({"a": first, "b": dataclasses.replace(second, config=dataclasses.replace(linked.config, host="spi"))})
    with pytest.raises(ProgramError, match="no program, or one without a name"):
        Linked({})
    with pytest.raises(ProgramError, match="its runs begin at instruction 5, which its core does not know"):
        dataclasses.replace(second, config=CONFIG, entry=5)
    with pytest.raises(ProgramError, match="has 66 instructions, its configuration holds 64"):
        dataclasses.replace(second, entry=66 - len(second.instructions))
    with pytest.raises(ProgramError, match="cannot write programs"):
        linked.save(tmp_path / "missing" / "both.nrw")
    with pytest.raises(ProgramError, match="cannot read program"):
        Linked.load(tmp_path / "missing.nrw")
    data = bytearray(linked.to_bytes())
    data[-1] ^= 1
    with pytest.raises(ProgramError, match="is damaged"):
        Linked.from_bytes(bytes(data))
