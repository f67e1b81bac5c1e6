"""Damaged files judged as a task: on a machine that has none of the whole files."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["judge_files"]


def judge_files(
    shared: tuple[Mapping[str, bytes], int], tasks: Sequence[tuple[str, int]]
) -> list[tuple[str, int, str, str]]:
    """What `damaged_files.judged` gives of some files; ``shared`` are the whole ones and the seconds for each."""
    from damaged_files import judged

    files, seconds = shared
    with tempfile.TemporaryDirectory(prefix="narrows-damaged-") as scratch:
        whole = Path(scratch)
        for name, content in files.items():
            (whole / name).write_bytes(content)
        return list(judged(tasks, whole, argparse.Namespace(workers=1, seconds=seconds, keep=None)))
