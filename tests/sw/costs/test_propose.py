"""Proposals: the smallest configuration that fits and is fast enough comes first, and its memories hold the model."""

from __future__ import annotations

import dataclasses

import pytest
from narrows.hw.spec.config import PRESETS
from narrows.sw.compile import compile_graph
from narrows.sw.costs import propose as module
from narrows.sw.costs.cells import DEVICES, Device, estimate_cells
from narrows.sw.costs.propose import Proposal, propose
from narrows.sw.costs.timeline import timeline
from narrows.sw.errors import InputError
from narrows.sw.examples import digits
from narrows.sw.graph import Graph
from narrows.sw.quantize import QuantSettings, quantise


def settings(_config) -> QuantSettings:
    return QuantSettings()


@pytest.fixture(autouse=True)
def _few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHAPES", [(1, 2, 4), (8, 8, 8)])


def proposals(graph: Graph, fps: float, device: str = "ecp5-85k") -> list[Proposal]:
    return propose(graph, settings, device=device, fps=fps, mhz=50, progress=lambda done, total: None)


def test_the_smallest_that_is_fast_enough_comes_first(graph: Graph) -> None:
    found = proposals(graph, 5000)
    assert found[0].fast and found[0].fits
    assert all(one.cells.luts >= found[0].cells.luts for one in found if one.fast)
    assert all(one.fps(50) >= 5000 for one in found if one.fast)
    assert found[-1].fast is False or found[-1].fits is False


def test_nothing_is_fast_enough_for_everything(graph: Graph) -> None:
    found = proposals(graph, 1e9)
    assert not any(one.fast for one in found)
    assert found[0].cycles == min(one.cycles for one in found if one.fits)


def test_a_device_that_is_too_small_fits_nothing(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEVICES, "ecp5-25k", Device(luts=1000, brams=10))
    assert not any(one.fits for one in proposals(graph, 1, "ecp5-25k"))


def test_the_chosen_configuration_holds_the_trained_model(graph: Graph) -> None:
    best = proposals(graph, 5000)[0]
    trained = quantise(graph, digits().calib_x[:64], QuantSettings(), best.config)
    assert len(compile_graph(trained, best.config).instructions) > 5


def test_unknown_targets_are_named(graph: Graph) -> None:
    with pytest.raises(InputError, match="the targets are ecp5-25k, ecp5-45k, ecp5-85k"):
        proposals(graph, 10, "virtex")


def test_cells_grow_with_units_and_memories() -> None:
    cells = {name: estimate_cells(config) for name, config in PRESETS.items()}
    assert cells["tiny"].luts < cells["small"].luts < cells["medium"].luts < cells["large"].luts
    assert 0.85 * 106 < cells["medium"].brams < 1.15 * 106, "block RAMs of the synthesised core"
    assert 0 < cells["medium"].error < 0.5


def test_cycles_are_counted_with_rescalers_of_another_width(graph: Graph) -> None:
    machine = PRESETS["tiny"]
    program = compile_graph(quantise(graph, digits().calib_x[:64], QuantSettings(), machine), machine)
    wider = dataclasses.replace(machine, rescale_bits=16, acc_bits=24)
    assert wider.param_word_bits > 32 * -(-machine.param_word_bits // 32), "its parameters take another word"
    assert timeline(module.on_core(program, wider)).cycles >= timeline(program).cycles
