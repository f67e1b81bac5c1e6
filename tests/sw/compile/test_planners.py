"""Another kind of integer layer takes its own file, its planner's and a line for each: all else asks it (and nothing
else), from layouts to reports."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from every_layer import EveryLayer, EveryPlanner
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.cycles import compute_cycles
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.sim.expected import expected_checksums
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.compile.lower import lower_layer
from narrows.sw.compile.planner import Planner
from narrows.sw.compile.planners import PLANNERS, planner_of
from narrows.sw.costs.bounds import layer_bounds
from narrows.sw.costs.timeline import timeline
from narrows.sw.costs.work import layer_work
from narrows.sw.integer.kinds import KINDS
from narrows.sw.integer.layer import IntegerLayer
from narrows.sw.outline import LayerOutline
from narrows.sw.program import Program
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.quantize.attribution import attribute
from narrows.sw.report.network import network_picture
from narrows.sw.report.spread import spreads
from narrows.sw.report.summary import summarise
from narrows.sw.runtime.samples import run_samples
from random_graphs import CONFIGS, SAME, GraphBuilder, random_levels

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
BACKED = dataclasses.replace(
    CONFIGS["square"], backing="axi4", act_words=128, weight_words=256, param_words=32, instructions=512
)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, EveryLayer.kind, EveryLayer)
    monkeypatch.setitem(PLANNERS, EveryLayer, EveryPlanner)


def thinned(config: AcceleratorConfig, stride: tuple[int, int]) -> QuantisedGraph:
    """A convolution, every n-th pixel of it, a convolution of these."""
    build = GraphBuilder(config, np.random.default_rng(7))
    source = build.tensor((5, 9, 8))
    first = build.mac([build.segment(source, 6, **SAME, levels=[-2, 0, 1, 3])], (9, 8))
    size = -(-9 // stride[0]), -(-8 // stride[1])
    output = build.like(first)
    build.tensors[output] = dataclasses.replace(build.tensors[output], shape=(6, *size))
    build.layers.append(EveryLayer(name="thin", source=first, stride=stride, output=output))
    return build.graph([build.mac([build.segment(output, 4, levels=[-1, 0, 2])], size)])


@pytest.mark.parametrize("config", [*map(CONFIGS.get, ("square", "spread", "two rows drained", "bytes")), BACKED])
@pytest.mark.parametrize("stride", [(2, 2), (3, 1)])
def test_it_is_compiled_and_computed_to_the_bit(known, config: AcceleratorConfig, stride: tuple[int, int]) -> None:
    program = Program.from_bytes(compile_graph(thinned(config, stride), config).to_bytes())
    assert any(isinstance(layer, EveryLayer) for layer in program.graph.layers)
    levels = np.stack([random_levels(program.graph, np.random.default_rng(seed)) for seed in range(2)])
    golden = GoldenModel(program.graph, config).run(levels)
    (layer,) = (layer for layer in program.graph.layers if layer.name == "thin")
    np.testing.assert_array_equal(golden[layer.output], golden[layer.source][..., :: stride[0], :: stride[1]])
    run = asyncio.run(run_samples(IsaTransport(config), program, levels, dump_layers=2))
    for name, tensor in run.dumps.items():
        np.testing.assert_array_equal(tensor, golden[name], err_msg=name)
    for sample, checksums in enumerate(run.checksums):
        expected = expected_checksums(program, {name: tensor[sample] for name, tensor in golden.items()})
        assert [(got if want is not None else None) for got, want in zip(checksums, expected, strict=False)] == list(
            expected
        )


def test_its_bands_are_loaded_from_the_backing_store(known) -> None:
    program = compile_graph(thinned(BACKED, (2, 2)), BACKED)
    assert program.layers.count("thin") > 3


def test_layouts_are_chosen_for_the_cycles_of_what_is_lowered(known) -> None:
    config = CONFIGS["square"]
    program = compile_graph(thinned(config, (2, 2)), config)
    work = {each.name: each for each in layer_work(program)}
    bounds = {each.name: each.cycles for each in layer_bounds(program)}
    for layer in program.graph.layers:
        lowered = lower_layer(layer, program.graph, program.layouts, config)
        chosen = planner_of(layer, program.graph, config).cycles(program.layouts)
        assert chosen == compute_cycles(config, lowered.fields, lowered.steps).cycles, layer.name
        assert 0 < bounds[layer.name] <= work[layer.name].cycles


def test_it_is_told_of(known) -> None:
    config = CONFIGS["square"]
    program = compile_graph(thinned(config, (2, 2)), config)
    assert "every 2x2 to 6 x 5 x 4" in network_picture(program.graph, {})
    run = timeline(program)
    told = summarise(program, run, layer_work(program, run), bus=BusTiming(latency=1, pace=1), mhz=10.0)
    (row,) = (row for row in told["layers"] if row["name"] == "thin")
    layer = next(layer for layer in program.graph.layers if layer.name == "thin")
    assert row["formats"] == str(program.graph.tensors[layer.source].format)
    assert (row["macs"], row["weight_bytes"], row["cert_bits"]) == (0, 0, 0)
    x = random_levels(program.graph, np.random.default_rng(0))[np.newaxis]
    levels = GoldenModel(program.graph, config).run(x)
    (spread,) = (each for each in spreads(program.graph, levels, x.astype(float)) if each.name == layer.output)
    assert (spread.below, spread.above) == (None, None)
    assert "thin" not in {each.layer for each in attribute(program.graph, x).layers}


def test_a_kind_that_nothing_plans_is_said() -> None:
    with pytest.raises(TypeError, match=r"^layer 'thin' is a EveryLayer, which nothing plans$"):
        compile_graph(thinned(CONFIGS["square"], (2, 2)), CONFIGS["square"])


def test_an_outline_has_the_planner_of_its_kind() -> None:
    assert LayerOutline not in PLANNERS
    build = GraphBuilder(CONFIGS["square"], np.random.default_rng(1))
    build.mac([build.segment(build.tensor((2, 3, 3)), 2, levels=[1])], (3, 3))
    graph = build.graph([build.layers[-1].output])
    outline = LayerOutline(**vars(graph.layers[0]))
    kinds = {type(planner_of(layer, graph, CONFIGS["square"])) for layer in (graph.layers[0], outline)}
    assert len(kinds) == 1


def test_no_other_file_asks_of_which_kind_a_layer_is() -> None:
    kinds = {"MacLayer", "MaxLayer", "HeldSegment", "Outline", "LayerOutline"}
    asking = set()
    for path in (*(ROOT / "sw").rglob("*.py"), *(ROOT / "sim").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "isinstance" not in text or not any(kind in text for kind in kinds):
            continue
        tree = ast.parse(text)
        asserted = {id(node) for each in ast.walk(tree) if isinstance(each, ast.Assert) for node in ast.walk(each)}
        for node in ast.walk(tree):
            asks = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance"
            if asks and id(node) not in asserted and kinds & {getattr(each, "id", "") for each in ast.walk(node)}:
                asking.add(str(path.relative_to(ROOT)))
    own = ("integer/segments", "compile/mac_planner", "compile/blocks", "compile/products", "compile/maxima")
    assert asking == {f"sw/{name}.py" for name in own}


def test_the_page_names_what_a_kind_must_answer() -> None:
    section = PAGE.split("## Another kind of integer layer\n")[1].split("\n## ")[0]
    for asked, who in ((IntegerLayer, "layer.py"), (Planner, "planner.py")):
        (row,) = (line for line in section.splitlines() if f"/{who}`" in line)
        assert set(re.findall(r"`(\w+)`", row.split("|")[3])) == asked.__abstractmethods__
    for name in re.findall(r"`((?:sw|tests)/[a-z_/]+\.py)`", section):
        assert (ROOT / name).is_file(), name
