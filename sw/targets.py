"""Targets: FPGAs by one vocabulary, a family or one of its devices, and what each tool calls them."""

from __future__ import annotations

from dataclasses import dataclass

from ..hw.spec.errors import among
from .errors import InputError

__all__ = ["FAMILIES", "TARGETS", "Target", "find_target"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A device.

    Parameters
    ----------
    name : str
        Its family and its size.
    family : str
        What cores are shaped and synthesised for; one of `FAMILIES`.
    device : str
        What `place_and_route.DEVICES` calls it; empty: open tools do not place it here.
    estimated : bool
        Whether cells are estimated for it (`report.cells.DEVICES`).
    """

    name: str
    family: str
    device: str = ""
    estimated: bool = False


TARGETS = {
    target.name: target
    for target in (
        Target(name="ecp5-85k", family="ecp5", device="lfe5u-85f", estimated=True),
        Target(name="ecp5-45k", family="ecp5", device="lfe5u-45f", estimated=True),
        Target(name="ecp5-25k", family="ecp5", device="lfe5u-25f", estimated=True),
        Target(name="ice40-up5k", family="ice40", device="ice40up5k"),
        Target(name="ice40-hx8k", family="ice40", device="ice40hx8k"),
    )
}
"""Devices by name; the first of a family stands for it where a device is needed."""

FAMILIES = ("ecp5", "ice40", "xilinx")
"""Families that cores are synthesised for."""


def find_target(name: str) -> tuple[str, Target | None]:
    """The family that a name means, and its device: that of the name, or the family's first one, if it has any.

    Raises
    ------
    InputError
        If there is no such target.

    Examples
    --------
    >>> from narrows.sw.targets import find_target
    >>> find_target("ice40")[1].name, find_target("ecp5-25k")[0]
    ('ice40-up5k', 'ecp5')
    """
    if name in TARGETS:
        return TARGETS[name].family, TARGETS[name]
    if name in FAMILIES:
        return name, next((target for target in TARGETS.values() if target.family == name), None)
    raise InputError(f"unknown target {name!r}: {among(name, 'targets', [*FAMILIES, *TARGETS])}")
