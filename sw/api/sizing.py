"""The core for a model: the best shape, the smallest that is fast enough, or whether a given one is large enough."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ..errors import CapacityError, InputError

if TYPE_CHECKING:
    from ...boards.board import Board
    from ..costs.propose import Settings
    from ..graph import Graph
    from ..listener import Listener
    from ..program import Program
    from ..quantised import QuantisedGraph
    from ..quantize import QuantSettings

__all__ = ["check_size", "compiled_sized", "config_for_rate", "estimated_target", "fpga_target", "sized"]

_SHOWN = 8
_GROWING = ("act_words", "weight_words", "param_words", "taps", "blocks", "instructions")
"""Parameters of a core that was sized by an estimate which may grow when the weights are known."""

_DEVICE = "ecp5-85k"
"""Largest FPGA that cells are estimated for."""


def sized(graph: Graph, settings: Settings, listener: Listener) -> AcceleratorConfig:
    """The best shape of up to 256 units for a model, with memories that hold it; the listener is told why.

    Parameters
    ----------
    graph : Graph
        Lowered.
    settings : callable
        Formats for a configuration.
    listener : Listener

    Raises
    ------
    CapacityError
        If no core at all takes the model.
    """
    from ..costs.propose import USUAL_UNITS, best_shape, streaming

    with listener.progress("sizing a core for the model") as progress:
        found = best_shape(graph, settings, device=_DEVICE, progress=progress)
    if found:
        best, reason = found[0], f"the fewest cycles of {len(found)} shapes of up to {USUAL_UNITS} units"
        if not best.fits:
            reason += f'; larger than an {_DEVICE}: a backing store (backing = "axi4") keeps it smaller'
    else:
        best = streaming(graph, settings, device=_DEVICE)
        reason = "no core holds the model, so weights and large tensors stay in a backing store"
        if not best.fits:
            reason += f"; even so it is larger than an {_DEVICE}"
    machine = best.config
    listener.note(
        f"chosen: {machine.rows} x {machine.columns} x {machine.lanes} units, {best.cycles:,} cycles a sample: {reason}"
    )
    listener.note(
        f"  act_words = {machine.act_words}, weight_words = {machine.weight_words}, param_words = "
        f"{machine.param_words}, acc_bits = {machine.acc_bits}, rescale_bits = {machine.rescale_bits}"
        + (f", tables = {machine.tables}" if machine.tables else "")
        + (", dynamic = 1" if machine.dynamic else "")
        + f"; about {best.cells.luts:,} LUT4 and {best.cells.brams} block RAMs of an ECP5"
    )
    listener.note("  another core: --board, --preset, --config, or --target-fps for a frame rate")
    return machine


def check_size(graph: Graph, config: AcceleratorConfig, settings: QuantSettings, samples: NDArray | None) -> None:
    """Refuse a model that is too large for a core before it is quantised, which takes much longer.

    Parameters
    ----------
    graph : Graph
        Lowered.
    config : AcceleratorConfig
    settings : QuantSettings
    samples : array, shape (N, *input shape), or None
        Calibration samples, which the input's own format depends on.

    Raises
    ------
    CapacityError
        Of everything that is lacking in any case.
    """
    from ..costs.estimate import estimate, with_cures
    from ..quantize.planned import input_format

    source = {} if samples is None else {"source": input_format(graph, samples, settings)}
    found = estimate(graph, config, settings, **source, only=True, least=True)
    found = with_cures(found, graph, config, settings)
    if found.problems:
        raise CapacityError("; ".join(found.problems), found.shortages)


def compiled_sized(graph: QuantisedGraph, config: AcceleratorConfig, listener: Listener) -> Program:
    """Program for a core that was sized for the model, its memories raised where the real weights take more.

    Trained integers are multiplied by as much as makes their steps exact, which only samples tell; so an estimate can
    be too small.

    Raises
    ------
    CapacityError
        If more is lacking than words of memories.
    """
    from ..compile import compile_graph

    try:
        return compile_graph(graph, config)
    except CapacityError as error:
        sizes = {each.parameter: each.enough for each in error.shortages if each.parameter in _GROWING}
        if not sizes or len(sizes) < len(error.shortages) or None in sizes.values():
            raise
        raised = ", ".join(f"{name} = {size}" for name, size in sizes.items())
        listener.note(f"the model takes more than was estimated: {raised}")
        return compile_graph(graph, dataclasses.replace(config, **sizes))


def config_for_rate(
    graph: Graph, settings: Settings, fps: float, device: str, mhz: float, listener: Listener
) -> AcceleratorConfig:
    """Smallest configuration that is estimated to fit a device and to run a model ``fps`` times a second at ``mhz``.

    The listener gets the best ones as a table.

    Raises
    ------
    CapacityError
        If none does; the message says what is the fastest one that fits.
    """
    from ..costs.propose import propose

    with listener.progress("looking for a configuration") as progress:
        found = propose(graph, settings, device=device, fps=fps, mhz=mhz, progress=progress)
    best = found[0]
    listener.table(
        f"{fps:g} samples a second on {device} at {mhz:g} MHz (LUT4 estimated to within {best.cells.error:.0%})",
        ("shape", "units", "cycles", "samples/s", "LUT4", "block RAM", "verdict"),
        [
            (
                one.name,
                one.config.macs,
                f"{one.cycles:,}",
                f"{one.fps(mhz):,.0f}",
                f"{one.cells.luts:,}",
                one.cells.brams,
                "too large" if not one.fits else "too slow" if not one.fast else "good",
            )
            for one in found[:_SHOWN]
        ],
    )
    if not (best.fits and best.fast):
        if best.fits:
            reason = f"the fastest that fits makes {best.fps(mhz):,.0f}: lower --target-fps or raise --mhz"
        else:
            reason = "every shape that holds the model is too large: choose a larger target"
        raise CapacityError(f"no configuration makes {fps:g} samples a second on {device}: {reason}")
    listener.note(f"chosen: {best.name}, {best.config.macs} units; narrows verilog --program writes its core")
    return best.config


def estimated_target(name: str) -> str:
    """The device of a target that cells are estimated for.

    Raises
    ------
    InputError
        If there is no such target, or there are no estimates for it.
    """
    from ..targets import TARGETS, find_target

    _, device = find_target(name)
    if device is None or not device.estimated:
        known = ", ".join(each.name for each in TARGETS.values() if each.estimated)
        raise InputError(f"cells of {name} are not estimated: the targets of --target-fps are {known}")
    return device.name


def fpga_target(board: Board) -> str:
    """The target that cells are estimated for, of a board's FPGA.

    Raises
    ------
    InputError
        If there are no estimates for it.
    """
    from ..targets import TARGETS

    estimated = [target for target in TARGETS.values() if target.estimated]
    for target in estimated:
        if board.device.lower().startswith(target.device):
            return target.name
    known = ", ".join(target.name for target in estimated)
    raise InputError(f"cells of a {board.device} are not estimated: leave out fps, or the board: {known}")
