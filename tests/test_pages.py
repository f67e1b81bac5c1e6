"""Pages in a headless Chromium: nothing is wider than the screen, no label lies on another, axe finds nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import narrows
import pytest
from browser import SCHEMES, WIDTHS, chromium, overflowing, overlapping, shown, violations
from narrows.sw.engines import EngineName
from narrows.sw.listener import Quiet

ROOT = Path(__file__).parents[1]
SITE = ROOT / "build" / "docs" / "index.html"
TRAINED = ROOT / "bench" / "quantisation" / "zoo"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def pages(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of a program with everything in it, that of two larger ones, and the demo's page."""
    from narrows.sw.api.demo import run_demo
    from narrows.sw.report.page import demo_page

    folder = tmp_path_factory.mktemp("pages")
    digits = narrows.example()
    program = digits.model.quantize(digits.calib[:64]).compile("demo")
    wide = digits.model.quantize(digits.calib[:64], acts="int8").compile("tiny")
    program.report(folder / "report.html", (digits.x[:60], digits.y[:60]), beside=wide, command="narrows report a b")
    one, other = (narrows.Program.load(TRAINED / f"resnet8-dybit4-p{bits}-k4.nrw") for bits in (16, 12))
    one.report(folder / "resnet8.html", beside=other)
    outcome = run_demo(images=40, engine=EngineName.ISA, simulator="", synthesis=False, listener=Quiet())
    page = demo_page(outcome.results | {"wall_seconds": 1.0}, outcome.figures)
    (folder / "demo.html").write_text(page, encoding="utf-8")
    return {path.stem: path for path in folder.iterdir()}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["report", "resnet8", "demo"])
def test_a_page_of_ours(browser: Any, pages: dict[str, Path], name: str, width: int, scheme: str) -> None:
    with shown(browser, pages[name], width, scheme) as page:
        assert overflowing(page) == []
        assert overlapping(page) == []
        assert violations(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_front_of_the_site(browser: Any, width: int, scheme: str) -> None:
    if not SITE.exists():
        pytest.skip("the site is not built: make docs")
    with shown(browser, SITE, width, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []


def test_what_is_wrong_is_seen(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "wrong.html").write_text(
        '<!doctype html><html lang="en"><title>w</title><main><h1>w</h1><p style="width: 700px">wide</p>'
        '<svg width="99">'
        '<text x="9" y="20">one</text><text x="12" y="20">two</text><text x="90" y="50">beyond</text></svg></main>'
    )
    with shown(browser, tmp_path / "wrong.html", 400, "light") as page:
        assert overflowing(page) == ["the page is 708 wide", '<p style="width: 700px">wide</p>']
        assert overlapping(page) == ['"one" lies on "two"', '"beyond" leaves its figure']
        page.evaluate("document.querySelector('p').style.color = '#eee'")
        assert [line.split(":")[0] for line in violations(page)] == ["color-contrast"]


def test_rows_lead_to_the_drawing_and_back(browser: Any, pages: dict[str, Path]) -> None:
    with shown(browser, pages["report"], 1280, "light") as page:
        hrefs = page.eval_on_selector_all("a", "links => links.map(link => link.getAttribute('href'))")
        assert len(hrefs) > 14
        missing = [href for href in hrefs if not page.evaluate("h => !!document.getElementById(h.slice(1))", href)]
        assert missing == []
        names = page.eval_on_selector_all("[id]", "all => all.map(each => each.id)")
        assert len(names) == len(set(names)), "an id stands for one element"
