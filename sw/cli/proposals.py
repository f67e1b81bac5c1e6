"""proposed_config: the configuration that reaches a frame rate, with the alternatives as a table."""

from __future__ import annotations

from pathlib import Path

from ...hw.spec.config import AcceleratorConfig
from ..errors import CapacityError
from .output import progress_bar, report_done, show_table

__all__ = ["proposed_config"]

_SHOWN = 8


def proposed_config(
    model: Path, fps: float, device: str, mhz: float, *, weights: str | None, acts: str | None
) -> AcceleratorConfig:
    """Smallest configuration that is estimated to fit a device and to run a model ``fps`` times a second at ``mhz``.

    Shows the best ones as a table.

    Raises
    ------
    CapacityError
        If none does; the message says what is the fastest one that fits.
    """
    from ..frontend import load_model
    from ..passes import lower
    from ..quantize import QuantSettings
    from ..report.propose import propose

    def settings(config: AcceleratorConfig) -> QuantSettings:
        return QuantSettings(weights=weights or config.base, acts=acts or config.base)

    with progress_bar("looking for a configuration") as progress:
        found = propose(lower(load_model(model)), settings, device=device, fps=fps, mhz=mhz, progress=progress)
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
