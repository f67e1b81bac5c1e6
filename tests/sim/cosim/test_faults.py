"""A fault anywhere in the hardware makes `narrows verify` fail and name a layer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.builds import cache_folder
from narrows.sw.cli.app import app
from narrows.sw.compile import compile_graph
from narrows.sw.examples import digits, digits_model
from narrows.sw.frontend import load_model
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.runtime import prepare_input
from narrows.sw.verify.waveform import Waveform
from program_batch import check_programs
from sabotage import FAULTS
from typer.testing import CliRunner

CONFIG = AcceleratorConfig(
    rows=1, columns=1, lanes=4, rescalers=1, act_words=4096, weight_words=16384, param_words=512, taps=512, blocks=256
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits program for a small core, and one image."""
    path = tmp_path_factory.mktemp("digits")
    data = digits()
    with digits_model() as model:
        graph = quantise(load_model(model), data.calib_x[:32], QuantSettings(), CONFIG)
    compile_graph(graph, CONFIG).save(path / "digits.nrw")
    np.savez(path / "image.npz", x=data.test_x[:1])
    return path


def verify(folder: Path) -> tuple[int, str, dict]:
    """Exit status, output and verdict of the command."""
    names = [str(folder / name) for name in ("digits.nrw", "image.npz", "verdict.json", "waves")]
    Path(names[2]).unlink(missing_ok=True)
    command = ["verify", names[0], "--input", names[1], "--json", names[2], "--waves", names[3]]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    return result.exit_code, result.output, json.loads(Path(names[2]).read_text(encoding="utf-8"))


def test_a_genuine_core_agrees(folder: Path) -> None:
    status, _, verdict = verify(folder)
    assert (status, verdict["mismatches"]) == (0, 0)
    program = Program.load(folder / "digits.nrw")
    levels = prepare_input(program.graph, digits().test_x[1:3])
    (report,) = check_programs(CONFIG, [(program, levels)])
    assert report["differences"] == [], "tensors, checksums and the cycles of all counters"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_its_layer_named(
    fault: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, wrong = FAULTS[fault]
    monkeypatch.setattr(module, name, wrong)
    shared = cache_folder() / "verilated"
    shared.mkdir(parents=True, exist_ok=True)
    (tmp_path / "verilated").symlink_to(shared)
    monkeypatch.setenv("NARROWS_CACHE", str(tmp_path))  # a kept simulator is known by the genuine sources
    status, output, verdict = verify(folder)
    assert status == 1
    assert verdict["mismatches"] > 0
    assert {difference["engine"] for difference in verdict["differences"]} == {"rtl"}
    program = Program.load(folder / "digits.nrw")
    layers = [layer.name for layer in program.graph.layers]
    first = verdict["differences"][0]
    assert first["layer"] in layers
    assert f"layer {first['layer']}" in " ".join(output.split())
    culprit = verdict["first"]
    assert (culprit["layer"], culprit["tensor"]) == (first["layer"], first["tensor"])
    assert culprit["expected"] != culprit["found"]
    assert culprit["cycles"][0] <= culprit["cycle"] <= culprit["cycles"][1]
    assert f"cycle {culprit['cycle']}" in " ".join(output.split())
    shown = Waveform(folder / "waves" / "first_difference.vcd")
    names = ["bench.core.sequencer.control__cycles", "bench.core.compute.writes__0__enable"]
    edges = [values for _, values in shown.edges("bench.core.clk", names)]
    wrong = [values for values in edges if values["bench.core.sequencer.control__cycles"] == culprit["cycle"]]
    assert len(wrong) == 1 and wrong[0]["bench.core.compute.writes__0__enable"]
    assert 100 < len(edges) < 300
