"""The ISA model gives what the contract says, compared with a literal interpreter of it on random programs."""

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import COMPUTE, END, LOAD, Mode, Opcode
from narrows.hw.spec.registers import Fault, Region
from narrows.hw.spec.rounding import ROUNDINGS
from narrows.hw.spec.words import pack_codes, unpack_codes
from narrows.sim.isa_model import IsaMachine
from narrows.sim.isa_records import MachineError

CONFIGS = {
    "narrow": AcceleratorConfig(rows=3, columns=4, lanes=4, rescalers=2, acc_bits=12, planes=3, act_words=4096),
    "wide": AcceleratorConfig(
        rows=4, columns=8, lanes=8, rescalers=8, acc_bits=20, bias_bits=24, rescale_bits=8, act_words=4096
    ),
    "single": AcceleratorConfig(
        rows=1, columns=1, lanes=2, rescalers=1, acc_bits=16, rescale_bits=2, planes=5, act_words=4096
    ),
    "widest": AcceleratorConfig(rows=2, columns=2, lanes=4, rescalers=1, acc_bits=30, rescale_bits=32, act_words=4096),
}
OUT_BASE = 1024  # random programs read addresses from -900 to 900 and write from here on


def random_weights(rng, assembler, count):
    shape = (assembler.config.columns, assembler.config.lanes)
    for _ in range(count):
        assembler.weight(rng.choice([-16, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 16], shape))


def random_output(rng, config, lines, columns, groups):
    """Fields of a destination: plain or phase-split both ways, anywhere behind OUT_BASE."""
    phase_y, phase_x = rng.integers(1, 3, 2)
    line = -(-columns // phase_x) + int(rng.integers(0, 3))
    phase = -(-lines // phase_y) * line

    def spatial(y, x):
        return ((y % phase_y) * phase_x + x % phase_x) * phase + (y // phase_y) * line + x // phase_x

    def step(y, x, to_y, to_x):
        return int(spatial(to_y, to_x) - spatial(y, x))

    planes = int(rng.integers(1, config.planes + 1))
    return {
        "planes": planes,
        "out_base": OUT_BASE + int(rng.integers(0, 50)),
        "out_dx_even": step(0, 0, 0, 1),
        "out_dx_odd": step(0, 1, 0, 2),
        "out_dy_even": step(0, columns - 1, 1, 0),
        "out_dy_odd": step(1, columns - 1, 2, 0),
        "out_plane_pitch": int(phase_y * phase_x * phase),
        "out_group_pitch": int(phase_y * phase_x * phase) * planes,
        "out_height": lines,
        "out_width": columns,
    }


def random_clamp(rng, planes):
    if rng.integers(2):
        width = int(rng.integers(1, 4 if planes == 1 else 5))
        top = min({1: 16, 2: 32}.get(planes, 64), int(ROUNDINGS[width].levels[-1]))
        return {
            "uneven": 1,
            "rounding": width,
            "zero": int(rng.choice([0, -1, 1])),
            "clamp_low": -int(rng.choice([0, 1, top])),
            "clamp_high": int(rng.choice([1, top])),
        }
    top = {1: 4, 2: 35}.get(planes, 287)
    return {
        "uneven": 0,
        "rounding": 0,
        "zero": int(rng.integers(-4, 5)),
        "clamp_low": -int(rng.integers(0, top + 1)),
        "clamp_high": int(rng.integers(0, top + 1)),
    }


def random_mac(rng, assembler):
    config = assembler.config
    lines, columns, tiles = int(rng.integers(1, 6)), int(rng.integers(1, 7)), int(rng.integers(1, 4))
    first_block, first_tap = len(assembler.blocks), len(assembler.taps)
    weight = weight_base = len(assembler.weights)
    for number in range(int(rng.integers(1, 4))):
        tap_count, groups, hold = int(rng.integers(1, 5)), int(rng.integers(1, 3)), int(rng.integers(2))
        tap = len(assembler.taps)
        for _ in range(tap_count):
            borders = {name: int(rng.choice([0, 0, 0, 1, 2])) for name in ("top", "bottom", "left", "right")}
            assembler.tap(offset=int(rng.integers(-60, 61)), **borders)
        assembler.block(
            base=int(rng.integers(-200, 201)),
            group_pitch=int(rng.integers(0, 40)),
            weight_base=weight - weight_base,
            groups=groups,
            shift=int(number > 0 and rng.integers(2)),
            hold=hold,
            first_tap=tap,
            tap_count=tap_count,
            pad_code=int(rng.integers(16)),
        )
        weight += groups * (1 if hold else tap_count)
    pitch = weight - weight_base
    random_weights(rng, assembler, pitch * tiles)
    param_base = len(assembler.params)
    half = 1 << (config.rescale_bits - 1)
    for _ in range(tiles * config.tile_granules):
        assembler.param(
            [
                (
                    int(rng.integers(-2000, 2000)),
                    int(rng.integers(half, 2 * half)),
                    int(rng.choice([0, 1, rng.integers(0, config.shift_max + 1)])),
                )
                for _ in range(config.rescalers)
            ]
        )
    output = random_output(rng, config, lines, columns, tiles)
    assembler.compute(
        mode=Mode.MAC,
        wrap=int(rng.integers(2)),
        rows=int(rng.integers(1, config.rows + 1)),
        first_block=first_block,
        block_count=len(assembler.blocks) - first_block,
        origin=int(rng.integers(-300, 301)),
        origin_step=int(rng.integers(-9, 10)),
        origin_line=int(rng.integers(-9, 10)),
        column_groups=tiles,
        channel_period=int(rng.integers(1, 3)),
        channel_step=int(rng.integers(-20, 21)),
        weight_base=weight_base,
        weight_pitch=pitch,
        diagonal=int(rng.integers(2)),
        param_base=param_base,
        out_granule=int(rng.integers(0, config.granules)),
        **output,
        **random_clamp(rng, output["planes"]),
    )
    assert first_tap <= len(assembler.taps)


def random_max(rng, assembler):
    config = assembler.config
    lines, columns, groups = int(rng.integers(1, 6)), int(rng.integers(1, 7)), int(rng.integers(1, 4))
    output = random_output(rng, config, lines, columns, groups)
    first_tap, positions = len(assembler.taps), int(rng.integers(1, 5))
    for position in range(positions):
        borders = {name: int(position > 0 and rng.integers(3) == 0) for name in ("top", "bottom", "left", "right")}
        for _ in range(output["planes"]):
            assembler.tap(offset=int(rng.integers(-60, 61)), **borders)
    block = assembler.block(
        base=int(rng.integers(-200, 201)), first_tap=first_tap, tap_count=positions * output["planes"]
    )
    assembler.compute(
        mode=Mode.MAX,
        wrap=int(rng.integers(2)),
        first_block=block,
        origin=int(rng.integers(-300, 301)),
        origin_step=int(rng.integers(-9, 10)),
        origin_line=int(rng.integers(-9, 10)),
        column_groups=groups,
        channel_period=int(rng.integers(1, 3)),
        channel_step=int(rng.integers(-20, 21)),
        **output,
    )


def run_both(rng, assembler, literal_machine):
    config = assembler.config
    codes = rng.integers(0, 16, (config.act_words, config.lanes)).astype(np.uint8)
    machine = IsaMachine(config)
    assembler.load(machine)
    machine.write_words(Region.ACTIVATIONS, 0, pack_codes(codes, 4))
    machine.run()
    literal = literal_machine(assembler, codes)
    literal.run()
    assert (machine.fault, machine.done) == (Fault.NONE, True)
    got = unpack_codes(machine.read_words(Region.ACTIVATIONS, 0, config.act_words), config.lanes, 4)
    np.testing.assert_array_equal(got, literal.codes)
    checksums = machine.read_words(Region.CHECKSUMS, 0, len(literal.checksums))[:, 0]
    assert checksums.tolist() == literal.checksums


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_a_random_mac_equals_the_literal_machine(assembler, literal_machine, config, seed):
    rng = np.random.default_rng(seed)
    program = assembler(config)
    random_mac(rng, program)
    program.end()
    run_both(rng, program, literal_machine)


@pytest.mark.parametrize("blocks", [2, 5, 20, 40])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_words_that_are_read_again_with_other_digits_equal_the_literal_machine(
    assembler, literal_machine, config, blocks
):
    """Few digits are summed up before they are multiplied; of many, that would be no exact number."""
    rng = np.random.default_rng(blocks)
    program = assembler(config)
    taps = [program.tap(offset=offset, top=int(offset == 3)) for offset in (0, 3, 0)]
    for number in range(blocks):
        program.block(shift=int(number % 3 != 1), weight_base=3 * number, first_tap=taps[0], tap_count=3)
    random_weights(rng, program, 3 * blocks)
    half = 1 << (config.rescale_bits - 1)
    for _ in range(config.tile_granules):
        program.param(
            [(int(rng.integers(-500, 500)), half, config.acc_bits + config.rescale_bits - 6)] * config.rescalers
        )
    program.compute(mode=Mode.MAC, block_count=blocks, out_base=OUT_BASE, out_height=2, out_width=1, out_dy_even=1)
    program.end()
    run_both(rng, program, literal_machine)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_a_random_max_equals_the_literal_machine(assembler, literal_machine, config, seed):
    rng = np.random.default_rng(seed)
    program = assembler(config)
    random_max(rng, program)
    program.end()
    run_both(rng, program, literal_machine)


def test_instructions_run_one_after_the_other(assembler, literal_machine):
    rng = np.random.default_rng(3)
    program = assembler(CONFIGS["narrow"])
    random_mac(rng, program)
    random_max(rng, program)
    random_mac(rng, program)
    program.end()
    run_both(rng, program, literal_machine)


def one_sum(assembler, config, **fields):
    """A program that writes one pixel from the word at address 0 with all weights 16."""
    program = assembler(config)
    program.tap()
    program.block(tap_count=1)
    program.weight(np.full((config.columns, config.lanes), 16))
    for _ in range(config.tile_granules):
        program.param([(0, 1 << (config.rescale_bits - 1), config.rescale_bits - 1)] * config.rescalers)
    program.compute(
        **({"out_height": 1, "out_width": 1, "out_base": 100, "uneven": 1, "clamp_low": -16, "clamp_high": 16} | fields)
    )
    return program.end()


def run_one(program, code):
    machine = IsaMachine(program.config)
    program.load(machine)
    machine.write_words(Region.ACTIVATIONS, 0, pack_codes(np.full((1, program.config.lanes), code), 4))
    machine.run()
    return machine


def test_sums_wrap_at_the_accumulator_width(assembler):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2, acc_bits=12)
    machine = run_one(one_sum(assembler, config), code=7)  # 8 * 16 * 16 = 2048 wraps to -2048
    word = unpack_codes(machine.read_words(Region.ACTIVATIONS, 100, 1), config.lanes, 4)[0]
    assert word.tolist() == [15, 15, 0, 0, 0, 0, 0, 0]


def test_only_the_granule_of_the_word_changes(assembler):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2, acc_bits=16)
    program = one_sum(assembler, config, out_granule=2)
    machine = IsaMachine(config)
    program.load(machine)
    machine.write_words(Region.ACTIVATIONS, 100, pack_codes(np.full((1, 8), 5), 4))
    machine.write_words(Region.ACTIVATIONS, 0, pack_codes(np.full((1, 8), 1), 4))
    machine.run()
    word = unpack_codes(machine.read_words(Region.ACTIVATIONS, 100, 1), config.lanes, 4)[0]
    assert word.tolist() == [5, 5, 5, 5, 7, 7, 5, 5]


@pytest.mark.parametrize(
    "fields",
    [
        {"rows": 2},
        {"rows": 0},
        {"planes": 0},
        {"planes": 4},
        {"rounding": 0},
        {"rounding": 6},
        {"out_height": 0},
        {"out_width": 0},
        {"block_count": 0},
        {"column_groups": 0},
        {"channel_period": 0},
        {"clamp_low": 5, "clamp_high": 4},
        {"clamp_low": -(1 << 9) - 1},
        {"clamp_high": 1 << 9},
        {"zero": 1 << 9},
        {"zero": -(1 << 9) - 1},
        {"wait_prev": 1},
        {"wait_next": 1},
        {"post_prev": 1},
        {"post_next": 1},
    ],
    ids=str,
)
def test_a_field_that_no_core_can_execute_is_an_illegal_instruction(assembler, fields):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2)
    machine = run_one(one_sum(assembler, config, **fields), code=1)
    assert (machine.fault, machine.fault_index, machine.done) == (Fault.ILLEGAL_INSTRUCTION, 0, False)


def test_clamps_beyond_a_table_are_an_illegal_instruction(assembler):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2, tables=1)
    looked_up = {"uneven": 0, "table": 1, "planes": 3}
    for clamps in ({"clamp_low": -128, "clamp_high": 5}, {"clamp_low": -5, "clamp_high": 128}):
        machine = run_one(one_sum(assembler, config, **looked_up, **clamps), code=1)
        assert (machine.fault, machine.fault_index) == (Fault.ILLEGAL_INSTRUCTION, 0)
    assert run_one(one_sum(assembler, config, **looked_up, clamp_low=-127, clamp_high=127), code=1).done


def test_a_compute_that_reads_what_it_writes_is_named(assembler):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2)
    with pytest.raises(MachineError, match="one COMPUTE reads and writes activation word 0"):
        run_one(one_sum(assembler, config, out_base=0), code=1)


@pytest.mark.parametrize(
    "words",
    [
        LOAD.encode({"opcode": Opcode.LOAD}),
        COMPUTE.encode({"opcode": Opcode.STORE}),
        END.encode({"opcode": 7}),
    ],
    ids=["LOAD", "STORE", "unknown"],
)
def test_an_opcode_without_its_unit_is_an_illegal_instruction(assembler, words):
    program = one_sum(assembler, AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2))
    program.instructions.insert(1, words)
    machine = run_one(program, code=1)
    assert (machine.fault, machine.fault_index) == (Fault.ILLEGAL_INSTRUCTION, 1)


def test_a_certificate_beyond_the_accumulator_stops_the_core(assembler):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2, acc_bits=14)
    machine = run_one(one_sum(assembler, config, cert_bits=15), code=1)
    assert (machine.fault, machine.fault_index) == (Fault.CERTIFICATE, 0)
    assert run_one(one_sum(assembler, config, cert_bits=14), code=1).done


def test_another_configuration_stops_the_core(assembler):
    program = one_sum(assembler, AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2))
    machine = IsaMachine(program.config)
    program.load(machine)
    machine.program_config ^= 1
    machine.run()
    assert (machine.fault, machine.fault_index, machine.done) == (Fault.CONFIG_MISMATCH, 0, False)


def test_a_fault_is_sticky_until_cleared(assembler):
    program = one_sum(assembler, AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2))
    machine = IsaMachine(program.config)
    program.load(machine)
    machine.watchdog = 1
    machine.run()
    assert machine.fault is Fault.WATCHDOG
    machine.watchdog = 0
    machine.run()
    assert machine.fault is Fault.WATCHDOG
    machine.clear()
    machine.run()
    assert (machine.fault, machine.done) == (Fault.NONE, True)


def test_a_patched_instruction_takes_effect(assembler):
    program = one_sum(assembler, AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2))
    machine = run_one(program, code=1)
    machine.write_words(Region.INSTRUCTIONS, 0, np.array([[Opcode.END]], dtype=np.uint32))
    machine.run()
    assert (machine.done, machine.counts.busy) == (True, 0)


def test_pointing_beyond_a_memory_is_named(assembler):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2)
    with pytest.raises(MachineError, match="weight word 2048 is asked for, the memory has 2048"):
        run_one(one_sum(assembler, config, weight_base=2048), code=1)
    with pytest.raises(MachineError, match="blocks 128 to 128 are asked for, the memory has 128"):
        run_one(one_sum(assembler, config, first_block=128), code=1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"out_width": 8192}, "out_width is 8192, the core counts to 8191"),
        ({"out_height": 8192}, "out_height is 8192, the core counts to 8191"),
        ({"out_granule": 4}, "out_granule is 4, the core counts to 3"),
        ({"rounding": 1, "clamp_low": -1, "clamp_high": 2}, "clamp_high is 2, which is no level of rounding 1"),
        ({"rounding": 1, "clamp_low": -2, "clamp_high": 1}, "clamp_low is -2, which is no level of rounding 1"),
        ({"rounding": 3, "clamp_high": 5}, "clamp_high is 5, which is no level of rounding 3"),
    ],
    ids=str,
)
def test_fields_beyond_what_a_core_counts_are_named(assembler, fields, message):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2, act_words=4096)
    with pytest.raises(MachineError, match=message):
        run_one(one_sum(assembler, config, **fields), code=1)


@pytest.mark.parametrize(
    ("borders", "message"),
    [
        ([{"left": 1}, {}], "the planes of a window position of a MAX need different borders"),
        ([{"left": 1}, {"left": 1}], "a MAX has a pixel without a window position inside its tensor"),
    ],
)
def test_a_max_of_torn_or_missing_positions_is_named(assembler, borders, message):
    program = assembler(CONFIGS["narrow"])
    for place, border in enumerate(borders):
        program.tap(offset=place, **border)
    program.block(tap_count=2)
    program.compute(mode=Mode.MAX, planes=2, out_height=1, out_width=1, out_base=OUT_BASE)
    program.end()
    with pytest.raises(MachineError, match=message):
        run_one(program, code=1)


@pytest.mark.parametrize("flag", ["fixed", "constant"])
def test_a_max_of_a_fixed_or_constant_block_is_named(assembler, flag):
    program = assembler(AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2, dynamic=1))
    program.tap()
    program.block(tap_count=1, **{flag: 1})
    program.compute(mode=Mode.MAX, out_height=1, out_width=1, out_base=100)
    program.end()
    with pytest.raises(MachineError, match="the block of a MAX is fixed or constant"):
        run_one(program, code=1)


def test_bits_of_a_pad_code_above_a_base_code_are_ignored(assembler):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2)
    words = []
    for pad_code in (5, 0xF5):
        program = one_sum(assembler, config)
        program.taps.clear()
        program.tap(left=1)
        program.blocks.clear()
        program.block(tap_count=1, pad_code=pad_code)
        words.append(run_one(program, code=1).read_words(Region.ACTIVATIONS, 100, 1).tolist())
    assert words[0] == words[1] != [[0]]


def test_a_compute_that_outlasts_the_watchdog_is_stopped_before_it_is_planned(assembler):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2, act_words=65536)
    machine = IsaMachine(config)
    one_sum(assembler, config, out_height=65535, out_width=65535).load(machine)
    machine.write_words(Region.CHECKSUMS, 0, np.array([[77]], dtype=np.uint32))
    machine.watchdog = 1000
    machine.run()
    assert (machine.fault, machine.fault_index) == (Fault.WATCHDOG, 0)
    assert machine.read_words(Region.CHECKSUMS, 0, 1).tolist() == [[77]]


def test_a_compute_that_the_watchdog_stops_has_no_checksum(assembler):
    program = one_sum(assembler, AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2))
    machine = IsaMachine(program.config)
    program.load(machine)
    machine.watchdog = 20
    machine.run()
    assert (machine.fault, machine.read_words(Region.CHECKSUMS, 0, 1).tolist()) == (Fault.WATCHDOG, [[0]])


def test_a_program_without_end_is_named(assembler):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2, instructions=4)
    program = one_sum(assembler, config)
    program.instructions[1:] = program.instructions[:1] * 3
    with pytest.raises(MachineError, match="the program has no END"):
        run_one(program, code=1)


def test_a_level_that_the_planes_cannot_hold_is_named(assembler):
    config = AcceleratorConfig(rows=1, columns=2, lanes=8, rescalers=2)
    with pytest.raises(MachineError, match="5 is not a level of dybit4: the output has 1 planes"):
        run_one(one_sum(assembler, config, uneven=0, clamp_low=0, clamp_high=7), code=1)
