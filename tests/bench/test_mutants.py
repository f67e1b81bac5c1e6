"""bench/mutants.py on a made-up checkout: what it changes, what it leaves alone, who is killed and who survives."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import mutants
import pytest
from campaign.mutant_map import TREES, modules, read_notes
from campaign.mutant_runner import verdict
from campaign.mutation import apply, changes
from narrows.sw.errors import InputError

ROOT = Path(__file__).parents[2]

THING = '''"""A module."""

LIMIT = 3


def clipped(x: int, most: int = 0) -> int:
    """At most ``LIMIT``."""
    if x > LIMIT:
        return LIMIT
    return x
'''

TESTS = """from narrows.hw.thing import LIMIT, clipped


def test_large_values_are_clipped() -> None:
    assert LIMIT == 3
    assert [clipped(x) for x in (2, 4, 9)] == [2, 3, 3]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in ("hw", "tests/hw"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "hw" / "__init__.py").touch()
    (tmp_path / "hw" / "thing.py").write_text(THING)
    (tmp_path / "tests" / "hw" / "test_thing.py").write_text(TESTS)
    (tmp_path / "mutants.toml").write_text("")
    return tmp_path


def said(source: str) -> list[str]:
    found = changes(source)
    for change in found:
        ast.parse(apply(source, change))
    return [str(change) for change in found]


def test_operators_comparisons_conditions_and_constants_are_changed() -> None:
    assert said("def f(a, b):\n    return a + 2 if a < b and b else -a\n") == [
        "line 2, arithmetic: a + 2 -> (a - 2)",
        "line 2, constant: 2 -> 1",
        "line 2, constant: 2 -> 3",
        "line 2, compare: a < b -> (a <= b)",
        "line 2, condition: a < b and b -> (not (a < b and b))",
        "line 2, logic: a < b and b -> (a < b or b)",
        "line 2, logic: -a -> (a)",
    ]


def test_statements_are_dropped_and_arguments_swapped() -> None:
    assert said("def f(a, g):\n    g(a, g)\n    a += 1\n    if a:\n        raise ValueError(f'{a + 1}')\n") == [
        "line 2, drop: g(a, g) -> nothing",
        "line 2, swap: g(a, g) -> (g(g, a))",
        "line 3, arithmetic: a += 1 -> a -= 1",
        "line 3, drop: a += 1 -> nothing",
        "line 3, constant: 1 -> 0",
        "line 3, constant: 1 -> 2",
        "line 4, condition: a -> (not a)",
        "line 5, drop: raise ValueError(f'{a + 1}') -> nothing",
    ]


def test_gates_are_conditions_muxes_and_elements_of_a_list() -> None:
    source = "with m.If(x):\n    m.d.sync += [y.eq(x), z.eq(Mux(x, y, z))]\n"
    assert said(source) == [
        "line 1, condition: x -> ((x) == 0)",
        "line 2, drop: y.eq(x) -> nothing",
        "line 2, drop: z.eq(Mux(x, y, z)) -> nothing",
        "line 2, swap: Mux(x, y, z) -> (Mux(x, z, y))",
    ]
    assert apply(source, changes(source)[1]) == "with m.If(x):\n    m.d.sync += [z.eq(Mux(x, y, z))]\n"


def test_what_is_said_typed_or_flagged_is_left_alone() -> None:
    silent = '''"""Text 1 + 1."""
_WAIT_SECONDS = 3
Pair = int | None

@dataclass(frozen=True)
class Thing:
    """Two of them."""

    x: int | None

    def __repr__(self) -> str:
        return f"{self.x + 1}"

def f(a: int | None) -> None:
    """Twice."""
    assert a == 1
    warn(f"{a + 1} is not {1 + 1}")
    return zip(a, strict=True)
'''
    assert said(silent) == []


def test_a_survivor_is_named_and_the_run_goes_on_from_its_file(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, notes = checkout / "found.json", checkout / "mutants.toml"
    arguments = ["--count", "99", "--json", str(file), "--seconds", "20"]
    assert mutants.main(arguments, checkout, notes) == 1
    found = json.loads(file.read_text())
    assert (found["mutants"], found["killed"], found["doubtful"]) == (5, 3, [])
    alive = [(each["file"], each["line"], each["before"], each["after"]) for each in found["survivors"]]
    assert sorted(alive) == [("hw/thing.py", 6, "0", "1"), ("hw/thing.py", 8, "x > LIMIT", "(x >= LIMIT)")]
    assert {each["by"] for each in found["results"]} == {
        "",
        "tests/hw/test_thing.py::test_large_values_are_clipped",
    }
    assert "hw/thing.py:8: x > LIMIT -> (x >= LIMIT)" in capsys.readouterr().out
    assert (checkout / "hw" / "thing.py").read_text() == THING

    same = '[[equivalent]]\nfile = "hw/thing.py"\ntext = "{}"\nbefore = "{}"\nafter = "{}"\nreason = "for the test"\n'
    notes.write_text(
        same.format("def clipped(x: int, most: int = 0) -> int:", "0", "1")
        + same.format("if x > LIMIT:", "x > LIMIT", "(x >= LIMIT)")
    )
    assert mutants.main(arguments, checkout, notes) == 0
    found = json.loads(file.read_text())
    assert (found["mutants"], found["killed"], found["survivors"]) == (5, 3, [])
    assert [each["reason"] for each in found["equivalent"]] == ["for the test"] * 2
    assert "SURVIVED" not in (out := capsys.readouterr().out) and "killed    " not in out, "nothing ran again"


def test_a_test_that_fails_anyway_kills_nothing(checkout: Path) -> None:
    (checkout / "tests" / "hw" / "test_thing.py").write_text("def test_broken():\n    assert False\n")
    file = checkout / "found.json"
    assert mutants.main(["--count", "1", "--json", str(file)], checkout, checkout / "mutants.toml") == 1
    found = json.loads(file.read_text())
    assert (found["mutants"], found["killed"], len(found["doubtful"])) == (1, 0, 1)


def test_the_draw_is_even_and_a_module_has_its_own() -> None:
    names = ["hw/feed/loops.py", "hw/feed/writer.py", "hw/feed/entries.py"]
    drawn = mutants.draw(ROOT, names, 5, 6)
    assert sorted(name for name, _ in drawn) == sorted(names * 2)
    alone = [change for _, change in mutants.draw(ROOT, names[:1], 5, 2)]
    assert [change for name, change in drawn if name == names[0]] == alone


def test_how_a_run_of_tests_ended() -> None:
    assert verdict(0, "") == ""
    assert verdict(-24, "") == "hang"
    assert verdict(1, "F\nFAILED tests/a.py::test_b[1 - 2] - assert 0\n") == "tests/a.py::test_b[1"
    assert verdict(2, "ERROR tests/a.py - ImportError: x\n") == "tests/a.py"
    assert verdict(4, "ImportError while loading conftest 'x'\n") == "conftest"
    assert verdict(3, "boom\n") == "exit status 3: boom"


def test_every_module_has_tests_and_every_known_equivalent_is_still_there() -> None:
    notes = read_notes(ROOT / "bench" / "campaign" / "mutants.toml")
    for module in modules(ROOT):
        if changes((ROOT / module).read_text()):
            assert notes.tests_of(ROOT, module)
    for known in notes.equivalent:
        texts = {line.strip() for line in (ROOT / known["file"]).read_text().splitlines()}
        assert known["text"] in texts and known["reason"], known
    with pytest.raises(InputError, match="no tests are mapped to hw/nothing"):
        type(notes)({}, ()).tests_of(ROOT, "hw/nothing.py")
    assert {path.split("/")[0] for path in TREES} == {"hw", "sw", "sim"}


def test_a_test_that_reaches_no_line_is_measured_like_any_other(tmp_path: Path) -> None:
    pytest.importorskip("coverage")
    (tmp_path / "test_nothing.py").write_text("def test_one():\n    pass\n\n\ndef test_two():\n    pass\n")
    script = (
        "from pathlib import Path; import pytest; from meter import Meter; pytest.main(plugins=[Meter(Path('out'))])"
    )
    subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "bench" / "campaign")},
        check=True,
        capture_output=True,
    )
    rows = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [(row["test"], row["lines"]) for row in rows] == [
        ("test_nothing.py::test_one", {}),
        ("test_nothing.py::test_two", {}),
    ]
