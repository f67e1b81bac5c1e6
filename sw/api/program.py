"""Program: a compiled model, and what can be done with it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engines import Engine, EngineName, Simulator, find_engine
from ..errors import InputError, ProgramMismatch
from ..linked import load_program
from ..listener import Listener, Quiet
from ..program import Program as Compiled
from ..tasks import HERE, Workers
from .config import Config
from .html import table_html
from .result import Result
from .samples import SampleSource, samples_of, several_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...sim.cosim.activity import Activity
    from ..quantised import QuantisedGraph
    from ..toolchain.synthesis import SynthesisReport
    from .agreement import Agreement
    from .explaining import Explanation
    from .model import Model
    from .testbench import Testbench

__all__ = ["Program"]


class Program:
    """A compiled model for one configuration of the core.

    Made by `Quantised.compile`, and by `load` of a file. It runs without the generator where only this package's own
    runtime is installed (``pip install 'narrows[run]'``).

    Parameters
    ----------
    compiled : narrows.sw.program.Program
        What the core is loaded with.
    model : Model, optional
        What it was compiled from.
    calibration : array, shape (N, ...), optional
        Samples that it was quantised on.
    history : dict, optional
        What training went through.
    listener : Listener, optional
        Who is told what goes on; that of the model without.
    """

    def __init__(
        self,
        compiled: Compiled,
        *,
        model: Model | None = None,
        calibration: NDArray[Any] | None = None,
        history: dict[str, Any] | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.compiled = compiled
        self.model = model
        self.calibration = calibration
        self.history = history or {}
        self.listener: Listener = listener or (Quiet() if model is None else model.listener)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, program: str | None = None, listener: Listener | None = None
    ) -> Program:
        """Program of a file.

        Parameters
        ----------
        path : str or Path
        program : str, optional
            The name of one of several that were linked.
        listener : Listener, optional
            Who is told what goes on.

        Raises
        ------
        InputError
            If the file holds several programs and none is named, or none of that name.
        ProgramError
            If it cannot be read, is not a program, is truncated or damaged.
        ProgramMismatch
            If it was written by another version.
        """
        return cls(load_program(Path(path), program), listener=listener)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the program's file, whole or not at all; its folder is made if need be.

        Raises
        ------
        ProgramError
            If it cannot be written.
        """
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        self.compiled.save(place)
        return place

    @property
    def graph(self) -> QuantisedGraph:
        """What it computes."""
        return self.compiled.graph

    @property
    def config(self) -> Config:
        """The configuration that it was compiled for; no other core runs it."""
        return Config(self.compiled.config)

    @property
    def outputs(self) -> list[str]:
        """Names of the model's outputs."""
        return [output.name for output in self.graph.outputs]

    @property
    def quality(self) -> dict[str, Any]:
        """Its integers beside the float model, as they were measured when it was made; empty if they were not."""
        return dict(self.compiled.record.get("quality") or {})

    def on_board(self, board: str | os.PathLike[str] | None) -> Program:
        """The same with the core of a board, whose array has the form that suits the board's FPGA; None: as it is.

        Raises
        ------
        BoardError
            If there is no such board.
        ProgramMismatch
            If the program was compiled for another core.
        """
        if board is None:
            return self
        from ...boards.catalogue import find_board

        machine = find_board(board).config
        if machine.digest != self.compiled.config.digest:
            raise ProgramMismatch(
                f"the program was compiled for another core than that of {board}: compile the model with --board "
                f"{board}"
            )
        own = dataclasses.replace(self.compiled.config, fabric=machine.fabric)
        return Program(
            dataclasses.replace(self.compiled, config=own),
            model=self.model,
            calibration=self.calibration,
            listener=self.listener,
        )

    def run(
        self,
        x: SampleSource,
        engine: str | Engine = EngineName.GOLDEN,
        *,
        raw: bool = False,
        simulator: str = Simulator.VERILATOR,
    ) -> Result:
        """Run samples.

        Parameters
        ----------
        x : array, path or iterable
            Samples of shape (N, ...), as the model takes them, or one without the first axis.
        engine : str or Engine
            ``golden``: integer model of the layers; ``isa``: model of the machine; ``rtl``: the simulated Verilog; a
            board and its port, ``ulx3s:/dev/ttyUSB0``; or a core in this computer's memory map, ``uio:/dev/uio0`` or
            ``mem:0x40000000``.
        raw : bool
            Leave out what the host computes of outputs: the core's own values.
        simulator : str
            For ``rtl``: ``verilator`` or ``icarus``.

        Returns
        -------
        Result
            Real values of each output, (N, ...), by the model's names.

        Raises
        ------
        InputError
            If the samples do not fit, or there is no such engine.
        ToolMissing, SimulationError, TransportError
            If the engine lacks a tool or fails.

        Examples
        --------
        >>> import narrows
        >>> digits = narrows.example()
        >>> program = digits.model.quantize(digits.calib).compile("tiny")
        >>> y = program.run(digits.x[:20])
        >>> y
        Result(golden, 20 samples, scores[10])
        >>> y["scores"].shape, y.accuracy(digits.y[:20]) > 0.9
        ((20, 10), True)
        """
        from .quality import checked_levels

        shape = self.graph.input.shape
        values, _ = several_of(x, shape)
        levels = checked_levels(self.graph, values, self.listener)
        chosen = find_engine(engine, simulator=simulator) if isinstance(engine, str) else engine
        with self.listener.progress(f"running ({chosen.name})") as progress:
            run = chosen.run(self.compiled, levels, progress=progress)
        return Result.of(self.graph, values, run, chosen, raw=raw)

    def verify(
        self,
        x: SampleSource,
        engines: Sequence[str] = tuple(EngineName),
        *,
        simulator: str = Simulator.VERILATOR,
        waves: str | os.PathLike[str] = "build/verify",
        workers: Workers = HERE,
    ) -> Agreement:
        """Compare engines with the golden model, layer by layer, element by element.

        A difference is followed to its first layer, tile, element and cycle; where the Verilog is at fault, a waveform
        cropped around the wrong write is left in the folder ``waves``.

        Parameters
        ----------
        x : array, path or iterable
            Samples as `run` takes them.
        engines : sequence of str
            Among ``golden``, ``isa`` and ``rtl``.
        simulator, waves
            Of the Verilog.
        workers : Workers
            What runs the samples (`narrows.open_workers`).

        Returns
        -------
        Agreement
            True in an ``if`` when all of them agree to the bit.

        Examples
        --------
        >>> import narrows
        >>> digits = narrows.example()
        >>> program = digits.model.quantize(digits.calib).compile("tiny")
        >>> program.verify(digits.x[:2], engines=["isa"])
        Agreement(golden, isa: 2 samples, 7 layers, 0 tensors differ)
        """
        from .agreement import verify

        values, _ = samples_of(x, self.graph.input.shape)
        return verify(self, values, engines, simulator=simulator, waves=Path(waves), workers=workers)

    def explain(
        self, calib: SampleSource | None = None, *, model: Model | None = None, quick: bool = True
    ) -> Explanation:
        """Rank layers by the error that each adds, and say what would help.

        Parameters
        ----------
        calib : path, array, pair or iterable, optional
            Samples; those of the compilation without.
        model : Model, optional
            What it was compiled from; that of the compilation without. If neither is known, the program's own weights
            are taken for right.
        quick : bool
            Do not quantise again to measure what would help.

        Raises
        ------
        InputError
            If there are no samples, or the model is another one.
        """
        from .explaining import explain

        samples = self.calibration if calib is None else samples_of(calib, self.graph.input.shape)[0]
        if samples is None:
            raise InputError("a program of a file has no samples beside it: give some, explain(calib)")
        return explain(self, samples, model or self.model, quick=quick)

    def report(
        self,
        path: str | os.PathLike[str],
        data: SampleSource | None = None,
        *,
        model: Model | None = None,
        beside: Program | None = None,
        board: str | os.PathLike[str] | None = None,
        mhz: float | None = None,
        latency: int = 64,
        pace: int = 1,
        command: str | None = None,
    ) -> dict[str, Any]:
        """Write a page about the program, one HTML file by itself: layers, boards, roofline, memories.

        Parameters
        ----------
        path : str or Path
            Where it goes; the folder is made if need be.
        data : path, array, pair or iterable, optional
            Samples, perhaps with labels: right answers, error by layer, distributions of the tensors.
        model : Model, optional
            What the program was compiled from, on those samples; that of the compilation without.
        beside : Program, optional
            Another program, compared with this one.
        board : str or Path, optional
            The board whose core and clock are meant.
        mhz : float, optional
            The clock, for samples a second; the board's, or 100.
        latency, pace : int
            Of a backing store, in cycles: to the first beat, from beat to beat.
        command : str, optional
            What made the page, for its last line.

        Returns
        -------
        dict
            What the page shows, in values of JSON.

        Raises
        ------
        InputError
            If the samples do not fit, or the model is another one.
        """
        from .reporting import write_report

        return write_report(
            self.on_board(board),
            Path(path),
            board=board,
            mhz=mhz,
            bus=(latency, pace),
            data=data,
            model=model if data is None else model or self.model,
            beside=beside,
            command=command,
        )

    def trace(self, path: str | os.PathLike[str], *, latency: int = 64, pace: int = 1) -> tuple[int, int]:
        """Write when each unit works on what, for Perfetto or chrome://tracing; gives instructions and cycles."""
        from .pages import write_trace

        return write_trace(self.compiled, Path(path), bus=(latency, pace))

    def activity(self, x: SampleSource, *, limit: int = 3, saif: str | os.PathLike[str] | None = None) -> Activity:
        """Simulate samples and count how often the signals of the core's modules change: where dynamic power goes.

        Parameters
        ----------
        x : array, shape (N, ...), or iterable of samples
            As the model takes them, at least two.
        limit : int
            Only so many, the first ones; the first of all is not counted.
        saif : str or Path, optional
            Also keep the switching activity of the whole simulation there (SAIF 2.0), which vendors' power tools read.

        Raises
        ------
        InputError
            If there are fewer than two samples.
        ToolMissing, SimulationError
            If Verilator is missing or fails.
        """
        from .activity import measured

        return measured(self, x, limit=limit, saif=None if saif is None else Path(saif))

    def verilog(
        self, path: str | os.PathLike[str], *, wrapper: str | None = None, mhz: float = 50.0, audio: bool = False
    ) -> list[Path]:
        """Write the core that runs the program as Verilog: module ``narrows_core``.

        Parameters
        ----------
        path : str or Path
            Where it goes; the folder is made if need be.
        wrapper : str, optional
            ``axi``, ``wishbone``, ``spi`` or ``bare``: with this port, and beside it constraints, register map, C
            driver and the program as C data.
        mhz : float
            Clock in those constraints.
        audio : bool
            With a wrapper: the front end of keyword models in C, too.

        Returns
        -------
        list of Path
            What was written, the Verilog first.

        Examples
        --------
        >>> import narrows, pathlib, tempfile
        >>> digits = narrows.example()
        >>> program = digits.model.quantize(digits.calib).compile("tiny")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     core, *beside = program.verilog(f"{folder}/ip/core.v", wrapper="wishbone")
        ...     "module narrows_core" in core.read_text(), len(beside) > 3
        (True, True)
        """
        from .hardware import write_core

        program = self.compiled
        return write_core(program.config, Path(path), wrapper=wrapper, mhz=mhz, program=program, audio=audio)

    def testbench(self, folder: str | os.PathLike[str], x: SampleSource | None = None) -> Testbench:
        """Write the core with a plain Verilog bench that proves it without Python, and what builds that.

        The bench plays what the driver does, on the core's bare port, and compares every word that it reads (outputs,
        checksums, status, counters) with the expected one.

        Parameters
        ----------
        folder : str or Path
            Where it goes; it is made if need be.
        x : array, path or iterable, optional
            Samples as `run` takes them; two random ones without.

        Returns
        -------
        Testbench
            ``files``, ``samples`` and how many ``words`` are compared.

        Raises
        ------
        ProgramError
            If tensors of the program lie outside the core.
        """
        from .testbench import write_testbench

        values = None if x is None else samples_of(x, self.graph.input.shape)[0]
        return write_testbench(self.compiled, Path(folder), values)

    def synthesise(self, target: str = "ecp5") -> SynthesisReport:
        """Count the core's resources on an FPGA family with Yosys: ``ecp5``, ``ice40`` or ``xilinx``."""
        from .hardware import synthesise_core

        return synthesise_core(self.compiled.config, target, self.listener)

    def disassemble(self) -> str:
        """Memory use, tensors, and every instruction with its blocks and taps."""
        from ..compile.disasm import disassemble

        return disassemble(self.compiled)

    def summary(self) -> dict[str, Any]:
        """Layers, bits that the accumulator needs for every input, and memories used and available."""
        from .pages import summary_of

        return summary_of(self.compiled)

    def __repr__(self) -> str:
        core = self.compiled.config
        return (
            f"Program({self.graph.name!r}, {core.rows} x {core.columns} x {core.lanes} units, "
            f"{len(self.graph.layers)} layers, {core.acc_bits}-bit accumulators)"
        )

    def _repr_html_(self) -> str:
        found = self.summary()
        rows: list[tuple[str, Any, Any]] = [
            (name, f"{use['used']:,}", f"{use['available']:,}") for name, use in found["memories"].items()
        ]
        rows.append(("accumulator bits, for every input", found["cert_bits"], self.compiled.config.acc_bits))
        return table_html(repr(self), ("", "used", "available"), rows)
