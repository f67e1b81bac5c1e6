"""The pictures of docs/pictures.md are those that the code makes today."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from narrows.hw.ports.axi_lite import AxiLitePort
from narrows.hw.verilog import TOP, to_verilog
from narrows.sw.toolchain.synthesis import module_names
from port_harness import run_with_port
from small_core import SMALL

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def site() -> Iterator[Callable[[str], Any]]:
    """What imports a module of docs/site by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS / "site"))
        yield importlib.import_module


def test_a_picture_made_again_is_the_same(site: Callable[[str], Any]) -> None:
    made = site("pictures").PICTURES
    kept = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "pictures").iterdir()}
    assert set(kept) == set(made)
    for name, draw in made.items():
        assert draw().svg() == kept[name], f"{name}: run docs/site/pictures.py, and look at it"
        ElementTree.fromstring(kept[name])


def test_each_has_its_place_on_the_page(site: Callable[[str], Any]) -> None:
    made = site("pictures").PICTURES
    page = (DOCS / "pictures.md").read_text(encoding="utf-8")
    assert re.findall(r"\(pictures/(.*)\.svg\)", page) == list(made)
    assert len(made) == 10


def test_the_blocks_are_the_cores_units(site: Callable[[str], Any]) -> None:
    drawn = site("core_pictures")
    core = dataclasses.replace(SMALL, planes=3, tables=1, backing="axi4")
    names = module_names(to_verilog(core), TOP)
    inside = {name.removeprefix("compute.") for name in names if re.fullmatch(r"compute\.\w+", name)}
    assert set(drawn.COMPUTE_BLOCKS) == inside
    assert set(drawn.BLOCKS) == {name for name in names if "." not in name}


def test_the_ports_take_the_cycles_that_the_page_on_them_says(site: Callable[[str], Any]) -> None:
    traces, page = site("port_traces"), (DOCS / "host_link.md").read_text(encoding="utf-8")
    for trace, begins, ends, write, read in (
        (traces.axi(), "arready", "rvalid", 1, 12),
        (traces.wishbone(), "stb", "ack", 1, 12),
        (traces.bare(), "valid", "done", 1, 12),
    ):
        begun = [at for at, value in enumerate(trace[begins][1]) if value]
        ended = [at for at, value in enumerate(trace[ends][1]) if value]
        if begins != "arready":
            assert ended[0] - begun[0] == write
        first = begun[0] if begins == "arready" else next(at for at in begun if not trace["we"][1][at])
        assert next(at for at in ended if at > first + 1) - first == read, begins
    taken: list[int] = []
    port: Any = AxiLitePort()

    async def ask_on(ctx: Any, words: Any) -> None:
        ctx.set(port.pins.arvalid, 1)
        ctx.set(port.pins.rready, 1)
        for cycle in range(40):
            if ctx.get(port.pins.arready):
                taken.append(cycle)
            await ctx.tick()

    run_with_port(port, ask_on)
    assert [later - sooner for sooner, later in itertools.pairwise(taken)] == [13, 13]
    assert "a read every 13" in page and "a read 12 cycles after it" in page and "12 cycles after a read" in page


def test_what_goes_over_the_serial_links_is_the_request_and_its_answer(site: Callable[[str], Any]) -> None:
    traces = site("port_traces")
    uart, spi = traces.uart(), traces.spi()
    sent = bytes(value for _, value in traces.uart_bytes(uart["rx"][1]))
    answer = bytes(value for _, value in traces.uart_bytes(uart["tx"][1]))
    assert sent == traces.REQUEST
    assert answer[3:7] == traces.VALUE.to_bytes(4, "little")
    assert bytes(value for _, value in traces.spi_bytes(spi, "copi")).startswith(traces.REQUEST)
    assert bytes(value for _, value in traces.spi_bytes(spi, "cipo")).strip(b"\0") == answer
