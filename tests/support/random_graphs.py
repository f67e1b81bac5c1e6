"""Random graphs, and shapes of cores to run them on: what compiler, models and simulated cores are checked with."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from narrows.hw.spec.certificate import signed_bits
from narrows.hw.spec.config import FABRICS, AcceleratorConfig, ConfigError, bases_of
from narrows.hw.spec.formats import DyBit, Format, Int, Minifloat
from narrows.sw.enlarging import Factors, enlarged_shape
from narrows.sw.integer.segments import sum_bounds
from narrows.sw.outputs import Output
from narrows.sw.quantised import InputSpec, LevelTable, MacLayer, MaxLayer, QuantisedGraph, QuantisedTensor, Segment
from narrows.sw.states import State
from numpy.typing import NDArray

__all__ = [
    "CONFIGS",
    "NATIVE_LEVELS",
    "SAME",
    "GraphBuilder",
    "random_chain",
    "random_config",
    "random_enlarging",
    "random_levels",
    "random_stream",
    "size_out",
]

_ROOMY = AcceleratorConfig(
    acc_bits=32, rescale_bits=8, act_words=8192, weight_words=8192, blocks=512, taps=1024, param_words=512
)
CONFIGS = {
    "square": dataclasses.replace(_ROOMY, rows=4, columns=4, lanes=4, rescalers=2),
    "three rows": dataclasses.replace(_ROOMY, rows=3, columns=4, lanes=8, rescalers=4),
    "more columns": dataclasses.replace(_ROOMY, rows=2, columns=8, lanes=4, rescalers=2),
    "more lanes": dataclasses.replace(_ROOMY, rows=5, columns=2, lanes=16, rescalers=2),
    "odd columns": dataclasses.replace(_ROOMY, rows=4, columns=6, lanes=4, rescalers=2, planes=5),
    "two rows drained": dataclasses.replace(_ROOMY, rows=7, columns=4, lanes=4, rescalers=4, drain_rows=2),
    "four rows drained": dataclasses.replace(_ROOMY, rows=6, columns=4, lanes=4, rescalers=2, drain_rows=4),
    "spread": dataclasses.replace(_ROOMY, rows=17, columns=4, lanes=4, rescalers=2, drain_rows=4),
    "spread, without pairs": dataclasses.replace(_ROOMY, rows=5, columns=8, lanes=8, rescalers=4, tables=2, planes=5),
    "single": dataclasses.replace(_ROOMY, rows=1, columns=1, lanes=2, rescalers=1),
    "fetched late": dataclasses.replace(_ROOMY, rows=3, columns=4, lanes=4, rescalers=2, prefetch=0),
    "one port": dataclasses.replace(
        _ROOMY,
        rows=2,
        columns=2,
        lanes=4,
        rescalers=1,
        dsp_lanes=4,
        prefetch=0,
        max_pool=0,
        counters=0,
        memories="single",
        fabric="ice40",
    ),
    "one port, wide": dataclasses.replace(_ROOMY, rows=3, columns=4, lanes=8, rescalers=2, memories="single", tables=2),
    "tables": dataclasses.replace(_ROOMY, rows=2, columns=4, lanes=8, rescalers=4, tables=4, planes=5),
    "e2m1": dataclasses.replace(
        _ROOMY, base="e2m1", rounds_to="e2m1+ue2m2+dybit4", rows=3, columns=4, lanes=8, rescalers=2
    ),
    "int4": dataclasses.replace(_ROOMY, base="int4", rows=3, columns=4, lanes=8, rescalers=2),
    "int3": dataclasses.replace(_ROOMY, base="int3", planes=0, rows=2, columns=2, lanes=8, rescalers=1),
    "ternary": dataclasses.replace(_ROOMY, base="dybit2", planes=0, rows=4, columns=4, lanes=16, rescalers=2),
    "ternary weights": dataclasses.replace(_ROOMY, weight_base="dybit2", rows=4, columns=4, lanes=8, rescalers=2),
    "narrow weights": dataclasses.replace(
        _ROOMY, weight_base="dybit3", act_base="dybit4", planes=0, rows=2, columns=4, lanes=4, rescalers=4
    ),
    "bytes": dataclasses.replace(
        _ROOMY, weight_base="int5", act_base="int8", planes=0, rows=3, columns=4, lanes=8, rescalers=2, dsp_lanes=6
    ),
}
_BASES = [
    *("dybit4", "dybit4", "e2m1", "int4", "dybit3", "int3", "dybit2"),
    *("dybit2xdybit4", "dybit3xdybit4", "int3xint4", "dybit2xint8", "dybit4xint8", "int4xint8", "int5xint8"),
]
SAME = {"kernel": (3, 3), "pads": (1, 1, 1, 1)}
NATIVE_LEVELS = tuple(DyBit(4).levels.tolist())


def random_config(seed: int) -> AcceleratorConfig:
    """A core of any shape that builds within a minute or two and any widths, with room for `random_chain`."""
    rng = np.random.default_rng(seed)
    while (config := _any_config(rng)).macs > 600:
        pass
    return config


def _any_config(rng: np.random.Generator) -> AcceleratorConfig:
    rescalers = int(rng.choice([1, 2, 4, 8]))
    lanes = max(2, rescalers << int(rng.integers(0, 3)))
    bases = bases_of(str(rng.choice(_BASES)))
    core = AcceleratorConfig(**bases, rescalers=1)
    rescalers = min(rescalers, 32 // core.code_bits)
    shape = dataclasses.replace(
        _ROOMY,
        **bases,
        rows=int(rng.integers(1, 7)),
        columns=rescalers * int(rng.integers(1, 4)),
        lanes=lanes,
        rescalers=rescalers,
        acc_bits=int(rng.integers(18, 33)),
        bias_bits=int(rng.choice([0, 0, 16, 32])),
        rescale_bits=int(rng.choice([2, 3, 4, 6, 8, 12, 16])),
        planes=min(int(rng.integers(1, 6)), core.digits.most),
        tree_stage=int(rng.integers(1, 7)),
        product_stage=int(rng.integers(2)),
        dsp_lanes=int(rng.choice([0, 0, lanes // 2, lanes])),
        fabric=str(rng.choice(FABRICS)),
    )
    return _with_options(shape, rng.spawn(1)[0])


def _with_options(shape: AcceleratorConfig, rng: np.random.Generator) -> AcceleratorConfig:
    """The same shape with options that change when things happen, not what."""
    options = {
        "drain_rows": int(rng.choice([rows for rows in (1, 1, 2, 4) if rows <= shape.rows])),
        "prefetch": int(rng.integers(2)),
        "memories": str(rng.choice(["dual", "single"])),
    }
    try:
        return dataclasses.replace(shape, **options)
    except ConfigError:  # not every shape can have memories of one port
        return dataclasses.replace(shape, **options | {"memories": "dual"})


@dataclass
class GraphBuilder:
    """Graphs with random weights, layer by layer."""

    config: AcceleratorConfig
    rng: np.random.Generator

    def __post_init__(self) -> None:
        self.tensors: dict[str, QuantisedTensor] = {}
        self.layers: list[MacLayer | MaxLayer] = []
        self.states: list[State] = []

    def tensor(self, shape, fmt: Format | None = None) -> str:
        """A tensor of a random zero level; of a random format and clamp unless the format is given."""
        given = fmt is not None
        while fmt is None or (self.config.digits.of_format(fmt) > self.config.planes and self.tensors):
            formats = (DyBit(4), Int(4), DyBit(2), Int(8), Int(4, False), DyBit(4, False), DyBit(8))
            fmt = formats[self.rng.choice(7, p=[0.5, 0.2, 0.1, 0.1, 0.04, 0.04, 0.02])]
            if not self.config.rounds(fmt):
                fmt = (Minifloat(2, 1), Minifloat(2, 2, False))[self.rng.choice(2, p=[0.8, 0.2])]
            fmt = fmt if self.config.rounds(fmt) else Int(4)
        low, zero, high = np.sort(self.rng.choice(fmt.levels, 3, replace=False)).tolist()
        if given or self.rng.random() < 0.6:
            low, high = int(fmt.levels[0]), int(fmt.levels[-1])
        if not given and self.config.digits.base.whole and self.rng.random() < 0.4:
            # all of a byte: one level more than symmetric integers of 8 bits have
            fmt, low, high = Int(9), -128, 127
            zero = int(self.rng.choice(np.array([-128, 0, 127, int(self.rng.integers(low, high))])))
        name = f"t{len(self.tensors)}"
        self.tensors[name] = QuantisedTensor(
            name=name, shape=shape, format=fmt, scale=1.0, zero=zero, low=low, high=high
        )
        return name

    def segment(
        self,
        source: str,
        outputs: int | None,
        *,
        levels,
        kernel=(1, 1),
        stride=(1, 1),
        pads=(0, 0, 0, 0),
        dilation=(1, 1),
        inset=(0, 0, 0, 0),
    ) -> Segment:
        """A segment with weights drawn from ``levels``; depthwise if ``outputs`` is None."""
        channels = self.tensors[source].shape[0]
        shape = (channels, 1, *kernel) if outputs is None else (outputs, channels, *kernel)
        return Segment(
            source=source,
            weights=self.rng.choice(np.asarray(levels), shape).astype(np.int64),
            depthwise=outputs is None,
            stride=stride,
            pads=pads,
            dilation=dilation,
            inset=inset,
        )

    def like(self, other: str) -> str:
        """A tensor of the same kind."""
        name = f"t{len(self.tensors)}"
        self.tensors[name] = dataclasses.replace(self.tensors[other], name=name)
        return name

    def update(self, state: str, segments) -> str:
        """A layer that writes what a state takes over, which begins at random levels."""
        update = self.mac(segments, self.tensors[state].shape[1:], like=state)
        tensor = self.tensors[state]
        within = tensor.levels[(tensor.levels >= tensor.low) & (tensor.levels <= tensor.high)]
        first = self.rng.choice(within, tensor.shape)
        self.states.append(State(tensor=state, update=update, initial=first))
        return update

    def mac(
        self, segments, size, fmt: Format | None = None, *, like: str | None = None, enlarge: Factors = (1, 1)
    ) -> str:
        """A layer over segments, its rescaler set so that outputs use their range; ``size`` is that of its sums."""
        outputs = segments[0].weights.shape[0]
        low, high = sum_bounds(segments, self.tensors)
        shape = enlarged_shape((outputs, *size), enlarge)
        output = self.tensor(shape, fmt) if like is None else self.like(like)
        k = self.config.rescale_bits
        span = self.tensors[output].high - self.tensors[output].low
        reach = np.maximum(1, (high - low) * 2**k // (4 * max(1, span)))
        shift = np.clip(np.log2(reach).astype(np.int64) + self.rng.integers(-1, 2, outputs), 0, self.config.shift_max)
        bias = np.array([self.rng.integers(-(b // 4) - 1, b // 4 + 1) for b in np.maximum(-low, high)])
        limit = (1 << self.config.bias_width - 1) - 1
        self.layers.append(
            MacLayer(
                name=f"l{len(self.layers)}",
                segments=tuple(segments),
                bias=np.clip(bias, -limit, limit),
                multiplicand=self.rng.integers(2 ** (k - 1), 2**k, outputs),
                shift=shift,
                cert_bits=signed_bits(low, high),
                output=output,
                table=self.table(self.tensors[output]) if self.config.tables > self.tables else None,
                enlarge=enlarge,
            )
        )
        return output

    @property
    def tables(self) -> int:
        """Layers with a table."""
        return sum(isinstance(layer, MacLayer) and layer.table is not None for layer in self.layers)

    def table(self, output: QuantisedTensor) -> LevelTable | None:
        """A random function of integers to the levels of a tensor, or none."""
        if self.rng.random() < 0.4:
            return None
        low, zero, high = np.sort(self.rng.integers(-127, 128, 3)).tolist()
        return LevelTable(zero=zero, low=low, high=high, levels=self.rng.choice(output.levels, 255))

    def average(self, source: str) -> str:
        """The same sum over all pixels of every channel, every channel rescaled alike."""
        channels, height, width = self.tensors[source].shape
        output = self.mac([self.segment(source, None, kernel=(height, width), levels=[1])], (1, 1))
        last = self.layers[-1]
        assert isinstance(last, MacLayer)
        alike = {name: getattr(last, name)[:1].repeat(channels) for name in ("bias", "multiplicand", "shift")}
        self.layers[-1] = dataclasses.replace(last, **alike)
        return output

    def max(self, source: str, size, **geometry) -> str:
        """A max-pool."""
        base = self.tensors[source]
        name = f"t{len(self.tensors)}"
        self.tensors[name] = QuantisedTensor(
            name=name,
            shape=(base.shape[0], *size),
            format=base.format,
            scale=1.0,
            zero=base.zero,
            low=base.low,
            high=base.high,
        )
        self.layers.append(MaxLayer(name=f"l{len(self.layers)}", source=source, output=name, **geometry))
        return name

    def graph(self, outputs) -> QuantisedGraph:
        """The graph so far."""
        first = next(iter(self.tensors.values()))
        return QuantisedGraph(
            name="random",
            tensors=dict(self.tensors),
            input=InputSpec(tensor=first.name, shape=first.shape),
            layers=tuple(self.layers),
            outputs=tuple(Output.whole(name, self.tensors[name].shape) for name in outputs),
            states=tuple(self.states),
        )


def random_levels(graph: QuantisedGraph, rng: np.random.Generator) -> NDArray[np.int64]:
    """Random input levels within the input's clamp."""
    tensor = graph.tensors[graph.input.tensor]
    levels = tensor.format.levels
    return rng.choice(levels[(levels >= tensor.low) & (levels <= tensor.high)], tensor.shape)


def size_out(size, *, kernel, stride, pads, dilation):
    """Output lines and pixels of a window."""
    return tuple(
        (size[axis] + pads[axis] + pads[axis + 2] - dilation[axis] * (kernel[axis] - 1) - 1) // stride[axis] + 1
        for axis in range(2)
    )


def random_geometry(rng, size):
    """A window that fits a tensor."""
    while True:
        kernel = tuple(int(v) for v in rng.integers(1, 4, 2))
        geometry = {
            "kernel": kernel,
            "stride": tuple(int(v) for v in rng.choice([1, 1, 2, 3], 2)),
            "pads": tuple(int(v) for v in rng.integers(0, 1 + np.array([*kernel, *kernel]) // 2)),
            "dilation": tuple(int(v) for v in rng.choice([1, 1, 1, 2], 2)),
        }
        if min(size_out(size, **geometry)) >= 1:
            return geometry


def near_the_border(rng, size, geometry):
    """The window, perhaps with lines or columns of the source left out; and perhaps an inset."""
    if rng.random() < 0.25:
        cropped = geometry | {"pads": tuple(int(v) for v in rng.integers(-2, 3, 4))}
        geometry = cropped if min(size_out(size, **cropped)) >= 1 else geometry
    inset = tuple(int(v) for v in rng.integers(0, 4, 4)) if rng.random() < 0.25 else (0, 0, 0, 0)
    return geometry, inset


def random_levels_of_weights(rng, native):
    """Levels to draw weights from: native codes, integers of several digits, digits that are mostly zero."""
    choices = (native, DyBit(2).levels, Int(4).levels, [-100, 0, 77], [-64, 0, 8, 64], [1])
    return choices[rng.choice(6, p=[0.4, 0.1, 0.2, 0.1, 0.1, 0.1])]


def random_layer(build, source):
    """One more layer of a random kind on a tensor, or two that a residual or a branch joins."""
    rng = build.rng
    channels, *size = build.tensors[source].shape
    native = build.config.weight_digits.base.levels
    geometry = random_geometry(rng, size)
    out = size_out(size, **geometry)
    outputs, levels = int(rng.integers(1, 14)), random_levels_of_weights(rng, native)
    match rng.choice(
        ["dense", "depthwise", "max", "residual", "branch", "average"], p=[0.2, 0.2, 0.2, 0.15, 0.15, 0.1]
    ):
        case "average":
            lanes = build.config.lanes * int(rng.integers(1, 4))
            inner = build.mac([build.segment(source, lanes, **geometry, levels=levels)], out)
            return build.average(inner)
        case "max" if build.config.max_pool:
            geometry["dilation"] = (1, 1)
            sides = zip(geometry["pads"], geometry["kernel"] * 2, strict=True)
            geometry["pads"] = tuple(min(pad, kernel - 1) for pad, kernel in sides)
            return build.max(source, size_out(size, **geometry), **geometry)
        case "depthwise":
            outputs = None
        case "residual":
            inner = build.mac([build.segment(source, outputs, **SAME, levels=levels)], size)
            last = build.segment(inner, channels, **SAME, levels=random_levels_of_weights(rng, native))
            return build.mac([last, build.segment(source, None, levels=[3, 24, 64])], size)
        case "branch" if size_out(size, **geometry | {"kernel": (1, 1), "pads": (0, 0, 0, 0)}) == out:
            inner = build.mac([build.segment(source, outputs, **geometry, levels=levels)], out)
            branch = build.segment(source, outputs, stride=geometry["stride"], levels=levels)
            return build.mac([build.segment(inner, outputs, levels=levels), branch], out)
    geometry, inset = near_the_border(rng, size, geometry)
    out = size_out(size, **geometry)
    return build.mac([build.segment(source, outputs, **geometry, inset=inset, levels=levels)], out)


def random_chain(build, layers):
    """A graph of random layers, one after the other."""
    source = build.tensor((int(build.rng.integers(1, 8)), *(int(v) for v in build.rng.integers(1, 9, 2))))
    for _ in range(layers):
        source = random_layer(build, source)
    return build.graph([source])


def random_enlarging(build):
    """A graph of two layers that enlarge, the second one perhaps a copy of its source's channels, read in turn by a
    convolution, by one of stride 2, and beside a tensor that was large before."""
    rng = build.rng
    size = tuple(int(v) for v in rng.integers(1, 5, 2))
    factors = [tuple(int(v) for v in rng.choice([1, 2, 2, 3], 2)) for _ in range(2)]
    levels = random_levels_of_weights(rng, build.config.weight_digits.base.levels)
    source = build.tensor((int(rng.integers(1, 8)), *size))
    outputs = int(rng.integers(1, 9))
    kernel = [{"kernel": (1, 1)}, SAME][rng.integers(2)]
    first = build.segment(source, outputs * math.prod(factors[0]), **kernel, levels=levels)
    large = build.mac([first], size, enlarge=factors[0])
    size = build.tensors[large].shape[1:]
    if rng.random() < 0.5:
        copied = np.tile(np.eye(outputs, dtype=np.int64), (math.prod(factors[1]), 1))[:, :, np.newaxis, np.newaxis]
        second = dataclasses.replace(build.segment(large, 1, levels=[1]), weights=copied)
    else:
        second = build.segment(large, 3 * math.prod(factors[1]), **SAME, levels=levels)
    larger = build.mac([second], size, enlarge=factors[1])
    size = build.tensors[larger].shape[1:]
    last = [build.segment(larger, 2, **SAME, levels=levels)]
    if factors[1] == (1, 1):
        last.append(build.segment(large, 2, levels=levels))
    half = size_out(size, **SAME, stride=(2, 2), dilation=(1, 1))
    return build.graph(
        [build.mac(last, size), build.mac([build.segment(larger, 3, **SAME, stride=(2, 2), levels=levels)], half)]
    )


def random_stream(build):
    """A graph of two states of one size: one takes over a layer that reads it, one the other state, and both are read
    once more behind that."""
    rng, size = build.rng, tuple(int(v) for v in build.rng.integers(1, 6, 2))
    levels = random_levels_of_weights(rng, build.config.weight_digits.base.levels)
    x, first, second = (build.tensor((int(rng.integers(1, 8)), *size)) for _ in range(3))

    def read(source, outputs):
        return build.segment(source, outputs, levels=levels)

    inner = build.mac([read(x, 5), read(first, 5)], size)
    channels = [build.tensors[name].shape[0] for name in (first, second)]
    update = build.update(first, [read(inner, channels[0]), read(first, channels[0])])
    build.update(second, [read(first if rng.random() < 0.5 else update, channels[1])])
    output = build.mac([read(name, 3) for name in (inner, update, second)], size)
    return build.graph([output])
