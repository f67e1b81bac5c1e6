"""decode_random: random instructions before the decoder of a core, compared with the ISA model's."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from narrows.hw.spec.config import AcceleratorConfig

from .decoder import DecoderSimulation, expected_outcome
from .instruction_words import InstructionDice

__all__ = ["DecoderReport", "decode_random"]

_BATCH = 25_000


@dataclass(kw_only=True)
class DecoderReport:
    """How many instructions a decoder saw, how often it came to each outcome, and which it took otherwise than the ISA
    model: index, words, what was expected and what was found."""

    instructions: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    different: list[dict[str, Any]] = field(default_factory=list)


def decode_random(config: AcceleratorConfig, count: int, seed: int) -> DecoderReport:
    """Show so many random instructions to a core's decoder."""
    dice, report = random.Random(seed), DecoderReport()
    drawn = InstructionDice(config, dice)
    with DecoderSimulation(config) as simulation:
        while report.instructions < count:
            size = min(_BATCH, count - report.instructions)
            batch = [drawn.instruction() for _ in range(size)]
            places = [dice.randrange(config.instructions) if config.entry else 0 for _ in range(size)]
            found = simulation.outcomes(places, batch)
            for place, words, outcome in zip(places, batch, found, strict=True):
                expected = expected_outcome(config, place, words)
                report.outcomes[f"{expected.verdict.name} {expected.fault.name}"] += 1
                if outcome != expected:
                    told = {"expected": str(expected), "found": str(outcome)}
                    report.different.append({"index": place, "words": [f"{word:08x}" for word in words], **told})
            report.instructions += size
    return report
