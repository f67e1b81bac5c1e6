"""check_room: whether linked programs fit one configuration together."""

from __future__ import annotations

from collections.abc import Mapping

from ...hw.spec.config import AcceleratorConfig
from ..errors import CapacityError
from ..shortage import Shortage

__all__ = ["check_room"]


def check_room(config: AcceleratorConfig, needs: Mapping[tuple[str, str], int]) -> None:
    """See whether all programs together fit.

    Parameters
    ----------
    config : AcceleratorConfig
    needs : mapping of int
        What is needed, by what it is called and the parameter that limits it.

    Raises
    ------
    CapacityError
        If something is lacking; the message names all of it, and by how much.
    """
    found = tuple(
        Shortage.of(config, parameter, what, needed=needed, layer="")
        for (what, parameter), needed in needs.items()
        if needed > getattr(config, parameter)
    )
    if found:
        lacking = (
            f"together the programs need {one.needed} {one.what}, the configuration has {one.available} "
            f"({one.needed - one.available} too few): {one.cure}"
            for one in found
        )
        raise CapacityError("; ".join(lacking), found)
