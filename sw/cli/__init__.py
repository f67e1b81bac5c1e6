"""The command line: composes everything else, and nothing else imports it."""

from __future__ import annotations

from .app import main, run

__all__ = ["main", "run"]
