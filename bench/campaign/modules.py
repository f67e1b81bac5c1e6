"""What campaigns have in common: where their tasks run, and modules that travel with these."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from narrows.sw.tasks import Workers, open_workers

__all__ = ["MODULES", "add_worker_options", "parts", "workers_of"]

_ROOT = Path(__file__).resolve().parents[2]

MODULES = (_ROOT / "bench", _ROOT / "tests" / "support")
"""Folders of what campaigns run elsewhere."""


def add_worker_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--jobs`` and ``--cluster``."""
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes of this machine (default 1)")
    parser.add_argument("--cluster", metavar="tcp://HOST:PORT", help="run on the workers of this Dask scheduler")


def workers_of(options: argparse.Namespace) -> AbstractContextManager[Workers]:
    """Workers that the options ask for."""
    return open_workers(options.cluster, options.jobs, modules=MODULES)


def parts(seeds: range, size: int) -> Sequence[range]:
    """Ranges of so many seeds each; the last one may have fewer."""
    return [seeds[first : first + size] for first in range(0, len(seeds), size)]
