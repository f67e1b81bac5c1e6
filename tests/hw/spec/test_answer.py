"""Answer: the definition gives a tensor's levels, and what a core cannot answer with is refused."""

from __future__ import annotations

import dataclasses
import random

import pytest
from answer_cases import answer_case
from narrows.hw.spec.answer import ANSWER, AnswerError, AnswerKind, answer_of, plan_answer
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.layout import TensorLayout

CONFIG = AcceleratorConfig(frame_bytes=64, streams=1)
LAYOUT = TensorLayout(channels=10, height=1, width=1, lanes=16, planes=1)


@pytest.mark.parametrize("seed", range(200))
def test_an_answer_is_the_levels_pixel_by_pixel_or_the_place_of_the_largest(seed: int) -> None:
    case = answer_case(random.Random(seed))
    assert list(answer_of(case.words, case.memory, case.config)) == case.right


@pytest.mark.parametrize(
    ("span", "kind"),
    [
        ((-128, 127), AnswerKind.BYTES),
        ((0, 255), AnswerKind.BYTES),
        ((-1, 128), AnswerKind.WORDS),
        ((-129, 0), AnswerKind.WORDS),
    ],
)
def test_levels_take_as_few_bytes_as_they_need(span: tuple[int, int], kind: AnswerKind) -> None:
    words = plan_answer(LAYOUT, span, None, 64, CONFIG)
    assert ANSWER.decode(words.tolist())["kind"] == kind


@pytest.mark.parametrize(
    ("layout", "span", "kind", "message"),
    [
        (LAYOUT, (-1, 128), AnswerKind.BYTES, "levels from -1 to 128 do not fit a byte: ask for words"),
        (LAYOUT, (0, 1 << 15), None, "levels from 0 to 32768 do not fit two bytes"),
        (dataclasses.replace(LAYOUT, width=2, phases=(1, 2)), (0, 1), None, "lie in phases"),
        (dataclasses.replace(LAYOUT, height=100, width=100), (0, 1), None, "65,536 values at most, not 100,000"),
    ],
)
def test_what_a_core_cannot_answer_with_is_refused(
    layout: TensorLayout, span: tuple[int, int], kind: AnswerKind | None, message: str
) -> None:
    with pytest.raises(AnswerError, match=message):
        plan_answer(layout, span, kind, 64, CONFIG)
