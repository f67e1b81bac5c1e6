"""check_rounding: whether a core rounds to a format at all."""

from __future__ import annotations

from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.formats import Format
from .errors import CapacityError

__all__ = ["check_rounding"]


def check_rounding(layer: str, fmt: Format, config: AcceleratorConfig) -> None:
    """See that a core can write a layer's results in a format.

    Raises
    ------
    CapacityError
        If it has no such rounding.
    """
    if not config.rounds(fmt):
        raise CapacityError(
            f"layer {layer!r} writes {fmt}, the core rounds to integers and {config.rounded_formats}: use another "
            f"format, or generate the core with rounds_to = '{config.rounded_formats}+{fmt}'"
        )
