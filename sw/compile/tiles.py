"""Tiles: a part of a layer as a layer of its own, between parts of its tensors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.layout import TensorLayout
from ..integer.reader import Reader
from ..quantised import IntegerLayer, QuantisedGraph
from .bands import Band, LayerBands
from .geometry import band_layout
from .lower import lower_layer
from .phases import Phase
from .plan import LoweredLayer
from .tables import Blank

__all__ = ["ChannelRange", "TileView", "lower_tile"]


@dataclass(frozen=True)
class ChannelRange:
    """Output channels, the end excluded; the first is that of a column group."""

    first: int
    end: int


@dataclass(frozen=True)
class TileView:
    """On-chip layouts of the tensors around one band of a layer: a buffer for what lies outside, the tensor itself."""

    reads: dict[str, TensorLayout]
    write: TensorLayout

    @classmethod
    def of(
        cls,
        layer: IntegerLayer,
        layouts: Mapping[str, TensorLayout],
        bands: LayerBands,
        number: int,
        config: AcceleratorConfig,
    ) -> TileView:
        """View of a band; buffers are taken by turns."""
        band = bands.bands[number]

        def view(name: str, lines: int) -> TensorLayout:
            if name not in bands.buffers:
                return layouts[name]
            buffers = bands.buffers[name]
            return replace(band_layout(layouts[name], lines, config), base=buffers[number % len(buffers)])

        reads = {name: view(name, end - first) for name, (first, end) in band.reads.items()}
        return cls(reads, view(layer.output, band.end - band.first))


def lower_tile(
    phase: Phase,
    graph: QuantisedGraph,
    config: AcceleratorConfig,
    *,
    band: Band,
    view: TileView,
    channels: ChannelRange,
    cert_bits: int,
    known: dict[Hashable, LoweredLayer],
) -> LoweredLayer:
    """Lower the part of a layer's phase that makes some lines of some of its channels.

    Padding of the part is the layer's less what the part leaves out above it; where a buffer begins or ends within the
    tensor, no tap reaches beyond the buffer.

    ``known`` holds what has been lowered of the graph: most bands of a layer are alike but for where they lie, and
    share their weights then.
    """
    layer, lines_of_one = phase.layer, phase.layer.enlarge[0]
    output = graph.tensors[layer.output]
    top_line, size = band.first // lines_of_one, layer.size(output)
    count = channels.end - channels.first
    tensors, layouts = dict(graph.tensors), dict(view.reads)
    for name, layout in view.reads.items():
        tensor = tensors[name]
        tensors[name] = replace(tensor, shape=(tensor.shape[0], layout.height, tensor.shape[2]))
    tensors[layer.output] = replace(output, shape=(count, band.end - band.first, output.shape[2]))
    layouts[layer.output] = replace(view.write, channels=count)

    def placed(reader: Reader) -> Reader:
        source = reader.source
        if reader.depthwise and count < output.shape[0]:
            # it reads its own channels: those of a tensor that begins with them
            whole = layouts[source]
            source = f"{source} from {channels.first}"
            base = whole.base + channels.first // config.lanes * whole.group_pitch
            layouts[source] = replace(whole, base=base, channels=count)
            tensor = tensors[reader.source]
            tensors[source] = replace(tensor, name=source, shape=(count, *tensor.shape[1:]))
        top, left, bottom, right = reader.pads
        pads = top - top_line * reader.stride[0] + band.reads[reader.source][0], left, bottom, right
        top, left, bottom, right = reader.inset
        below = size[0] - band.end // lines_of_one
        return reader.placed(source, pads, (max(0, top - top_line), left, max(0, bottom - below), right))

    part = layer.of_channels(slice(channels.first, channels.end))
    part = part.with_readers([placed(reader) for reader in part.readers])
    borders = tuple((reader.pads, reader.inset) for reader in part.readers)
    key = layer.name, channels, tuple(layouts.items()), borders, tensors[layer.output].shape
    if key not in known:
        known[key] = lower_layer(
            part, replace(graph, tensors=tensors), layouts, config, cert_bits=cert_bits, at=phase.at
        )
    lowered = known[key]
    unknown = {
        name: Blank((layer.name, channels.first), rows.count)
        for name, rows in (("weights", lowered.weights), ("params", lowered.params))
        if isinstance(rows, Blank)
    }
    lowered = replace(lowered, fields=dict(lowered.fields), **unknown)
    first_line = 0 if view.write.height == band.end - band.first else band.first
    lowered.fields.update(
        out_height=(band.end - band.first) // lines_of_one,
        out_base=view.write.base
        + int(view.write.spatial(first_line + phase.at[0], phase.at[1]))
        + channels.first // config.lanes * view.write.group_pitch,
        out_granule=channels.first % config.lanes // config.rescalers,
    )
    return lowered
