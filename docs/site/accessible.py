"""What screen readers and keyboards need and Sphinx's theme leaves out, put into the pages when all are written."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx

__all__ = ["mended", "setup"]

_MENDED = {
    'role="heading">': 'role="heading" aria-level="2">',  # captions of lists of contents
    "<pre>": '<pre tabindex="0">',  # these two scroll on a narrow screen
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
    '<th class="head"><p></p></th>': "<td></td>",
    '<aside class="sidebar-drawer"': '<aside aria-label="All pages" class="sidebar-drawer"',
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
}


def mended(page: str) -> str:
    """A page with what is missing; one that has it stays as it is."""
    for before, after in _MENDED.items():
        page = page.replace(before, after)
    return page


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx call when it is done."""
    app.connect("build-finished", _mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _mend(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        for path in Path(app.outdir).rglob("*.html"):
            path.write_text(mended(path.read_text(encoding="utf-8")), encoding="utf-8")
