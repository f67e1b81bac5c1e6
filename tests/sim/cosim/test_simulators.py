"""Simulators: how each is started, with a waveform and without one."""

from __future__ import annotations

from pathlib import Path

from narrows.sim.cosim.simulators import ACTIVITY_FILE, ACTIVITY_SIMULATOR, SIMULATORS


def test_a_waveform_is_written_where_it_is_asked_for() -> None:
    build = Path("build")
    commands = {
        name: (core.command(build, "bench", waves=True), core.command(build, "bench", waves=False))
        for name, core in SIMULATORS.items()
    }
    program = str(build / "bench")
    assert commands == {
        "verilator": ([program, "--trace"], [program]),
        "icarus": (["vvp", str(build / "sim.vvp"), "-fst"], ["vvp", str(build / "sim.vvp"), "-none"]),
        ACTIVITY_SIMULATOR: ([program, "--trace", "--trace-file", ACTIVITY_FILE], [program]),
    }
