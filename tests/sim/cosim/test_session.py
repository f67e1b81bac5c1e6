"""simulate: jobs reach the simulated bus, and every way to fail ends in one clear error."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.cosim.core_source import GivenVerilog
from narrows.sim.cosim.errors import SimulationError
from narrows.sim.cosim.player import CosimTransport
from narrows.sim.cosim.session import Simulated, simulate
from narrows.sw.errors import InputError, ToolMissing
from narrows.sw.runtime import TransportError
from numpy.typing import NDArray

HERE = Path(__file__).parent
VERILOG = (HERE / "standin.v").read_text(encoding="utf-8")
WORDS = 4096

SIMULATORS = [
    "verilator",
    pytest.param("icarus", marks=pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog")),
]


def core_of(verilog: str) -> GivenVerilog:
    return GivenVerilog(AcceleratorConfig(), verilog)


STANDIN = core_of(VERILOG)


async def echo(
    transport: CosimTransport, data: NDArray[np.uint32], chunk: int, delay: int, timeout: int
) -> tuple[list[int], int]:
    """Write words and read them back, in chunks so that reads follow writes and writes follow reads; then wait, and say
    how many cycles."""
    back: list[int] = []
    for at in range(0, len(data), chunk):
        await transport.write(0x100 + 4 * at, data[at : at + chunk])
        back += (await transport.read(0x100 + 4 * at, len(data[at : at + chunk]))).tolist()
    before = transport.cycles
    await transport.write(0x10, [delay])
    await transport.wait(timeout)
    return back, transport.cycles - before


def run_echo(verilog: GivenVerilog = STANDIN, *, delay: int = 3, timeout: int = 99, **options: Any) -> Simulated[Any]:
    data = np.arange(3, dtype=np.uint32)
    return simulate(verilog, lambda transport: echo(transport, data, 3, delay, timeout), **options)


async def complain(transport: CosimTransport) -> None:
    """Raise an error meant for the user."""
    raise InputError("the input is no good")


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_words_written_are_the_words_read(simulator: str, chunk: int) -> None:
    data = np.random.default_rng(chunk).integers(0, 1 << 32, size=3 * chunk + 2, dtype=np.uint32)
    done = simulate(STANDIN, lambda transport: echo(transport, data, chunk, 300, 1000), simulator=simulator)
    back, waited = done.result
    assert back == data.tolist()
    assert 300 <= waited < 330
    assert done.cycles > 300 and done.seconds > 0


def test_more_words_than_a_pipe_holds_come_back() -> None:
    data = np.random.default_rng(1).integers(0, 1 << 32, size=100_000, dtype=np.uint32)
    back, _ = simulate(STANDIN, lambda transport: echo(transport, data, len(data), 3, 99)).result
    last = np.arange(len(data)) + WORDS * ((len(data) - 1 - np.arange(len(data))) // WORDS)  # written to each place
    assert back == data[last].tolist()


def test_time_stands_still_while_the_job_does_something_else() -> None:
    async def dawdle(transport: CosimTransport, seconds: float) -> int:
        await transport.read(0x100, 1)
        before = transport.cycles
        time.sleep(seconds)
        await transport.read(0x100, 1)
        return transport.cycles - before

    at_once, later = (simulate(STANDIN, lambda bench, s=seconds: dawdle(bench, s)).result for seconds in (0, 0.2))
    assert at_once == later


def test_a_wait_ends_at_its_limit() -> None:
    with pytest.raises(TransportError, match=r"no interrupt from the core by cycle \d+: a run exceeds its time limit"):
        run_echo(delay=3000, timeout=1000)


def test_a_refused_access_is_named() -> None:
    async def touch(transport: CosimTransport) -> None:
        await transport.write(0x20, [1, 2])
        await transport.write(1 << 24 | 0x40, [7])
        await transport.read(0x20, 1)

    with pytest.raises(TransportError, match="the core refused 1 accesses, the first at address 0x1000040"):
        simulate(STANDIN, touch)


def test_a_dead_bus_is_noticed() -> None:
    dead = core_of(VERILOG.replace("wire read = s_axil_arvalid", "wire read = 1'b0"))
    assert dead != STANDIN
    with pytest.raises(TransportError, match="the core stopped answering on its bus"):
        run_echo(dead)


def test_what_is_left_of_a_batch_that_met_a_dead_bus_is_not_taken_for_the_next_one() -> None:
    deaf = core_of(VERILOG.replace("wire write = ", "wire write = !s_axil_awaddr[24] && "))
    assert deaf != STANDIN

    async def lose_words(transport: CosimTransport) -> list[int]:
        await transport.write(1 << 24, np.zeros(50, dtype=np.uint32))
        await transport.write(0x100, [1, 2, 3])
        with pytest.raises(TransportError, match="the core stopped answering on its bus"):
            await transport.read(0x100, 3)
        await transport.reset()
        await transport.write(0x100, [4, 5])
        return (await transport.read(0x100, 2)).tolist()

    assert simulate(deaf, lose_words).result == [4, 5]


def test_an_error_for_the_user_keeps_its_class_and_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(InputError, match=r"^the input is no good$"):
        simulate(STANDIN, complain)
    assert list(tmp_path.iterdir()) == [], "nothing stays behind"


def test_an_error_of_ours_ends_the_simulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    processes: list[int] = []

    async def break_down(transport: CosimTransport) -> None:
        processes.append(transport._bench._process.pid)
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        simulate(STANDIN, break_down)
    with pytest.raises(ProcessLookupError):
        os.kill(processes[0], 0)
    assert list(tmp_path.iterdir()) == [], "nothing stays behind"


def test_a_simulator_that_ends_too_soon_names_the_log(tmp_path: Path) -> None:
    ending = core_of(VERILOG.replace("endmodule", 'initial begin $display("goodbye"); $finish; end\nendmodule', 1))
    with pytest.raises(SimulationError, match=r"bench ended with code 0; see .*simulator\.log$"):
        run_echo(ending, work_folder=tmp_path)
    assert "goodbye" in (tmp_path / "simulator.log").read_text(encoding="utf-8")


def test_a_killed_simulator_is_named_with_its_signal(tmp_path: Path) -> None:
    async def kill(transport: CosimTransport) -> None:
        os.kill(transport._bench._process.pid, signal.SIGKILL)
        await transport.read(0x100, 1)

    with pytest.raises(SimulationError, match=r"bench ended with code -9; see .*simulator\.log$"):
        simulate(STANDIN, kill, work_folder=tmp_path)


def test_a_core_that_does_not_build_names_the_log(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"verilator cannot build the core: .*build\.log$"):
        simulate(
            core_of("module narrows_core (input x); endmodule module"),
            complain,
            work_folder=tmp_path,
        )


def test_no_progress_for_too_long_ends_the_simulation(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="no progress for 0 seconds"):
        run_echo(delay=1 << 31, timeout=(1 << 32) - 1, wall_limit=0.2, work_folder=tmp_path)


def test_only_a_work_folder_that_was_given_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given, temporary = tmp_path / "given", tmp_path / "temporary"
    temporary.mkdir()
    run_echo()  # it is built outside of both
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    run_echo()
    assert not list(temporary.glob("narrows-sim-*"))
    run_echo(work_folder=given)
    assert (given / "simulator.log").exists()


def test_a_waveform_is_left_in_the_work_folder(tmp_path: Path) -> None:
    run_echo(work_folder=tmp_path, waves=True)
    assert (tmp_path / "dump.vcd").stat().st_size > 1000


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissing, match=r"Verilator needs a C\+\+ compiler and make and perl"):
        simulate(STANDIN, complain)
    with pytest.raises(ToolMissing, match="Icarus Verilog is not installed"):
        simulate(STANDIN, complain, simulator="icarus")
    assert list(tmp_path.iterdir()) == [], "nothing stays behind"


def test_a_kept_simulator_starts_without_what_only_builds_need() -> None:
    run_echo()
    code = (
        "import sys; from pathlib import Path\n"
        "from narrows.sim.cosim.session import simulate\n"
        "from narrows.hw.spec.config import AcceleratorConfig\n"
        "from narrows.sim.cosim.core_source import GivenVerilog\n"
        "core = GivenVerilog(AcceleratorConfig(), Path('standin.v').read_text(encoding='utf-8'))\n"
        "async def read(transport): return await transport.read(0x100, 1)\n"
        "simulate(core, read)\n"
        "print({'cocotb', 'cocotb_tools', 'amaranth', 'pytest'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
