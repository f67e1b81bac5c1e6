"""The SDRAM chip's model at its pins: what a data sheet allows is done, what it forbids is told."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from narrows.hw.spec.sdram import AS4C32M16
from narrows.sim.cosim.simulators import verilator_root
from narrows.sim.sdram import chip_verilog

ACTIVE, READ, WRITE, PRECHARGE, REFRESH, MODE, STOP = 3, 5, 4, 2, 1, 0, 6
DRIVE, LOW, HIGH, SLEEP = 1, 2, 4, 8
AUTO = ALL = 1 << 10
POWER_UP = 200  # cycles

Command = tuple[int, int, int, int, int, int]
"""Cycles since the command before less one, code, bank, address, datum, how."""


def at(gap: int, code: int, bank: int = 0, address: int = 0, datum: int = 0, how: int = 0) -> Command:
    """A command ``gap`` cycles behind the one before it."""
    return gap - 1, code, bank, address, datum, how


START = (at(POWER_UP, PRECHARGE, 0, ALL), at(3, REFRESH), *[at(7, REFRESH)] * 7, at(7, MODE, 0, 2 << 4), at(2, 7))
"""Until the chip is ready: a CAS latency of 2."""


@functools.cache
def program() -> Path:
    folder, support = Path(tempfile.mkdtemp()), Path(__file__).parents[2] / "support"
    quick = dataclasses.replace(AS4C32M16, power_up=10.0 * POWER_UP)
    text = (support / "sdram_pins.v").read_text(encoding="utf-8") + chip_verilog(quick, clock_mhz=100)
    (folder / "design.v").write_text(text, encoding="utf-8")
    root = verilator_root()
    verilate = [root / "bin" / "verilator", "--binary", "--timing", "-Wno-fatal", "-Wno-lint", "-CFLAGS", "-std=c++20"]
    verilate += ["-MAKEFLAGS", f"CFG_CXXFLAGS_PCH_I=-include PYTHON3={sys.executable}"]
    environment = os.environ | {"VERILATOR_ROOT": str(root)}
    command = [*verilate, "--top-module", "pins", "design.v"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "obj_dir" / "Vpins"


def play(tmp_path: Path, *commands: Command) -> tuple[list[str], dict[int, str], list[int]]:
    """Complaints in order, data by the cycle they are taken in, statistics."""
    lines = (f"{gap} {code} {bank} {address:x} {datum:x} {how}" for gap, code, bank, address, datum, how in commands)
    (tmp_path / "commands.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
    out = subprocess.run([program()], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    data = {int(cycle): word for cycle, word in re.findall(r"^data (\d+) (\w+)$", out, re.MULTILINE)}
    [end] = re.findall(r"^end (.*)$", out, re.MULTILINE)
    return re.findall(r"^sdram: cycle \d+: (.*)$", out, re.MULTILINE), data, [int(value) for value in end.split()]


def cycle_of(commands: tuple[Command, ...], index: int) -> int:
    """In which the chip takes a command: the clock's first edge comes before the pins' first change."""
    return 1 + sum(gap + 1 for gap, *_ in commands[: index + 1])


def test_what_is_written_is_read_with_the_latency_of_the_mode(tmp_path: Path) -> None:
    for latency in (2, 3):
        mode = START[:-2], (at(7, MODE, 0, latency << 4), at(2, 7))
        commands = (
            *mode[0],
            *mode[1],
            at(1, ACTIVE, 0, 5),
            at(2, ACTIVE, 1, 6),
            at(3, WRITE, 0, 7, 0x1234, DRIVE),
            at(1, WRITE, 0, 8, 0x5678, DRIVE),
            at(1, WRITE, 1, 7, 0x9ABC, DRIVE),
            at(1, READ, 0, 7),
            at(1, READ, 0, 8),
            at(1, READ, 1, 7),
        )
        complaints, data, statistics = play(tmp_path, *commands)
        read = cycle_of(commands, len(commands) - 3)
        assert complaints == [] and statistics == [0, 8, 0, 3, 3, 2]
        expected = {read + latency + n: word for n, word in enumerate(("1234", "5678", "9abc"))}
        assert data == expected, latency


def test_masked_bytes_stay_as_they_are(tmp_path: Path) -> None:
    commands = (
        *START,
        at(1, ACTIVE),
        at(3, WRITE, 0, 0, 0xFFFF, DRIVE),
        at(1, WRITE, 0, 0, 0x1234, DRIVE | LOW),
        at(1, WRITE, 0, 1, 0x1234, DRIVE | HIGH),
        at(1, READ, 0, 0),
        at(1, READ, 0, 1),
    )
    complaints, data, _ = play(tmp_path, *commands)
    assert complaints == [] and list(data.values()) == ["12ff", "0034"]


def test_rows_of_banks_are_places_of_their_own(tmp_path: Path) -> None:
    places = [(bank, row, column) for bank in (0, 3) for row in (0, 2) for column in (0, 1023)]
    commands = list(START)
    for code, how in ((WRITE, DRIVE), (READ, 0)):
        for number, (bank, row, column) in enumerate(places):
            commands += [at(9, ACTIVE, bank, row), at(3, code, bank, column | AUTO, 0x100 + number, how)]
    complaints, data, _ = play(tmp_path, *commands)
    assert complaints == [] and list(data.values()) == [f"{0x100 + number:04x}" for number in range(len(places))]


@pytest.mark.parametrize(
    ("commands", "complaint"),
    [
        ((at(1, ACTIVE), at(2, READ)), "tRCD"),
        ((at(1, ACTIVE), at(4, PRECHARGE)), "tRAS"),
        ((at(1, ACTIVE), at(5, PRECHARGE), at(2, ACTIVE)), "tRP"),
        ((at(1, ACTIVE), at(3, WRITE, 0, 0, 1, DRIVE), at(2, PRECHARGE)), ""),
        ((at(1, ACTIVE), at(4, WRITE, 0, 0, 1, DRIVE), at(1, PRECHARGE)), "tWR"),
        ((at(1, ACTIVE), at(3, WRITE, 0, AUTO, 1, DRIVE), at(4, ACTIVE)), "tRP"),
        ((at(1, ACTIVE), at(3, WRITE, 0, AUTO, 1, DRIVE), at(5, ACTIVE)), ""),
        ((at(1, ACTIVE), at(3, READ, 0, AUTO), at(4, ACTIVE)), "tRP"),
        ((at(1, ACTIVE), at(1, ACTIVE, 1)), "tRRD"),
        ((at(1, ACTIVE), at(9, ACTIVE)), "ACTIVE of a bank that is open"),
        ((at(1, READ),), "READ or WRITE of a bank that is closed"),
        ((at(1, REFRESH), at(6, ACTIVE)), "tRFC"),
        ((at(1, REFRESH), at(7, ACTIVE)), ""),
        ((at(1, ACTIVE), at(9, REFRESH)), "REFRESH or MODE REGISTER SET while a bank is open"),
        ((at(1, MODE, 0, 0x20), at(1, ACTIVE)), "tMRD"),
        ((at(1, MODE, 0, 0x120),), "mode that is reserved or not modelled: 0120"),
        ((at(1, MODE, 0, 0x23),), "mode that is reserved or not modelled: 0023"),
        ((at(1, ACTIVE), at(3, READ), at(2, WRITE, 0, 0, 1, DRIVE)), "both sides drive the data pins"),
        ((at(1, ACTIVE), at(3, READ), at(3, WRITE, 0, 0, 1, DRIVE)), ""),
        ((at(1, ACTIVE, 0, 16), at(3, READ)), "word that does not exist"),
        ((at(2, 7, 0, 0, 0, SLEEP),), "cke falls"),
        ((at(1, STOP),), "BURST STOP, which this model does not have"),
    ],
)
def test_each_rule_is_watched(commands: tuple[Command, ...], complaint: str, tmp_path: Path) -> None:
    complaints, _, statistics = play(tmp_path, *START, *commands)
    assert complaints == [complaint] * bool(complaint) and statistics[0] == bool(complaint)


def test_a_chip_takes_no_command_before_it_is_ready(tmp_path: Path) -> None:
    early = play(tmp_path, at(POWER_UP // 2, PRECHARGE, 0, ALL))[0]
    assert early == ["command before power-up is over"]
    assert play(tmp_path, *START[:4], at(7, ACTIVE))[0] == ["command before the mode is set"]
    assert play(tmp_path, START[0], at(3, REFRESH), at(7, MODE, 0, 0x20))[0] == [
        "mode that is reserved or not modelled: 0020"
    ]


@pytest.mark.parametrize(("gap", "late"), [(780, 0), (800, 0), (1570, 1)])
def test_refreshes_come_in_time(gap: int, late: int, tmp_path: Path) -> None:
    complaints, _, statistics = play(tmp_path, *START, *[at(gap, REFRESH)] * 20)
    assert complaints[:1] == ["refresh is late"] * late
    assert statistics[1:3] == [28, gap + 9], "from the last one of the start on"


def test_refreshes_that_fall_behind_little_by_little_are_told(tmp_path: Path) -> None:
    complaints, _, statistics = play(tmp_path, *START, *[at(790, REFRESH)] * 79)
    assert (complaints, statistics[0]) == (["refresh is late"], 1)
