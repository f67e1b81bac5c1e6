"""model_config: the core that a command makes a program for: one that was named, or one sized for the model."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ..errors import CapacityError
from .options import chosen_config
from .output import progress_bar, report_done, show_table

if TYPE_CHECKING:
    from ..graph import Graph
    from ..quantize import QuantSettings
    from ..report.propose import Proposal, Settings

__all__ = ["check_size", "config_for_rate", "model_config"]

_SHOWN = 8
_DEVICE = "ecp5-85k"
"""Largest FPGA that cells are estimated for."""


def model_config(
    graph: Graph,
    settings: Settings,
    preset: str | None,
    config: Path | None,
    board: str | None,
    **overrides: int | None,
) -> AcceleratorConfig:
    """The configuration that options name; where they name none, the best shape for a model, which its memories hold.

    Says what it chose and why.

    Parameters
    ----------
    graph : Graph
        Lowered.
    settings : callable
        Formats for a configuration.
    preset, config, board
        As `chosen_config` takes them.
    **overrides
        Parameters that replace others where they are not None.

    Raises
    ------
    ConfigError, BoardError
        As `chosen_config` does.
    CapacityError
        If no core at all takes the model.
    """
    if preset or config or board:
        return chosen_config(preset, config, board, None, **overrides)
    chosen = _sized(graph, settings)
    return dataclasses.replace(chosen.config, **{name: value for name, value in overrides.items() if value is not None})


def _sized(graph: Graph, settings: Settings) -> Proposal:
    """The best shape of up to 256 units for a model; it is said why."""
    from ..report.propose import USUAL_UNITS, best_shape, streaming

    with progress_bar("sizing a core for the model") as progress:
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
    report_done(
        f"chosen: {machine.rows} x {machine.columns} x {machine.lanes} units, {best.cycles:,} cycles a sample: {reason}"
    )
    report_done(
        f"  act_words = {machine.act_words}, weight_words = {machine.weight_words}, param_words = "
        f"{machine.param_words}, acc_bits = {machine.acc_bits}, rescale_bits = {machine.rescale_bits}"
        + (f", tables = {machine.tables}" if machine.tables else "")
        + f"; about {best.cells.luts:,} LUT4 and {best.cells.brams} block RAMs of an ECP5"
    )
    report_done("  another core: --board, --preset, --config, or --target-fps for a frame rate")
    return best


def check_size(graph: Graph, config: AcceleratorConfig, settings: QuantSettings, samples: NDArray) -> None:
    """Refuse a model that is too large for a core before it is quantised, which takes much longer.

    Parameters
    ----------
    graph : Graph
        Lowered.
    config : AcceleratorConfig
    settings : QuantSettings
    samples : array, shape (N, *input shape)
        Calibration samples.

    Raises
    ------
    CapacityError
        Of everything that is lacking in any case.
    """
    from ..quantize.planned import input_format
    from ..report.sketch import estimate, with_larger_memories

    found = estimate(graph, config, settings, source=input_format(graph, samples), only=True, least=True)
    found = with_larger_memories(found, graph, config, settings)
    if found.problems:
        raise CapacityError("; ".join(found.problems), found.shortages)


def config_for_rate(graph: Graph, settings: Settings, fps: float, device: str, mhz: float) -> AcceleratorConfig:
    """Smallest configuration that is estimated to fit a device and to run a model ``fps`` times a second at ``mhz``.

    Shows the best ones as a table.

    Raises
    ------
    CapacityError
        If none does; the message says what is the fastest one that fits.
    """
    from ..report.propose import propose

    with progress_bar("looking for a configuration") as progress:
        found = propose(graph, settings, device=device, fps=fps, mhz=mhz, progress=progress)
    best = found[0]
    show_table(
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
    report_done(f"chosen: {best.name}, {best.config.macs} units; narrows verilog --program writes its core")
    return best.config
