"""Checksums that the golden model predicts for each instruction: engines are compared without reading tensors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..hw.spec.checksum import checksum
from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.isa import Mode, Opcode, decode_instruction
from ..hw.spec.pixels import drained_order, drained_pairs, pixel_groups
from ..sw.enlarging import apart
from ..sw.program import Program
from .isa_memory import fold_codes

__all__ = ["expected_checksums"]


def expected_checksums(program: Program, tensors: Mapping[str, ArrayLike]) -> tuple[int | None, ...]:
    """Checksum of each instruction before END of a program for one sample; 0 for a LOAD or STORE.

    Parameters
    ----------
    program : Program
    tensors : mapping of int arrays, shape (C, H, W)
        Levels of every tensor, from the golden model.

    Returns
    -------
    tuple of int or None
        Entry i belongs to ``program.layers[i]``. None: the instruction passes on lanes that nobody has written, so that
        its checksum depends on what the memory held before.
    """
    layers = {layer.name: layer for layer in program.graph.layers}
    config = program.config
    levels = np.asarray(tensors[program.graph.input.tensor])
    # Levels of every lane that was written, channels beyond the last included.
    stored = {program.graph.input.tensor: np.pad(levels, ((0, -len(levels) % config.lanes), (0, 0), (0, 0)))}
    # Lanes beyond a state's channels hold what host or layer wrote there last.
    stored |= {state.tensor: np.asarray(tensors[state.tensor]) for state in program.graph.states}
    for layer in program.graph.layers:
        levels = np.asarray(tensors[layer.output])
        stored[layer.output] = layer.lanes(levels, stored, program.graph.tensors, config)
    expected: list[int | None] = []
    for words, name, (line, group) in zip(program.instructions, program.layers, program.parts, strict=True):
        opcode, fields = decode_instruction(words.tolist())
        if opcode is Opcode.END:
            break
        if opcode is not Opcode.COMPUTE:
            expected.append(0)
            continue
        layer = layers[name]
        width, pieces = (config.lanes, 1) if fields["mode"] == Mode.MAX else (config.rescalers, config.tile_granules)
        first, count = group * width * pieces, fields["column_groups"] * width * pieces
        levels = apart(stored[layer.output][np.newaxis], layer.enlarge)[0, first:, line : line + fields["out_height"]]
        if fields["out_width"] > levels.shape[2]:  # channel groups take the place of pixels
            levels = levels.reshape(-1, count, 1)[: fields["out_width"]].transpose(1, 2, 0)
        levels = levels[:count]
        expected.append(_checksum(config, levels, fields, width, pieces) if len(levels) == count else None)
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
    pairs = drained_pairs(group, row, codes.shape[1], pieces * fields["planes"], config)
    ordered = codes.transpose(4, 1, 2, 0, 3).reshape(-1, pieces * fields["planes"] * width)[order]
    return checksum(fold_codes(ordered.reshape(-1, width)[pairs], config.code_bits))
