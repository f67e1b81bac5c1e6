"""Which nodes of the model a layer came from: kept up by what every rewrite of a graph goes through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from .layers import Layer

__all__ = ["joined", "named_by", "with_origins"]


def joined(*origins: Iterable[str]) -> tuple[str, ...]:
    """Names of several origins, each once."""
    return tuple(dict.fromkeys(name for origin in origins for name in origin))


def with_origins(before: Sequence[Layer], after: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers ``after`` a rewrite, with the origins of those ``before`` it whose work they do.

    A layer made anew has the origin of the one that wrote its output; if its output is new, too, of a layer that reads
    it. Nodes that no layer names any more go to the layers that do their work now: those before which their own layers
    stood, with nothing written in between that is still there.
    """
    writers = {layer.output: layer for layer in before}
    written = {layer.output for layer in after}
    own = {layer.output: layer.origin or _of_writer(layer.output, writers) for layer in after}
    for layer in reversed(after):
        for source in layer.sources:
            own[source] = own.get(source) or own[layer.output]
    carried = set(joined(*own.values()))
    found = []
    for layer in after:
        nodes = _standing_before(layer.output, writers, written)
        kept = set(own[layer.output])
        origin = joined((name for name in nodes if name in kept or name not in carried), own[layer.output])
        found.append(layer if origin == layer.origin else replace(layer, origin=origin))
    return tuple(found)


def _of_writer(tensor: str, writers: Mapping[str, Layer]) -> tuple[str, ...]:
    return writers[tensor].origin if tensor in writers else ()


def _standing_before(tensor: str, writers: Mapping[str, Layer], written: set[str]) -> tuple[str, ...]:
    """Nodes of the layers that ``tensor`` was computed by, back to tensors that are still written; earliest first."""
    names: list[str] = []
    pending, seen = [(tensor, False)], {tensor}
    while pending:
        name, ready = pending.pop()
        layer = writers.get(name)
        if layer is None:
            continue
        if ready:
            names += layer.origin
            continue
        pending.append((name, True))
        for source in reversed(layer.sources):
            if source not in written and source not in seen:
                seen.add(source)
                pending.append((source, False))
    return joined(names)


def named_by(name: str, layers: Iterable[Layer]) -> list[str]:
    """Names of the layers that a name stands for: of the layer's own, or of a node that it came from."""
    exact = [layer.name for layer in layers if layer.name == name]
    return exact or [layer.name for layer in layers if name in layer.origin]
