"""Handout: how the sequencer gives instructions to the units of a core with a backing store."""

from __future__ import annotations

from amaranth.lib.wiring import In, Out, Signature

from ..cells.records import record_layout
from ..spec.config import AcceleratorConfig
from ..spec.isa import COMPUTE
from ..spec.registers import core_faults

__all__ = ["STALLS", "WINDOW", "Handout", "index_bits"]

STALLS = Signature({"stall_load": Out(1), "stall_store": Out(1), "stall_token": Out(1)})
"""Whom the sequencer waits for in a cycle: loader, storer, or whoever has to give one of these a token."""

WINDOW = Signature({"base": Out(32), "limit": Out(32)})
"""Where the window lies on the bus, and how many bytes it has."""


def index_bits(config: AcceleratorConfig) -> int:
    """Width of an instruction's index."""
    return max(1, (config.instructions - 1).bit_length())


class Handout(Signature):
    """From the sequencer: an instruction as ``fields`` and ``index``. ``ready`` is high when it may go on: a LOAD or
    STORE (``legal``) has room in its queue, a COMPUTE has its tokens, at END all is done. It goes on in a cycle in
    which ``accept`` is high too; ``waiting`` says that the sequencer waits for ``ready``. ``done`` gives the tokens of
    the COMPUTE that ``done_fields`` shows.

    While ``active`` is low everything under way is thrown away, as far as the bus allows. ``fault`` other than NONE
    says that the transfer at ``fault_index`` cannot go on.

    Parameters
    ----------
    config : AcceleratorConfig
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "active": Out(1),
                "fields": Out(record_layout(COMPUTE)),
                "index": Out(index_bits(config)),
                "waiting": Out(1),
                "accept": Out(1),
                "done": Out(1),
                "done_fields": Out(record_layout(COMPUTE)),
                "legal": In(1),
                "ready": In(1),
                "fault": In(core_faults(config)),
                "fault_index": In(index_bits(config)),
            }
        )
