"""bench/campaign/decoder_trials.py: a core's decoder and the ISA model's agree, and where they do not, it is found."""

from __future__ import annotations

import dataclasses
import random

import pytest
from campaign import decoder_trials
from campaign.decoder import expected_outcome
from campaign.decoder_trials import decode_random
from campaign.instruction_words import InstructionDice
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import RECORDS, Opcode
from narrows.hw.spec.registers import Fault

PLAIN = AcceleratorConfig(rows=3, columns=4, lanes=4, rescalers=2, max_pool=0, prefetch=0)
FULL = dataclasses.replace(PLAIN, max_pool=1, prefetch=1, backing="axi4", tables=2, planes=5, entry=1, dynamic=1)


@pytest.mark.parametrize("config", [PLAIN, FULL], ids=["plain", "full"])
def test_a_decoder_takes_random_instructions_as_the_isa_model_does(config: AcceleratorConfig) -> None:
    report = decode_random(config, 3000, seed=5)
    assert report.different == []
    seen = {name.partition(" ")[0] for name in report.outcomes}
    assert seen == {"ENDS", "FAULTS", "COMPUTES"} | ({"LOADS", "STORES"} if config.has_backing else set())
    assert {name.partition(" ")[2] for name in report.outcomes} == {"NONE", "ILLEGAL_INSTRUCTION", "CERTIFICATE"}


def test_a_decoder_that_differs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def another_fault(config: AcceleratorConfig, index: int, words: list[int]):
        outcome = expected_outcome(config, index, words)
        return outcome._replace(fault=Fault.BUS) if outcome.fault is Fault.CERTIFICATE else outcome

    monkeypatch.setattr(decoder_trials, "expected_outcome", another_fault)
    report = decode_random(PLAIN, 1000, seed=5)
    assert len(report.different) == report.outcomes["FAULTS BUS"] > 0


@pytest.mark.parametrize("config", [PLAIN, FULL], ids=["plain", "full"])
def test_legal_fields_are_legal(config: AcceleratorConfig) -> None:
    drawn = InstructionDice(config, random.Random(3))
    opcodes = list(Opcode) if config.has_backing else [Opcode.END, Opcode.COMPUTE]
    for opcode in opcodes:
        for _ in range(200):
            words = RECORDS[opcode].encode(drawn.legal_fields(opcode))
            assert expected_outcome(config, 0, words).fault is Fault.NONE
