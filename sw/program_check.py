"""A program read from a file, checked before anything walks over it: where tensors lie, what instructions refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..hw.spec.isa import BLOCK, IsaError, Opcode, decode_instruction
from ..hw.spec.layout import TensorLayout
from ..hw.spec.registers import Region, region_stride

if TYPE_CHECKING:
    from .program import Program

__all__ = ["check_program"]

_MOST_TILES = 2  # of pixels and column groups, for each word of the tensor: what lines and groups may be padded to


def check_program(program: Program) -> None:
    """Refuse what no compiler makes, where engines and reports count on it.

    What a core finds out by itself and answers with a fault (certificates, planes, the window) is not looked at.

    Raises
    ------
    ValueError
        If a tensor lies outside its memory or has another shape than its layout, or an instruction writes more than its
        layer's tensor or refers to blocks or taps that are not there.
    """
    for name in program.graph.tensors:
        _check_layout(program, name, program.layouts[name])
    outputs = {layer.name: program.graph.tensors[layer.output].shape for layer in program.graph.layers}
    for index, words in enumerate(program.instructions.tolist()):
        try:
            opcode, fields = decode_instruction(words)
        except IsaError as error:
            raise ValueError(f"instruction {index}: {error}") from error
        if opcode is Opcode.END:
            return
        if opcode is Opcode.COMPUTE:
            if not program.layers[index]:
                raise ValueError(f"instruction {index} is of no layer")
            _check_compute(program, index, fields, outputs[program.layers[index]])
    raise ValueError("it has no END")


def _check_layout(program: Program, name: str, layout: TensorLayout) -> None:
    config, shape = program.config, program.graph.tensors[name].shape
    stored = (layout.channels, layout.height, layout.width)
    if (unfold := layout.unfold) is not None:
        windows = unfold.channels * unfold.kernel[0] * unfold.kernel[1]
        positive = min(*unfold.kernel, *unfold.stride, *unfold.dilation) >= 1
        if not positive or windows != layout.channels or name != program.graph.input.tensor:
            raise ValueError(f"the windows of tensor {name!r} make no sense")
        stored = (unfold.channels, unfold.height, unfold.width)
    fits = layout.lanes == config.lanes and 1 <= layout.planes <= config.digits.most
    room = min(*layout.phases, layout.height, layout.width) >= 1 and min(layout.base, layout.gap) >= 0
    if stored != shape or not fits or not room:
        raise ValueError(f"the layout of tensor {name!r} is of another shape or configuration")
    if layout.line < -(-layout.width // layout.phases[1]) or layout.groups < -(-layout.channels // layout.lanes):
        raise ValueError(f"the layout of tensor {name!r} leaves it no room")
    if name in program.external:
        words = program.window_bytes // region_stride(config, Region.ACTIVATIONS)
        if not 0 <= program.external[name] <= program.window_bytes or layout.base + layout.size > words:
            raise ValueError(f"tensor {name!r} lies outside the window")
    elif layout.size > config.act_words:
        raise ValueError(f"tensor {name!r} does not fit the activation memory")


def _check_compute(program: Program, index: int, fields: Mapping[str, int], shape: tuple[int, int, int]) -> None:
    where, config = f"instruction {index}", program.config
    tiles = fields["out_height"] * fields["out_width"] * fields["column_groups"]
    words = shape[1] * shape[2] * -(-shape[0] // min(config.lanes, config.columns))
    if tiles > _MOST_TILES * words:
        raise ValueError(f"{where} writes far more than its layer's tensor")
    blocks = program.blocks[fields["first_block"] :][: fields["block_count"]]
    if len(blocks) < fields["block_count"]:
        raise ValueError(f"{where} refers to blocks that are not there")
    for block in blocks.tolist():
        record = BLOCK.decode(block)
        if record["first_tap"] + record["tap_count"] > len(program.taps):
            raise ValueError(f"{where} refers to taps that are not there")
