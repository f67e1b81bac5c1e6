"""What commands show: tables, lines, progress bars."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ..names import printable

__all__ = ["TERMINAL", "next_step", "progress_bar", "report_done", "show_table", "warn"]

_ERRORS = Console(stderr=True)
_RESULTS = Console(soft_wrap=False)


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[..., None]]:
    """A bar on standard error, if that is a terminal.

    Call what it gives with (steps done, steps in all), and with what they are if that is not ``title`` any more.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_ERRORS, transient=True, disable=not _ERRORS.is_terminal) as bar:
        task = bar.add_task(printable(title), total=None)
        yield lambda done, total, what=title: bar.update(task, completed=done, total=total, description=printable(what))


def show_table(
    title: str, header: Iterable[str], rows: Iterable[Iterable[Any]], *, texts: Collection[str] = ()
) -> None:
    """A table on standard output; the first column is left-aligned, the others are right-aligned.

    Where ``texts`` names columns, these are left-aligned and give way where the terminal is narrow; others stay whole.
    """
    shape = box.SIMPLE_HEAD if texts else box.HEAVY_HEAD
    table = Table(title=_text(title), title_justify="left", header_style="bold", box=shape)
    for number, name in enumerate(header):
        if texts:
            words = name in texts
            table.add_column(_text(name), justify="left" if words else "right", overflow="fold", no_wrap=not words)
        else:
            table.add_column(_text(name), justify="left" if number == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(_text, row))
    _RESULTS.print(table)


def _text(value: Any) -> Text:
    """A cell as it is: names in brackets are no markup."""
    return Text("\n".join(printable(line) for line in str(value).split("\n")))


def report_done(message: str) -> None:
    """A line on standard output."""
    _RESULTS.print(Text(printable(message)), highlight=False, soft_wrap=True)


def warn(message: str) -> None:
    """A line on standard output that says what may be wrong and what to do."""
    report_done(f"warning: {message}")


def next_step(command: str) -> None:
    """A line on standard output: the command that usually follows."""
    report_done(f"next: {command}")


class _Terminal:
    """The listener of commands: everything is shown."""

    def note(self, line: str) -> None:
        report_done(line)

    def warn(self, line: str) -> None:
        warn(line)

    def table(
        self, title: str, header: Iterable[str], rows: Iterable[Iterable[Any]], *, texts: Collection[str] = ()
    ) -> None:
        show_table(title, header, rows, texts=texts)

    def progress(self, title: str) -> contextlib.AbstractContextManager[Callable[..., None]]:
        return progress_bar(title)


TERMINAL = _Terminal()
"""What models and programs of commands tell what goes on."""
