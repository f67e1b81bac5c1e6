"""Random programs of LOAD, STORE and COMPUTE on a small core, whose tokens leave no race."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import BLOCK, COMPUTE, LOAD, TAP, Mode, Opcode, Unit, encode_param
from narrows.hw.spec.registers import Region, region_beats, region_depth, region_stride
from narrows.sw.compile.tokens import Range, Work, assign_tokens
from numpy.typing import NDArray

__all__ = ["WINDOW_BASE", "WINDOW_BYTES", "RandomProgram", "random_program", "transfer_config"]

WINDOW_BASE, WINDOW_BYTES = 0x3000, 0x3000
_STORE = "backing store"


def transfer_config(
    bus_bits: int, *, lanes: int = 8, columns: int = 4, banks: int = 4, **options: Any
) -> AcceleratorConfig:
    """A small core with a backing store, and with other ``options`` of `AcceleratorConfig`."""
    return AcceleratorConfig(
        rows=banks,
        columns=columns,
        lanes=lanes,
        rescalers=2,
        planes=2,
        act_words=256,
        weight_words=64,
        param_words=32,
        taps=16,
        blocks=8,
        instructions=32,
        backing="axi4",
        bus_bits=bus_bits,
        **options,
    )


@dataclass
class RandomProgram:
    """A program as the host writes it: the memories' images, and the window's bytes as 32-bit words."""

    memories: dict[Region, NDArray[np.uint32]] = field(default_factory=dict)
    window: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))
    computes: tuple[int, ...] = ()


def random_program(config: AcceleratorConfig, seed: int) -> RandomProgram:
    """A race-free program of up to 24 instructions; equal for equal arguments."""
    rng = np.random.default_rng(seed)
    made = [_random_instruction(config, rng) for _ in range(int(rng.integers(3, 25)))]
    flags = assign_tokens([work for _, work in made])
    rows = [
        (LOAD if fields["opcode"] != Opcode.COMPUTE else COMPUTE).encode(fields | tokens)
        for (fields, _), tokens in zip(made, flags, strict=True)
    ]
    rows.append(COMPUTE.encode({"opcode": Opcode.END}))
    memories = {Region.INSTRUCTIONS: np.array(rows, dtype=np.uint32).reshape(-1, 1)}
    for region in (Region.WEIGHTS, Region.ACTIVATIONS):
        shape = region_depth(config, region), region_beats(config, region)
        memories[region] = _codes(rng, shape)
    memories[Region.PARAMS] = _params(config, rng, config.param_words)
    memories[Region.BLOCKS] = np.array([BLOCK.encode(_BLOCKS[n % len(_BLOCKS)]) for n in range(8)], dtype=np.uint32)
    memories[Region.TAPS] = np.array([TAP.encode({"offset": n}) for n in range(16)], dtype=np.uint32)
    window = _codes(rng, (WINDOW_BYTES // 4,))
    stride = region_stride(config, Region.PARAMS) // 4  # parameters must be valid wherever they are loaded from
    padded = np.zeros((_PARAM_BYTES // 4 // stride, stride), dtype=np.uint32)
    params = _params(config, rng, len(padded))
    padded[:, : params.shape[1]] = params
    window[: _PARAM_BYTES // 4] = padded.reshape(-1)
    computes = tuple(index for index, (fields, _) in enumerate(made) if fields["opcode"] == Opcode.COMPUTE)
    return RandomProgram(memories, window, computes)


_BLOCKS = ({"groups": 1, "tap_count": 1}, {"groups": 2, "tap_count": 3}, {"groups": 1, "tap_count": 9})
_PARAM_BYTES = 0x1000  # of the window: parameters, which no STORE overwrites


def _codes(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.uint32]:
    """Words of codes of small levels, none of them minus zero."""
    nibbles = rng.choice([0, 1, 2, 9, 10], size=(*shape, 8)).astype(np.uint32)
    return (nibbles << (4 * np.arange(8, dtype=np.uint32))).sum(axis=-1, dtype=np.uint32)


def _params(config: AcceleratorConfig, rng: np.random.Generator, count: int) -> NDArray[np.uint32]:
    words = np.zeros((count, region_beats(config, Region.PARAMS)), dtype=np.uint32)
    for word in words:
        value = 0
        for place in range(config.rescalers):
            entry = encode_param(
                int(rng.integers(-20, 20)),
                int(rng.integers(1 << (config.rescale_bits - 1), 1 << config.rescale_bits)),
                int(rng.integers(3, 8)),
                bias_width=config.bias_width,
                rescale_bits=config.rescale_bits,
                shift_bits=config.shift_bits,
            )
            value |= entry << (place * config.param_bits)
        word[:] = [value >> (32 * beat) & 0xFFFFFFFF for beat in range(len(word))]
    return words


def _random_instruction(config: AcceleratorConfig, rng: np.random.Generator) -> tuple[dict[str, int], Work]:
    kind = rng.choice(["load", "load", "store", "compute"])
    if kind == "compute":
        return _random_compute(config, rng)
    opcode = Opcode.LOAD if kind == "load" else Opcode.STORE
    regions = [Region.WEIGHTS, Region.PARAMS, Region.ACTIVATIONS] if kind == "load" else [Region.ACTIVATIONS]
    region = Region(int(rng.choice(regions)))
    depth, stride = region_depth(config, region), region_stride(config, region)
    low, high = (0, _PARAM_BYTES) if region is Region.PARAMS else (_PARAM_BYTES, WINDOW_BYTES)
    lines = int(rng.integers(1, 6))
    most = min(depth // lines, (high - low) // stride // lines)
    count = int(rng.integers(1, most + 1))
    pitch = int(rng.integers(count, max(count, depth // lines) + 1))
    span = (lines - 1) * pitch + count
    address = int(rng.integers(0, depth - span + 1))
    external_pitch = stride * int(rng.integers(count, max(count, (high - low) // stride // lines) + 1))
    external_span = (lines - 1) * external_pitch + count * stride
    external = low + stride * int(rng.integers(0, (high - low - external_span) // stride + 1))
    chip = (Range(region, address, address + span),)
    outside = (Range(_STORE, external, external + external_span),)
    fields = {
        "opcode": opcode,
        "memory": region,
        "address": address,
        "pitch": pitch,
        "external": external,
        "count": count,
        "lines": lines,
        "external_pitch": external_pitch,
    }
    if opcode is Opcode.LOAD:
        return fields, Work(unit=Unit.LOADER, reads=outside, writes=chip)
    return fields, Work(unit=Unit.STORER, reads=chip, writes=outside)


def _random_compute(config: AcceleratorConfig, rng: np.random.Generator) -> tuple[dict[str, int], Work]:
    """A MAC over neighbouring words into another part of the memory."""
    height, width = int(rng.integers(1, 4)), int(rng.integers(1, 12))
    block = int(rng.integers(0, 3))
    steps = _BLOCKS[block]["groups"] * _BLOCKS[block]["tap_count"]
    tiles = int(rng.integers(1, 3))
    pixels = height * width
    read = pixels + steps + config.rows
    half = config.act_words // 2
    source = int(rng.integers(0, half - read))
    group_pitch = pixels
    groups = -(-tiles * config.columns // config.lanes)
    target = half + int(rng.integers(0, half - groups * group_pitch))
    if rng.integers(2):
        source, target = source + half, target - half
    weight = int(rng.integers(0, config.weight_words - tiles * steps))
    param = int(rng.integers(0, config.param_words - tiles * config.tile_granules))
    fields = {
        "opcode": Opcode.COMPUTE,
        "mode": Mode.MAC,
        "wrap": 1,
        "rows": config.rows,
        "planes": 1,
        "uneven": 1,
        "rounding": 3,
        "out_height": height,
        "out_width": width,
        "first_block": block,
        "block_count": 1,
        "origin": source,
        "origin_step": config.rows,
        "column_groups": tiles,
        "channel_period": 1,
        "weight_base": weight,
        "weight_pitch": steps,
        "param_base": param,
        "out_base": target,
        "out_dx_even": 1,
        "out_dx_odd": 1,
        "out_dy_even": 1,
        "out_dy_odd": 1,
        "out_plane_pitch": pixels,
        "out_group_pitch": group_pitch,
        "clamp_low": -16,
        "clamp_high": 16,
        "cert_bits": config.acc_bits,
    }
    reads = (
        Range(Region.ACTIVATIONS, source, source + read),
        Range(Region.WEIGHTS, weight, weight + tiles * steps),
        Range(Region.PARAMS, param, param + tiles * config.tile_granules),
    )
    writes = (Range(Region.ACTIVATIONS, target, target + groups * group_pitch),)
    return fields, Work(unit=Unit.COMPUTE, reads=reads, writes=writes)
