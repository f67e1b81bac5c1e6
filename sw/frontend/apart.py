"""Values whose names look like those that the importer makes for parts of others get names of their own."""

from __future__ import annotations

import re

from onnx import GraphProto

__all__ = ["keep_apart"]

_PART = re.compile(r"(?P<whole>.*)/[a-z]+\d*", re.DOTALL)
"""What importer and passes call tensors between those of the model: ``y/positive``, ``y/phases0``."""


def keep_apart(graph: GraphProto) -> dict[str, str]:
    """Rename values called like a part of another value; outputs of the model keep their names by an Identity.

    Returns
    -------
    dict of str
        New names by the old ones.
    """
    names = {name for node in graph.node for name in node.output} | {value.name for value in graph.input}
    taken = names | {tensor.name for tensor in graph.initializer}
    fresh: dict[str, str] = {}
    for name in sorted(taken):
        looks = _PART.fullmatch(name)
        whole = looks["whole"] if looks else None
        while whole is not None and whole not in names:  # parts have parts
            looks = _PART.fullmatch(whole)
            whole = looks["whole"] if looks else None
        if whole is None:
            continue
        fresh[name] = f"{name}."
        while fresh[name] in taken:
            fresh[name] += "."
        taken.add(fresh[name])
    inner = any(attribute.HasField("g") or attribute.graphs for node in graph.node for attribute in node.attribute)
    if not fresh or inner:  # graphs within nodes read values by name: such nodes are refused anyway
        return {}
    for node in graph.node:
        for values in (node.input, node.output):
            values[:] = [fresh.get(name, name) for name in values]
    for value in (*graph.input, *graph.initializer):
        value.name = fresh.get(value.name, value.name)
    for value in graph.output:
        if value.name in fresh:
            graph.node.add(op_type="Identity", input=[fresh[value.name]], output=[value.name])
    return fresh
