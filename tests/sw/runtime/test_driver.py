"""The driver over the ISA model: results, faults with names, layer dumps, few transport operations."""

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.hw.spec.isa import COMPUTE, INSTRUCTION_WORDS
from narrows.hw.spec.registers import MAGIC, Region, Register
from narrows.sim.expected import expected_checksums
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.errors import InputError, ProgramError, ProgramMismatch
from narrows.sw.runtime import Driver, TransportError, run_sync


class CountingTransport(IsaTransport):
    """Counts operations and words, and can replace what a register reads as."""

    def __init__(self, config):
        super().__init__(config)
        self.operations, self.words, self.replaced = 0, 0, {}

    async def write(self, address, values):
        self.operations, self.words = self.operations + 1, self.words + len(values)
        await super().write(address, values)

    async def read(self, address, count):
        self.operations, self.words = self.operations + 1, self.words + count
        values = await super().read(address, count)
        for register, value in self.replaced.items():
            if address <= register.offset < address + 4 * count:
                values[(register.offset - address) // 4] = value
        return values


@pytest.fixture
def transport(tiny_program):
    return CountingTransport(tiny_program.config)


@pytest.fixture
def driver(transport, tiny_program):
    return Driver(transport, tiny_program.config)


@pytest.fixture
def golden(tiny_program, tiny_levels):
    tensors = GoldenModel(tiny_program.graph, tiny_program.config).run(tiny_levels[np.newaxis])
    return {name: levels[0] for name, levels in tensors.items()}


def patched(program, index, **fields):
    """The program with fields of one instruction replaced."""
    instructions = program.instructions.copy()
    decoded = dict(COMPUTE.decode(instructions[index].tolist()))
    instructions[index] = COMPUTE.encode(decoded | fields)
    return dataclasses.replace(program, instructions=instructions)


def test_a_sample_gives_what_the_golden_model_says(driver, tiny_program, tiny_levels, golden):
    run_sync(driver.load(tiny_program))
    for _ in range(2):
        result = run_sync(driver.infer(tiny_levels))
        assert list(result.outputs) == ["pooled"]
        np.testing.assert_array_equal(result.outputs["pooled"], golden["pooled"])
        assert result.checksums == expected_checksums(tiny_program, golden)
    # 15 groups of 2 pixels, 2 tiles of 9 taps each; 6 pixels, 2 groups, 4 taps
    assert result.busy == 15 * 2 * 9 + 6 * 2 * 4
    assert result.cycles >= result.busy


def test_every_layer_can_be_dumped(driver, tiny_program, tiny_levels, golden):
    run_sync(driver.load(tiny_program))
    run_sync(driver.infer(tiny_levels))
    before = [run_sync(driver.infer(tiny_levels)).checksums]
    for index, name in enumerate(["features", "pooled"]):
        run_sync(driver.run_until(index))
        np.testing.assert_array_equal(run_sync(driver.dump(name)), golden[name])
    np.testing.assert_array_equal(run_sync(driver.dump("image")), tiny_levels)
    assert run_sync(driver.infer(tiny_levels)).checksums == before[0]


def test_run_until_stops_behind_the_instruction(driver, transport, tiny_program, tiny_levels):
    run_sync(driver.load(tiny_program))
    run_sync(driver.infer(tiny_levels))
    layout = tiny_program.layouts["pooled"]
    transport.machine.write_words(Region.ACTIVATIONS, layout.base, np.zeros((layout.size, 1), dtype=np.uint32))
    run_sync(driver.run_until(0))
    assert not run_sync(driver.dump("pooled")).any()
    words = transport.machine.read_words(Region.INSTRUCTIONS, 0, 3 * INSTRUCTION_WORDS)[:, 0]
    np.testing.assert_array_equal(words, tiny_program.instructions.reshape(-1))


def test_a_sample_takes_few_operations_and_words(driver, transport, tiny_program, tiny_levels):
    run_sync(driver.load(tiny_program))
    assert transport.operations <= 10
    transport.operations = transport.words = 0
    run_sync(driver.infer(tiny_levels))
    # input, START, STATUS, counters, output, checksums
    assert transport.operations == 6
    assert transport.words == 30 + 1 + 1 + 4 + 12 + 2
    transport.operations = transport.words = 0
    run_sync(driver.answer(tiny_levels))
    assert transport.operations == 4
    assert transport.words == 30 + 1 + 1 + 12


def test_a_load_replaces_what_was_in_the_memories(driver, transport, tiny_program):
    transport.machine.write_words(Region.ACTIVATIONS, 0, np.full((256, 1), 0x7777, dtype=np.uint32))
    run_sync(driver.load(tiny_program))
    assert not transport.machine.read_words(Region.ACTIVATIONS, 0, 256).any()
    for region, words in tiny_program.memories.items():
        np.testing.assert_array_equal(transport.machine.read_words(region, 0, len(words)), words)


def test_a_program_for_another_configuration_is_refused(tiny_program):
    config = PRESETS["small"]
    driver = Driver(IsaTransport(config), config)
    message = (
        rf"^the program was compiled for configuration {tiny_program.config.hash32:08x}, "
        rf"the core has configuration {config.hash32:08x} \(preset small\): compile the model"
    )
    with pytest.raises(ProgramMismatch, match=message):
        run_sync(driver.load(tiny_program))


def test_a_core_of_another_configuration_is_refused(tiny_program):
    driver = Driver(IsaTransport(PRESETS["demo"]), tiny_program.config)
    own = tiny_program.config.hash32
    message = rf"^the core was generated from configuration .* \(preset demo\), not from configuration {own:08x}"
    with pytest.raises(ProgramMismatch, match=message):
        run_sync(driver.load(tiny_program))


@pytest.mark.parametrize(
    ("register", "value", "message"),
    [
        (Register.MAGIC, 0, f"there is no narrows core: MAGIC reads 0x00000000 instead of 0x{MAGIC:08x}"),
        (Register.VERSION, 1, "the core has version 1 of the contract, this is version 2: generate the core again"),
        (Register.STATUS, 1, "the core is busy with a run that somebody else started: reset it"),
    ],
)
def test_something_else_than_a_core_is_refused(driver, transport, tiny_program, register, value, message):
    transport.replaced[register] = value
    with pytest.raises(TransportError, match=f"^{message}$"):
        run_sync(driver.load(tiny_program))


@pytest.mark.parametrize(
    ("index", "fields", "message"),
    [
        (
            0,
            {"cert_bits": 40},
            r"core stopped: CERTIFICATE at instruction 0 \(layer conv\): its sums need more accumulator bits",
        ),
        (
            1,
            {"rows": 2},
            r"core stopped: ILLEGAL_INSTRUCTION at instruction 1 \(layer pool\): the core cannot execute it",
        ),
        (2, {"wait_prev": 1}, r"core stopped: ILLEGAL_INSTRUCTION at instruction 2: "),
    ],
)
def test_a_fault_names_cause_instruction_and_layer(driver, tiny_program, tiny_levels, index, fields, message):
    run_sync(driver.load(patched(tiny_program, index, **fields)))
    with pytest.raises(ProgramError, match=f"^{message}"):
        run_sync(driver.infer(tiny_levels))


def test_a_core_recovers_from_a_fault(driver, tiny_program, tiny_levels, golden):
    run_sync(driver.load(patched(tiny_program, 1, rows=0)))
    with pytest.raises(ProgramError):
        run_sync(driver.infer(tiny_levels))
    run_sync(driver.load(tiny_program))
    np.testing.assert_array_equal(run_sync(driver.infer(tiny_levels)).outputs["pooled"], golden["pooled"])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (3, r"CONFIG_MISMATCH at instruction 0 \(layer conv\): it was compiled for another configuration"),
        (4, r"WATCHDOG at instruction 0 \(layer conv\): it ran far longer than its program should take"),
        (99, "unknown fault 99 at instruction 0"),
    ],
)
def test_faults_of_other_causes_are_named(driver, transport, tiny_program, tiny_levels, fault, message):
    run_sync(driver.load(tiny_program))
    transport.replaced[Register.STATUS] = fault << 8 | 4
    with pytest.raises(ProgramError, match=f"^core stopped: {message}"):
        run_sync(driver.infer(tiny_levels))


def test_a_core_that_never_finishes_is_named(driver, transport, tiny_program, tiny_levels):
    run_sync(driver.load(tiny_program))
    transport.replaced[Register.STATUS] = 0
    with pytest.raises(TransportError, match=r"^the core did not finish: STATUS reads 0x00000000$"):
        run_sync(driver.infer(tiny_levels))


def test_wrong_levels_are_refused(driver, tiny_program, tiny_levels):
    run_sync(driver.load(tiny_program))
    with pytest.raises(InputError, match=r"integer levels of shape \(3, 5, 6\), not int64 of shape \(5, 6, 3\)"):
        run_sync(driver.infer(tiny_levels.transpose(1, 2, 0)))
    with pytest.raises(InputError, match="not float64 of shape"):
        run_sync(driver.infer(tiny_levels.astype(np.float64)))
    with pytest.raises(InputError, match="the input does not fit dybit4: 5 is not a level of dybit4"):
        run_sync(driver.infer(np.full_like(tiny_levels, 5)))


def test_use_before_load_is_refused(driver, tiny_program, tiny_levels):
    with pytest.raises(ValueError, match="load a program first"):
        run_sync(driver.infer(tiny_levels))
    run_sync(driver.load(tiny_program))
    with pytest.raises(ValueError, match="run a sample first"):
        run_sync(driver.run_until(0))
    with pytest.raises(ValueError, match="index must be 0 to 1, not 2"):
        run_sync(driver.run_until(2))


def test_a_program_without_end_is_refused(tiny_program):
    endless = dataclasses.replace(
        tiny_program, instructions=tiny_program.instructions[:2].copy(), layers=("conv", "pool"), parts=()
    )
    driver = Driver(IsaTransport(tiny_program.config), tiny_program.config)
    with pytest.raises(ProgramError, match="the program has no END"):
        run_sync(driver.load(endless))


def test_tensors_whose_lines_lie_apart_travel_whole(tiny_program, tiny_levels, golden):
    """Input with pitched lines, in phases, and wrapping over the end of the memory."""
    config = AcceleratorConfig(**{**tiny_program.config.to_dict(), "act_words": 256})
    layout = dataclasses.replace(tiny_program.layouts["image"], base=230, line=40, phases=(2, 1))
    program = dataclasses.replace(tiny_program, layouts=tiny_program.layouts | {"image": layout})
    driver = Driver(IsaTransport(config), config)
    run_sync(driver.load(program))
    run_sync(driver._write_input(tiny_levels))
    np.testing.assert_array_equal(run_sync(driver.dump("image")), tiny_levels)
