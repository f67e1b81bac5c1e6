"""Compiled programs compute what their graph says, on every shape of core."""

from __future__ import annotations

import numpy as np
import pytest

from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit, Int
from narrows.hw.spec.isa import COMPUTE
from narrows.sw.compile import compile_graph

_WIDE = {"acc_bits": 32, "rescale_bits": 8, "act_words": 8192, "weight_words": 8192, "blocks": 512, "taps": 1024, "param_words": 512}
CONFIGS = {
    "square": AcceleratorConfig(rows=4, columns=4, lanes=4, rescalers=2, **_WIDE),
    "three rows": AcceleratorConfig(rows=3, columns=4, lanes=8, rescalers=4, **_WIDE),
    "more columns": AcceleratorConfig(rows=2, columns=8, lanes=4, rescalers=2, **_WIDE),
    "more lanes": AcceleratorConfig(rows=5, columns=2, lanes=16, rescalers=2, **_WIDE),
    "odd columns": AcceleratorConfig(rows=4, columns=6, lanes=4, rescalers=2, planes=5, **_WIDE),
    "single": AcceleratorConfig(rows=1, columns=1, lanes=2, rescalers=1, **_WIDE),
}


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
            "kernel": kernel, "stride": tuple(int(v) for v in rng.choice([1, 1, 2, 3], 2)),
            "pads": tuple(int(v) for v in rng.integers(0, 1 + np.array([*kernel, *kernel]) // 2)),
            "dilation": tuple(int(v) for v in rng.choice([1, 1, 1, 2], 2)),
        }
        if min(size_out(size, **geometry)) >= 1:
            return geometry


def weight_levels(rng):
    """Levels to draw weights from: native codes, or integers of 2 or 3 digits, or multiples of 8."""
    return [DyBit(4).levels, DyBit(2).levels, Int(4).levels, [-100, 0, 77], [-64, 0, 8, 64], [1]][rng.choice(6, p=[0.4, 0.1, 0.2, 0.1, 0.1, 0.1])]


def random_chain(build, rng, layers):
    """Layers of every kind one after another, now and then with a residual."""
    size = tuple(int(v) for v in rng.integers(1, 9, 2))
    source = build.tensor((int(rng.integers(1, 8)), *size))
    for _ in range(layers):
        channels, *size = build.tensors[source].shape
        geometry = random_geometry(rng, size)
        out = size_out(size, **geometry)
        kind = rng.choice(["dense", "depthwise", "max", "residual", "join"])
        outputs = int(rng.integers(1, 14))
        levels = weight_levels(rng)
        if kind == "max" and all(2 * pad <= k for pad, k in zip(geometry["pads"], geometry["kernel"] * 2, strict=True)):
            geometry["dilation"] = (1, 1)
            geometry["pads"] = tuple(min(p, k - 1) for p, k in zip(geometry["pads"], geometry["kernel"] * 2, strict=True))
            source = build.max(source, size_out(size, **geometry), **geometry)
        elif kind == "depthwise":
            source = build.mac([build.segment(source, None, out, **geometry, levels=levels)], out)
        elif kind == "residual":
            identity = {"kernel": (1, 1), "stride": (1, 1), "pads": (0, 0, 0, 0), "dilation": (1, 1)}
            same = {"kernel": (3, 3), "stride": (1, 1), "pads": (1, 1, 1, 1), "dilation": (1, 1)}
            inner = build.mac([build.segment(source, outputs, size, **same, levels=levels)], size)
            source = build.mac([
                build.segment(inner, channels, size, **same, levels=weight_levels(rng)),
                build.segment(source, None, size, **identity, levels=[3, 24, 64]),
            ], size)
        elif kind == "join":
            point = geometry | {"kernel": (1, 1), "pads": (0, 0, 0, 0)}
            if size_out(size, **point) != out or max(geometry["stride"]) > 2:
                continue
            inner = build.mac([build.segment(source, outputs, out, **geometry, levels=levels)], out)
            last = {"kernel": (1, 1), "stride": (1, 1), "pads": (0, 0, 0, 0), "dilation": (1, 1)}
            source = build.mac([
                build.segment(inner, outputs, out, **last, levels=levels),
                build.segment(source, outputs, out, **point, levels=levels),
            ], out)
        else:
            source = build.mac([build.segment(source, outputs, out, **geometry, levels=levels)], out)
    return source


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_compute_what_they_say(name, seed, builder, check):
    config = CONFIGS[name]
    build = builder(config, seed)
    last = random_chain(build, build.rng, 4)
    check(compile_graph(build.graph([last]), config), seed)
