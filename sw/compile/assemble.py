"""Assembler: a program under construction, its tables, and what each instruction belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import BLOCK, TAP, Opcode
from ...hw.spec.layout import TensorLayout
from ...hw.spec.registers import Region, region_beats
from ..program import Program
from ..quantised import IntegerLayer, QuantisedGraph
from .early import with_early_steps
from .emit import Fields, as_fields, block_fields, encode_instructions, encode_table, tap_fields
from .lower import lower_layer
from .plan import LoweredLayer
from .planners import planner_of
from .shortages import Shortages
from .tables import Table

__all__ = ["Assembler"]


class Assembler:
    """Tables that grow instruction by instruction.

    Parameters
    ----------
    graph : QuantisedGraph
    config : AcceleratorConfig
    layouts : mapping of TensorLayout
        Of all tensors of the graph.
    shortages : Shortages
        What the model has been found to lack so far.
    beside : Assembler, optional
        Of a program that is resident at the same time: all tables but the instructions are the same for both.
    """

    def __init__(
        self,
        graph: QuantisedGraph,
        config: AcceleratorConfig,
        layouts: Mapping[str, TensorLayout],
        shortages: Shortages,
        *,
        beside: Assembler | None = None,
    ) -> None:
        self._graph = graph
        self._shortages = shortages
        self._config = config
        self._layouts = dict(layouts)
        self._instructions: Table[Fields] = Table("instructions", "instructions")
        self._blocks: Table[Fields] = beside._blocks if beside else Table("blocks", "blocks")
        self._taps: Table[Fields] = beside._taps if beside else Table("taps", "taps")
        self._params: Table[tuple[int, ...]] = beside._params if beside else Table("parameter words", "param_words")
        self._weights: Table[bytes] = beside._weights if beside else Table("weight words", "weight_words")
        self._level_tables: Table[bytes] = beside._level_tables if beside else Table("tables of levels", "tables")
        self._layers: list[str] = []
        self._parts: list[tuple[int, int]] = []

    def add_resident(self, layer: IntegerLayer, cert_bits: int) -> None:
        """Add a layer, a COMPUTE for each of its phases, whose weights and parameters stay on the chip.

        Raises
        ------
        CapacityError
            As `lower_layer` does.
        """
        for phase in planner_of(layer, self._graph, self._config).phases():
            lowered = lower_layer(
                phase.layer, self._graph, self._layouts, self._config, cert_bits=cert_bits, at=phase.at
            )
            self._add_resident(layer.name, lowered, (0, phase.group))

    def _add_resident(self, layer: str, lowered: LoweredLayer, part: tuple[int, int]) -> None:
        places = {}
        if lowered.weights:
            places = {
                "weight_base": self._weights.place(lowered.weights),
                "param_base": self._params.place(lowered.params),
            }
        self.add_compute(layer, lowered, places, part=part)

    def add_compute(
        self, layer: str, lowered: LoweredLayer, values: Mapping[str, int], *, part: tuple[int, int] = (0, 0)
    ) -> None:
        """Add a COMPUTE with more field values, which does a layer from line and column group ``part`` on."""
        rows = []
        for block in lowered.blocks:
            rows.append(block_fields(block, first_tap=self._taps.place([tap_fields(tap) for tap in block.taps])))
        table = {"table": 1 + self._level_tables.place([lowered.table])} if lowered.table else {}
        self._add(layer, {**lowered.fields, "first_block": self._blocks.place(rows), **table, **values}, part)

    def add_transfer(self, layer: str, values: Mapping[str, int]) -> None:
        """Add a LOAD or STORE for a layer."""
        self._add(layer, values, (0, 0))

    def _add(self, layer: str, values: Mapping[str, int], part: tuple[int, int]) -> None:
        self._instructions.append([as_fields(values)])
        self._layers.append(layer)
        self._parts.append(part)
        self._mark(layer)

    def _mark(self, layer: str) -> None:
        for table in self._tables:
            table.mark(layer)

    @property
    def used(self) -> dict[tuple[str, str], int]:
        """Rows of each table, END included, by what they are called and the parameter that sets their number."""
        ends = {self._instructions.parameter: 1}
        return {(table.what, table.parameter): len(table) + ends.get(table.parameter, 0) for table in self._tables}

    @property
    def _tables(self) -> tuple[Table[Any], ...]:
        return self._instructions, self._blocks, self._taps, self._params, self._weights, self._level_tables

    def finish(
        self,
        *,
        backing: NDArray[np.uint32] | None = None,
        window_bytes: int = 0,
        external: Mapping[str, int] | None = None,
    ) -> Program:
        """The program, once everything fits; arguments as `Program` has them.

        Raises
        ------
        CapacityError, CertificateError
            Of everything that is lacking, here and before.
        """
        self._instructions.append([as_fields({"opcode": Opcode.END})])
        self._mark(self._layers[-1] if self._layers else "")
        self._layers.append("")
        self._parts.append((0, 0))
        for table in self._tables:
            table.check(self._shortages)
        self._shortages.check()
        blocks, taps = encode_table(BLOCK, self._blocks), encode_table(TAP, self._taps)
        return Program(
            config=self._config,
            graph=self._graph,
            instructions=with_early_steps(self._config, encode_instructions(self._instructions), blocks, taps),
            blocks=blocks,
            taps=taps,
            params=self._params.words(region_beats(self._config, Region.PARAMS)),
            weights=self._weights.words(region_beats(self._config, Region.WEIGHTS)),
            tables=self._level_tables.words(1),
            layouts=self._layouts,
            layers=tuple(self._layers),
            parts=tuple(self._parts),
            backing=np.zeros(0, dtype=np.uint32) if backing is None else backing,
            window_bytes=window_bytes,
            external=dict(external or {}),
        )
