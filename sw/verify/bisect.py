"""bisect: from a layer that differs down to its first wrong tile, element and cycle, and a waveform of that moment."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.isa import INSTRUCTION_WORDS, Mode, Opcode
from ..costs.timeline import timeline
from ..engines import EngineName
from ..program import Program
from .comparison import Comparison, Mismatch
from .waveform import Waveform, write_views

__all__ = ["Culprit", "bisect", "first_wrong"]

_BEFORE, _BEHIND = 200, 40  # cycles of the waveform around the wrong write
_UNIT = "bench.core.compute"
_SHOWN = (
    "bench.core.clk",
    "bench.core.sequencer.control__cycles",
    "bench.core.sequencer.index",
    f"{_UNIT}.unit__run",
    f"{_UNIT}.stepper.running",
    f"{_UNIT}.activations__address",
    f"{_UNIT}.activations__data",
    f"{_UNIT}.array.results__done",
    f"{_UNIT}.array.results__sums",
    f"{_UNIT}.drain.rows_left",
    f"{_UNIT}.drain.params__data",
    f"{_UNIT}.drain.granules__codes",
    f"{_UNIT}.writes__0__address",
    f"{_UNIT}.writes__0__data",
    f"{_UNIT}.writes__0__enable",
    f"{_UNIT}.writer.tile_ends",
)


@dataclass(frozen=True, kw_only=True)
class Culprit:
    """Where an engine first goes wrong.

    ``tile`` is (pixel group, column group) of instruction ``instruction``, ``element`` (c, y, x) of its tensor.
    ``cycle``, since the start of the run, is that of the wrong write; None where no waveform shows it, and
    ``cycles`` are then those of the whole instruction (first, last). ``files`` are the cropped waveform and its views.
    """

    engine: str
    sample: int
    layer: str
    tensor: str
    instruction: int
    tile: tuple[int, int]
    element: tuple[int, int, int]
    expected: int
    found: int
    cycles: tuple[int, int]
    cycle: int | None = None
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        when = f"cycle {self.cycle}" if self.cycle is not None else f"cycles {self.cycles[0]} to {self.cycles[1]}"
        group, column = self.tile
        return (
            f"{self.engine}, sample {self.sample}, layer {self.layer}, instruction {self.instruction}, "
            f"tile (pixel group {group}, column group {column}), element {self.element} of {self.tensor}, {when}: "
            f"{self.found} instead of {self.expected}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The culprit as JSON holds it."""
        return asdict(self)


def bisect(
    program: Program,
    comparison: Comparison,
    levels: NDArray[np.int64],
    *,
    folder: Path,
    simulator: str = "verilator",
) -> Culprit | None:
    """First wrong element of the earliest layer that differs; None where only checksums do.

    Where the simulated Verilog is at fault, the sample runs again up to that layer with a waveform, which is searched
    for the wrong write and cropped around it. ``folder`` then has ``first_difference`` with the endings ``.vcd``,
    ``.gtkw`` and ``.sucl``.

    Parameters
    ----------
    program : Program
    comparison : Comparison
        With mismatches.
    levels : array of int, shape (N, C, H, W)
        Samples that were compared.
    folder : Path
        Where the waveform goes; it is made where needed.
    simulator : str
        Waveforms come from ``"verilator"`` only.
    """
    mismatch = next((item for item in comparison.mismatches if item.index is not None), None)
    if mismatch is None:
        return None
    engine = EngineName(mismatch.engine)
    expected = comparison.runs[EngineName.GOLDEN].tensors[mismatch.tensor][mismatch.sample]
    found = comparison.runs[engine].tensors[mismatch.tensor][mismatch.sample]
    culprit = first_wrong(program, mismatch, expected, found)
    if engine is not EngineName.RTL or simulator != "verilator" or mismatch.tensor in program.external:
        return culprit
    with tempfile.TemporaryDirectory(prefix="narrows-waves-") as scratch:
        dump = _record(program, levels[mismatch.sample], culprit.layer, Path(scratch))
        waveform = Waveform(dump)
        seen = _first_write(program, waveform, culprit, expected)
        if seen is None:
            return culprit
        time, period, cycle, element = seen
        culprit = replace(_placed(_Writes(program, mismatch.layer), mismatch, element, expected, found), cycle=cycle)
        folder.mkdir(parents=True, exist_ok=True)
        cropped = folder / "first_difference.vcd"
        waveform.crop(cropped, max(0, time - _BEFORE * period), time + _BEHIND * period)
        views = write_views(waveform, cropped, _SHOWN, marker=time, begin=time - 40 * period)
    return replace(culprit, files=tuple(str(path) for path in (cropped, *views)))


def first_wrong(program: Program, mismatch: Mismatch, expected: NDArray[np.int64], found: NDArray[np.int64]) -> Culprit:
    """The first wrong element in the order in which a layer writes its elements, of tensors of shape (C, H, W)."""
    writes = _Writes(program, mismatch.layer)
    elements = [(c, y, x) for c, y, x in np.argwhere(expected != found).tolist()]
    return _placed(writes, mismatch, min(elements, key=writes.order), expected, found)


class _Writes:
    """The instructions that write a layer's output, and the order in which they do."""

    def __init__(self, program: Program, layer: str) -> None:
        self._program = program
        self._layer = next(item for item in program.graph.layers if item.name == layer)
        self._output = program.graph.tensors[self._layer.output]
        steps = timeline(program).steps
        self.steps = [step for step in steps if step.layer == layer and step.opcode is Opcode.COMPUTE]

    def order(self, element: tuple[int, int, int]) -> tuple[int, int, int, int]:
        """Position among the steps, pixel group, column group, and place in the tile of an element (c, y, x)."""
        config = self._program.config
        channel, y, x = self._summed(element)
        for number, step in enumerate(self.steps):
            fields = step.fields
            line, first_group = self._program.parts[step.index]
            per_group = config.lanes if fields["mode"] == Mode.MAX else config.columns
            inside, count = channel - first_group * per_group, fields["column_groups"] * per_group
            width = fields["out_width"]
            pixel = (y - line) * width + x
            if width > self._output.shape[2]:  # channel groups take the place of pixels
                pixel, inside = divmod(inside, count)
            if not (line <= y < line + fields["out_height"] and 0 <= inside < count and pixel < (y - line + 1) * width):
                continue
            rows = max(1, fields["rows"])
            group = pixel // rows
            if not fields["wrap"]:
                group = (y - line) * -(-width // rows) + pixel % width // rows
            return number, group, inside // per_group, pixel * per_group + inside % per_group
        raise ValueError(f"no instruction writes element {element} of {self._output.name}")

    def _summed(self, element: tuple[int, int, int]) -> tuple[int, int, int]:
        """Channel, line and column of the sums that an element (c, y, x) comes from; of a layer that enlarges, phases
        have whole column groups of channels."""
        channel, y, x = element
        (down, right), columns = self._layer.enlarge, self._program.config.columns
        groups = -(-self._output.shape[0] // columns)
        return (y % down * right + x % right) * groups * columns + channel, y // down, x // right


def _placed(
    writes: _Writes,
    mismatch: Mismatch,
    element: tuple[int, int, int],
    expected: NDArray[np.int64],
    found: NDArray[np.int64],
) -> Culprit:
    number, group, column, _ = writes.order(element)
    step = writes.steps[number]
    return Culprit(
        engine=mismatch.engine,
        sample=mismatch.sample,
        layer=mismatch.layer,
        tensor=mismatch.tensor,
        instruction=step.index,
        tile=(group, column),
        element=element,
        expected=int(expected[element]),
        found=int(found[element]),
        cycles=(step.begin, step.end - 1),
    )


def _record(program: Program, levels: NDArray[np.int64], layer: str, folder: Path) -> Path:
    """Waveform of a run that ends behind a layer."""
    from ...hw.core_verilog import CoreVerilog
    from ...sim.cosim.inference import run_program

    last = _Writes(program, layer).steps[-1].index
    end = np.zeros((1, INSTRUCTION_WORDS), dtype=np.uint32)
    short = replace(
        program,
        instructions=np.concatenate([program.instructions[: last + 1], end]),
        layers=(*program.layers[: last + 1], ""),
        parts=(*program.parts[: last + 1], (0, 0)),
    )
    run_program(short, levels[np.newaxis], verilog=CoreVerilog(program.config), work_folder=folder, waves=True)
    return folder / "dump.vcd"


def _first_write(
    program: Program, waveform: Waveform, culprit: Culprit, expected: NDArray[np.int64]
) -> tuple[int, int, int, tuple[int, int, int]] | None:
    """Time, length of a clock cycle, cycle and element of a layer's first write of a wrong code."""
    config, layout = program.config, program.layouts[culprit.tensor]
    codes = layout.pack(expected, config.digits)
    addresses = layout.addresses() % config.act_words
    places = {int(address): place for place, address in np.ndenumerate(addresses)}
    begin = _Writes(program, culprit.layer).steps[0].begin
    ports = [
        tuple(f"{_UNIT}.writes__{row}__{part}" for part in ("address", "data", "enable"))
        for row in range(config.drain_rows)
    ]
    names = ["bench.core.sequencer.control__cycles", *(name for port in ports for name in port)]
    before = 0
    for time, values in waveform.edges("bench.core.clk", names):
        period, before = time - before, time
        cycle = values["bench.core.sequencer.control__cycles"]
        if cycle < begin:
            continue
        for port in ports:
            address, data, enable = (values[name] for name in port)
            place = places.get(address) if enable else None
            if place is not None:
                lane = _wrong_lane(
                    program, codes[place], data, enable, channels=len(expected) - place[0] * config.lanes
                )
                if lane is not None:
                    return time, period, cycle, (place[0] * config.lanes + lane, place[2], place[3])
    return None


def _wrong_lane(program: Program, codes: NDArray[np.uint8], data: int, enable: int, *, channels: int) -> int | None:
    """First lane of a written word whose code is not the expected one, of those written that hold a channel."""
    config = program.config
    mask = (1 << config.code_bits) - 1
    for lane in range(min(config.lanes, channels)):
        if enable >> (lane // config.rescalers) & 1 and data >> (lane * config.code_bits) & mask != codes[lane]:
            return lane
    return None
