"""AcceleratorConfig: checks, derived widths, digest, files."""

import dataclasses
import hashlib
import itertools

import pytest
from narrows.hw.spec.config import PRESETS, PROTECTIONS, AcceleratorConfig, ConfigError, bases_of
from narrows.hw.spec.config_file import load_config
from narrows.hw.spec.formats import parse_format


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": 0}, "rows must be 1 to 32, not 0"),
        ({"rows": 33}, "rows must be 1 to 32, not 33"),
        ({"rows": 2.0}, "rows must be an integer, not 2.0"),
        ({"rows": True}, "rows must be an integer, not True"),
        ({"columns": 6}, r"columns must be 1 to 64 and a multiple of rescalers \(4\), not 6"),
        ({"columns": 68}, "columns must be 1 to 64"),
        ({"lanes": 12}, r"lanes must be a power of two from 2 to 64 and a multiple of rescalers \(4\), not 12"),
        ({"lanes": 2}, "lanes must be a power of two"),
        ({"lanes": 128}, "lanes must be a power of two"),
        ({"acc_bits": 11}, "acc_bits must be 12 to 32, not 11"),
        ({"acc_bits": 33}, "acc_bits must be 12 to 32, not 33"),
        ({"rescale_bits": 17}, "rescale_bits must be 2 to 16, or 32, not 17"),
        (
            {"rescale_bits": 32, "acc_bits": 31},
            "acc_bits, bias_bits and rescale_bits give a product of 64 bits: at most 63",
        ),
        ({"rescalers": 3}, "rescalers must be 1, 2, 4 or 8, not 3"),
        ({"drain_rows": 3}, r"drain_rows must be 1, 2 or 4 and at most rows \(4\), not 3"),
        ({"drain_rows": 4, "rows": 3}, r"drain_rows must be 1, 2 or 4 and at most rows \(3\), not 4"),
        ({"prefetch": 2}, "prefetch must be 0 or 1, not 2"),
        ({"max_pool": -1}, "max_pool must be 0 or 1, not -1"),
        ({"counters": 2}, "counters must be 0 or 1, not 2"),
        ({"dynamic": 2}, "dynamic must be 0 or 1, not 2"),
        ({"entry": 2}, "entry must be 0 or 1, not 2"),
        (
            {"dynamic": 1, "act_base": "int4"},
            "dynamic weights are activations: they need one base for both, not dybit4 for weights and int4 for act",
        ),
        ({"bias_bits": 7}, "bias_bits must be 8 to 32, or 0 for acc_bits, not 7"),
        ({"planes": 6}, "planes must be 1 to 5, or 0, not 6"),
        ({"rounds_to": "float4"}, "rounds_to: unknown number format 'float4': use"),
        ({"rounds_to": "e3m2"}, "rounds_to: e3m2 has levels to 448, the core writes levels to 287: set more planes"),
        ({"planes": 1, "rounds_to": "dybit8"}, "rounds_to: dybit8 has levels to 4096, the core writes"),
        ({"base": "int5"}, "base: a base format is signed and has 2 to 4 bits, not int5"),
        ({"weight_base": "int8"}, "weight_base: a base format is signed and has 2 to 4 bits, or is int5, not int8"),
        ({"act_base": "int5"}, "act_base: a base format is signed and has 2 to 4 bits, or is int8, not int5"),
        ({"act_base": "int8", "rescalers": 8, "columns": 8}, "rescalers must be 1, 2 or 4 with codes of 8 bits, not 8"),
        ({"base": "e2m3"}, "base: a base format is signed and has 2 to 4 bits, not e2m3"),
        ({"act_words": 100}, "act_words must be a power of two from 64 to 65536, not 100"),
        ({"weight_words": 8}, "weight_words must be 16 to 65536, not 8"),
        ({"param_words": 3}, "param_words must be 4 to 65536, not 3"),
        (
            {"columns": 64, "lanes": 64, "weight_words": 4096},
            "weight_words must be at most 2048: words of 16384 bits in a host's window of 4 MiB, not 4096",
        ),
        ({"tables": 16}, "tables must be 0 to 15, not 16"),
        ({"tables": 1, "planes": 2}, "tables are for integers to 127, which needs more planes than 2"),
        ({"taps": 2000}, "taps must be 16 to 1024, not 2000"),
        ({"blocks": 4}, "blocks must be 8 to 4096, not 4"),
        ({"instructions": 2}, "instructions must be 4 to 1024, not 2"),
        ({"tree_stage": 7}, "tree_stage must be 1 to 6, not 7"),
        ({"product_stage": 2}, "product_stage must be 0 or 1, not 2"),
        ({"lanes": 8, "dsp_lanes": 9}, r"dsp_lanes must be 0 to lanes \(8\), not 9"),
        (
            {"backing": "axi"},
            "backing must be 'none' or 'axi4', not 'axi'",
        ),
        ({"backing": 1}, "backing must be a string, not 1"),
    ],
)
def test_a_value_out_of_range_is_named(changes, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        AcceleratorConfig(**changes)


def test_derived_widths():
    config = AcceleratorConfig(
        rows=3, columns=8, lanes=16, rescalers=4, acc_bits=16, rescale_bits=4, bias_bits=20, planes=3, act_words=4096
    )
    assert config.macs == 3 * 8 * 16
    assert (config.banks_log2, config.banks) == (2, 4)
    assert (config.granules, config.tile_granules) == (4, 2)
    assert (config.act_word_bits, config.weight_word_bits, config.act_address_bits) == (64, 512, 12)
    assert (config.bias_width, config.sum_bits, config.value_bits) == (20, 21, 25)
    assert (config.shift_max, config.shift_bits) == (25, 5)
    assert (config.param_bits, config.param_word_bits) == (20 + 3 + 5, 4 * 28)
    assert AcceleratorConfig(acc_bits=16).bias_width == 16


def test_level_width_holds_native_codes_and_digit_planes():
    assert (AcceleratorConfig(planes=1).level_max, AcceleratorConfig(planes=1).level_bits) == (16, 6)
    assert AcceleratorConfig(planes=2).level_max >= 31
    assert AcceleratorConfig(planes=3).level_max >= 255
    assert AcceleratorConfig(planes=5).level_max >= 16384


@pytest.mark.parametrize(
    ("formats", "planes", "code_bits", "weight_bits", "product_bits", "shifts"),
    [
        ("dybit4", 3, 4, 4, 9, (3, 3, 3)),
        ("dybit3", 4, 4, 4, 5, (2, 2, 2)),
        ("dybit2xdybit4", 3, 4, 2, 5, (1, 3, 1)),
        ("dybit3xdybit4", 4, 4, 3, 7, (2, 2, 2)),
        ("int3xint4", 4, 4, 3, 5, (2, 2, 2)),
        ("dybit4xdybit2", 8, 2, 4, 5, (3, 1, 1)),
        ("dybit2xint8", 1, 8, 2, 8, (1, 7, 1)),
        ("dybit4xint8", 1, 8, 4, 12, (3, 6, 3)),
        ("int5xint8", 1, 8, 5, 11, (4, 4, 4)),
    ],
)
def test_bases_of_weights_and_activations(formats, planes, code_bits, weight_bits, product_bits, shifts):
    config = AcceleratorConfig(**bases_of(formats))
    assert config.formats == formats
    assert (config.planes, config.code_bits, config.weight_bits) == (planes, code_bits, weight_bits)
    assert config.product_bits == product_bits
    assert (config.weight_digits.shift, config.digits.shift, config.digit_shift) == shifts
    assert config.weight_word_bits == config.columns * config.lanes * weight_bits
    assert config.act_word_bits == config.lanes * code_bits


def test_one_row_needs_one_bank():
    assert AcceleratorConfig(rows=1).banks == 1


def test_the_digest_depends_on_every_parameter_that_programs_depend_on():
    base = AcceleratorConfig()
    others = {
        "base": "int4",
        "weight_base": "dybit3",
        "act_base": "int8",
        "rows": 2,
        "columns": 8,
        "lanes": 8,
        "acc_bits": 20,
        "rescale_bits": 8,
        "rescalers": 2,
        "drain_rows": 2,
        "bias_bits": 20,
        "planes": 2,
        "rounds_to": "dybit+e2m1",
        "act_words": 2048,
        "weight_words": 1024,
        "param_words": 128,
        "tables": 2,
        "taps": 128,
        "blocks": 64,
        "instructions": 32,
        "tree_stage": 1,
        "product_stage": 1,
        "backing": "axi4",
        "bus_bits": 32,
        "dsp_lanes": 4,
        "prefetch": 0,
        "max_pool": 0,
        "dynamic": 1,
        "counters": 0,
    }
    single = dataclasses.replace(base, max_pool=0, memories="single")
    beside = {
        **{"host": "wishbone", "uart_divisor": 100, "fabric": "ice40", "entry": 1},
        **{"frame_bytes": 1024, "streams": 1},
    }
    booting = {"boot": 1, "flash_offset": 0x20000, "flash_divisor": 2}
    for name, value in (("protection", "secded"), ("gated", 1)):
        assert dataclasses.replace(base, **{name: value}).digest == base.digest
    assert {*others, *beside, *booting, "memories", "protection", "gated"} == {
        field.name for field in dataclasses.fields(AcceleratorConfig)
    }
    framed = dataclasses.replace(base, frame_bytes=64)
    assert {dataclasses.replace(framed, **{name: value}).digest for name, value in beside.items()} == {base.digest}
    assert dataclasses.replace(base, **booting).digest == base.digest
    digests = {base.digest} | {dataclasses.replace(base, **{name: value}).digest for name, value in others.items()}
    assert len(digests | {single.digest}) == len(others) + 2
    assert AcceleratorConfig().digest == base.digest
    alone = dataclasses.replace(base, columns=16)
    assert alone.hash32 == int(alone.digest, 16) >> 224


@pytest.mark.parametrize(
    ("columns", "lanes", "diagonals"), [(4, 16, 4), (8, 16, 2), (16, 16, 1), (16, 4, 1), (12, 16, 1), (1, 4, 4)]
)
def test_cores_whose_column_groups_share_weight_words_are_no_others(columns: int, lanes: int, diagonals: int) -> None:
    config = AcceleratorConfig(columns=columns, lanes=lanes, rescalers=1)
    assert config.diagonals == diagonals
    assert (config.hash32 == int(config.digest[:8], 16)) == (diagonals == 1)


def test_the_digest_of_a_machine_does_not_change_when_parameters_are_added():
    values = b'{"acc_bits": 20, "base": "int4"}'
    assert AcceleratorConfig(base="int4", acc_bits=20, host="uart").digest == hashlib.sha256(values).hexdigest()


def test_a_single_port_rules_out_what_needs_two():
    single = {"rows": 2, "columns": 2, "lanes": 4, "rescalers": 1, "max_pool": 0, "memories": "single"}
    assert AcceleratorConfig(**single).memories == "single"
    for change, message in (
        ({"drain_rows": 2}, "memories must be 'dual' with several drain rows, not 'single'"),
        (
            {"rows": 32, "columns": 4},
            "memories must be 'dual' beyond 256 multiply-accumulate units, not 'single'",
        ),
        ({"lanes": 2}, "memories must be 'dual' unless words take whole 16 bits and granules whole 4, not 'single'"),
        ({"weight_words": 20000}, "weight_words must be at most 16384, not 20000"),
        ({"act_words": 65536}, "act_words must be at most 16384 a bank, not 65536"),
    ):
        with pytest.raises(ConfigError, match=message):
            AcceleratorConfig(**single | change)


def test_options_combine():
    shape = {"rows": 4, "columns": 4, "lanes": 8, "rescalers": 2}
    for options in itertools.product(
        ({"memories": "single"}, {"drain_rows": 2}, {"drain_rows": 4}),
        ({"backing": "none"}, {"backing": "axi4"}),
        ({"max_pool": 0}, {"max_pool": 1}),
        ({"prefetch": 0}, {"prefetch": 1}),
        ({"counters": 0}, {"counters": 1}),
    ):
        wanted = shape | {name: value for option in options for name, value in option.items()}
        assert AcceleratorConfig(**wanted).to_dict().items() >= wanted.items()
    assert AcceleratorConfig(rows=8, columns=16, lanes=16, rescalers=4, drain_rows=4, backing="axi4").spread


def test_dictionaries_round_trip():
    config = PRESETS["demo"]
    assert AcceleratorConfig.from_dict(config.to_dict()) == config
    message = r"unknown parameter 'row': did you mean rows\? The parameters are base, weight_base, act_base, rows"
    with pytest.raises(ConfigError, match=message):
        AcceleratorConfig.from_dict({"row": 1})


def test_a_file_may_start_from_a_preset(tmp_path):
    path = tmp_path / "core.toml"
    path.write_text('preset = "demo"\nrows = 2\n')
    assert load_config(path) == dataclasses.replace(PRESETS["demo"], rows=2)
    path.write_text("lanes = 8\n")
    assert load_config(path) == AcceleratorConfig(lanes=8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('preset = "huge"', "unknown preset 'huge' in .*: the presets are tiny, small"),
        ("preset = []", r"unknown preset \[\] in "),
        ("preset = { a = 1 }", "unknown preset {'a': 1} in "),
        ('rows = "4"', "rows must be an integer, not '4'"),
        ("rows = true", "rows must be an integer, not True"),
        ("base = 4", "base must be a string, not 4"),
        ("rows = ", "cannot read configuration .*core.toml: "),
        ("rows = 99", "rows must be 1 to 32, not 99"),
        ("colour = 1", "unknown parameter 'colour'"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, message):
    path = tmp_path / "core.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read configuration .*none.toml: "):
        load_config(tmp_path / "none.toml")


def test_a_core_rounds_to_dybit_or_to_the_minifloat_that_is_its_base():
    for base, others in (("dybit4", ["dybit8"]), ("int4", ["dybit4"]), ("e2m1", ["e3m1"])):
        config = AcceleratorConfig(base=base, planes=5)
        rounded = [name for name in ("int8", "dybit4", "dybit8", "e2m1", "ue2m2") if config.rounds(parse_format(name))]
        assert rounded == ["int8", "e2m1"] if base == "e2m1" else ["int8", "dybit4", "dybit8"]
        assert all(config.rounds(parse_format(name)) for name in others)
    both = AcceleratorConfig(base="e2m1", rounds_to="dybit4+ue2m2")
    assert [name for name in ("dybit4", "dybit3", "e2m1", "e2m2") if both.rounds(parse_format(name))] == [
        "dybit4",
        "e2m2",
    ]


def test_dynamic_weights_leave_digest_and_build_of_other_cores_alone() -> None:
    plain, dynamic = AcceleratorConfig(), AcceleratorConfig(dynamic=1)
    assert plain.digest == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert plain.build32 == 3977312410
    assert dynamic.digest != plain.digest and dynamic.build32 != plain.build32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"boot": 2}, "boot must be 0 or 1, not 2"),
        ({"boot": 1}, "flash_divisor must be 1 to 16, not 0"),
        ({"boot": 1, "flash_divisor": 17}, "flash_divisor must be 1 to 16, not 17"),
        ({"flash_divisor": 1}, "flash_divisor must be 0 without boot, not 1"),
        ({"flash_offset": 256}, "flash_offset must be 0 without boot, not 256"),
        ({"boot": 1, "flash_divisor": 1, "flash_offset": 1 << 24}, "flash_offset must be a multiple of 256 from 0 to"),
        ({"boot": 1, "flash_divisor": 1, "flash_offset": 100}, "flash_offset must be a multiple of 256 from 0 to"),
        ({"boot": 1, "flash_divisor": 1, "backing": "axi4"}, "boot must be 0 in a core with a backing store, not 1"),
    ],
)
def test_a_core_boots_from_a_flash_or_says_nothing_of_one(values, message):
    with pytest.raises(ConfigError, match=message):
        AcceleratorConfig(**values)


def test_a_core_that_does_not_boot_is_the_one_it_was():
    assert AcceleratorConfig().build32 == AcceleratorConfig.from_dict({"boot": 0}).build32
    assert AcceleratorConfig().build32 != AcceleratorConfig(boot=1, flash_divisor=1).build32


def test_a_core_with_one_clock_is_the_one_it_was():
    assert AcceleratorConfig().build32 == AcceleratorConfig.from_dict({"gated": 0}).build32
    assert AcceleratorConfig().build32 != AcceleratorConfig(gated=1).build32
    with pytest.raises(ConfigError, match="gated must be 0 or 1, not 2"):
        AcceleratorConfig(gated=2)


@pytest.mark.parametrize("bits", [32, 64, 128])
def test_a_beat_of_the_bus_has_an_eighth_as_many_bytes_as_bits(bits):
    assert AcceleratorConfig(backing="axi4", bus_bits=bits).bus_bytes == bits // 8


def test_a_core_without_check_bits_is_the_one_it_was():
    plain = AcceleratorConfig()
    assert plain.build32 == 3977312410
    assert len({dataclasses.replace(plain, protection=name).build32 for name in PROTECTIONS}) == len(PROTECTIONS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"protection": "crc"}, "protection must be one of none, parity, secded, not 'crc'"),
        (
            {"memories": "single"},
            "protection must be 'none' with memories = 'single': their words have no",
        ),
        ({"frame_bytes": 64, "streams": 1}, "protection must be 'none' with streams: a word of an answer may be found"),
        ({"entry": 1}, "protection must be 'none' with entry: what another program's run finds damaged"),
    ],
)
def test_check_bits_go_with_memories_of_two_ports_and_answers_that_wait(values, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        AcceleratorConfig(**{"protection": "parity"} | values)
