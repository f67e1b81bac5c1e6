"""Compiled programs compute what their graph says, on every shape of core."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit, Int, Minifloat, parse_format
from narrows.hw.spec.isa import BLOCK, COMPUTE, Mode
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError, CertificateError
from random_graphs import CONFIGS, NATIVE_LEVELS, SAME, random_chain, random_enlarging, size_out

SQUARE = CONFIGS["square"]


def fields_of(program, index):
    """Fields of an instruction."""
    return COMPUTE.decode(program.instructions[index].tolist())


def blocks_of(program, index):
    """Fields of an instruction's blocks."""
    fields = fields_of(program, index)
    rows = program.blocks[fields["first_block"] : fields["first_block"] + fields["block_count"]]
    return [BLOCK.decode(row.tolist()) for row in rows]


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(25))
def test_random_graphs_compute_what_they_say(name, seed, builder, check):
    config = CONFIGS[name]
    check(compile_graph(random_chain(builder(config, seed), 4), config), seed)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(6))
def test_layers_that_enlarge_write_their_phases_in_pixel_order(name, seed, builder, check):
    config = CONFIGS[name]
    program = compile_graph(random_enlarging(builder(config, seed)), config)
    check(program, seed)
    counts = Counter(program.layers)
    for layer in program.graph.layers:
        assert counts[layer.name] == math.prod(layer.enlarge)


@pytest.mark.parametrize("same", [False, True], ids=["of all channels", "of each channel by itself"])
def test_a_layer_that_enlarges_the_input(same, builder, check):
    build = builder(SQUARE, 3)
    source = build.tensor((3, 6, 5), DyBit(4))
    segment = build.segment(source, 12, **SAME, levels=NATIVE_LEVELS)
    if same:
        own = np.eye(3, dtype=np.int64)[np.arange(12) % 3, :, np.newaxis, np.newaxis]
        segment = dataclasses.replace(segment, weights=segment.weights * own)
    program = compile_graph(build.graph([build.mac([segment], (6, 5), DyBit(4), enlarge=(2, 2))]), SQUARE)
    check(program, 3)
    assert (
        fields_of(program, 1)["out_dx_even"] == 2
        and fields_of(program, 1)["out_base"] == 1 + fields_of(program, 0)["out_base"]
    )


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(3))
def test_programs_are_equal_for_equal_graphs(name, seed, builder):
    config = CONFIGS[name]
    first, second = (compile_graph(random_chain(builder(config, seed), 4), config) for _ in range(2))
    assert first.to_bytes() == second.to_bytes()


@pytest.mark.parametrize(
    ("stride", "phases"),
    [
        ((2, 2), (2, 2)),
        ((1, 2), (1, 2)),
        ((2, 1), (1, 1)),
        ((4, 4), (1, 4)),
        ((3, 2), (3, 2)),
    ],
)
def test_strided_layers_work_on_full_pixel_groups(stride, phases, builder, check):
    build = builder(SQUARE, 1)
    source = build.tensor((24, 12, 12), DyBit(4))
    out = (12 // stride[0], 12 // stride[1])
    build.mac([build.segment(source, 4, kernel=stride, stride=stride, levels=NATIVE_LEVELS)], out)
    program = compile_graph(build.graph(["t1"]), SQUARE)
    check(program, 1)
    fields = fields_of(program, 0)
    assert fields["rows"] == (4 if fields["wrap"] else min(4, out[1]))
    assert program.layouts[source].phases == phases


def test_tensor_with_readers_of_both_strides_stays_plain(builder, check):
    build = builder(SQUARE, 2)
    source = build.tensor((3, 8, 8))
    plain = build.mac([build.segment(source, 4, **SAME, levels=NATIVE_LEVELS)], (8, 8))
    strided = build.mac([build.segment(source, 4, **SAME, stride=(2, 2), levels=NATIVE_LEVELS)], (4, 4))
    program = compile_graph(build.graph([plain, strided]), SQUARE)
    check(program, 2)
    assert [fields_of(program, index)["rows"] for index in range(2)] == [4, 1]


def test_lines_are_padded_where_groups_can_then_run_on(builder, check):
    build = builder(SQUARE, 3)
    source = build.tensor((48, 7, 5), DyBit(4))
    build.mac([build.segment(source, 4, kernel=(1, 1), pads=(0, 1, 0, 1), levels=NATIVE_LEVELS)], (7, 7))
    program = compile_graph(build.graph(["t1"]), SQUARE)
    check(program, 3)
    assert program.layouts[source].line == 7
    assert fields_of(program, 0)["wrap"] == 1


def test_strided_branch_beside_a_plain_one_reads_a_copy(builder, check):
    build = builder(SQUARE, 4)
    source = build.mac([build.segment(build.tensor((3, 8, 8)), 5, levels=NATIVE_LEVELS)], (8, 8))
    inner = build.mac([build.segment(source, 4, levels=NATIVE_LEVELS)], (8, 8))
    middle = build.mac([build.segment(inner, 4, **SAME, stride=(2, 2), levels=NATIVE_LEVELS)], (4, 4))
    segments = [build.segment(middle, 6, levels=[1]), build.segment(source, 6, stride=(2, 2), levels=NATIVE_LEVELS)]
    last = build.mac(segments, (4, 4))
    program = compile_graph(build.graph([last]), SQUARE)
    values = check(program, 4)
    copy = f"{source} every 2x2"
    assert program.layers == ("l0", "l1", "l2", copy, "l3", "")
    np.testing.assert_array_equal(values[copy], values[source][:, ::2, ::2])


def test_strides_that_no_copy_cures_are_refused(builder):
    build = builder(SQUARE, 5)
    source = build.mac([build.segment(build.tensor((3, 9, 9)), 4, levels=NATIVE_LEVELS)], (9, 9))
    inner = build.mac([build.segment(source, 4, kernel=(3, 3), stride=(3, 3), levels=NATIVE_LEVELS)], (3, 3))
    wide = build.segment(source, 4, kernel=(3, 3), stride=(3, 3), levels=NATIVE_LEVELS)
    last = build.mac([build.segment(inner, 4, levels=NATIVE_LEVELS), wide], (3, 3))
    with pytest.raises(CapacityError, match="layer 'l2' reads sources whose strides no layout brings to one pace"):
        compile_graph(build.graph([last]), SQUARE)


def test_average_pool_holds_one_weight_word(builder, check):
    build = builder(SQUARE, 6)
    source = build.tensor((10, 6, 6), DyBit(4))
    last = build.mac([build.segment(source, None, kernel=(6, 6), levels=[1])], (1, 1))
    program = compile_graph(build.graph([last]), SQUARE)
    check(program, 6)
    (block,) = blocks_of(program, 0)
    assert (block["hold"], block["groups"], block["tap_count"]) == (1, 1, 36)
    assert len(program.weights) == 3  # the last tile's word lacks the channels that do not exist


@pytest.mark.parametrize("name", CONFIGS)
def test_depthwise_tiles_read_only_their_own_channel_groups(name, builder, check):
    config = CONFIGS[name]
    build = builder(config, 7)
    channels = 4 * np.lcm(config.columns, config.lanes)
    source = build.tensor((int(channels), 3, 3), parse_format(config.act_format))
    levels = config.weight_digits.base.levels
    last = build.mac([build.segment(source, None, **SAME, levels=levels)], (3, 3))
    program = compile_graph(build.graph([last]), config)
    check(program, 7)
    (block,) = blocks_of(program, 0)
    assert block["groups"] * config.lanes == np.lcm(config.columns, config.lanes)


def test_fully_connected_layer_takes_few_taps(builder, check):
    build = builder(SQUARE, 8)
    source = build.tensor((7, 6, 6), DyBit(4))
    last = build.mac([build.segment(source, 5, kernel=(6, 6), levels=NATIVE_LEVELS)], (1, 1))
    program = compile_graph(build.graph([last]), SQUARE)
    check(program, 8)
    assert len(program.taps) == 2


@pytest.mark.parametrize(
    ("level", "shifts", "steps"),
    [
        (24, [0, 1], 2),
        (64, [0, 1, 1], 3),
        (9, [0, 1], 2),
        (72, [0, 1, 1], 3),
        (65, [0, 1, 1], 3),
    ],
)
def test_empty_digit_planes_make_no_blocks_but_still_shift(level, shifts, steps, builder, check):
    build = builder(SQUARE, 9)
    source = build.tensor((3, 2, 2), DyBit(4))
    last = build.mac([build.segment(source, 2, levels=[level])], (2, 2))
    program = compile_graph(build.graph([last]), SQUARE)
    check(program, 9)
    assert [block["shift"] for block in blocks_of(program, 0)] == shifts
    assert sum(block["groups"] * block["tap_count"] for block in blocks_of(program, 0)) == steps


def test_weights_that_are_all_zero_still_give_the_bias(builder, check):
    build = builder(SQUARE, 10)
    last = build.mac([build.segment(build.tensor((3, 2, 2)), 2, levels=[0])], (2, 2))
    check(compile_graph(build.graph([last]), SQUARE), 10)


def test_weight_words_are_shared_by_digits_of_the_source_and_by_equal_layers(builder, check):
    build = builder(SQUARE, 11)
    source = build.tensor((4, 2, 2), Int(8))
    first = build.mac([build.segment(source, None, levels=[1])], (2, 2), Int(8))
    last = build.mac([build.segment(first, None, levels=[1])], (2, 2))
    program = compile_graph(build.graph([last]), SQUARE)
    check(program, 11)
    assert len(program.weights) == 1


def test_max_pool_of_several_planes(builder, check):
    build = builder(SQUARE, 12)
    source = build.tensor((9, 7, 7), Int(8))
    last = build.max(source, (4, 4), kernel=(3, 3), stride=(2, 2), pads=(1, 1, 1, 1))
    program = compile_graph(build.graph([last]), SQUARE)
    check(program, 12)
    fields = fields_of(program, 0)
    assert (fields["mode"], fields["rows"], fields["planes"], fields["column_groups"]) == (Mode.MAX, 1, 3, 3)


def test_certificate_is_derived_from_the_weights(builder):
    build = builder(SQUARE, 13)
    last = build.mac([build.segment(build.tensor((3, 2, 2)), 2, levels=NATIVE_LEVELS)], (2, 2))
    graph = build.graph([last])
    (layer,) = graph.layers
    lax = dataclasses.replace(graph, layers=(dataclasses.replace(layer, cert_bits=layer.cert_bits + 3),))
    assert fields_of(compile_graph(lax, SQUARE), 0)["cert_bits"] == layer.cert_bits
    wrong = dataclasses.replace(graph, layers=(dataclasses.replace(layer, cert_bits=layer.cert_bits - 1),))
    with pytest.raises(CertificateError, match=f"layer 'l0' states {layer.cert_bits - 1} accumulator bits but"):
        compile_graph(wrong, SQUARE)


def test_sums_wider_than_the_accumulator_are_refused(builder):
    build = builder(SQUARE, 14)
    source = build.tensor((16, 2, 2), DyBit(4))
    graph = build.graph([build.mac([build.segment(source, 2, levels=[16])], (2, 2))])
    narrow = dataclasses.replace(SQUARE, acc_bits=12, bias_bits=32)
    message = r"needs 14 accumulator bits, the configuration has 12 \(layer 'l0' exceeds them\): raise acc_bits to 14"
    with pytest.raises(CertificateError, match=message):
        compile_graph(graph, narrow)


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("act_words", 64, r"needs 180 words of activation memory, .* has 64 \(layer 'l1' .*\): raise act_words to 256"),
        (
            "weight_words",
            16,
            r"the model needs 104 weight words, .* has 16 \(layer 'l0' .*\): raise weight_words to 104",
        ),
        ("param_words", 4, r"the model needs 12 parameter words, .* has 4 \(layer 'l0' .*\): raise param_words to 12"),
        ("taps", 16, r"the model needs 34 taps, .* has 16 \(layer 'l1' .*\): raise taps to 34"),
        ("instructions", 4, r"the model needs 5 instructions, .* has 4 \(layer 'l3' .*\): raise instructions to 5"),
        ("planes", 1, r"the model needs 2 digit planes for int4, .* has 1 \(layer 'l1' .*\): raise planes to 2"),
    ],
)
def test_what_does_not_fit_is_named(parameter, value, message, builder):
    config = dataclasses.replace(SQUARE, **{parameter: value})
    build = builder(SQUARE, 15)
    source = build.tensor((4, 6, 6), DyBit(4))
    first = build.mac([build.segment(source, 9, **SAME, levels=NATIVE_LEVELS)], (6, 6), DyBit(4))
    wide = build.segment(first, 3, kernel=(5, 5), pads=(2, 2, 2, 2), levels=NATIVE_LEVELS)
    second = build.mac([wide], (6, 6), Int(4))
    third = build.mac([build.segment(second, 3, levels=NATIVE_LEVELS)], (6, 6), DyBit(4))
    last = build.mac([build.segment(third, 3, levels=NATIVE_LEVELS)], (6, 6), DyBit(4))
    with pytest.raises(CapacityError, match=message):
        compile_graph(build.graph([last]), config)


def test_too_many_blocks_are_named(builder):
    build = builder(SQUARE, 16)
    source = build.tensor((2, 2, 2), DyBit(8))
    graph = build.graph([build.mac([build.segment(source, 2, levels=[4681])], (2, 2), DyBit(4))])
    with pytest.raises(CapacityError, match=r"needs 25 blocks, .* has 8 \(layer 'l0' .*\): raise blocks to 25"):
        compile_graph(graph, dataclasses.replace(SQUARE, blocks=8))


def test_a_memory_that_no_configuration_has_is_said_so(builder):
    build = builder(SQUARE, 17)
    source = build.tensor((4, 300, 300), DyBit(4))
    graph = build.graph([build.mac([build.segment(source, 2, levels=[1])], (300, 300), DyBit(4))])
    with pytest.raises(CapacityError, match=r"or use more lanes, or smaller images .act_words must be a power of two"):
        compile_graph(graph, SQUARE)


def test_insets_wider_than_the_machine_counts_are_refused(builder):
    build = builder(SQUARE, 18)
    source = build.tensor((SQUARE.lanes, 40, 1))
    wide = build.segment(source, 1, inset=(16, 0, 0, 0), levels=[1])
    with pytest.raises(CapacityError, match="layer 'l0': a kernel tap lies outside its tensor for 16 border pixels"):
        compile_graph(build.graph([build.mac([wide], (40, 1))]), SQUARE)


def test_a_format_that_the_core_does_not_round_to_is_refused(builder):
    build = builder(SQUARE, 21)
    source = build.tensor((4, 4, 4), DyBit(4))
    output = build.mac([build.segment(source, 4, levels=[1])], (4, 4), Minifloat(2, 1))
    with pytest.raises(CapacityError, match=r"^layer 'l0' writes e2m1, the core rounds to integers and dybit: use"):
        compile_graph(build.graph([output]), SQUARE)


def test_a_bias_that_does_not_fit_is_refused(builder):
    build = builder(SQUARE, 19)
    graph = build.graph([build.mac([build.segment(build.tensor((3, 2, 2)), 2, levels=[1])], (2, 2))])
    layer = dataclasses.replace(graph.layers[0], bias=np.array([0, 1 << 31]))
    with pytest.raises(CapacityError, match=r"channel 1 of layer 'l0' does not fit the rescaler .*: raise bias_bits"):
        compile_graph(dataclasses.replace(graph, layers=(layer,)), SQUARE)


def test_arguments_of_the_wrong_kind_are_refused(builder):
    build = builder(SQUARE, 20)
    graph = build.graph([build.mac([build.segment(build.tensor((3, 2, 2)), 2, levels=[1])], (2, 2))])
    with pytest.raises(TypeError, match="graph must be a QuantisedGraph"):
        compile_graph("graph", SQUARE)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="config must be an AcceleratorConfig"):
        compile_graph(graph, "demo")  # pyright: ignore[reportArgumentType]


def test_memory_is_saved_where_the_fastest_layouts_do_not_fit(builder, check):
    build = builder(SQUARE, 21)
    source = build.tensor((4, 5, 9), DyBit(4))
    last = build.mac([build.segment(source, 4, **SAME, stride=(2, 2), levels=NATIVE_LEVELS)], (3, 5), DyBit(4))
    for config, phases in ((SQUARE, (2, 2)), (dataclasses.replace(SQUARE, act_words=64), (1, 1))):
        program = compile_graph(build.graph([last]), config)
        check(program, 21)
        assert program.layouts[source].phases == phases


def test_two_strided_sources_of_one_layer_are_phase_split_together(builder, check):
    build = builder(SQUARE, 22)
    source = build.tensor((4, 12, 12), DyBit(4))
    one = build.mac([build.segment(source, 4, **SAME, levels=NATIVE_LEVELS)], (12, 12), DyBit(4))
    other = build.mac([build.segment(source, 4, **SAME, levels=NATIVE_LEVELS)], (12, 12), DyBit(4))
    segments = [build.segment(name, 4, **SAME, stride=(2, 2), levels=NATIVE_LEVELS) for name in (one, other)]
    program = compile_graph(build.graph([build.mac(segments, (6, 6))]), SQUARE)
    check(program, 22)
    assert program.layouts[one].phases == program.layouts[other].phases == (2, 2)
    assert fields_of(program, 2)["rows"] == 4


def test_counts_beyond_their_field_are_refused(builder):
    config = AcceleratorConfig(
        rows=1, columns=1, lanes=2, rescalers=1, acc_bits=32, act_words=16384, weight_words=16384, param_words=8192
    )
    build = builder(config, 23)
    last = build.mac([build.segment(build.tensor((1, 1, 1), DyBit(4)), 5000, levels=[1])], (1, 1))
    with pytest.raises(CapacityError, match=r"layer 'l0' is too large .*column_groups must be 0 to 4095, not 5000"):
        compile_graph(build.graph([last]), config)


def test_addresses_beyond_a_signed_field_wrap_around(builder, check):
    config = dataclasses.replace(SQUARE, act_words=65536)
    build = builder(config, 24)
    source = build.tensor((1, 200, 200), DyBit(4))
    thin = build.mac([build.segment(source, 1, stride=(50, 50), levels=[1])], (4, 4), DyBit(4))
    last = build.mac([build.segment(thin, 1, levels=[1])], (4, 4))
    program = compile_graph(build.graph([last, thin]), config)
    check(program, 24)
    assert program.layouts[thin].base >= 1 << 15
    assert blocks_of(program, 1)[0]["base"] < 0


@pytest.mark.parametrize(
    ("size", "kernel", "taps"), [((32, 32), (32, 32), 32), ((9, 40), (9, 33), 33), ((1, 360), (1, 360), 18)]
)
def test_large_averages_take_few_taps(size, kernel, taps, builder, check):
    build = builder(SQUARE, 6)
    source = build.tensor((10, *size), DyBit(4))
    out = (size[0] - kernel[0] + 1, size[1] - kernel[1] + 1)
    last = build.mac([build.segment(source, None, kernel=kernel, levels=[1])], out)
    program = compile_graph(build.graph([last]), SQUARE)
    check(program, 6)
    assert len(program.taps) == taps


def test_taps_without_weights_are_not_read(builder, check):
    build = builder(SQUARE, 8)
    source = build.tensor((10, 6, 6), DyBit(4))
    segment = build.segment(source, 5, kernel=(3, 3), levels=[1, 2])
    weights = segment.weights.copy()
    weights[:, :, [0, 0, 1, 2], [1, 2, 1, 0]] = 0
    last = build.mac([dataclasses.replace(segment, weights=weights)], (4, 4))
    program = compile_graph(build.graph([last]), SQUARE)
    check(program, 8)
    assert len(program.taps) == 5


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((40, 3), {"kernel": (3, 1), "pads": (18, 0, 18, 0), "dilation": (18, 1)}),
        ((9, 40), {"kernel": (3, 3), "pads": (1, 36, 1, 36), "dilation": (1, 36)}),
        ((33, 5), {"kernel": (31, 1), "pads": (15, 0, 17, 0)}),
        ((70, 1), {"kernel": (3, 1), "pads": (40, 0, 2, 0), "stride": (2, 1), "dilation": (20, 1)}),
        ((1, 1), {"kernel": (1, 40), "pads": (0, 39, 0, 39)}),
    ],
)
def test_padding_beyond_what_the_machine_counts_takes_padded_copies(size, window, builder, check):
    build = builder(SQUARE, 9)
    source = build.tensor((3, *size), DyBit(4))
    window = {"stride": (1, 1), "dilation": (1, 1)} | window
    first = build.mac([build.segment(source, 3, levels=[1, 2])], size, DyBit(4))
    sides = [build.segment(name, 3, **window, levels=NATIVE_LEVELS) for name in (source, first)]
    program = compile_graph(build.graph([build.mac(sides, size_out(size, **window))]), SQUARE)
    check(program, 9)
    assert len(program.graph.layers) > 2


def test_a_max_pool_takes_padded_copies_where_padding_wins_nowhere(builder, check):
    build = builder(SQUARE, 9)
    source = build.tensor((3, 40, 3), Int(4, False))
    build.tensors[source] = dataclasses.replace(build.tensors[source], zero=0, low=0)
    last = build.max(source, (40, 3), kernel=(33, 1), stride=(1, 1), pads=(16, 0, 16, 0))
    check(compile_graph(build.graph([last]), SQUARE), 9)
