"""A literal reading of docs/machine.md, random graphs, and what they should compute: a check beside the simulators."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import BLOCK, TAP, Mode, Opcode, decode_instruction, decode_param
from narrows.hw.spec.rounding import ROUNDINGS
from narrows.hw.spec.words import unpack_codes
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.program import Program
from narrows.sw.quantised import MaxLayer, QuantisedGraph
from narrows.sw.runtime.driver import Driver
from narrows.sw.runtime.transport import run_sync
from numpy.typing import NDArray
from random_graphs import GraphBuilder, random_levels


class LiteralMachine:
    """Runs a program word by word, as the pseudo-code says; memories start as random codes."""

    def __init__(self, program: Program, seed: int) -> None:
        config = program.config
        self.config = config
        self.program = program
        self.digits = config.digits
        self.act = np.random.default_rng(seed).integers(
            0, 1 << config.digits.base.bits, (config.act_words, config.lanes)
        )
        self.blocks = [BLOCK.decode(row.tolist()) for row in program.blocks]
        self.taps = [TAP.decode(row.tolist()) for row in program.taps]
        self.weights = config.weight_digits.base.decode(
            unpack_codes(program.weights, config.columns * config.lanes, config.weight_bits)
        )
        self.params = [sum(int(beat) << 32 * i for i, beat in enumerate(row)) for row in program.params]

    def write(self, name: str, levels: NDArray[np.int64]) -> None:
        layout = self.program.layouts[name]
        self.act[layout.addresses() % self.config.act_words] = layout.pack(levels, self.digits)

    def read(self, name: str) -> NDArray[np.int64]:
        layout = self.program.layouts[name]
        return layout.unpack(self.act[layout.addresses() % self.config.act_words], self.digits)

    def step(self, index: int) -> None:
        opcode, f = decode_instruction(self.program.instructions[index].tolist())
        assert opcode is Opcode.COMPUTE
        assert f["cert_bits"] <= self.config.acc_bits
        assert 1 <= f["rows"] <= self.config.rows
        assert 1 <= f["planes"] <= self.config.planes
        assert not f["uneven"] or 1 <= f["rounding"] <= 15
        assert min(f["block_count"], f["column_groups"], f["channel_period"], f["out_height"], f["out_width"]) >= 1
        self._read: set[int] = set()
        self._written: set[int] = set()
        blocks = self.blocks[f["first_block"] : f["first_block"] + f["block_count"]]
        assert len(blocks) == f["block_count"]
        for pixels, origin in self._groups(f):
            if f["mode"] == Mode.MAX:
                self._max(f, blocks, pixels[0], origin)
            else:
                self._mac(f, blocks, pixels, origin)
        assert not self._read & self._written, "sources and destination overlap"

    def _groups(self, f):
        height, width, rows = f["out_height"], f["out_width"], f["rows"]
        origin = f["origin"]
        if f["wrap"]:
            everything = [(y, x) for y in range(height) for x in range(width)]
            for first in range(0, len(everything), rows):
                yield everything[first : first + rows], origin
                origin += f["origin_step"]
            return
        for y in range(height):
            for first in range(0, width, rows):
                yield [(y, x) for x in range(first, min(first + rows, width))], origin
                origin += f["origin_step"] if first + rows < width else f["origin_line"]

    def _valid(self, f, tap, pixel) -> bool:
        y, x = pixel
        ends = (y, f["out_height"] - 1 - y, x, f["out_width"] - 1 - x)
        sides = ("top", "bottom", "left", "right")
        return all(min(end, 15) >= tap[side] for end, side in zip(ends, sides, strict=True))

    def _channel(self, f, cg: int) -> int:
        return cg // f["channel_period"] * f["channel_step"]

    def _mac(self, f, blocks, pixels, origin: int) -> None:
        columns, lanes, bits = self.config.columns, self.config.lanes, self.config.acc_bits
        for cg in range(f["column_groups"]):
            acc = np.zeros((len(pixels), columns), dtype=np.int64)
            for place, block in enumerate(blocks):
                assert not (place == 0 and block["shift"])
                assert min(block["groups"], block["tap_count"]) >= 1
                if block["shift"]:
                    acc <<= self.config.digit_shift
                for g in range(block["groups"]):
                    for t in range(block["tap_count"]):
                        tap = self.taps[block["first_tap"] + t]
                        address = origin + self._channel(f, cg)
                        address += block["base"] + g * block["group_pitch"] + tap["offset"]
                        index = g if block["hold"] else g * block["tap_count"] + t
                        share = f["diagonal"] and lanes % columns == 0 and lanes > columns
                        row = cg // f["channel_period"] if share else cg
                        word = f["weight_base"] + row * f["weight_pitch"] + block["weight_base"] + index
                        w = self.weights[word].reshape(columns, lanes)
                        if share:
                            first = cg % f["channel_period"] % (lanes // columns) * columns
                            own = np.zeros_like(w)
                            own[:, first : first + columns] = w[:, first : first + columns]
                            w = own
                        for r, pixel in enumerate(pixels):
                            if self._valid(f, tap, pixel):
                                where = (address + r) % self.config.act_words
                                codes = self.act[where]
                                if w.any():
                                    self._read.add(where)
                            else:
                                codes = np.full(lanes, block["pad_code"])
                            acc[r] += w @ self.digits.base.decode(codes)
                acc = (acc + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
            for r, pixel in enumerate(pixels):
                self._drain(f, cg, pixel, acc[r])

    def _pixel(self, f, pixel) -> int:
        y, x = pixel
        per_line = sum(f["out_dx_odd" if i % 2 else "out_dx_even"] for i in range(f["out_width"] - 1))
        lines = sum(per_line + f["out_dy_odd" if i % 2 else "out_dy_even"] for i in range(y))
        return lines + sum(f["out_dx_odd" if i % 2 else "out_dx_even"] for i in range(x))

    def _drain(self, f, cg: int, pixel, acc) -> None:
        config = self.config
        levels = ROUNDINGS[f["rounding"]].levels if f["uneven"] else np.arange(-(2**15), 2**15)
        for j in range(config.tile_granules):
            word = self.params[f["param_base"] + cg * config.tile_granules + j]
            ys = []
            for channel in range(config.rescalers):
                bias, m, s = decode_param(
                    word >> channel * config.param_bits & (1 << config.param_bits) - 1,
                    bias_width=config.bias_width,
                    rescale_bits=config.rescale_bits,
                    shift_bits=config.shift_bits,
                )
                v = (int(acc[config.rescalers * j + channel]) + bias) * m
                h = (v >> (s - 1) if s else 2 * v) + 2 * f["zero"]
                allowed = levels[(levels >= f["clamp_low"]) & (levels <= f["clamp_high"])]
                distance = np.abs(2 * allowed - h)
                y = int(allowed[distance == distance.min()].max())
                ys.append(self._looked_up(f["table"], y) if f["table"] else y)
            q = f["out_granule"] + cg * config.tile_granules + j
            for d, codes in enumerate(self.digits.to_planes(ys, f["planes"])):
                where = f["out_base"] + self._pixel(f, pixel) + d * f["out_plane_pitch"]
                where += q // config.granules * f["out_group_pitch"]
                self._store(where, codes, q % config.granules * config.rescalers)

    def _looked_up(self, table: int, y: int) -> int:
        assert -127 <= y <= 127
        word = int(self.program.tables[256 * (table - 1) + (128 * (y < 0) | abs(y)), 0])
        sign = 1 << self.config.level_bits - 1
        return -(word - sign) if word & sign else word

    def _max(self, f, blocks, pixel, origin: int) -> None:
        (block,) = blocks
        assert block["groups"] == 1 and block["shift"] == 0 and f["rows"] == 1 and block["tap_count"] % f["planes"] == 0
        for cg in range(f["column_groups"]):
            levels, words = [], []
            for t in range(0, block["tap_count"], f["planes"]):
                taps = self.taps[block["first_tap"] + t : block["first_tap"] + t + f["planes"]]
                if self._valid(f, taps[0], pixel):
                    base = origin + self._channel(f, cg) + block["base"]
                    where = [(base + tap["offset"]) % self.config.act_words for tap in reversed(taps)]
                    self._read.update(where)
                    words.append(self.act[where])
                    places = 1 << self.digits.shift * np.arange(len(where))
                    levels.append(np.tensordot(places, self.digits.base.decode(words[-1]), axes=1))
            winner = np.argmax(levels, axis=0)
            for d in range(f["planes"]):
                codes = np.array(words)[winner, d, np.arange(self.config.lanes)]
                where = f["out_base"] + self._pixel(f, pixel) + d * f["out_plane_pitch"]
                self._store(where + cg * f["out_group_pitch"], codes, 0)

    def _store(self, where: int, codes, lane: int) -> None:
        self.act[where % self.config.act_words, lane : lane + len(codes)] = codes
        self._written.add(where % self.config.act_words)


def reference(
    graph: QuantisedGraph, levels: NDArray[np.int64], held: Mapping[str, NDArray[np.int64]] | None = None
) -> dict[str, NDArray[np.int64]]:
    """Levels of every tensor for one sample, by the definitions of `sw/quantised.py`; ``held`` are those of states."""
    values = {graph.input.tensor: levels, **(held or {})}
    for layer in graph.layers:
        tensor = graph.tensors[layer.output]
        if isinstance(layer, MaxLayer):
            windows = _windows(values[layer.source], -(1 << 40), layer.kernel, layer, tensor.shape[1:])
            values[layer.output] = windows.max(axis=(3, 4))
            continue
        down, right = layer.enlarge
        out = tensor.shape[1] // down, tensor.shape[2] // right
        acc = np.zeros((len(layer.bias), *out), dtype=np.int64)
        for segment in layer.segments:
            size = (segment.weights.shape[2], segment.weights.shape[3])
            zero = graph.tensors[segment.source].zero
            windows = _windows(values[segment.source], zero, size, segment, out)
            if segment.depthwise:
                acc += np.einsum("cyxab,cab->cyx", windows, segment.weights[:, 0])
            else:
                acc += np.einsum("iyxab,oiab->oyx", windows, segment.weights)
        bias, multiplicand, shift = (v[:, None, None] for v in (layer.bias, layer.multiplicand, layer.shift))
        scaled = (acc + bias) * multiplicand / 2.0**shift
        if (table := layer.table) is not None:
            integers = np.clip(np.floor(scaled + table.zero + 0.5), table.low, table.high).astype(np.int64)
            found = table.levels[integers + 127]
        else:
            found = np.clip(tensor.format.quantise(scaled + tensor.zero), tensor.low, tensor.high)
        values[layer.output] = np.zeros(tensor.shape, dtype=np.int64)
        for phase, (y, x) in enumerate(np.ndindex(down, right)):
            channels = slice(phase * tensor.shape[0], (phase + 1) * tensor.shape[0])
            values[layer.output][:, y::down, x::right] = found[channels]
    return values


def _windows(levels, padding: int, kernel, geometry, size) -> NDArray[np.int64]:
    """Array (C, oy, ox, ky, kx) of what each output pixel reads."""
    channels, height, width = levels.shape
    result = np.full((channels, *size, *kernel), padding, dtype=np.int64)
    top, left, bottom, right = getattr(geometry, "inset", (0, 0, 0, 0))
    for oy, ox, ky, kx in np.ndindex(*size, *kernel):
        if not (top <= oy < size[0] - bottom and left <= ox < size[1] - right):
            continue
        y = oy * geometry.stride[0] + ky * geometry.dilation[0] - geometry.pads[0]
        x = ox * geometry.stride[1] + kx * geometry.dilation[1] - geometry.pads[1]
        if 0 <= y < height and 0 <= x < width:
            result[:, oy, ox, ky, kx] = levels[:, y, x]
    return result


async def run_on_isa_model(program: Program, levels: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Every tensor, as the driver reads it right after the instruction that wrote it; outputs after the whole run."""
    driver = Driver(IsaTransport(program.config), program.config)
    await driver.load(program)
    values = dict((await driver.infer(levels)).outputs)
    last = {name: index for index, name in enumerate(program.layers)}
    for layer in program.graph.layers:
        if layer.output not in values:
            await driver.run_until(last[layer.name])
            values[layer.output] = await driver.dump(layer.output)
    return values


def check_program(program: Program, seed: int) -> dict[str, NDArray[np.int64]]:
    """Run a program on the literal machine and on the ISA model and compare every tensor with the reference.

    Returns the levels of every tensor.
    """
    program = Program.from_bytes(program.to_bytes())  # what files are checked for holds for all that is compiled
    graph = program.graph
    levels = random_levels(graph, np.random.default_rng(seed))
    expected = reference(graph, levels)
    for name, golden in GoldenModel(graph, program.config).run(levels[np.newaxis]).items():
        np.testing.assert_array_equal(golden[0], expected[name], err_msg=f"golden model, {name}, seed {seed}")
    machine = LiteralMachine(program, seed)
    machine.write(graph.input.tensor, levels)
    for layer in graph.layers:
        for index, name in enumerate(program.layers):
            if name == layer.name:
                machine.step(index)
        got = machine.read(layer.output)
        np.testing.assert_array_equal(got, expected[layer.output], err_msg=f"literal, {layer.name}, seed {seed}")
    for name in graph.output_tensors:
        np.testing.assert_array_equal(machine.read(name), expected[name], err_msg=f"literal, output, seed {seed}")
    for name, got in run_sync(run_on_isa_model(program, levels)).items():
        np.testing.assert_array_equal(got, expected[name], err_msg=f"ISA model, {name}, seed {seed}")
    return expected


@pytest.fixture(scope="session")
def check() -> Callable[[Program, int], dict[str, NDArray[np.int64]]]:
    """`check_program`."""
    return check_program


@pytest.fixture(scope="session")
def expected() -> Callable[..., dict[str, NDArray[np.int64]]]:
    """`reference`."""
    return reference


@pytest.fixture(scope="session")
def builder() -> Callable[..., GraphBuilder]:
    """Makes a `GraphBuilder` of a configuration and a seed."""
    return lambda config, seed: GraphBuilder(config, np.random.default_rng(seed))


@pytest.fixture(scope="session")
def small_config() -> AcceleratorConfig:
    """A core of 4 x 4 x 4 with accumulators wide enough for anything."""
    return AcceleratorConfig(rows=4, columns=4, lanes=4, rescalers=2, acc_bits=32, rescale_bits=8)
