"""From a quantised graph to a program: the order of the compiler's steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import BLOCK, COMPUTE, TAP, Mode, Opcode
from ...hw.spec.layout import TensorLayout
from ...hw.spec.registers import Region, region_beats
from ...hw.spec.words import pack_codes
from ..errors import CapacityError
from ..program import Program
from ..quantised import MacLayer, MaxLayer, QuantisedGraph
from .allocate import Lifetime, lifetimes, pack_tensors
from .blocks import BlockPlan, plan_blocks
from .certify import certify
from .copies import copy_strided_sources
from .emit import (
    Fields,
    as_fields,
    block_fields,
    encode_table,
    output_fields,
    signed_address,
    tap_fields,
    walk_fields,
)
from .geometry import BorderError, Window
from .layouts import PaceError, choose_layouts, layer_walk
from .params import param_words
from .tables import Table, check_fits

__all__ = ["compile_graph"]


def compile_graph(graph: QuantisedGraph, config: AcceleratorConfig) -> Program:
    """Program that computes a quantised graph on a core; the same for the same arguments.

    The program's graph has additional layers, copies of tensors, where a layer could not read its sources otherwise.

    Parameters
    ----------
    graph : QuantisedGraph
    config : AcceleratorConfig

    Raises
    ------
    CapacityError
        If a memory, a count or a field is too small; the message names the layer and the parameter to raise.
    CertificateError
        If a layer's sums need more accumulator bits than it states or the configuration has.
    """
    if not isinstance(graph, QuantisedGraph):
        raise TypeError(f"graph must be a QuantisedGraph, not {graph!r}")
    if not isinstance(config, AcceleratorConfig):
        raise TypeError(f"config must be an AcceleratorConfig, not {config!r}")
    graph, layouts = _paced(graph, config)
    _check_planes(graph, config)
    certificates = {layer.name: certify(layer, graph, config) for layer in graph.layers if isinstance(layer, MacLayer)}
    assembler = _Assembler(graph, config, _place_tensors(graph, config, layouts))
    for layer in graph.layers:
        if isinstance(layer, MaxLayer):
            assembler.add_max(layer)
        else:
            assembler.add_mac(layer, certificates[layer.name])
    return assembler.finish()


def _paced(graph: QuantisedGraph, config: AcceleratorConfig) -> tuple[QuantisedGraph, dict[str, TensorLayout]]:
    """The graph, with copies where a layer could otherwise not read all its sources at one pace, and its layouts."""
    while True:
        try:
            return graph, choose_layouts(graph, config)
        except PaceError as error:
            layer = next(layer for layer in graph.layers if layer.name == error.layer)
            copied = copy_strided_sources(graph, layer, config) if isinstance(layer, MacLayer) else None
            if copied is None:
                raise
            graph = copied


def _check_planes(graph: QuantisedGraph, config: AcceleratorConfig) -> None:
    for layer in graph.layers:
        tensor = graph.tensors[layer.output if isinstance(layer, MacLayer) else layer.source]
        needed = config.digits.count(tensor.levels)
        check_fits(config, "planes", f"digit planes for {tensor.format}", needed=needed, layer=layer.name)


def _place_tensors(
    graph: QuantisedGraph, config: AcceleratorConfig, layouts: dict[str, TensorLayout]
) -> dict[str, TensorLayout]:
    """Layouts with bases: the given ones, or where they do not fit the smallest."""
    lives = lifetimes(graph)
    bases, used = pack_tensors({name: layout.size for name, layout in layouts.items()}, lives)
    if used > config.act_words:
        layouts = choose_layouts(graph, config, thrifty=True)
        bases, used = pack_tensors({name: layout.size for name, layout in layouts.items()}, lives)
    layer = _widest_layer(graph, layouts, lives)
    check_fits(config, "act_words", "words of activation memory", needed=used, layer=layer)
    return {name: replace(layout, base=bases[name]) for name, layout in layouts.items()}


def _widest_layer(graph: QuantisedGraph, layouts: Mapping[str, TensorLayout], lives: Mapping[str, Lifetime]) -> str:
    """Layer at which the most words are in use."""
    in_use = [
        sum(layout.size for name, layout in layouts.items() if lives[name].first <= index <= lives[name].last)
        for index in range(len(graph.layers))
    ]
    return graph.layers[int(np.argmax(in_use))].name if in_use else ""


class _Assembler:
    """Program under construction: one instruction a layer."""

    def __init__(self, graph: QuantisedGraph, config: AcceleratorConfig, layouts: Mapping[str, TensorLayout]) -> None:
        self._graph = graph
        self._config = config
        self._layouts = dict(layouts)
        self._instructions: Table[Fields] = Table("instructions", "instructions")
        self._blocks: Table[Fields] = Table("blocks", "blocks")
        self._taps: Table[Fields] = Table("taps", "taps")
        self._params: Table[tuple[int, ...]] = Table("parameter words", "param_words")
        self._weights: Table[bytes] = Table("weight words", "weight_words")
        self._layers: list[str] = []

    def add_mac(self, layer: MacLayer, cert_bits: int) -> None:
        """Emit a multiply-accumulate layer."""
        try:
            plan = plan_blocks(layer, self._graph, self._layouts, self._config)
        except BorderError as error:
            raise CapacityError(f"layer {layer.name!r}: {error}") from error
        tiles, pitch, size = plan.words.shape
        repeats = bool((plan.words == plan.words[:1]).all())
        packed = pack_codes(plan.words[: 1 if repeats else tiles].reshape(-1, size), self._config.code_bits)
        self._emit(
            Mode.MAC,
            layer,
            plan.blocks,
            {
                "column_groups": tiles,
                "channel_period": plan.channel_period,
                "channel_step": signed_address(plan.channel_step),
                "weight_base": self._weights.place([row.tobytes() for row in packed]),
                "weight_pitch": 0 if repeats else pitch,
                "param_base": self._params.place(param_words(layer, self._config)),
                "cert_bits": cert_bits,
            },
        )

    def add_max(self, layer: MaxLayer) -> None:
        """Emit a max-pool."""
        layout = self._layouts[layer.source]
        size = self._graph.tensors[layer.output].shape[1:]
        window = Window.of(layer)
        try:
            planes = [window.taps(layout, size, plane=plane) for plane in reversed(range(layout.planes))]
        except BorderError as error:
            raise CapacityError(f"layer {layer.name!r}: {error}") from error
        positions = zip(window.hits(layout, size), zip(*planes, strict=True), strict=True)
        taps = tuple(tap for hit, position in positions if hit for tap in position)
        block = BlockPlan(base=layout.base, taps=taps)
        self._emit(
            Mode.MAX,
            layer,
            (block,),
            {
                "column_groups": -(-layout.channels // layout.lanes),
                "channel_period": 1,
                "channel_step": signed_address(layout.group_pitch),
            },
        )

    def _emit(
        self, mode: Mode, layer: MacLayer | MaxLayer, blocks: tuple[BlockPlan, ...], values: Mapping[str, int]
    ) -> None:
        walk = layer_walk(layer, self._graph, self._layouts, self._config)
        assert walk is not None, "choose_layouts leaves no layer without a walk"
        rows = []
        for block in blocks:
            rows.append(block_fields(block, first_tap=self._taps.place([tap_fields(tap) for tap in block.taps])))
        output = output_fields(self._graph.tensors[layer.output], self._layouts[layer.output])
        self._instructions.append(
            [
                as_fields(
                    {
                        **values,
                        **walk_fields(walk),
                        **output,
                        "opcode": Opcode.COMPUTE,
                        "mode": mode,
                        "first_block": self._blocks.place(rows),
                        "block_count": len(rows),
                    }
                )
            ]
        )
        self._layers.append(layer.name)
        self._mark(layer.name)

    def _mark(self, layer: str) -> None:
        for table in self._tables:
            table.mark(layer)

    @property
    def _tables(self) -> tuple[Table[Any], ...]:
        return self._instructions, self._blocks, self._taps, self._params, self._weights

    def finish(self) -> Program:
        """The program, once everything fits."""
        self._instructions.append([as_fields({"opcode": Opcode.END})])
        self._mark(self._layers[-1] if self._layers else "")
        self._layers.append("")
        for table in self._tables:
            table.check(self._config)
        params = np.array(self._params.rows, dtype=np.uint32).reshape(-1, region_beats(self._config, Region.PARAMS))
        weights = np.frombuffer(b"".join(self._weights.rows), dtype=np.uint32)
        return Program(
            config=self._config,
            graph=self._graph,
            instructions=encode_table(COMPUTE, self._instructions),
            blocks=encode_table(BLOCK, self._blocks),
            taps=encode_table(TAP, self._taps),
            params=params,
            weights=weights.reshape(-1, region_beats(self._config, Region.WEIGHTS)).copy(),
            layouts=self._layouts,
            layers=tuple(self._layers),
        )
