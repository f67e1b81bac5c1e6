"""What commands show and leave behind: tables, progress bars, files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ..files import write_whole
from ..names import archive_member, printable

__all__ = [
    "progress_bar",
    "report_done",
    "show_table",
    "warn",
    "writable_folder",
    "write_arrays",
    "write_json",
    "write_text",
]

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


def writable_folder(path: Path) -> None:
    """Make sure before long work that a file can be written to ``path``'s folder; OSError if not."""
    folder = path.parent
    if not folder.is_dir():
        raise FileNotFoundError(2, "there is no such folder to write to", str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, "this folder cannot be written to", str(folder))


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    _write(path, text.encode())


def write_json(path: Path | None, content: Mapping[str, Any]) -> None:
    """Write a JSON file whole or not at all; None: do nothing."""
    if path is not None:
        _write(path, (json.dumps(content, indent=2, default=_plain) + "\n").encode())


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a numpy archive whole or not at all; its members are named as :func:`~..names.archive_member` says."""
    buffer, taken = io.BytesIO(), set()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = archive_member(name)
            while member in taken:
                member += "_"
            taken.add(member)
            with archive.open(f"{member}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)
    _write(path, buffer.getvalue())


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def _write(path: Path, data: bytes) -> None:
    writable_folder(path)
    write_whole(path, data)
