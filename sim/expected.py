"""Checksums that the golden model predicts for each instruction: engines are compared without reading tensors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..hw.spec.checksum import checksum
from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.isa import Opcode, decode_instruction
from ..hw.spec.semantics import max_pool
from ..sw.program import Program
from ..sw.quantised import MaxLayer
from .isa_geometry import drained_order, pixel_groups
from .isa_memory import fold_codes

__all__ = ["expected_checksums"]


def expected_checksums(program: Program, tensors: Mapping[str, ArrayLike]) -> tuple[int | None, ...]:
    """Checksum of each COMPUTE of a program for one sample.

    Parameters
    ----------
    program : Program
        Names every layer once.
    tensors : mapping of int arrays, shape (C, H, W)
        Levels of every tensor, from the golden model.

    Returns
    -------
    tuple of int or None
        Entry i belongs to ``program.layers[i]``. None: the instruction passes on lanes that nobody has written, so that
        its checksum depends on what the memory held before.

    Raises
    ------
    ValueError
        If a layer is split over several instructions.
    """
    layers = {layer.name: layer for layer in program.graph.layers}
    lanes = program.config.lanes
    # Levels of every lane that was written, channels beyond the last included.
    levels = np.asarray(tensors[program.graph.input.tensor])
    stored = {program.graph.input.tensor: np.pad(levels, ((0, -len(levels) % lanes), (0, 0), (0, 0)))}
    expected: list[int | None] = []
    seen: set[str] = set()
    for index, name in enumerate(program.layers):
        opcode, fields = decode_instruction(program.instructions[index].tolist())
        if opcode is Opcode.END:
            break
        if name in seen:
            raise ValueError(f"layer {name} is split over several instructions: its checksums cannot be predicted")
        seen.add(name)
        layer = layers[name]
        output = program.graph.tensors[layer.output]
        if isinstance(layer, MaxLayer):
            channels = fields["column_groups"] * lanes
            levels = max_pool(
                stored[layer.source][np.newaxis, :channels],
                kernel=layer.kernel,
                stride=layer.stride,
                pads=layer.pads,
                dilation=layer.dilation,
            )[0]
            stored[layer.output] = levels
            expected.append(_checksum(program.config, levels, fields, lanes, 1) if len(levels) == channels else None)
            continue
        idle = int(np.clip(output.zero, output.low, output.high))
        levels = np.full((fields["column_groups"] * program.config.columns, *output.shape[1:]), idle, dtype=np.int64)
        levels[: output.shape[0]] = np.asarray(tensors[layer.output])
        stored[layer.output] = levels
        expected.append(
            _checksum(program.config, levels, fields, program.config.rescalers, program.config.tile_granules)
        )
    return tuple(expected)


def _checksum(
    config: AcceleratorConfig, levels: NDArray[np.int64], fields: Mapping[str, int], width: int, pieces: int
) -> int:
    """Checksum of levels (channels, H, W) written ``pieces`` times ``width`` codes for each pixel and column group."""
    height, columns = levels.shape[1:]
    codes = config.digits.to_planes(levels, fields["planes"]).reshape(
        fields["planes"], -1, pieces, width, height * columns
    )
    group, row = pixel_groups(height, columns, fields["rows"], fields["wrap"])
    order = drained_order(group, row, codes.shape[1])
    ordered = codes.transpose(4, 1, 2, 0, 3).reshape(-1, pieces * fields["planes"] * width)[order]
    return checksum(fold_codes(ordered.reshape(-1, width), config.code_bits))
