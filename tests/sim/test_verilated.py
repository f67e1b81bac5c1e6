"""prepare_make: what no design changes is compiled once for the same commands, and taken as it is by make."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from narrows.sim.verilated import prepare_make

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
VK_PCH_H = Vtop__pch.h
VK_PCH_I_FAST = Vtop__pch.h.fast
program: $(OBJECTS) $(VK_PCH_H).fast.gch $(VK_PCH_H).slow.gch
\tcat $(OBJECTS) $(VK_PCH_H).fast.gch > $@
\techo "user: $(OPT_FAST), $(OPT_SLOW), $(VK_PCH_I_FAST)" >> $@
$(OBJECTS): %.o: Vtop.mk
\techo $* $(HOW) > $@
%.fast.gch: %
	test -e $<
\techo $< $(OPT_FAST) $(HOW) > $@
%.slow.gch: %
\techo $< $(OPT_SLOW) $(HOW) > $@
"""
RUNTIME = "verilated {0}\nverilated_vpi {0}\n"
FAST = "-O1 -fexpensive-optimizations -fschedule-insns2 -ftree-pre -fgcse"
HEADERS = f"narrows_headers.h {FAST} {{0}}\n"
USER = f"user: {FAST} -include narrows_headers.h.fast, -O0 -include narrows_headers.h.slow, \n"


def built(folder: Path, how: str) -> tuple[str, int]:
    """What a program was made of, and how many commands were run for that by the build and what it shares."""
    folder.mkdir()
    (folder / "Vtop_classes.mk").write_text(CLASSES)
    (folder / "Vtop.mk").write_text(RULES)
    make, commands = ["make", "-C", str(folder), "-f", "Vtop.mk", f"HOW={how}"], []

    def run(command: Sequence[str]) -> None:
        commands.append(command)
        subprocess.run(command, check=True, capture_output=True)

    run([*make, *prepare_make(folder, make, run), "program"])
    return (folder / "program").read_text(), len(commands)


def test_runtime_and_headers_are_compiled_once_for_the_same_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARROWS_CACHE", str(tmp_path / "cache with spaces"))
    assert built(tmp_path / "one", "-g") == ((RUNTIME + HEADERS).format("-g") + USER, 2)
    [kept] = (tmp_path / "cache with spaces" / "verilated").iterdir()
    (kept / "verilated.o").write_text("kept\n")
    (kept / "narrows_headers.h.fast.gch").write_text("kept, too\n")
    assert built(tmp_path / "two", "-g") == ("kept\nverilated_vpi -g\nkept, too\n" + USER, 1)
    assert built(tmp_path / "three", "-g3") == ((RUNTIME + HEADERS).format("-g3") + USER, 2)


def test_headers_that_no_compiler_took_are_there_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NARROWS_CACHE", str(tmp_path / "cache"))
    built(tmp_path / "one", "-g")
    for kind in ("fast", "slow"):
        assert '#include "verilated.h"' in (tmp_path / "one" / f"narrows_headers.h.{kind}").read_text()


def test_a_folder_without_makefiles_is_left_to_make(tmp_path: Path) -> None:
    make = ["make", "-C", str(tmp_path), "-f", "Vtop.mk"]
    assert prepare_make(tmp_path, make, lambda command: None) == [f"OPT_FAST={FAST}", "OPT_SLOW=-O0"]
