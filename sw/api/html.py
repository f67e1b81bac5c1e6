"""table_html: what notebooks show of the objects of the API."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

__all__ = ["table_html"]


def table_html(title: str, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table with a caption; every cell is escaped."""
    head = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{html.escape(title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
