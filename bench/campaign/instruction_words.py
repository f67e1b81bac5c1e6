"""InstructionDice: random instructions, legal ones, legal ones with fields at their ends or flipped bits, and noise."""

from __future__ import annotations

import random
from collections import deque

from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import COMPUTE, INSTRUCTION_WORDS, RECORDS, Field, Mode, Opcode
from narrows.hw.spec.tables import TABLE_TOP
from narrows.hw.spec.transfer import MEMORIES

__all__ = ["InstructionDice", "flipped"]

_TOKENS = ("wait_prev", "wait_next", "post_prev", "post_next")
_COUNTS = ("out_height", "out_width", "block_count", "column_groups", "channel_period")
_WORD = 32
_KEPT = 200


def flipped(words: list[int], dice: random.Random, bits: int) -> list[int]:
    """Words with so many random bits flipped."""
    changed = list(words)
    for place in dice.sample(range(_WORD * len(words)), bits):
        changed[place // _WORD] ^= 1 << place % _WORD
    return changed


def _place(words: list[int], field: Field, value: int) -> None:
    mask = (1 << field.width) - 1
    words[field.word] = words[field.word] & ~(mask << field.lsb) | (value & mask) << field.lsb


class InstructionDice:
    """Draws instructions of a core.

    Parameters
    ----------
    config : AcceleratorConfig
    dice : random.Random
    """

    def __init__(self, config: AcceleratorConfig, dice: random.Random) -> None:
        self._config, self._dice = config, dice
        self._drawn: deque[tuple[Opcode, list[int]]] = deque(maxlen=_KEPT)
        self._half = 1 << (min(config.level_bits, 16) - 1)
        self._uneven = [rounding.number for rounding in config.roundings if rounding.number]
        self._limits = {
            "rows": (config.rows,),
            "planes": (config.planes,),
            "table": (config.tables,),
            "cert_bits": (config.acc_bits,),
            "rounding": tuple(self._uneven),
            **dict.fromkeys(("zero", "clamp_low", "clamp_high"), (-self._half, self._half - 1, TABLE_TOP, -TABLE_TOP)),
        }

    def instruction(self) -> list[int]:
        """Words of an instruction: one in four legal, one in five noise, the others legal but for a few fields at
        their ends, beyond what the core has or just within it, or but for a few bits."""
        dice, kind = self._dice, self._dice.random()
        if kind < 0.2:
            words = [dice.getrandbits(_WORD) for _ in range(INSTRUCTION_WORDS)]
            if dice.random() < 0.75:  # an opcode that there is
                words[0] = words[0] & ~0b111 | dice.choice(list(Opcode))
            return words
        opcode, words = self._legal()
        if kind < 0.75:
            fields = RECORDS[opcode].fields
            for field in dice.sample(fields, min(len(fields), dice.choice([1, 1, 2, 3]))) if kind >= 0.45 else ():
                _place(words, field, self.edge_value(field))
            return words
        return flipped(words, dice, dice.choice([1, 1, 2, 4]))

    def _legal(self) -> tuple[Opcode, list[int]]:
        """A legal instruction: one of the last that were drawn, or a new one in its place."""
        if len(self._drawn) < _KEPT or self._dice.random() < 0.1:
            opcode = self._dice.choices(list(Opcode), [1, 8, 3, 3])[0]
            self._drawn.append((opcode, RECORDS[opcode].encode(self.legal_fields(opcode))))
        opcode, words = self._dice.choice(self._drawn)
        return opcode, list(words)

    def edge_value(self, field: Field) -> int:
        """A value at or beside an end of a field, or the most that the core has of what it counts."""
        middle = self._dice.choice((0, field.low, field.high, *self._limits.get(field.name, ())))
        return min(field.high, max(field.low, middle + self._dice.choice((-1, 0, 0, 1))))

    def legal_fields(self, opcode: Opcode) -> dict[str, int]:
        """Fields of an instruction that the core starts, whatever it may come to then; of a LOAD or STORE in a core
        without a backing store the opcode alone."""
        config, dice, fields = self._config, self._dice, {"opcode": int(opcode)}
        if opcode is Opcode.END or (opcode is not Opcode.COMPUTE and not config.has_backing):
            return fields
        for field in RECORDS[opcode].fields:
            if field.name not in fields and (config.has_backing or field.name not in _TOKENS):
                fields[field.name] = dice.randint(field.low, field.high)
        if opcode is not Opcode.COMPUTE:
            memory = int(dice.choice(MEMORIES[opcode]))
            return fields | {"memory": memory, "count": dice.randint(1, 0xFFFF), "lines": dice.randint(1, 0xFFFF)}
        fields |= {name: max(1, fields[name]) for name in _COUNTS}
        most = min(config.acc_bits, COMPUTE["cert_bits"].high)
        fields |= {"planes": dice.randint(1, config.planes), "cert_bits": dice.randint(0, most)}
        if config.max_pool and dice.random() < 0.3:
            return fields | {"mode": int(Mode.MAX), "rows": 1}
        fields |= {"mode": int(Mode.MAC), "rows": dice.randint(1, config.rows), "uneven": 0, "table": 0}
        if self._uneven and dice.random() < 0.4:
            fields |= {"uneven": 1, "rounding": dice.choice(self._uneven)}
        elif config.tables and dice.random() < 0.5:
            fields["table"] = dice.randint(1, config.tables)
        bottom, top = -self._half, self._half - 1
        zero = dice.randint(bottom, top)
        if fields["table"]:
            bottom, top = max(bottom, -TABLE_TOP), min(top, TABLE_TOP)
        low, high = sorted(dice.randint(bottom, top) for _ in range(2))
        return fields | {"zero": zero, "clamp_low": low, "clamp_high": high}
