"""Figures in pages: colours of the reader's scheme, ids of their own, texts as they are."""

from __future__ import annotations

import re
from pathlib import Path

import narrows.sw.report.theme as theme
from narrows.sw.report.canvas import INK, MAIN
from narrows.sw.report.theme import VARIABLES, themed

BASE = (Path(theme.__file__).parent / "base.html.j2").read_text(encoding="utf-8")


def test_every_variable_is_defined_for_both_schemes() -> None:
    light, dark = (re.findall(r"(--\w+):", part) for part in re.findall(r":root \{(.*?)\}", BASE, re.DOTALL))
    assert set(light) == set(dark) >= set(VARIABLES.values())


def test_in_the_light_a_page_shows_the_colours_that_figures_have() -> None:
    light = re.search(r":root \{(.*?)\}", BASE, re.DOTALL)
    assert light is not None
    given = dict(re.findall(r"(--\w+): (#\w+)", light[1]))
    assert {given[variable]: variable for variable in VARIABLES.values()} == VARIABLES


def test_colours_become_variables_in_tags_alone() -> None:
    svg = f'<svg><text style="fill: {INK}">fill: {INK}</text><path fill="{MAIN}" stroke="#123456"/></svg>'
    assert themed(svg, "x") == (
        f'<svg><text style="fill: var(--ink, {INK})">fill: {INK}</text>'
        f'<path fill="var(--main, {MAIN})" stroke="#123456"/></svg>'
    )


def test_ids_are_the_figures_own_and_links_elsewhere_stay() -> None:
    svg = '<svg><g id="a" clip-path="url(#p)"/><path id="p"/><use href="#a"/><a href="#row-1">id="a"</a></svg>'
    assert themed(svg, "net") == (
        '<svg><g id="net-a" clip-path="url(#net-p)"/><path id="net-p"/><use href="#net-a"/>'
        '<a href="#row-1">id="a"</a></svg>'
    )
