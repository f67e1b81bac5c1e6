"""Random cores over all options of the configuration, and the kinds of random graphs that each of them can run."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from narrows.hw.spec.config import PROTECTIONS, AcceleratorConfig, ConfigError
from narrows.sw.quantised import QuantisedGraph
from random_graphs import GraphBuilder, random_chain, random_config, random_stream
from random_products import random_products

__all__ = ["BUS_HOSTS", "random_core", "random_graph"]

BUS_HOSTS = ("axi", "wishbone", "bare")
"""Ports through which a simulated core takes its program in little time."""

_MEMORIES = {"act_words": (256, 512, 1024), "weight_words": (128, 256, 1024), "param_words": (32, 64)}
"""Small ones, so that a core with a backing store loads and stores a lot."""


def random_core(seed: int) -> AcceleratorConfig:
    """A core of any shape, as `random_graphs.random_config` draws it, with any of the options beside that."""
    shape, rng = random_config(seed), np.random.default_rng((seed, 1))
    options: dict[str, Any] = {}
    for value in _drawn(rng):
        try:
            dataclasses.replace(shape, **options, **value)
        except ConfigError:  # it does not go with the shape, or with an option before it
            continue
        options |= value
    return dataclasses.replace(shape, **options)


def _drawn(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Values of options, those that need each other together."""
    backed = {"backing": "axi4", "bus_bits": int(rng.choice([32, 64, 128])), "instructions": 1024}
    backed |= {name: int(rng.choice(sizes)) for name, sizes in _MEMORIES.items()}
    framed = {"frame_bytes": int(rng.choice([64, 256, 1024])), "streams": int(rng.integers(2))}
    shares = (
        (0.4, {"dynamic": 1, "blocks": 1024}),
        (0.35, backed),
        (0.4, {"tables": int(rng.integers(1, 5)), "planes": 5}),
        (0.2, {"max_pool": 0}),
        (0.2, {"counters": 0}),
        (0.3, framed),
        (0.4, {"entry": 1}),
        (0.5, {"protection": str(rng.choice(PROTECTIONS[1:]))}),
        (0.5, {"host": str(rng.choice(BUS_HOSTS[1:]))}),
    )
    return [value for share, value in shares if rng.random() < share]


def random_graph(build: GraphBuilder, layers: int) -> QuantisedGraph:
    """A random chain of layers, or one of products where the core has dynamic weights, or a stream with states."""
    kind = build.rng.spawn(1)[0].random()
    if kind < 0.15:
        return random_stream(build)
    if kind < 0.6 and build.config.dynamic:
        return random_products(build, max(1, layers - 1))
    return random_chain(build, layers)
