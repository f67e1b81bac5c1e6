"""Products of two tensors: golden model and ISA model agree, and certificates hold for whatever the tensors are."""

from __future__ import annotations

import asyncio
import dataclasses

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit, Int
from narrows.hw.spec.isa import BLOCK, TAP
from narrows.sim.expected import expected_checksums
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_records import MachineError
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError, CertificateError, WidthError
from narrows.sw.program import Program
from narrows.sw.runtime.samples import run_samples
from narrows.sw.validate import validate_graph
from random_graphs import GraphBuilder, random_levels
from random_products import PRODUCT_CONFIGS, held_segment, random_products

CONFIG = PRODUCT_CONFIGS["square"]


def one_product(config: AcceleratorConfig, *, depthwise: bool, seed: int = 1):
    """A graph of one layer, which multiplies its input by a tensor made of it."""
    build = GraphBuilder(config, np.random.default_rng(seed))
    source = build.tensor((6, 2, 3), Int(8))
    held = build.mac([build.segment(source, 6, levels=[-2, 0, 1, 4])], (2, 3), DyBit(4))
    return build.graph([build.mac([held_segment(build, source, held, depthwise=depthwise)], (2, 3))])


def same_on_both(program: Program, levels) -> None:
    golden = GoldenModel(program.graph, program.config).run(levels)
    run = asyncio.run(run_samples(IsaTransport(program.config), program, levels, dump_layers=len(levels)))
    for name, tensor in run.dumps.items():
        np.testing.assert_array_equal(tensor, golden[name], err_msg=name)
    for sample, checksums in enumerate(run.checksums):
        expected = expected_checksums(program, {name: tensor[sample] for name, tensor in golden.items()})
        assert [got for got, want in zip(checksums, expected, strict=False) if want is not None] == [
            want for want in expected if want is not None
        ]


@pytest.mark.parametrize("name", PRODUCT_CONFIGS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1 << 20))
def test_golden_and_isa_model_agree(name: str, seed: int) -> None:
    note(f"seed {seed}")
    config, rng = PRODUCT_CONFIGS[name], np.random.default_rng(seed)
    try:
        program = compile_graph(random_products(GraphBuilder(config, rng), 2), config)
    except (CapacityError, CertificateError):
        return
    levels = np.stack([random_levels(program.graph, rng) for _ in range(2)])
    same_on_both(Program.from_bytes(program.to_bytes()), levels)


@pytest.mark.parametrize("depthwise", [False, True])
def test_the_golden_model_multiplies_what_the_levels_stand_for(depthwise: bool) -> None:
    graph = one_product(CONFIG, depthwise=depthwise)
    (first, second), (x, w, y) = graph.layers, graph.tensors.values()
    levels = random_levels(graph, np.random.default_rng(0))[np.newaxis]
    found = GoldenModel(graph, CONFIG).run(levels)
    real, weights = levels[0] - x.zero, found[first.output][0] - w.zero
    outputs = weights.reshape(6, -1).T @ real.reshape(6, -1) if not depthwise else (real * weights).reshape(6, -1)
    terms = 1 if depthwise else 6
    sums = outputs - terms * x.zero * w.zero + second.bias[:, np.newaxis]
    exact = sums * second.multiplicand[:, np.newaxis] / 2.0 ** second.shift[:, np.newaxis] + y.zero
    allowed = y.format.levels[(y.format.levels >= y.low) & (y.format.levels <= y.high)]
    nearest = [max(allowed, key=lambda level, at=at: (-abs(level - at), level)) for at in exact.ravel()]
    np.testing.assert_array_equal(found[second.output][0].ravel(), nearest)


@pytest.mark.parametrize("depthwise", [False, True])
def test_a_certificate_that_the_spans_do_not_bear_out_is_refused(depthwise: bool) -> None:
    graph = one_product(CONFIG, depthwise=depthwise)
    narrow = dataclasses.replace(graph.layers[1], cert_bits=graph.layers[1].cert_bits - 1)
    narrowed = dataclasses.replace(graph, layers=(graph.layers[0], narrow))
    with pytest.raises(WidthError, match="final sum"):
        GoldenModel(narrowed, CONFIG)
    with pytest.raises(CertificateError, match="accumulator bits but its weights need"):
        compile_graph(narrowed, CONFIG)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stride": (2, 2)}, "a product of tensors with a window"),
        ({"pads": (1, 0, 0, 0)}, "a product of tensors with a window"),
        ({"held": "t2"}, "reads 't2', which nothing has written"),
        ({"depthwise": True}, "has weights of shape"),
    ],
)
def test_products_that_do_not_fit_are_refused(changes: dict, message: str) -> None:
    graph = one_product(CONFIG, depthwise=False)
    first, last = graph.layers
    (segment,) = last.products
    wrong = dataclasses.replace(last, segments=(dataclasses.replace(segment, **changes),))
    validate_graph(graph)
    with pytest.raises(ValueError, match=message):
        validate_graph(dataclasses.replace(graph, layers=(first, wrong)))


def test_a_product_of_other_channels_or_of_both_kinds_is_refused() -> None:
    build = GraphBuilder(CONFIG, np.random.default_rng(0))
    source = build.tensor((4, 1, 4), Int(4))
    other = build.mac([build.segment(source, 5, levels=[1])], (1, 4), Int(4))
    kinds = [held_segment(build, source, source, depthwise=kind) for kind in (False, True)]
    output = build.mac(kinds, (1, 4))
    with pytest.raises(ValueError, match="a matrix product beside an elementwise one"):
        validate_graph(build.graph([output]))
    layer = build.layers[-1]
    build.layers[-1] = dataclasses.replace(layer, segments=(dataclasses.replace(kinds[0], held=other),))
    with pytest.raises(ValueError, match=r"a product of tensors of the shapes \(4, 1, 4\) and \(5, 1, 4\)"):
        validate_graph(build.graph([output]))


def test_cores_that_cannot_are_named() -> None:
    graph = one_product(CONFIG, depthwise=True)
    with pytest.raises(CapacityError, match=r"needs 1 dynamic weights, the configuration has 0 .* raise dynamic"):
        compile_graph(graph, dataclasses.replace(CONFIG, dynamic=0))
    with pytest.raises(CapacityError, match="multiplies two tensors, which a core with backing"):
        compile_graph(graph, dataclasses.replace(CONFIG, backing="axi4"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("latch", 0, "multiplies with a word that none before it has latched"),
        ("weight_base", 0, None),
        ("held", 0, None),
        ("fixed", 0, None),
    ],
)
def test_each_field_of_a_block_counts(name: str, value: int, message: str | None) -> None:
    """A program in which one is wrong gives other results, or breaks a rule that the model knows."""
    graph = one_product(CONFIG, depthwise=False)
    program = compile_graph(graph, CONFIG)
    blocks = program.blocks.copy()
    for index, words in enumerate(blocks.tolist()):
        fields = dict(BLOCK.decode(words))
        if fields["latch"] or fields["held"]:
            blocks[index] = BLOCK.encode(fields | {name: min(fields[name], value)})
    wrong = dataclasses.replace(program, blocks=blocks)
    levels = random_levels(graph, np.random.default_rng(0))[np.newaxis]
    if message is None:
        with pytest.raises(AssertionError):
            same_on_both(wrong, levels)
    else:
        with pytest.raises(MachineError, match=message):
            same_on_both(wrong, levels)


def test_a_held_word_takes_weights_of_one_digit_alone() -> None:
    graph = one_product(CONFIG, depthwise=False)
    program = compile_graph(graph, CONFIG)
    weights = np.where(program.weights == 0, 0, program.weights << 1)
    with pytest.raises(MachineError, match="a held word meets a weight of 2: it takes -1, 0 and 1"):
        same_on_both(
            dataclasses.replace(program, weights=weights), random_levels(graph, np.random.default_rng(0))[None]
        )


def test_a_tap_that_latches_has_no_borders() -> None:
    graph = one_product(CONFIG, depthwise=False)
    program = compile_graph(graph, CONFIG)
    taps = np.array([TAP.encode({**TAP.decode(row), "top": 1}) for row in program.taps.tolist()], dtype=np.uint32)
    wrong = dataclasses.replace(program, taps=taps)
    with pytest.raises(MachineError, match="a tap with borders latches"):
        same_on_both(wrong, random_levels(graph, np.random.default_rng(0))[None])
