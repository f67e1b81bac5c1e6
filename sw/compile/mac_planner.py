"""MacPlanner: sums of products on the array."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import ClassVar

from ...hw.spec.isa import Mode
from ...hw.spec.layout import TensorLayout
from ...hw.spec.pipeline import pipeline
from ...hw.spec.tables import encode_table
from ...hw.spec.words import pack_codes
from ..outline import LayerOutline, is_outlined
from ..quantised import HeldSegment, MacLayer, Segment
from ..roundings import check_rounding
from .blocks import plan_blocks, strip_step
from .emit import signed_address, table_fields
from .geometry import Walk, Window, drained_rows
from .params import param_words
from .phases import Phase, phases_of
from .plan import LoweredLayer
from .planner import Layouts, LeastCycles, Planner
from .pooling import group_layouts, group_output, group_walk, pooled_source, pools_groups
from .products import product_steps, refuse_products, walked_tensors
from .shortages import Shortages
from .tables import Blank
from .unfolding import unfolded_layouts
from .weights import channel_span, shared_words, tile_count

__all__ = ["MacPlanner"]


class MacPlanner(Planner[MacLayer]):
    """A multiply-accumulate layer, perhaps on windows in place of pixels, or on channel groups in place of these."""

    mode: ClassVar[Mode] = Mode.MAC

    def check_units(self, shortages: Shortages) -> None:
        """As `Planner` says."""
        name, fmt = self.layer.name, self.output.format
        if self.layer.table is None:
            check_rounding(name, fmt, self.config)
        if self.layer.products:
            shortages.need("dynamic", "dynamic weights", 1, name)
        shortages.need("planes", f"digit planes for {fmt}", self.config.digits.count(self.output.levels), name)

    def check_bands(self) -> None:
        """As `Planner` says."""
        refuse_products(self.layer)

    def written(self, layouts: Layouts) -> tuple[int, int]:
        """As `Planner` says: whole column groups."""
        channels = tile_count(self.output.shape[0], self.config) * self.config.columns
        return channels, self.config.digits.count(self.output.levels)

    def in_columns(self, name: str) -> bool:
        """As `Planner` says: of a matrix product."""
        return any(segment.held == name and not segment.depthwise for segment in self.layer.products)

    def packed(self, name: str, layouts: Layouts) -> list[TensorLayout]:
        """As `Planner` says: taps packed into lanes, of the input, or channel groups side by side, of other tensors."""
        if name != self.graph.input.tensor:
            pools = pools_groups(self.layer, self.graph, self.config)
            return [replace(layouts[name], interleaved=True)] if pools else []
        segments = [segment for segment in self._part.segments if segment.source == name]
        if self.layer.products or len(segments) > 1 or segments[0].depthwise:
            return []
        size = self.layer.size(self.output)
        return unfolded_layouts(segments[0], self.graph.tensors[name], size, self.config)

    def walk(self, layouts: Layouts) -> Walk | None:
        """As `Planner` says."""
        if (pooled := pooled_source(self.layer, layouts)) is not None:
            return group_walk(pooled, layouts[self.layer.output], self.config)
        walked = walked_tensors(self.layer, layouts)
        rows = 1 if walked else drained_rows(layouts[self.layer.output], self.layer.enlarge, self.config)
        return self._walk(layouts, rows, walked)

    def extent(self, layouts: Layouts) -> dict[str, int]:
        """As `Planner` says."""
        if (pooled := pooled_source(self.layer, layouts)) is not None:
            tiles = tile_count(pooled.lanes, self.config)
            return {**group_output(layouts[self.layer.output]), "column_groups": tiles}
        return {"column_groups": tile_count(self.output.shape[0], self.config)}

    def steps(self, layouts: Layouts) -> int:
        """As `Planner` says: of a phase, before products latch a word for several blocks."""
        pooled = pooled_source(self.layer, layouts) is not None
        strip = strip_step(self._part, layouts, self.config) is not None
        steps = 0
        for segment, digits, taps in self._weighed:
            source = layouts[segment.source]
            groups = -(-source.channels // self.config.lanes)
            if pooled:
                groups = 1
            elif strip:
                groups = min(groups, channel_span(self.config) // self.config.lanes)
            if source.unfold is not None:
                taps = math.prod(Window.on(segment, source).kernel)
            steps += digits * source.planes * taps * groups
        return steps + sum(product_steps(each, layouts, self.config, strip=strip) for each in self._part.products)

    @cached_property
    def _part(self) -> MacLayer:
        """The first phase: all of them take as long."""
        return next(phases_of(self.layer, self.config)).layer

    @cached_property
    def _weighed(self) -> list[tuple[Segment, int, int]]:
        """Segments of a phase, with the digits of their weights and the taps that are read."""
        digits = self.config.weight_digits
        return [
            (segment, sum(codes is not None for codes in segment.codes(digits)), int(segment.read.sum()))
            for segment in self._part.segments
        ]

    @property
    def unit(self) -> int:
        """As `Planner` says: a channel period, if some segment has one."""
        depthwise = any(segment.depthwise for segment in self.layer.segments)
        return channel_span(self.config) // self.config.columns if depthwise else 1

    def phases(self) -> Iterator[Phase[MacLayer]]:
        """As `Planner` says."""
        return phases_of(self.layer, self.config)

    def lower(self, layouts: Layouts) -> LoweredLayer:
        """As `Planner` says."""
        layer, config, extent = self.layer, self.config, self.extent(layouts)
        if pooled_source(layer, layouts) is not None:
            layer, layouts = layer.of_channels(slice(config.lanes)), group_layouts(layer, layouts)
        plan = plan_blocks(layer, self.graph, layouts, config)
        tiles, outlined = len(plan.words), is_outlined(layer)
        words, shared = plan.words, None
        if 1 < config.diagonals == plan.channel_period and tiles > 1:
            shared = words[:: config.diagonals] if outlined else shared_words(words, config)
        if shared is not None:
            words = shared
        count, pitch, size = words.shape
        repeats = count == 1 or (not outlined and bool((words == words[:1]).all()))
        rows = 1 if repeats else count
        weights: tuple[bytes, ...] | Blank = Blank(layer.name, rows * pitch)
        params: tuple[tuple[int, ...], ...] | Blank = Blank(layer.name, tiles * config.tile_granules)
        if not outlined:
            packed = pack_codes(words[:rows].reshape(-1, size), config.weight_bits)
            weights = tuple(row.tobytes() for row in packed)
        if not isinstance(layer, LayerOutline):
            params = tuple(param_words(layer, config))
        return LoweredLayer(
            fields={
                **extent,
                **(table_fields(layer.table) if layer.table else {}),
                "channel_period": plan.channel_period,
                "channel_step": signed_address(plan.channel_step),
                "fixed_step": signed_address(plan.fixed_step),
                "weight_pitch": 0 if repeats else pitch,
                "diagonal": int(shared is not None),
            },
            blocks=plan.blocks,
            weights=weights,
            params=params,
            table=encode_table(layer.table.levels, config.level_bits).tobytes() if layer.table else b"",
        )

    def least(self, layouts: Layouts) -> LeastCycles:
        """As `Planner` says.

        A layer of O channels and N output pixels takes ``ceil(N/rows) * ceil(O/columns)`` tiles. A dense segment of I
        channels and T taps takes ``passes * ceil(I*T/lanes)`` steps of each, where a pass is a pair of digits; a
        depthwise one ``passes * ceil(columns*T/lanes)``. Where all segments are depthwise, rows may as well hold
        channel groups of one pixel: ``passes * N*T * ceil(ceil(O/lanes)/rows) * ceil(lanes/columns)`` steps; then
        these drain side by side.
        """
        config = self.config
        channels, height, width = self.output.shape
        pixels, phases = height * width, math.prod(self.layer.enlarge)
        granules = -(-channels // config.rescalers)
        drain = -(-pixels // config.drain_rows) * granules
        if self._is_depthwise:
            drain = min(drain, -(-pixels * granules // config.drain_rows))
        tile = -(-config.rows // config.drain_rows) * config.tile_granules
        planes = layouts[self.layer.output].planes
        return LeastCycles(
            array=phases * self._least_steps(pixels // phases, channels),
            drain=drain * planes,
            latency=pipeline(config).results(is_max=False),
            tile=tile * planes,
        )

    @property
    def _is_depthwise(self) -> bool:
        return all(segment.depthwise for segment in self.layer.segments)

    def _least_steps(self, pixels: int, channels: int) -> int:
        config, tensors = self.config, self.graph.tensors
        tiles = -(-pixels // config.rows) * -(-channels // config.columns)
        words = -(-channels // config.lanes)
        groups = pixels * -(-words // config.rows) * -(-config.lanes // config.columns)
        steps = grouped = 0
        for segment in self.layer.segments:
            if isinstance(segment, HeldSegment):
                weight_planes = config.digits.count(tensors[segment.held].levels)
            else:
                weight_planes = int(config.weight_digits.fewest_codes(segment.weights).any(axis=(1, 2, 3, 4)).sum())
            passes = weight_planes * config.digits.count(tensors[segment.source].levels)
            taps = math.prod(segment.kernel)
            values = (config.columns if segment.depthwise else segment.weights.shape[1]) * taps
            steps += passes * -(-values // config.lanes)
            grouped += passes * groups * taps
        if self._is_depthwise:
            return min(tiles * steps, grouped)
        return tiles * steps
