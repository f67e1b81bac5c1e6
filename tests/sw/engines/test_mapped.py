"""The engine of a core in the memory map gives what the golden model gives, from Python and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import narrows
import numpy as np
import pytest
from narrows.boards.catalogue import find_board
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.cli import run
from narrows.sw.engines import find_engine
from narrows.sw.engines import mapped as engine
from narrows.sw.engines.mapped import MappedEngine
from narrows.sw.engines.port import BoardEngine


@pytest.mark.parametrize("name", ["uio:/dev/uio0", "mem:0x40000000"])
def test_a_place_is_an_engine(name: str) -> None:
    assert find_engine(name) == MappedEngine(name)


def test_digits_run_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = narrows.example()
    program = digits.model.quantize(digits.calib[:64]).compile("tiny")
    monkeypatch.setattr(engine, "open_mapped", lambda place: IsaTransport(program.config.core))
    found = program.run(digits.x[:5], engine="uio:/dev/uio0")
    np.testing.assert_array_equal(found["scores"], program.run(digits.x[:5])["scores"])
    assert (found.engine, len(found.run.cycles)) == ("uio:/dev/uio0", 5)

    np.savez(tmp_path / "x.npz", x=digits.x[:2])
    command = ["run", str(program.save(tmp_path / "m.nrw")), "--input", str(tmp_path / "x.npz")]
    assert run([*command, "--engine", "mem:0x40000000", "--json", str(tmp_path / "said.json")]) == 0
    assert json.loads((tmp_path / "said.json").read_text())["engine"] == "mem:0x40000000"


def test_linked_programs_run_by_turns_there_and_on_a_board(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = narrows.example()
    program = digits.model.quantize(digits.calib[:64]).compile("tiny")
    both = narrows.link({"a": program, "b": program})
    turns = [("b", digits.x[:2]), ("a", digits.x[2]), ("b", digits.x[3:4])]
    expected = both.run(turns)
    monkeypatch.setattr(engine, "open_mapped", lambda place: IsaTransport(both.config.core))
    monkeypatch.setattr(BoardEngine, "_opened", lambda self: Line(both.config.core))
    for chosen in ("mem:0x40000000", BoardEngine(find_board("ulx3s"), "none")):
        for found, right in zip(both.run(turns, chosen), expected, strict=True):
            np.testing.assert_array_equal(found["scores"], right["scores"])
            assert len(found.run.cycles) == len(right["scores"])


class Line(IsaTransport):
    """The model in the place of a board."""

    repeated = 0


def test_a_device_that_is_not_there_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digits = narrows.example()
    program = digits.model.quantize(digits.calib[:64]).compile("tiny")
    with pytest.raises(narrows.NarrowsError, match="there is no UIO device /dev/uio99"):
        program.run(digits.x[:1], engine="uio:/dev/uio99")
    np.savez(tmp_path / "x.npz", x=digits.x[:1])
    command = ["run", str(program.save(tmp_path / "m.nrw")), "--input", str(tmp_path / "x.npz")]
    assert run([*command, "--engine", "uio:/dev/uio99"]) == 2
    assert "there is no UIO device /dev/uio99" in " ".join(capsys.readouterr().err.split())
