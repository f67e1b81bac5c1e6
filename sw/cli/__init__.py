"""The command line: a layer over the API, which nothing else imports."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..errors import ToolMissing
from ..extras import need

__all__ = ["main", "run"]


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit status; see :func:`~.app.run`."""
    from .app import run as start

    return start(arguments)


def main() -> None:
    """Entry point of the `narrows` script."""
    try:
        need("typer", "commands", "generator")
    except ToolMissing as error:
        sys.exit(f"narrows: error: {error}; without the generator programs run from Python, see docs/runtime.md")
    from .app import main as start

    start()
