"""Listings name every field and every record."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
from narrows.hw.spec.formats import DyBit, Int
from narrows.hw.spec.isa import BLOCK, COMPUTE
from narrows.sw.compile import compile_graph
from narrows.sw.compile.disasm import disassemble
from random_graphs import CONFIGS, SAME, GraphBuilder
from random_products import PRODUCT_CONFIGS, held_segment


def listing(builder, config):
    """Listing of a convolution, a max-pool and another convolution."""
    build = builder(config, 1)
    source = build.tensor((config.lanes, 6, 6))
    window = {"kernel": (3, 3), "pads": (1, 1, 1, 1)}
    first = build.mac([build.segment(source, 4, **window, levels=[1, 2])], (6, 6))
    pooled = build.max(first, (3, 3), kernel=(2, 2), stride=(2, 2), pads=(0, 0, 0, 0))
    program = compile_graph(build.graph([build.mac([build.segment(pooled, 2, levels=[3])], (3, 3))]), config)
    return program, disassemble(program)


def test_every_instruction_is_listed_with_its_layer(builder, small_config):
    _, text = listing(builder, small_config)
    heads = re.findall(r"^ +(\d+)  (\w.*)$", text, flags=re.MULTILINE)
    assert heads == [("0", "COMPUTE MAC  l0"), ("1", "COMPUTE MAX  l1"), ("2", "COMPUTE MAC  l2"), ("3", "END")]


def test_every_field_is_listed_with_its_value(builder, small_config):
    program, text = listing(builder, small_config)
    fields = COMPUTE.decode(program.instructions[0].tolist())
    tokens = {"opcode", "mode", "wait_prev", "wait_next", "post_prev", "post_next"}
    for name in {field.name for field in COMPUTE.of_cores(dynamic=False)} - tokens:
        assert re.search(rf"\b{name}={fields[name]}(\s|$)", text), name
    for row in program.blocks:
        block = BLOCK.decode(row.tolist())
        assert f"base={block['base']} groups={block['groups']}" in text
        assert f"taps={block['first_tap']}..{block['first_tap'] + block['tap_count'] - 1}" in text


def test_taps_show_offset_and_borders(builder, small_config):
    _, text = listing(builder, small_config)
    assert "-7[top 1 left 1] -6[top 1] -5[top 1 right 1] -1[left 1] +0 +1[right 1]" in text


def test_tensors_that_are_stored_in_another_order_say_so(builder, small_config):
    build = builder(small_config, 1)
    source = build.tensor((1, 5, 5), Int(8))
    window = {"kernel": (3, 3), "pads": (1, 1, 1, 1)}
    inner = build.mac([build.segment(source, 2 * small_config.lanes, **window, levels=[1, 2])], (5, 5))
    build.average(inner)
    text = disassemble(compile_graph(build.graph(["t2"]), small_config))
    assert re.search(rf"^{source} .* unfolded \d+x3$", text, flags=re.MULTILINE)
    assert re.search(rf"^{inner} .* interleaved$", text, flags=re.MULTILINE)


def test_memory_use_is_listed(builder, small_config):
    program, text = listing(builder, small_config)
    used = f"{len(program.weights):>7}{small_config.weight_words:>7}"
    assert f"{'weight words':<18}{used}" in text


def test_transfers_are_listed_with_their_tokens_and_fields():
    config = dataclasses.replace(CONFIGS["square"], backing="axi4", act_words=64, instructions=256)
    build = GraphBuilder(config, np.random.default_rng(0))
    source = build.tensor((4, 12, 8), DyBit(4))
    segments = [build.segment(source, 4, **SAME, levels=[1])]
    program = compile_graph(build.graph([build.mac(segments, (12, 8), DyBit(4))]), config)
    text = disassemble(program)
    assert f"96 from byte {program.external['t0']} of the window" in text
    assert re.search(
        r"LOAD post_next  l0\n      params      address=0 pitch=0 external=\d+ external_pitch=0 count=2", text
    )
    assert re.search(r"STORE wait_prev.*  l0\n      activations address=\d+ pitch=\d+ external=\d+", text)


def test_what_products_need_is_listed_where_it_is_not_0() -> None:
    config = PRODUCT_CONFIGS["square"]
    build = GraphBuilder(config, np.random.default_rng(0))
    source = build.tensor((config.lanes, 1, 8), Int(4))
    output = build.mac([held_segment(build, source, source, depthwise=False)], (1, 8))
    text = disassemble(compile_graph(build.graph([output]), config))
    assert f"fixed_step={config.columns}" in text
    assert re.search(r"block 0 .* latch=1 fixed=1 taps=", text)
    assert re.search(r"block 1 .* held=1 taps=", text)
    assert "alike" not in text
