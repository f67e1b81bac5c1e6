"""`python -m narrows`: the command line."""

from __future__ import annotations

from narrows.sw.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
