"""A headless Chromium at several widths, and what is wrong with a page in it.

Needs the extra `pages` and a Chromium of this machine (Debian: `apt-get install chromium`), or one that $CHROMIUM
names.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

WIDTHS = (1280, 400)
SCHEMES = ("light", "dark")

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_OVERFLOW = """() => {
  const wide = document.documentElement.clientWidth, found = [];
  const page = document.documentElement.scrollWidth;
  if (page > wide) found.push(`the page is ${page} wide`);
  for (const each of document.querySelectorAll("main *, footer *")) {
    if (each.parentElement.closest(".scroll")) continue;
    if (each.getBoundingClientRect().right > wide + 1) found.push(each.outerHTML.slice(0, 100));
  }
  return found;
}"""

_OVERLAPS = """() => {
  const found = [];
  for (const svg of document.querySelectorAll("main svg")) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].filter(text => text.textContent.trim());
    const boxes = texts.map(text => text.getBoundingClientRect());
    const said = at => JSON.stringify(texts[at].textContent.trim());
    boxes.forEach((box, at) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1
          || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
        found.push(`${said(at)} leaves its figure`);
      for (let other = at + 1; other < boxes.length; other++) {
        const across = Math.min(box.right, boxes[other].right) - Math.max(box.left, boxes[other].left);
        const down = Math.min(box.bottom, boxes[other].bottom) - Math.max(box.top, boxes[other].top);
        if (across > 1 && down > 0.25 * Math.min(box.height, boxes[other].height))
          found.push(`${said(at)} lies on ${said(other)}`);
      }
    });
  }
  return found;
}"""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="pages are tried with the extra `pages`")
    named = os.environ.get("CHROMIUM")
    path = named or next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("no Chromium is installed, nor does $CHROMIUM name one")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


@contextmanager
def shown(browser: Any, path: Path, width: int, scheme: str) -> Iterator[Any]:
    """A page at a width in pixels, light or dark."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(path.resolve().as_uri())
    yield page
    context.close()


def overflowing(page: Any) -> list[str]:
    """Elements that reach beyond the page's right edge, and the page itself if it does; what scrolls in itself may."""
    return page.evaluate(_OVERFLOW)


def overlapping(page: Any) -> list[str]:
    """Texts of figures that lie on each other or leave their figure."""
    return page.evaluate(_OVERLAPS)


def violations(page: Any) -> list[str]:
    """What axe finds, a line for each element."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]
