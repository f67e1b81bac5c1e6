"""Program: everything a core needs to run a model, and the ``.nrw`` file that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hw.spec.config import AcceleratorConfig
from ..hw.spec.isa import BLOCK, INSTRUCTION_WORDS, TAP
from ..hw.spec.layout import TensorLayout
from ..hw.spec.registers import Region, region_beats, region_depth
from ..hw.spec.transfer import PAGE
from .container import contained, pack_container
from .errors import InputError, ProgramError
from .files import write_whole
from .graph_io import graph_from_parts, graph_to_parts
from .program_check import check_program
from .quantised import QuantisedGraph
from .records import read_record

__all__ = ["Program"]

_TABLES = {
    "instructions": Region.INSTRUCTIONS,
    "blocks": Region.BLOCKS,
    "taps": Region.TAPS,
    "params": Region.PARAMS,
    "weights": Region.WEIGHTS,
    "tables": Region.TABLES,
}


@dataclass(frozen=True, kw_only=True)
class _Manifest:
    """What a program file's manifest says of its instructions, its window and its making."""

    layers: tuple[str, ...]
    parts: tuple[tuple[int, int], ...]
    window_bytes: int
    external: dict[str, int]
    record: dict[str, Any] = field(default_factory=dict)
    entry: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """A compiled model for one configuration.

    Parameters
    ----------
    config : AcceleratorConfig
        The configuration it was compiled for; no other core runs it.
    graph : QuantisedGraph
        What it computes, with formats, scales and the certificate of every layer.
    instructions : array of uint32, shape (n, 16)
        Ends with END.
    blocks : array of uint32, shape (n, 4)
    taps : array of uint32, shape (n, 1)
    params : array of uint32, shape (n, region_beats(config, Region.PARAMS))
    weights : array of uint32, shape (n, region_beats(config, Region.WEIGHTS))
    tables : array of uint32, shape (n, 1)
        256 entries a table (`spec.tables`).
        One row is one word of the memory, low beat first.
    layouts : dict of TensorLayout
        For every tensor of the graph, where it lies right after the instruction that wrote it.
    layers : tuple of str
        For each instruction the name of its layer; ``""`` for END.
    parts : tuple of (int, int)
        For each instruction the line and the column group from which on a COMPUTE does its layer; empty: all do theirs
        from (0, 0) on. Of a layer that enlarges, lines are those of its sums, and each phase has column groups of its
        own, those of all phases counted.
    backing : array of uint32, shape (n,)
        What the window on the backing store begins with: weights and parameters.
    window_bytes : int
        Size of the window, a multiple of 4096; 0 without a backing store.
    external : dict of int
        Byte of the window at which each tensor begins that does not lie in the activation memory; its layout then
        counts words from there.
    record : dict
        Where the program comes from and what was measured of it, in values of JSON: what its import was held against
        (``import``), how it was quantised (``settings``, ``calibration``), its integers beside floats (``quality``).
        Nothing of it is needed to run it.
    entry : int
        Where its instructions lie in the instruction memory: at which one its runs begin. Other than 0 only in a core
        with `AcceleratorConfig.entry`; the other tables then hold what programs beside it need, too.

    Raises
    ------
    ProgramError
        If a table has the wrong shape or does not fit the configuration, or a layout or a layer is missing.
    """

    config: AcceleratorConfig
    graph: QuantisedGraph
    instructions: NDArray[np.uint32]
    blocks: NDArray[np.uint32]
    taps: NDArray[np.uint32]
    params: NDArray[np.uint32]
    weights: NDArray[np.uint32]
    layouts: dict[str, TensorLayout]
    layers: tuple[str, ...]
    tables: NDArray[np.uint32] = field(default_factory=lambda: np.zeros((0, 1), dtype=np.uint32))
    parts: tuple[tuple[int, int], ...] = ()
    backing: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, dtype=np.uint32))
    window_bytes: int = 0
    external: dict[str, int] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    entry: int = 0

    def __post_init__(self) -> None:
        widths = {
            "instructions": INSTRUCTION_WORDS,
            "blocks": BLOCK.words,
            "taps": TAP.words,
            "params": region_beats(self.config, Region.PARAMS),
            "weights": region_beats(self.config, Region.WEIGHTS),
            "tables": region_beats(self.config, Region.TABLES),
        }
        for name, region in _TABLES.items():
            table = np.asarray(getattr(self, name))
            if table.dtype != np.uint32 or table.ndim != 2 or table.shape[1] != widths[name]:
                raise ProgramError(
                    f"{name} must be uint32 of shape (n, {widths[name]}), not {table.dtype} of shape {table.shape}"
                )
            depth = region_depth(self.config, region) // (INSTRUCTION_WORDS if region is Region.INSTRUCTIONS else 1)
            used = len(table) + (self.entry if region is Region.INSTRUCTIONS else 0)
            if used > depth:
                raise ProgramError(f"the program has {used} {name}, its configuration holds {depth}")
        if self.entry and (self.entry < 0 or not self.config.entry):
            raise ProgramError(f"its runs begin at instruction {self.entry}, which its core does not know")
        if not len(self.instructions) or len(self.layers) != len(self.instructions):
            raise ProgramError(
                f"{len(self.instructions)} instructions with {len(self.layers)} layer names: each instruction needs one"
            )
        if not self.parts:
            object.__setattr__(self, "parts", ((0, 0),) * len(self.layers))
        if len(self.parts) != len(self.layers):
            raise ProgramError(f"{len(self.parts)} parts for {len(self.layers)} instructions: each needs one")
        if self.window_bytes % PAGE or 4 * len(self.backing) > self.window_bytes:
            raise ProgramError(
                f"a window of {self.window_bytes} bytes does not hold the program's {4 * len(self.backing)}"
            )
        known = {"", *(layer.name for layer in self.graph.layers)}
        for layer in self.layers:
            if layer not in known:
                raise ProgramError(f"an instruction names the layer {layer!r}, which the graph does not have")
        for name in self.graph.tensors:
            if name not in self.layouts:
                raise ProgramError(f"the tensor {name!r} has no layout")

    @property
    def memories(self) -> dict[Region, NDArray[np.uint32]]:
        """Image of each program memory, one row a word of the region (instructions: one row a 32-bit word, zeros before
        ``entry``)."""
        images = {region: getattr(self, name) for name, region in _TABLES.items()}
        before = np.zeros((INSTRUCTION_WORDS * self.entry, 1), dtype=np.uint32)
        images[Region.INSTRUCTIONS] = np.concatenate([before, self.instructions.reshape(-1, 1)])
        return images

    def to_parts(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Values of JSON and arrays that make up the program's file."""
        structure, arrays = graph_to_parts(self.graph)
        manifest = {
            "config": self.config.to_dict(),
            "config_digest": self.config.digest,
            "graph": structure,
            "layouts": {name: layout.to_dict() for name, layout in self.layouts.items()},
            "layers": list(self.layers),
            "parts": [list(part) for part in self.parts],
            "window_bytes": self.window_bytes,
            "external": self.external,
            "record": self.record,
            **({"entry": self.entry} if self.entry else {}),
        }
        return manifest, {name: getattr(self, name) for name in (*_TABLES, "backing")} | arrays

    @classmethod
    def from_parts(cls, manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Program:
        """The program again; the inverse of :meth:`to_parts`. Damage raises whatever its reader raises."""
        config = AcceleratorConfig.from_dict(manifest["config"])
        if config.digest != manifest["config_digest"]:
            raise ValueError("the digest of its configuration is wrong")
        known = {entry.name: manifest[entry.name] for entry in fields(_Manifest) if entry.name in manifest}
        plain = read_record(_Manifest, known)
        program = cls(
            config=config,
            graph=graph_from_parts(manifest["graph"], arrays),
            **{name: arrays[name] for name in (*_TABLES, "backing")},
            layouts={name: read_record(TensorLayout, values) for name, values in manifest["layouts"].items()},
            **vars(plain),
        )
        check_program(program)
        return program

    def to_bytes(self) -> bytes:
        """Contents of the program's file; equal for equal programs."""
        return pack_container(*self.to_parts())

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "program") -> Program:
        """Program of a file's contents; ``name`` is what error messages call it.

        Raises
        ------
        ProgramMismatch
            If the file or the contract it was written for has another version.
        ProgramError
            If it is not a program, truncated, damaged or makes no sense.
        InputError
            If it holds several programs.
        """

        def make(manifest: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Program:
            if "programs" in manifest:
                names = ", ".join(str(program["name"]) for program in manifest["programs"])
                raise InputError(f"{name} holds several programs ({names}): say which with --program NAME")
            return cls.from_parts(manifest, arrays)

        return contained(data, name, make)

    def save(self, path: Path) -> None:
        """Write the program's file; it appears whole or not at all.

        Raises
        ------
        ProgramError
            If the file cannot be written.
        """
        try:
            write_whole(path, self.to_bytes())
        except OSError as error:
            raise ProgramError(f"cannot write program {path}: {error.strerror or error}") from error

    @classmethod
    def load(cls, path: Path) -> Program:
        """Program of a file.

        Raises
        ------
        ProgramError
            If it cannot be read, is not a program, is truncated or damaged.
        ProgramMismatch
            If it was written by another version.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ProgramError(f"cannot read program {path}: {error.strerror or error}") from error
        return cls.from_bytes(data, str(path))
