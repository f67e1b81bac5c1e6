"""narrows.link: programs together, on every engine that needs no simulator, and as files."""

from __future__ import annotations

from pathlib import Path

import narrows
import numpy as np
import pytest
from narrows.sw.errors import InputError
from narrows.sw.listener import NarrowsWarning


@pytest.fixture(scope="module")
def digits() -> narrows.Example:
    """The built-in example."""
    return narrows.example()


@pytest.fixture(scope="module")
def alone(digits: narrows.Example) -> dict[str, narrows.Program]:
    """The example in 4 and in 8 bits, for one core."""
    narrow = digits.model.quantize(digits.calib).compile("tiny")
    wide = digits.model.quantize(digits.calib, weights="dybit8").compile(narrow.config)
    return {"narrow": narrow, "wide": wide}


def test_turns_give_what_each_program_gives_alone(
    digits: narrows.Example, alone: dict[str, narrows.Program], tmp_path: Path
) -> None:
    both = narrows.Linked.load(narrows.link(alone).save(tmp_path / "made" / "both.nrw"))
    assert list(both) == ["narrow", "wide"]
    assert both.config == narrows.Config(alone["narrow"].config, entry=1)
    turns = [("wide", digits.x[:2]), ("narrow", digits.x[2]), ("wide", digits.x[3:5])]
    for engine in ("golden", "isa"):
        results = both.run(turns, engine)
        for (name, x), result in zip(turns, results, strict=True):
            expected = alone[name].run(x, engine)
            np.testing.assert_array_equal(result["scores"], expected["scores"])
            assert result.cycles == expected.cycles
            assert result.engine == engine
    assert narrows.Program.load(tmp_path / "made" / "both.nrw", program="wide").run(digits.x[:2], "isa").cycles == (
        alone["wide"].run(digits.x[:2], "isa").cycles
    )


def test_it_says_what_it_holds(alone: dict[str, narrows.Program]) -> None:
    both = narrows.link(alone)
    found = both.summary()
    assert found["programs"]["wide"] == {"entry": 8, "layers": 7, "instructions": 8, "states": 0}
    assert found["memories"]["instructions"]["used"] == 16
    used = [found["memories"][name]["used"] for name in ("weight words", "activation words")]
    alone_used = [
        [program.summary()["memories"][name]["used"] for program in alone.values()]
        for name in ("weight words", "activation words")
    ]
    assert used == [sum(alone_used[0]) - 1, max(alone_used[1])]  # a word is in both
    text = both.disassemble()
    assert text.startswith("narrow: program 'digits' for configuration")
    assert "\nwide: program 'digits' for configuration " in text and ", from instruction 8 on\n" in text
    assert "\n  15  END" in text
    assert repr(both) == "Linked(narrow, wide: 2 x 4 x 4 units)"
    assert "begins at" in both._repr_html_()


def test_what_is_no_program_is_refused(alone: dict[str, narrows.Program]) -> None:
    with pytest.raises(InputError, match=r"^x must be a program, not str$"):
        narrows.link({"x": "x.nrw"})  # type: ignore[dict-item]
    both = narrows.link(alone)
    with pytest.raises(InputError, match=r"^there is no program 'other'"):
        both.run([("other", np.zeros((1, 1, 8, 8)))])


def test_samples_beyond_what_was_calibrated_are_said_as_a_program_says_them(
    digits: narrows.Example, alone: dict[str, narrows.Program]
) -> None:
    both = narrows.link(alone)
    with pytest.warns(NarrowsWarning) as alone_said:
        alone["narrow"].run(digits.x[:4] * 100, "golden")
    with pytest.warns(NarrowsWarning) as said:
        both.run([("wide", digits.x[:2]), ("narrow", digits.x[:4] * 100)], "golden")
    assert [str(line.message) for line in said] == [str(line.message) for line in alone_said]
