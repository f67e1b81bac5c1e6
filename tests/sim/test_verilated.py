"""shared_runtime: compiled once for the same commands, and taken as it is by make."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from narrows.sim.verilated import shared_runtime

CLASSES = """\
VM_CLASSES_FAST += \\
  Vtop \\

VM_GLOBAL_FAST += \\
  verilated \\
  verilated_vpi \\

VM_GLOBAL_SLOW += \\

"""
RULES = """\
OBJECTS = verilated.o verilated_vpi.o
program: $(OBJECTS)
\tcat $(OBJECTS) > $@
$(OBJECTS): %.o: Vtop.mk
\techo $* $(HOW) > $@
"""


def built(folder: Path, how: str) -> tuple[str, int]:
    """What a program was made of, and how many commands were run for that by the build and the runtime."""
    folder.mkdir()
    (folder / "Vtop_classes.mk").write_text(CLASSES)
    (folder / "Vtop.mk").write_text(RULES)
    make, commands = ["make", "-C", str(folder), "-f", "Vtop.mk", f"HOW={how}"], []

    def run(command: Sequence[str]) -> None:
        commands.append(command)
        subprocess.run(command, check=True, capture_output=True)

    run([*make, *shared_runtime(folder, make, run)])
    return (folder / "program").read_text(), len(commands)


def test_the_runtime_is_compiled_once_for_the_same_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARROWS_CACHE", str(tmp_path / "cache"))
    text = "verilated {0}\nverilated_vpi {0}\n"
    assert built(tmp_path / "one", "-O2") == (text.format("-O2"), 2)
    [kept] = (tmp_path / "cache" / "verilated").iterdir()
    (kept / "verilated.o").write_text("kept\n")
    assert built(tmp_path / "two", "-O2") == ("kept\nverilated_vpi -O2\n", 1)
    assert built(tmp_path / "three", "-O3") == (text.format("-O3"), 2)


def test_a_folder_without_makefiles_is_left_to_make(tmp_path: Path) -> None:
    assert shared_runtime(tmp_path, ["make", "-C", str(tmp_path), "-f", "Vtop.mk"], lambda command: None) == []
