"""Linked: programs that are resident in one core together; link: makes them of programs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..engines import Engine, EngineName, Simulator, find_engine
from ..errors import InputError
from ..linked import Linked as Compiled
from ..listener import Listener, Quiet
from ..runtime.resident import Turn
from .config import Config
from .html import table_html
from .program import Program
from .result import Result
from .samples import SampleSource, several_of

__all__ = ["Linked", "link"]


class Linked(Mapping[str, Program]):
    """Programs by name that lie in one core together: loaded once, chosen per run.

    Made by `link`, and by `load` of a file. Each of them is a `Program` for that core by itself.

    Parameters
    ----------
    compiled : narrows.sw.linked.Linked
        What the core is loaded with.
    listener : Listener, optional
        Who is told what goes on.
    """

    def __init__(self, compiled: Compiled, *, listener: Listener | None = None) -> None:
        self.compiled = compiled
        self.listener: Listener = listener or Quiet()
        self._programs = {name: Program(program, listener=self.listener) for name, program in compiled.items()}

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, listener: Listener | None = None) -> Linked:
        """Programs of a file; that of a single program holds one.

        Raises
        ------
        ProgramError, ProgramMismatch
            As `Program.load` does.
        """
        return cls(Compiled.load(Path(path)), listener=listener)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, whole or not at all; its folder is made if need be. ProgramError if it cannot be written."""
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        self.compiled.save(place)
        return place

    def __getitem__(self, name: str) -> Program:
        """The program of a name; UnknownProgram (an InputError, a KeyError) if there is none."""
        _ = self.compiled[name]
        return self._programs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._programs)

    def __len__(self) -> int:
        return len(self._programs)

    @property
    def config(self) -> Config:
        """The configuration of their core, whose ``entry`` is 1."""
        return Config(self.compiled.config)

    def run(
        self,
        turns: Sequence[tuple[str, SampleSource]],
        engine: str | Engine = EngineName.GOLDEN,
        *,
        raw: bool = False,
        simulator: str = Simulator.VERILATOR,
    ) -> list[Result]:
        """Load all programs once, and run samples of them by turns.

        A program with states goes on with its stream where its turn before left it.

        Parameters
        ----------
        turns : sequence of (str, samples)
            Of each turn the program's name, and samples of shape (N, ...) as its model takes them.
        engine, raw, simulator
            As `Program.run` takes them.

        Returns
        -------
        list of Result
            One for each turn.

        Raises
        ------
        InputError
            If there is no such program or engine, or samples do not fit.
        ToolMissing, SimulationError, TransportError
            If the engine lacks a tool or fails.

        Examples
        --------
        >>> import narrows
        >>> digits = narrows.example()
        >>> plan = digits.model.quantize(digits.calib)
        >>> narrow = plan.compile("tiny")
        >>> wide = digits.model.quantize(digits.calib, weights="dybit8").compile(narrow.config)
        >>> both = narrows.link({"narrow": narrow, "wide": wide})
        >>> both.run([("narrow", digits.x[:2]), ("wide", digits.x[:1]), ("narrow", digits.x[2:3])], engine="isa")
        [Result(isa, 2 samples, scores[10]), Result(isa, 1 samples, scores[10]), Result(isa, 1 samples, scores[10])]
        """
        from .quality import checked_levels

        given = []
        for name, x in turns:
            graph = self[name].graph
            values, _ = several_of(x, graph.input.shape)
            given.append((name, graph, values))
        taken = [Turn(name, checked_levels(graph, values, self.listener)) for name, graph, values in given]
        chosen = find_engine(engine, simulator=simulator) if isinstance(engine, str) else engine
        with self.listener.progress(f"running ({chosen.name})") as progress:
            runs = chosen.run_turns(self.compiled, taken, progress=progress)
        return [
            Result.of(graph, values, run, chosen, raw=raw) for (_, graph, values), run in zip(given, runs, strict=True)
        ]

    def verilog(
        self, path: str | os.PathLike[str], *, wrapper: str | None = None, mhz: float = 50.0, audio: bool = False
    ) -> list[Path]:
        """Write the core that runs them as Verilog; arguments and errors are those of `Program.verilog`."""
        from .hardware import write_core

        core = self.compiled.config
        return write_core(core, Path(path), wrapper=wrapper, mhz=mhz, program=self.compiled, audio=audio)

    def disassemble(self) -> str:
        """Each program's name, memory use, tensors and instructions."""
        from ..compile.disasm import disassemble

        return "\n".join(disassemble(program, name) for name, program in self.compiled.items())

    def summary(self) -> dict[str, Any]:
        """Memories used and available, and of each program where it begins, its layers and its instructions."""
        programs: dict[str, Any] = {}
        memories: dict[str, dict[str, int]] = {}
        for name, program in self.compiled.items():
            for memory, use in self[name].summary()["memories"].items():
                before = memories[memory]["used"] if memory in memories else 0
                memories[memory] = {**use, "used": max(use["used"], before)}
            memories["instructions"]["used"] = program.entry + len(program.instructions)
            programs[name] = {
                "entry": program.entry,
                "layers": len(program.graph.layers),
                "instructions": len(program.instructions),
                "states": len(program.graph.states),
            }
        return {"programs": programs, "memories": memories}

    def __repr__(self) -> str:
        core = self.compiled.config
        return f"Linked({', '.join(self)}: {core.rows} x {core.columns} x {core.lanes} units)"

    def _repr_html_(self) -> str:
        rows = [
            (name, each["entry"], each["instructions"], each["layers"], each["states"])
            for name, each in self.summary()["programs"].items()
        ]
        return table_html(repr(self), ("program", "begins at", "instructions", "layers", "states"), rows)


def link(programs: Mapping[str, Program], *, listener: Listener | None = None) -> Linked:
    """Programs as they lie in one core together, each of them with the results and the cycles that it has alone.

    The core is that of the programs with ``entry = 1``. Equal weights, parameters and tables lie there once; tensors
    share the activation memory, but for states, which stay as they are while other programs run.

    Parameters
    ----------
    programs : mapping of Program
        By the names that they are chosen by, all compiled for one configuration.

    Raises
    ------
    ProgramMismatch
        If they were not.
    CapacityError
        If they do not fit together; the message names everything that is lacking, and by how much.
    InputError
        If there are none, or one for a core with a backing store keeps states.
    """
    from ..compile.link import link as linked

    for name, program in programs.items():
        if not isinstance(program, Program):
            raise InputError(f"{name} must be a program, not {type(program).__name__}")
    return Linked(linked({name: program.compiled for name, program in programs.items()}), listener=listener)
