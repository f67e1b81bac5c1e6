"""The report's page: complete, the same every time, and in need of nothing beside it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.sw.costs.timeline import timeline
from narrows.sw.costs.work import layer_work
from narrows.sw.program import Program
from narrows.sw.report import charts
from narrows.sw.report.network import network_picture
from narrows.sw.report.page import report_page
from narrows.sw.report.summary import summarise

BUS = BusTiming(latency=40)
FIGURES = dict.fromkeys(("network", "cycles", "roofline", "memory", "certificates"), "<svg></svg>")
ALONE = {"samples": None, "compared": None, "boards": {"rows": [], "error": None}}
"""What a report has that shows neither samples nor boards nor another program."""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href") or tag in ("script", "link")]


@pytest.fixture(params=["program", "streamed"])
def either(request: pytest.FixtureRequest) -> Program:
    return request.getfixturevalue(request.param)


def test_the_page_names_every_layer_and_links_to_nothing_beside_it(either: Program) -> None:
    run = timeline(either, BUS)
    summary = summarise(either, run, layer_work(either, run), bus=BUS, mhz=50)
    page = report_page(summary | ALONE, FIGURES)
    assert all(layer.name in page for layer in either.graph.layers)
    assert ("bytes loaded" in page) == either.config.has_backing
    links = _Links()
    links.feed(page)
    assert links.found == [f"#network-layer-{number}" for number in range(1, len(either.graph.layers) + 1)]


def test_numbers_add_up(either: Program) -> None:
    run = timeline(either, BUS)
    summary = summarise(either, run, layer_work(either, run), bus=BUS, mhz=50)
    assert summary["total"]["macs"] == sum(row["macs"] for row in summary["layers"])
    assert summary["samples_per_second"] == 50e6 / run.cycles
    assert summary["utilisation"] == summary["total"]["useful"] <= 1
    assert summary["total"]["cert_bits"] <= summary["acc_bits"]
    assert all(0 <= row["useful"] <= row["fed"] <= 1 for row in summary["layers"])
    assert all(0 < row["bound"] <= row["cycles"] for row in summary["layers"])


def test_the_network_is_one_box_a_layer_and_a_line_for_each_source(program: Program) -> None:
    picture = network_picture(program.graph, {"first.0": "a <note>"})
    root = ElementTree.fromstring(picture)
    kinds = [element.tag.rpartition("}")[2] for element in root.iter()]
    kinds.remove("path")  # the head of the arrows
    assert kinds.count("rect") == len(program.graph.layers) + 1
    assert kinds.count("path") == 8, "seven layers, one of them with two sources"
    assert "a &lt;note&gt;" in picture


def test_figures_of_a_run_are_svg_and_always_the_same(either: Program) -> None:
    run = timeline(either, BUS)
    layers = layer_work(either, run)
    for draw in (lambda: charts.roofline(layers, either.config, BUS), lambda: charts.memory_map(either, run)):
        first = draw()
        assert ElementTree.fromstring(first).tag.endswith("svg")
        assert first == draw()
