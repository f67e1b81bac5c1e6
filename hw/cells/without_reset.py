"""without_reset: a component whose registers a reset leaves alone."""

from __future__ import annotations

from amaranth.hdl import Fragment, Module

__all__ = ["without_reset"]


def without_reset(m: Module, platform: object) -> Fragment:
    """The module, elaborated, with all its registers and those of its submodules out of the reset's reach.

    For units that are idle as long as their own ``run`` or ``enable`` is low, which the reset does reach: a reset with
    thousands of loads is slower than any logic. Registers keep the values that they start from.
    """
    fragment = Fragment.get(m, platform)
    pending = [fragment]
    while pending:
        part = pending.pop()
        pending += [inner for inner, *_ in part.subfragments]
        for domain, statements in part.statements.items():
            if domain != "comb":
                for signal in statements._lhs_signals():
                    signal._reset_less = True
    return fragment
