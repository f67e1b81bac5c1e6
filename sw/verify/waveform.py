"""Waveform: a VCD file as Verilator writes it, read edge by edge, and cropped to a window with views of it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vcd.gtkw import GTKWSave

from ..files import new_file
from ..results import write_text

__all__ = ["Signal", "Waveform", "write_views"]


@dataclass(frozen=True)
class Signal:
    """A variable of the file: its whole name, its code there, its width in bits."""

    name: str
    code: str
    width: int


class Waveform:
    """A VCD file of one token a line; values are integers, unknown bits read as 0.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    signals : dict of Signal
        By whole name, scopes joined by dots. Temporaries that hardware generation named ``$1`` and so on are left out.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.signals: dict[str, Signal] = {}
        self._header: list[str] = []
        scopes: list[str] = []
        with path.open(encoding="ascii", errors="replace") as file:
            for line in file:
                words = line.split()
                kind = words[0] if words else ""
                if kind == "$scope":
                    scopes.append(words[2])
                elif kind == "$upscope":
                    scopes.pop()
                elif kind == "$var":
                    if "$" in words[4]:
                        continue
                    name = ".".join((*scopes, words[4]))
                    self.signals[name] = Signal(name, words[3], int(words[2]))
                self._header.append(line)
                if kind == "$enddefinitions":
                    break

    def edges(self, clock: str, names: Sequence[str]) -> Iterator[tuple[int, dict[str, int]]]:
        """Time of each rising edge of a clock, and the values that named signals have right before it."""
        watched = {self.signals[name].code for name in (clock, *names)}
        ticking = self.signals[clock].code
        values = dict.fromkeys(watched, 0)
        changes: dict[str, int] = {}
        now = 0
        for time, code, text in self._changes():
            if time != now:
                if changes.get(ticking) == 1 and not values[ticking]:
                    yield now, {name: values[self.signals[name].code] for name in names}
                values.update(changes)
                changes, now = {}, time
            if code in watched:
                changes[code] = int(text.replace("x", "0").replace("z", "0"), 2)
        if changes.get(ticking) == 1 and not values[ticking]:
            yield now, {name: values[self.signals[name].code] for name in names}

    def crop(self, output: Path, begin: int, end: int) -> None:
        """Write the changes from time ``begin`` to ``end``, after the values that hold at ``begin``."""
        kept = {signal.code for signal in self.signals.values()}
        wide = {signal.code for signal in self.signals.values() if signal.width > 1}
        held: dict[str, str] = {}
        started, stamped = False, begin
        with new_file(output) as whole, io.TextIOWrapper(whole, encoding="ascii") as file:
            file.writelines(self._header)

            def start() -> None:
                file.write(f"#{begin}\n$dumpvars\n")
                file.writelines(_line(code, text, wide) for code, text in held.items())
                file.write("$end\n")

            for time, code, text in self._changes():
                if time > end:
                    break
                if code not in kept:
                    continue
                if time <= begin:
                    held[code] = text
                    continue
                if not started:
                    start()
                    started = True
                if time != stamped:
                    file.write(f"#{time}\n")
                    stamped = time
                file.write(_line(code, text, wide))
            if not started:
                start()
            file.write(f"#{end}\n")

    def _changes(self) -> Iterator[tuple[int, str, str]]:
        """Time, code and new value in binary of every change."""
        time = 0
        with self._path.open(encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("$enddefinitions"):
                    break
            for line in file:
                first = line[0]
                if first == "#":
                    time = int(line[1:])
                elif first == "b":
                    text, _, code = line[1:].rstrip().partition(" ")
                    yield time, code, text
                elif first in "01xzXZ":
                    yield time, line[1:].rstrip(), first.lower()


def _line(code: str, text: str, wide: set[str]) -> str:
    return f"b{text} {code}\n" if code in wide else f"{text}{code}\n"


def write_views(
    waveform: Waveform, cropped: Path, names: Sequence[str], *, marker: int, begin: int
) -> tuple[Path, Path]:
    """Views of a cropped file beside it, for GTKWave (``.gtkw``) and Surfer (``.sucl``), with a marker at a time.

    The view begins at time ``begin``.

    Returns
    -------
    tuple of Path
        The view for GTKWave, and Surfer's commands.
    """
    shown = [waveform.signals[name] for name in names if name in waveform.signals]
    text = io.StringIO()
    save = GTKWSave(text)
    save.dumpfile(cropped.name, abspath=False)
    save.timestart(max(0, begin))
    save.zoom_markers(-18.0, marker=marker)
    for signal in shown:
        bits = f"[{signal.width - 1}:0]" if signal.width > 1 else ""
        save.trace(signal.name + bits, datafmt="hex" if signal.width > 1 else "bin")
    view, commands = cropped.with_suffix(".gtkw"), cropped.with_suffix(".sucl")
    write_text(view, text.getvalue())
    lines = [*(f"variable_add {signal.name}" for signal in shown), f"cursor_set {marker}", "zoom_fit"]
    write_text(commands, "\n".join(lines) + "\n")
    return view, commands
