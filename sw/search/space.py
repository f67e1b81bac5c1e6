"""Space and Point: what a search chooses among, and one choice as settings and a configuration."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ...hw.spec.config import AcceleratorConfig, bases_of
from ...hw.spec.formats import parse_format
from ...hw.spec.memories import words_in_window
from ..errors import InputError
from ..graph import Graph
from ..layers import Mac, Product
from ..quantize import LayerFormats, QuantSettings
from ..quantize.kept import is_kept

__all__ = ["Knob", "Point", "Space", "knobs_of"]

Shape = tuple[int, int, int]

_ROOM = {
    "act_words": 65536,
    "weight_words": 65536,
    "param_words": 4096,
    "taps": 1024,
    "blocks": 1024,
    "instructions": 1024,
}
"""Memories that hold nearly anything, for a program that then shows how much it needs."""


@dataclass(frozen=True, order=True)
class Knob:
    """One choice of a layer: the format of its ``"weights"``, or of the tensor that it writes (``"acts"``)."""

    layer: str
    kind: str


def knobs_of(graph: Graph) -> tuple[Knob, ...]:
    """Choices of a lowered graph; InputError if quantisation chooses nothing in it."""
    outputs = graph.output_tensors
    knobs = []
    for layer in graph.layers:
        if not isinstance(layer, Mac | Product) or (isinstance(layer, Mac) and is_kept(layer, graph)):
            continue
        if isinstance(layer, Mac) and not all(term.constant for term in layer.terms):
            knobs.append(Knob(layer.name, "weights"))
        if layer.output not in outputs:
            knobs.append(Knob(layer.name, "acts"))
    if not knobs:
        raise InputError("the model keeps its own trained integers: there is nothing to search")
    return tuple(knobs)


@dataclass(frozen=True, kw_only=True)
class Point:
    """One choice: a format for every knob, and the widths, base and shape (rows, columns, lanes) of the core."""

    formats: Mapping[Knob, str] = field(hash=False)
    acc_bits: int
    rescale_bits: int
    base: str
    shape: Shape

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells points apart."""
        return (*sorted(self.formats.items()), self.acc_bits, self.rescale_bits, self.base, self.shape)

    @property
    def is_uniform(self) -> bool:
        """Whether all weights have one format, and all activations."""
        return all(
            len({name for knob, name in self.formats.items() if knob.kind == kind}) <= 1 for kind in ("weights", "acts")
        )

    @property
    def settings(self) -> QuantSettings:
        """Formats as quantisation takes them."""
        layers: dict[str, dict[str, str]] = {}
        for knob, name in self.formats.items():
            layers.setdefault(knob.layer, {})[knob.kind] = name
        bases: dict[str, Any] = {**bases_of(self.base)}
        core = AcceleratorConfig(**bases)
        return QuantSettings(
            weights=core.weight_format,
            acts=core.act_format,
            layers={layer: LayerFormats(**formats) for layer, formats in layers.items()},
        )

    def config(self, start: AcceleratorConfig) -> AcceleratorConfig:
        """The core, with memories that hold nearly anything and all roundings that the point's formats need; what the
        point does not say is ``start``'s."""
        rows, columns, lanes = self.shape
        weight_words = min(_ROOM["weight_words"], words_in_window(8 * columns * lanes))  # 8 bits a weight at most
        core = replace(
            start,
            **(_ROOM | {"weight_words": weight_words}),
            **bases_of(self.base),
            planes=start.planes if self.base == start.formats else 0,
            rows=rows,
            columns=columns,
            lanes=lanes,
            acc_bits=self.acc_bits,
            rescale_bits=self.rescale_bits,
        )
        acts = sorted({name for knob, name in self.formats.items() if knob.kind == "acts"})
        new = [fmt.name for fmt in map(parse_format, acts) if fmt.top <= core.level_max and not core.rounds(fmt)]
        return replace(core, rounds_to="+".join([core.rounded_formats, *new])) if new else core


@dataclass(frozen=True, kw_only=True)
class Space:
    """Options of every knob and of the core.

    Parameters
    ----------
    knobs : tuple of Knob
    weights, acts : tuple of str
        Formats.
    acc_bits, rescale_bits : tuple of int
    bases : tuple of str
    shapes : tuple of (rows, columns, lanes)
    """

    knobs: tuple[Knob, ...]
    weights: tuple[str, ...]
    acts: tuple[str, ...]
    acc_bits: tuple[int, ...]
    rescale_bits: tuple[int, ...]
    bases: tuple[str, ...]
    shapes: tuple[Shape, ...]

    @classmethod
    def of(cls, graph: Graph, **options: Any) -> Space:
        """Space over the layers of a lowered graph that quantisation chooses for; ``options`` are the parameters.

        Raises
        ------
        InputError
            If the graph leaves nothing to choose.
        """
        return cls(knobs=knobs_of(graph), **options)

    def __post_init__(self) -> None:
        QuantSettings(layers={str(n): LayerFormats(weights=name) for n, name in enumerate(self.weights)})
        QuantSettings(layers={str(n): LayerFormats(acts=name) for n, name in enumerate(self.acts)})

    def options(self, knob: Knob) -> tuple[str, ...]:
        """Formats of a knob."""
        return self.weights if knob.kind == "weights" else self.acts

    def cores(self) -> Iterator[dict[str, Any]]:
        """All widths, bases and shapes, as parameters of `Point`."""
        for acc_bits, rescale_bits, base, shape in itertools.product(
            self.acc_bits, self.rescale_bits, self.bases, self.shapes
        ):
            yield {"acc_bits": acc_bits, "rescale_bits": rescale_bits, "base": base, "shape": shape}

    def uniform(self, weights: str, acts: str, **core: Any) -> Point:
        """The same formats everywhere."""
        formats = {knob: weights if knob.kind == "weights" else acts for knob in self.knobs}
        return Point(formats=formats, **core)

    def finest(self, config: AcceleratorConfig) -> tuple[str, str]:
        """The widest formats of weights and of activations that a core writes in its planes."""
        digits = config.digits
        writable = [name for name in self.acts if digits.of_format(parse_format(name)) <= config.planes]
        if not writable:
            raise InputError(
                f"no format of {', '.join(self.acts)} fits the {config.planes} planes that the core writes"
            )
        weights, acts = (max(names, key=lambda name: parse_format(name).bits) for names in (self.weights, writable))
        return weights, acts
