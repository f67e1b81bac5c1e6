"""Cycles of a LOAD or STORE on a bus of given latency and pace, burst by burst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .config import AcceleratorConfig
from .isa import Opcode
from .registers import Region, region_stride
from .transfer import OUTSTANDING, bursts, line_bytes, line_starts, pieces_per_word, words_per_beat

__all__ = ["BusTiming", "transfer_cycles"]

_FIRST_BURST, _NEXT_BURST, _NEXT_LINE = 5, 2, 4  # hw/memory/axi4.py: BurstWalker, behind the queue's hand-over
_WORD_CYCLES = 1  # a beat in, its first word written
_FIRST_BEAT = 6  # first word of a STORE asked for, to its beat at the head of the queue
_DONE_CYCLES = 1


@dataclass(frozen=True, kw_only=True)
class BusTiming:
    """A bus that answers so: the first beat ``latency`` cycles after its address, a beat every ``pace`` cycles,
    reads and writes apart; a write is acknowledged ``latency`` cycles after its last beat."""

    latency: int = 1
    pace: int = 1


@dataclass(frozen=True)
class _Run:
    """A burst: beats, words (or pieces of words) in all and in its last beat, and whether it begins a line."""

    beats: int
    pieces: int
    last_pieces: int
    begins_line: bool


def _runs(config: AcceleratorConfig, fields: Mapping[str, int]) -> list[_Run]:
    region = Region(fields["memory"])
    stride, size = region_stride(config, region), line_bytes(config, fields)
    per_beat, per_word = words_per_beat(config, region), pieces_per_word(config, region)
    runs = []
    for start in line_starts(fields):
        for burst in bursts(config, start, size):
            low = max(start, burst.address)
            high = min(start + size, burst.address + burst.beats * config.bus_bytes)
            if per_word > 1 or per_beat == 1:
                pieces, last = burst.beats, 1
            else:
                pieces = (high - low) // stride
                last = min(pieces, (high - 1) % config.bus_bytes // stride + 1)
            runs.append(_Run(burst.beats, pieces, last, start >= burst.address))
    return runs


def transfer_cycles(config: AcceleratorConfig, opcode: Opcode, fields: Mapping[str, int], bus: BusTiming) -> int:
    """Cycles from the one in which a transfer's tokens are taken to the one in which it gives its own.

    Words that have to wait for their bank of the activation memory, which COMPUTE writes first, are not counted.

    Parameters
    ----------
    config : AcceleratorConfig
    opcode : Opcode
        LOAD or STORE.
    fields : mapping
        Fields of the instruction (`isa.LOAD`) that a core executes without a fault.
    bus : BusTiming
    """
    runs = _runs(config, fields)
    return _load(runs, bus) if opcode is Opcode.LOAD else _store(runs, bus, config)


def _load(runs: list[_Run], bus: BusTiming) -> int:
    offered = _FIRST_BURST
    ends: list[int] = []  # moment of each burst's last beat
    shown = written = -bus.pace
    for number, run in enumerate(runs):
        asked = max(offered, ends[number - OUTSTANDING] + 1) if number >= OUTSTANDING else offered
        last_in_line = number + 1 == len(runs) or runs[number + 1].begins_line
        offered = asked + (_NEXT_LINE if last_in_line else _NEXT_BURST)
        first = max(asked + bus.latency, shown + bus.pace)
        shown = first + (run.beats - 1) * bus.pace
        written = max(shown + run.last_pieces, max(written, first) + run.pieces)
        shown = max(shown, written - run.last_pieces - 1)  # a beat is held back until there is room
        ends.append(shown)
    return written + _DONE_CYCLES


def _store(runs: list[_Run], bus: BusTiming, config: AcceleratorConfig) -> int:
    offered = _FIRST_BURST
    read = _FIRST_BEAT - 1
    sent = 0
    for number, run in enumerate(runs):
        asked = max(offered, sent)
        last_in_line = number + 1 == len(runs) or runs[number + 1].begins_line
        offered = asked + (_NEXT_LINE if last_in_line else _NEXT_BURST)
        first = run.pieces - (run.beats - 1) * max(1, run.pieces // run.beats) if run.beats > 1 else run.pieces
        begin = max(asked + 1, read + first)
        read += run.pieces
        sent = max(begin + 1 + (run.beats - 1) * bus.pace, read + 1, sent + run.beats * bus.pace)
    return sent + bus.latency + 1 + _DONE_CYCLES
