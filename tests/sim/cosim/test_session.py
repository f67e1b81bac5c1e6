"""simulate: jobs reach the simulated bus and come back, and every way to fail ends in one clear error."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.cosim.core_source import GivenVerilog
from narrows.sim.cosim.errors import SimulationError
from narrows.sim.cosim.job import JobResult
from narrows.sim.cosim.session import simulate
from narrows.sw.errors import InputError, ToolMissing
from narrows.sw.runtime import TransportError

HERE = Path(__file__).parent
VERILOG = (HERE / "standin.v").read_text(encoding="utf-8")

SIMULATORS = [
    "verilator",
    pytest.param("icarus", marks=pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog")),
]


def core_of(verilog: str) -> GivenVerilog:
    return GivenVerilog(AcceleratorConfig(), verilog)


STANDIN = core_of(VERILOG)


@pytest.fixture(autouse=True)
def _jobs_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


def echo(verilog: GivenVerilog, *, delay: int = 3, timeout: int = 99, **options: Any) -> JobResult:
    values = {"chunk": 3, "delay": delay, "timeout": timeout}
    return simulate(verilog, "standin_jobs:echo", arrays={"data": np.arange(3)}, values=values, **options)


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_words_written_are_the_words_read(simulator: str, chunk: int) -> None:
    data = np.random.default_rng(chunk).integers(0, 1 << 32, size=3 * chunk + 2, dtype=np.uint32)
    seen: list[tuple[int, int]] = []
    result = simulate(
        STANDIN,
        "standin_jobs:echo",
        arrays={"data": data},
        simulator=simulator,
        values={"chunk": chunk, "delay": 300, "timeout": 1000},
        progress=lambda *at: seen.append(at),
    )
    np.testing.assert_array_equal(result.arrays["back"], data)
    assert 300 <= result.values["waited"] < 330
    assert result.sim_cycles > 300 and result.wall_seconds > 0
    assert all(total == len(data) for _, total in seen)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_timers_run_out_between_the_edges_of_the_clock(simulator: str) -> None:
    read = simulate(STANDIN, "standin_jobs:sleeps", simulator=simulator).values
    assert read["slept"] == 1_003
    assert 100 < read["cycles"] < 120, "of 10 ns each, and a read"


def test_a_wait_ends_at_its_limit() -> None:
    with pytest.raises(TransportError, match=r"no interrupt from the core by cycle \d+: a run exceeds its time limit"):
        echo(STANDIN, delay=3000, timeout=1000)


def test_a_refused_access_is_named() -> None:
    with pytest.raises(TransportError, match="the core refused 1 accesses, the first at address 0x1000040"):
        simulate(STANDIN, "standin_jobs:refused")


def test_a_dead_bus_is_noticed() -> None:
    dead = core_of(VERILOG.replace("wire read = s_axil_arvalid", "wire read = 1'b0"))
    assert dead != STANDIN
    with pytest.raises(TransportError, match="the core stopped answering on its bus"):
        echo(dead)


def test_an_error_for_the_user_keeps_its_class_and_message(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(InputError, match=r"^the input is no good$"):
        simulate(STANDIN, "standin_jobs:complains")
    assert list(tmp_path.iterdir()) == [], "nothing stays behind"


def test_any_other_error_names_the_log(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"simulator\.log$"):
        simulate(STANDIN, "standin_jobs:broken", work_folder=tmp_path)
    assert "boom" in (tmp_path / "simulator.log").read_text(encoding="utf-8")


def test_a_core_that_does_not_build_names_the_log(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=r"verilator cannot build the core: .*build\.log$"):
        simulate(
            core_of("module narrows_core (input x); endmodule module"),
            "standin_jobs:complains",
            work_folder=tmp_path,
        )


def test_no_progress_for_too_long_ends_the_simulation(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="no progress for 0 seconds"):
        echo(STANDIN, delay=1 << 31, timeout=(1 << 32) - 1, wall_limit=0.2, work_folder=tmp_path)


def test_a_waveform_is_left_in_the_work_folder(tmp_path: Path) -> None:
    echo(STANDIN, work_folder=tmp_path, waves=True)
    assert (tmp_path / "dump.vcd").stat().st_size > 1000


def test_missing_tools_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissing, match=r"Verilator needs a C\+\+ compiler and make and perl"):
        simulate(STANDIN, "standin_jobs:complains")
    with pytest.raises(ToolMissing, match="Icarus Verilog is not installed"):
        simulate(STANDIN, "standin_jobs:complains", simulator="icarus")
    assert list(tmp_path.iterdir()) == [], "nothing stays behind"


def test_a_kept_simulator_starts_without_what_only_builds_need() -> None:
    echo(STANDIN)
    code = (
        "import sys, numpy; from pathlib import Path; sys.path.append(str(Path.cwd()))\n"
        "from narrows.sim.cosim.session import simulate\n"
        "values = {'chunk': 3, 'delay': 3, 'timeout': 99}\n"
        "from narrows.hw.spec.config import AcceleratorConfig\n"
        "from narrows.sim.cosim.core_source import GivenVerilog\n"
        "core = GivenVerilog(AcceleratorConfig(), Path('standin.v').read_text(encoding='utf-8'))\n"
        "simulate(core, 'standin_jobs:echo', arrays={'data': numpy.arange(3)}, values=values)\n"
        "print({'cocotb', 'cocotb_tools.runner', 'amaranth', 'pytest'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
