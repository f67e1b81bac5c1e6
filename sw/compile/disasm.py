"""Disassembler: a program as text for people, every field by its name in the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...hw.spec.isa import BLOCK, TAP, Mode, Opcode, decode_instruction
from ...hw.spec.registers import Region
from ..names import printable
from ..program import Program

__all__ = ["disassemble"]

_GROUPS = {
    "pixels": ("out_height", "out_width", "rows", "wrap", "origin", "origin_step", "origin_line"),
    "tiles": ("column_groups", "channel_period", "channel_step", "first_block", "block_count", "early"),
    "weights": ("weight_base", "weight_pitch", "diagonal", "param_base", "cert_bits"),
    "output": (
        "out_base",
        "out_granule",
        "planes",
        "out_plane_pitch",
        "out_group_pitch",
        "out_dx_even",
        "out_dx_odd",
        "out_dy_even",
        "out_dy_odd",
    ),
    "rescale": ("uneven", "rounding", "zero", "clamp_low", "clamp_high", "table"),
}
_IGNORED_BY_MAX = ("weights", "rescale")
_MOVED = ("address", "pitch", "external", "external_pitch", "count", "lines")
_TOKENS = ("wait_prev", "wait_next", "post_prev", "post_next")


def disassemble(program: Program, name: str = "") -> str:
    """Readable listing of a program: memory use, tensors, and every instruction with its blocks and taps.

    Instructions have the numbers of their places in the memory. ``name`` is that of one of several resident programs.
    Taps are written as their offset and, in brackets, the borders they keep away from: ``-9[top 1 left 1]``. A run of
    taps is written where it is first used.
    """
    called = f"{name}: " if name else ""
    begins = f", from instruction {program.entry} on" if program.entry else ""
    lines = [f"{called}program {program.graph.name!r} for configuration {program.config.hash32:08x}{begins}", ""]
    lines += [*_memory_use(program), "", *_tensors(program)]
    shown: set[int] = set()
    for index, row in enumerate(program.instructions):
        lines += ["", *_instruction(program, index, row.tolist(), shown)]
    return "\n".join(map(printable, lines)) + "\n"


def _memory_use(program: Program) -> Iterator[str]:
    config = program.config
    inside = [layout for name, layout in program.layouts.items() if name not in program.external]
    words = max((layout.base + layout.size for layout in inside), default=0)
    uses = {
        "instructions": (len(program.instructions), config.instructions),
        "blocks": (len(program.blocks), config.blocks),
        "taps": (len(program.taps), config.taps),
        "parameter words": (len(program.params), config.param_words),
        "weight words": (len(program.weights), config.weight_words),
        "activation words": (words, config.act_words),
    }
    yield f"{'memory':<18}{'used':>7}{'of':>7}"
    for name, (used, available) in uses.items():
        yield f"{name:<18}{used:>7}{available:>7}{used / available:>7.0%}"


def _tensors(program: Program) -> Iterator[str]:
    width = max(len(name) for name in program.layouts)
    yield f"{'tensor':<{width}}  {'shape':<12} {'format':<8} planes phases  line groups  words"
    for name, layout in program.layouts.items():
        shape = f"{layout.channels}x{layout.height}x{layout.width}"
        phases = f"{layout.phases[0]}x{layout.phases[1]}"
        how = ["interleaved"] * layout.interleaved
        if layout.unfold is not None:
            how.append(f"unfolded {layout.unfold.kernel[0]}x{layout.unfold.kernel[1]}")
        yield (
            f"{name:<{width}}  {shape:<12} {program.graph.tensors[name].format.name:<8} {layout.planes:>6} {phases:>6} "
            f"{layout.line:>5} {layout.groups:>6}  {_place(program, name)}" + "".join(f" {word}" for word in how)
        )


def _place(program: Program, name: str) -> str:
    layout = program.layouts[name]
    if name in program.external:
        return f"{layout.size} from byte {program.external[name]} of the window"
    return f"{layout.base}..{layout.base + layout.size - 1}"


def _instruction(program: Program, index: int, words: list[int], shown: set[int]) -> Iterator[str]:
    opcode, fields = decode_instruction(words)
    mode = f" {Mode(fields['mode']).name}" if opcode is Opcode.COMPUTE else ""
    tokens = "".join(f" {name}" for name in _TOKENS if fields[name])
    yield f"{program.entry + index:>4}  {opcode.name}{mode}{tokens}  {program.layers[index]}".rstrip()
    if opcode in (Opcode.LOAD, Opcode.STORE):
        yield f"      {Region(fields['memory']).name.lower():<11} {_listed(fields, _MOVED)}"
    if opcode is not Opcode.COMPUTE:
        return
    for group, names in _GROUPS.items():
        if fields["mode"] == Mode.MAC or group not in _IGNORED_BY_MAX:
            names += ("fixed_step",) if group == "tiles" and fields["fixed_step"] else ()
            yield f"      {group:<9} {_listed(fields, names)}"
    for number in range(fields["first_block"], fields["first_block"] + fields["block_count"]):
        yield from _block(program, number, shown)


def _block(program: Program, number: int, shown: set[int]) -> Iterator[str]:
    fields = BLOCK.decode(program.blocks[number].tolist())
    names = ("base", "groups", "group_pitch", "weight_base", "shift", "hold", "pad_code")
    names += tuple(name for name in ("latch", "alike", "held", "fixed", "constant") if fields[name])
    first, count = fields["first_tap"], fields["tap_count"]
    yield f"      block {number:<3} {_listed(fields, names)} taps={first}..{first + count - 1}"
    fresh = [tap for tap in range(first, first + count) if tap not in shown]
    shown.update(fresh)
    for start in range(0, len(fresh), 9):
        taps = " ".join(_tap(program, tap) for tap in fresh[start : start + 9])
        yield f"        {f'tap {fresh[start]}':<7} {taps}"


def _tap(program: Program, index: int) -> str:
    fields = TAP.decode(program.taps[index].tolist())
    borders = " ".join(f"{side} {fields[side]}" for side in ("top", "bottom", "left", "right") if fields[side])
    return f"{fields['offset']:+d}" + (f"[{borders}]" if borders else "")


def _listed(fields: Mapping[str, int], names: tuple[str, ...]) -> str:
    return " ".join(f"{name}={fields[name]}" for name in names)
