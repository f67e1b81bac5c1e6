"""The site builds without a warning, and what its pages tell is what the code does."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import narrows
import pytest
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.sw.cli import run

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HOUR = (DOCS / "first_hour.md").read_text(encoding="utf-8")
FEW = {"run": ["--limit", "20"], "verify": ["--limit", "2"], "explain": ["--quick"]}
"""What the test adds to commands, so that they end soon."""
PLACED = ("board build", "board flash", "board run")
needs_sphinx = pytest.mark.skipif(not importlib.util.find_spec("sphinx"), reason="needs the extra docs")


def python_blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_first_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    samples, answers, on_torch, on_keras = python_blocks(HOUR)
    exec(samples, {})
    said: dict[str, str] = {}
    for command in re.findall(r"^    narrows (.*)$", HOUR, re.MULTILINE):
        words = shlex.split(command)
        if " ".join(words[:2]) not in PLACED:
            assert run([*words, *FEW.get(words[0], [])]) == 0, command
            said[words[0]] = capsys.readouterr().out
    told = "about 36,446 cycles for a sample on 2 x 2 x 4 units; nothing to change\nnext: narrows compile model.onnx"
    assert told in said["doctor"]
    assert "accuracy: float 99.33%, integers 99.11%" in said["compile"]
    exec(answers, {})
    assert capsys.readouterr().out.strip().endswith(" 0.9911111111111112")
    agreed = "Agreement(golden, isa, rtl: 2 samples, 6 layers, 0 tensors differ)"
    if importlib.util.find_spec("torch"):
        importlib.import_module("torch").manual_seed(0)  # chance makes weights now and then that are worth a warning
        exec(on_torch, {})
        assert capsys.readouterr().out.strip() == agreed
    if importlib.util.find_spec("keras"):
        exec(on_keras, {})
        assert capsys.readouterr().out.strip() == agreed


def test_the_commands_for_a_board_are_commands(capsys: pytest.CaptureFixture[str]) -> None:
    told = [command for command in re.findall(r"^    narrows (.*)$", HOUR, re.MULTILINE) if command.startswith("board")]
    assert [" ".join(command.split()[:2]) for command in told] == list(PLACED)
    for command in told:
        words = shlex.split(command)
        assert run([*words[:2], "--help"]) == 0
        shown = capsys.readouterr().out
        assert all(word in shown for word in words if word.startswith("--")), command


def texts() -> list[str]:
    """Every text that the sources hold, put together where it goes over lines; places that are filled in are a tab."""
    found = []
    for tree in ("sw", "sim", "boards", "hw"):
        for path in (ROOT / tree).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (part.value if isinstance(part, ast.Constant) else "\t" for part in node.values)
                    found.append("".join(map(str, parts)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return found


def test_the_messages_of_troubleshooting_are_the_codes() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^### `(.*)`$", page, re.MULTILINE)
    assert len(messages) >= 8
    known = texts()
    for message in messages:
        pattern = re.compile("[^\n]*".join(map(re.escape, message.split("..."))))
        assert any(pattern.search(text) for text in known), message


def test_the_configuration_is_read_from_the_code() -> None:
    pytest.importorskip("docutils")
    pytest.importorskip("sphinx")
    made = runpy.run_path(str(DOCS / "site" / "configuration_table.py"))
    parameters = made["parameters"]()
    assert list(parameters) != [] and set(parameters) == {field.name for field in dataclasses.fields(AcceleratorConfig)}
    assert parameters["acc_bits"] == ("int", "Accumulator width P, 12 to 32 bits.")
    head, *rows = made["preset_rows"]()
    assert head == ["", *PRESETS]
    shown = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}
    assert shown["lanes"]["tiny"] == str(PRESETS["tiny"].lanes)
    assert "host" not in shown, "the same in all of them"


def test_every_public_name_has_its_place_on_the_page_of_the_api() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    names = set(re.findall(r"^\.\. auto\w+:: narrows\.(\w+)$", page, re.MULTILINE))
    assert names == set(narrows.__all__) - {"__version__"}


@needs_sphinx
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-c", str(DOCS / "site"), str(DOCS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    reference = (tmp_path / "configuration.html").read_text(encoding="utf-8")
    assert re.search(r"<dt><code.*>acc_bits<.*</dt><dd><p>Accumulator width P, 12 to 32 bits\.</p>", reference)
    presets = reference[reference.index("<table") : reference.index("</table>")]
    assert presets.count("<tr") == len(runpy.run_path(str(DOCS / "site" / "configuration_table.py"))["preset_rows"]())
    assert presets.count("<th ") == len(PRESETS)  # an empty corner is no heading
    assert "Quantise and compile" in (tmp_path / "first_hour.html").read_text(encoding="utf-8")
    assert "weights" in (tmp_path / "api.html").read_text(encoding="utf-8")


@needs_sphinx
def test_pages_have_what_readers_without_a_mouse_need() -> None:
    mended = runpy.run_path(str(DOCS / "site" / "accessible.py"))["mended"]
    page = '<p class="caption" role="heading">x</p><pre>y</pre><th class="head"><p></p></th>'
    assert mended(page) == '<p class="caption" role="heading" aria-level="2">x</p><pre tabindex="0">y</pre><td></td>'
    assert mended(mended(page)) == mended(page)


def test_no_page_has_the_name_of_one_that_the_site_makes_itself() -> None:
    assert not {path.stem for path in DOCS.glob("*.md")} & {"search", "genindex", "py-modindex"}
