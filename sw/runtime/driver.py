"""Driver: loads a program into a core, runs samples and reads the results, over any transport."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.cycles import CycleCount
from ...hw.spec.isa import INSTRUCTION_WORDS, Opcode
from ...hw.spec.registers import (
    Control,
    Region,
    Register,
    Status,
    Stream,
    region_address,
    region_beats,
)
from ..errors import DamagedMemory, InputError, ProgramMismatch
from ..program import Program
from .arrival import close_streams, config_name, meet_core
from .booted import check_booted
from .counters import read_counters
from .faults import damaged_regions, fault_error
from .feed import Feed, feed_of
from .program_tensors import WINDOW_BASE, ProgramTensors
from .recorder import Recorder
from .run_result import RunResult
from .serving import Serving
from .survey import WATCHDOG_SLACK, survey
from .transport import Transport, TransportError
from .windows import to_burst, window_span

__all__ = ["Driver"]

_Result = TypeVar("_Result")

_ATTEMPTS = 3
"""Runs of a sample, each from memories filled anew, before damaged words are taken for a damaged core."""

_LAYING_OUT = 100  # cycles for a word of a frame's pixels, at most


class Driver:
    """One core behind a transport.

    Parameters
    ----------
    transport : Transport
    config : AcceleratorConfig
        The configuration that the core was generated from.

    Attributes
    ----------
    reruns : int
        Runs that found a damaged word, and were done again with all memories filled anew; of protected cores.
    """

    def __init__(self, transport: Transport, config: AcceleratorConfig) -> None:
        self.reruns = 0
        self._held: dict[str, NDArray[np.int64]] = {}
        self._transport = transport
        self._config = config
        self._program: Program | None = None
        self._computes: frozenset[int] = frozenset()
        self._end = 0
        self._limit = 0
        self._feed: Feed | None = None
        self._fed = False
        self._frame_bytes = 0
        self._streams = self._serving = False
        self._entry = 0
        self._ahead: NDArray[np.int64] | None = None
        self._levels: NDArray[np.int64] | None = None
        self._before: dict[str, NDArray[np.int64]] = {}
        self._tensors: ProgramTensors | None = None

    async def load(self, program: Program) -> None:
        """Check the core, fill its memories and clear its activations.

        Raises
        ------
        ProgramMismatch
            If the program was compiled for another configuration than the core's.
        TransportError
            If there is no core, or one of another version.
        """
        await self._prepare(program)
        await self._fill(program)
        await self.begin()

    async def _fill(self, program: Program) -> None:
        """Everything that the host writes of a program, and zeros where it writes nothing."""
        config = self._config
        await self._write_register(Register.CONTROL, Control.CLEAR)
        for region, words in program.memories.items():
            if len(words):
                await self._transport.write(region_address(config, region), to_burst(config, region, words))
        # What earlier programs left would show in the checksums of lanes that no layer writes.
        blank = np.zeros((config.act_words, region_beats(config, Region.ACTIVATIONS)), dtype=np.uint32)
        await self._transport.write(
            region_address(config, Region.ACTIVATIONS), to_burst(config, Region.ACTIVATIONS, blank)
        )
        if config.has_backing:
            window = np.zeros(program.window_bytes // 4, dtype=np.uint32)
            window[: len(program.backing)] = program.backing
            await self._transport.write_backing(WINDOW_BASE, window)
            await self._write_register(Register.WINDOW_BASE, WINDOW_BASE)
            await self._write_register(Register.WINDOW_LIMIT, program.window_bytes)
        await self._set_up(program)

    async def select(self, program: Program) -> None:
        """Go over to a program whose memories are filled already: runs begin at its first instruction (`Resident`). Its
        states are as they are.

        Raises
        ------
        ValueError
            If the core serves frames of its stream.
        ProgramMismatch
            If the core begins all runs at its first instruction.
        """
        self._loaded()
        if self._serving:
            raise ValueError("stop serving first: frames of the stream are those of the selected program")
        self._look_at(program)
        await self._set_up(program)

    async def attach(self, program: Program, *, fill: Callable[[Transport], Awaitable[None]] | None = None) -> None:
        """Take over a core that has loaded a program from its flash memory by itself: see that it is this one, and let
        a stream begin. Waits until the core has booted.

        Parameters
        ----------
        program : Program
        fill : callable, optional
            Does to a transport what the flash memory does to the core; :meth:`load` of this program without it.

        Raises
        ------
        ProgramMismatch
            If the core holds no program from its flash, or another one, or it is not for the core's configuration.
        TransportError
            As :meth:`load` does.
        """
        frame_bytes = await self._prepare(program)
        recorder = Recorder(dataclasses.replace(self._config, frame_bytes=frame_bytes))
        await (Driver(recorder, self._config).load(program) if fill is None else fill(recorder))
        await check_booted(self._transport, self._config, recorder)
        await self._write_register(Register.CONTROL, Control.CLEAR)
        await self._enter(program)  # a host may have selected another one since
        self._program = program
        await self.begin()

    async def _prepare(self, program: Program) -> int:
        """See that program and core go together, and the core is idle; gives the bytes of its frames."""
        config = self._config
        if program.config.digest != config.digest:
            raise ProgramMismatch(
                f"the program was compiled for {config_name(program.config.hash32)}, the core has "
                f"{config_name(config.hash32)}: compile the model for the core's configuration"
            )
        self._frame_bytes, self._streams, self._entry = await meet_core(self._transport, config)
        self._serving = False
        self._look_at(program)
        return self._frame_bytes

    def _look_at(self, program: Program) -> None:
        """Keep what has to be known of a program, and forget the one before."""
        self._program = None
        self._computes, self._end, self._limit = survey(program)
        self._levels = self._ahead = None
        self._before = {}
        self._tensors = ProgramTensors(self._transport, self._config, program)
        self._feed = feed_of(program, dataclasses.replace(self._config, frame_bytes=self._frame_bytes))

    async def _set_up(self, program: Program) -> None:
        """Write what a core has once and every program says for itself."""
        if self._feed is not None:
            for region, words in self._feed.memories.items():
                burst = to_burst(self._config, region, words)
                await self._transport.write(region_address(self._config, region), burst)
        await self._enter(program)
        await self._write_register(Register.PROGRAM_CONFIG, program.config.hash32)
        await self._write_register(Register.WATCHDOG, self._limit)
        self._program = program

    async def _enter(self, program: Program) -> None:
        """Let runs begin at a program's first instruction."""
        if program.entry != self._entry:
            await self._write_register(Register.ENTRY, program.entry)
            [self._entry] = (int(word) for word in await self._transport.read(Register.ENTRY.offset, 1))
        if program.entry != self._entry:
            raise ProgramMismatch("the core begins every run at its first instruction: generate it with entry = 1")

    async def begin(self) -> None:
        """Let a stream begin: every state holds what it holds at first."""
        self._held = {state.tensor: state.initial for state in self._loaded().graph.states}
        await self._write_states(self._held)

    async def infer(self, levels: ArrayLike, *, again: bool = False, following: ArrayLike | None = None) -> RunResult:
        """Run one sample; of a program with states the next frame of the stream.

        Parameters
        ----------
        levels : array of int, shape (C, H, W)
            Levels of the graph's input tensor.
        again : bool
            Remember what states hold before it, so that :meth:`run_until` can run the frame again.
        following : array of int, shape (C, H, W), optional
            Levels of the sample to be run next, which a core with a frame memory takes while it runs this one.

        Raises
        ------
        InputError
            If the shape is wrong or a level does not fit the input's planes.
        ProgramError
            If the core stops with a fault; the message names cause, instruction and layer.
        DamagedMemory
            If a protected core finds damaged words again and again.
        TransportError
            If it does not stop.
        """
        return await self._undamaged(lambda: self._infer(levels, again, following))

    async def _infer(self, levels: ArrayLike, again: bool, following: ArrayLike | None) -> RunResult:
        program = self._loaded()
        self._before = {state.tensor: await self.dump(state.tensor) for state in program.graph.states if again}
        await self._write_input(levels)
        await self._start(following)
        counts = await read_counters(self._transport, self._config)
        outputs = await self._outputs()
        checksums: tuple[int, ...] = ()
        if self._end:
            address, count = window_span(self._config, Region.CHECKSUMS, program.entry, self._end)
            entries = [int(value) for value in await self._transport.read(address, count)]
            checksums = tuple(entry if index in self._computes else 0 for index, entry in enumerate(entries))
        return RunResult(outputs=outputs, checksums=checksums, **vars(counts))

    async def answer(self, levels: ArrayLike, *, following: ArrayLike | None = None) -> dict[str, NDArray[np.int64]]:
        """Outputs of one sample and nothing else, with the fewest words over the transport; parameters and errors are
        those of :meth:`infer`."""
        return await self._undamaged(lambda: self._answer(levels, following))

    async def _answer(self, levels: ArrayLike, following: ArrayLike | None) -> dict[str, NDArray[np.int64]]:
        self._before = {}
        await self._write_input(levels)
        await self._start(following)
        return await self._outputs()

    async def _undamaged(self, run: Callable[[], Awaitable[_Result]]) -> _Result:
        """What a run gives; of a protected core nothing in which a damaged word was read: then all memories are filled
        anew, the states with what they held before, and it runs again."""
        if not self._config.is_protected:
            return await run()
        for left in reversed(range(_ATTEMPTS)):
            try:
                result = await run()
                held = {state.tensor: await self.dump(state.tensor) for state in self._loaded().graph.states}
                await self._see_sound()
            except DamagedMemory as error:
                if not left:
                    raise DamagedMemory(f"{error}; so it was in {_ATTEMPTS} runs in a row") from error
                self.reruns += 1
                self._ahead = None
                await self._fill(self._loaded())
                await self._write_states(self._held)
            else:
                self._held = held
                return result
        raise AssertionError("the last attempt returns or raises")

    async def serve(self, serving: Serving, *, counted: bool = False) -> None:
        """Let the core run every frame that its stream brings, and answer on its other one, until :meth:`stop_serving`
        or the next :meth:`load`. No samples are run from here meanwhile.

        Parameters
        ----------
        serving : Serving
            Of the program that is loaded.
        counted : bool
            A frame ends after its bytes, whatever TLAST says.

        Raises
        ------
        TransportError
            If the core has no streams.
        """
        self._loaded()
        if not self._streams:
            raise TransportError("the core has no streams: generate it with streams = 1")
        self._ahead = None
        words = serving.answer[np.newaxis]
        await self._transport.write(
            region_address(self._config, Region.ANSWER), to_burst(self._config, Region.ANSWER, words)
        )
        await self._write_register(Register.STREAM, Stream.ENABLE | (Stream.COUNTED if counted else 0))
        self._serving = True

    async def stop_serving(self) -> Stream:
        """Close the streams: a frame under way is given up, one that is being run is answered.

        Returns
        -------
        Stream
            What went wrong since :meth:`serve`: SHORT, LONG, FAILED.

        Raises
        ------
        TransportError
            If nobody takes the last answer.
        """
        wrong = Stream(int((await self._transport.read(Register.STREAM.offset, 1))[0]))
        if await close_streams(self._transport) & Status.BUSY:
            raise TransportError("the core is busy with an answer that nobody takes: take it from the stream")
        self._serving = False
        return wrong & (Stream.SHORT | Stream.LONG | Stream.FAILED)

    async def _outputs(self) -> dict[str, NDArray[np.int64]]:
        return {name: await self.dump(name) for name in self._loaded().graph.output_tensors}

    async def dump(self, name: str) -> NDArray[np.int64]:
        """Levels of shape (C, H, W) of a tensor of the program, wherever it lies."""
        return await self._memory().read(name)

    async def run_until(self, index: int) -> CycleCount:
        """Run the last sample again up to and with instruction ``index``; :meth:`dump` then shows what it wrote.

        Returns
        -------
        CycleCount
            Counters of that run.

        Raises
        ------
        ValueError
            If there is no such instruction, or no sample was run yet, or a frame that was not to run again.
        ProgramError, TransportError
            As :meth:`infer` does.
        """
        program = self._loaded()
        if not 0 <= index < self._end:
            raise ValueError(f"index must be 0 to {self._end - 1}, not {index}")
        if self._levels is None:
            raise ValueError("run a sample first")
        if len(self._before) < len(program.graph.states):
            raise ValueError("what states held before the frame is not known: infer it with again=True")
        await self._write_states(self._before)
        await self._write_input(self._levels)
        following = region_address(self._config, Region.INSTRUCTIONS, (program.entry + index + 1) * INSTRUCTION_WORDS)
        await self._transport.write(following, np.array([Opcode.END], dtype=np.uint32))
        try:
            await self._start()
            return await read_counters(self._transport, self._config)
        finally:
            await self._transport.write(following, program.instructions[index + 1, :1])

    def _loaded(self) -> Program:
        if self._program is None:
            raise ValueError("load a program first")
        return self._program

    def _memory(self) -> ProgramTensors:
        self._loaded()
        assert self._tensors is not None, "what looks at a program finds its tensors"
        return self._tensors

    async def _write_input(self, levels: ArrayLike) -> None:
        program = self._loaded()
        tensor = program.graph.tensors[program.graph.input.tensor]
        levels = self._checked(levels)
        ahead, self._ahead = self._ahead, None
        self._fed = ahead is not None and np.array_equal(ahead, levels)
        if not self._fed:
            self._fed = await self._send_frame(levels)
        if not self._fed:
            try:
                await self._memory().write(tensor.name, levels)
            except ValueError as error:
                raise InputError(f"the input does not fit {tensor.format}: {error}") from error
        self._levels = levels

    def _checked(self, given: ArrayLike) -> NDArray[np.int64]:
        graph, levels = self._loaded().graph, np.asarray(given)
        shape = graph.tensors[graph.input.tensor].shape
        if levels.shape != shape or levels.dtype.kind not in "iu":
            raise InputError(
                f"the input must be integer levels of shape {shape}, not {levels.dtype} of shape {levels.shape}"
            )
        return levels.astype(np.int64)

    async def _send_frame(self, levels: NDArray[np.int64]) -> bool:
        """Send a sample as a frame, if the core lays it out by itself; false if it does not."""
        words = self._feed.frame_words(levels) if self._feed is not None else None
        if words is None:
            return False
        await self._transport.write_frame(region_address(self._config, Region.FRAME), words)
        return True

    async def _write_states(self, held: Mapping[str, NDArray[np.int64]]) -> None:
        for name, levels in held.items():
            await self._memory().write(name, levels)

    async def _start(self, following: ArrayLike | None = None) -> None:
        """Run the sample that was written to its end, while the following one is sent."""
        await self._write_register(Register.CONTROL, Control.START | (Control.FEED if self._fed else 0))
        if following is not None:
            levels = self._checked(following)
            self._ahead = levels if await self._send_frame(levels) else None
        status = await self._transport.wait(self._limit + _LAYING_OUT * self._config.act_words + WATCHDOG_SLACK)
        if status is None:
            status = int((await self._transport.read(Register.STATUS.offset, 1))[0])
        await self._see_no_fault(status)
        if not status & Status.DONE:
            await self._write_register(Register.CONTROL, Control.CLEAR)  # gives the run up
            raise TransportError(f"the core did not finish: STATUS reads 0x{status:08x}")

    async def _see_no_fault(self, status: int) -> None:
        if status & Status.FAULT:
            [index] = await self._transport.read(Register.FAULT_INDEX.offset, 1)
            damage = await self._damage()
            await self._write_register(Register.CONTROL, Control.CLEAR)
            raise fault_error(self._loaded(), status >> 8 & 0xFF, int(index), damage)

    async def _see_sound(self) -> None:
        """DamagedMemory if a word that was read since the run is damaged."""
        [status] = await self._transport.read(Register.STATUS.offset, 1)
        if int(status) & Status.FAULT:
            found = damaged_regions(await self._damage())
            await self._write_register(Register.CONTROL, Control.CLEAR)
            raise DamagedMemory(f"what was read of {found} is damaged: a bit has flipped there, load the program again")

    async def _damage(self) -> int:
        """What `Register.DAMAGE` reads."""
        return int((await self._transport.read(Register.DAMAGE.offset, 1))[0]) if self._config.is_protected else 0

    async def _write_register(self, register: Register, value: int) -> None:
        await self._transport.write(register.offset, np.array([value], dtype=np.uint32))
