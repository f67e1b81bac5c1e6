"""examine: every node of a model file, whether and how it maps, before anything is sized."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import ModelProto

from ..errors import ModelError
from ..frontend.importer import Importer
from ..frontend.onnx_file import Shapes, read_model
from ..frontend.onnx_graph import Imported, finish_graph, import_nodes, imported_graph, open_importer
from ..graph import Graph, rebuild
from ..outputs import Output
from ..states import State

__all__ = ["ExaminedModel", "ExaminedNode", "Status", "examine"]


class Status(enum.StrEnum):
    """What becomes of a node."""

    ARRAY = "array"
    MAX_POOL = "max-pool unit"
    FUSED = "fused"
    MOVEMENT = "data movement"
    CONSTANT = "constant"
    HOST = "host"
    REFUSED = "refused"
    UNKNOWN = "not looked at"


@dataclass(frozen=True, kw_only=True)
class ExaminedNode:
    """A node of the file; ``layers`` are those of the graph that it became, ``status`` is then `Status.ARRAY`."""

    operator: str
    name: str
    shape: tuple[int, ...] | None
    status: Status
    detail: str = ""
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExaminedModel:
    """Nodes in the file's order, and all refusals.

    ``graph`` is what was imported: the whole model where nothing was refused, else the layers before refused nodes,
    None where there are none. ``imported`` is the whole model with the file's values, None where something was refused.
    """

    nodes: tuple[ExaminedNode, ...]
    refusals: tuple[str, ...]
    notes: tuple[str, ...]
    graph: Graph | None
    imported: Imported | None


def examine(path: Path, shapes: Shapes | None = None, states: Mapping[str, str] | None = None) -> ExaminedModel:
    """Import a model node by node, as `frontend.load_model` does, without ending at the first refusal.

    What stands behind a refused node is not looked at: whatever takes its place may give another shape.

    Parameters
    ----------
    path : Path
        ONNX or TFLite.
    shapes : mapping of sequence of int, optional
        Sizes of axes that the file leaves open, by input.
    states : mapping of str, optional
        Outputs that inputs take over from run to run, by input.

    Raises
    ------
    ModelError, UnsupportedOperator, InputError
        If the file cannot be read at all.
    """
    importer = open_importer(read_model(path, shapes, states))
    known = _known_shapes(importer.model)
    lost: dict[str, str] = {}
    nodes, refusals, done = [], [], 0
    for node, refusal in import_nodes(importer):
        layers, done = tuple(layer.name for layer in importer.layers[done:]), len(importer.layers)
        status, detail = _status(importer, node.output, layers), ""
        if (cause := next((lost[name] for name in node.input if name in lost), None)) is not None:
            status, detail = Status.UNKNOWN, f"it stands behind {cause}, which is refused"
        elif refusal is not None:
            cause = importer.label(node)
            status, detail = Status.REFUSED, re.sub(r"^operator \S+ \(node '.*?'\) is ", "", str(refusal))
            refusals.append(str(refusal))
        if cause is not None:
            lost |= dict.fromkeys(filter(None, node.output), cause)
        output = next(filter(None, node.output), "")
        view = importer.views.get(output)  # behind operators of other sets only that knows a shape
        nodes.append(
            ExaminedNode(
                operator=node.op_type,
                name=importer.label(node),
                shape=known.get(output) or (None if view is None else view.shape),
                status=status,
                detail=detail,
                layers=layers if status is Status.ARRAY else (),
            )
        )
    graph = None
    if not refusals:
        try:
            graph = finish_graph(importer, path.stem)
        except ModelError as error:  # an output that cannot be had, for a reason that no node has given
            refusals.append(str(error))
    return ExaminedModel(
        nodes=tuple(nodes),
        refusals=tuple(dict.fromkeys(refusals)),
        notes=tuple(importer.notes),
        graph=graph or _part(importer, path.stem),
        imported=None if graph is None else imported_graph(importer, graph),
    )


def _status(importer: Importer, outputs: Iterable[str], layers: tuple[str, ...]) -> Status:
    """What became of a node that was imported."""
    if any(name in importer.hosted for name in outputs):
        return Status.HOST
    if layers:
        return Status.ARRAY
    return Status.CONSTANT if set(outputs) & importer.constants.keys() else Status.MOVEMENT


def _part(importer: Importer, name: str) -> Graph | None:
    """The layers that there are, what none of them reads for outputs."""
    if importer.input_spec is None or not importer.layers:
        return None
    read = {source for layer in importer.layers for source in layer.sources}
    ends = [layer.output for layer in importer.layers if layer.output not in read]
    graph = Graph(
        name=name,
        tensors=importer.tensors,
        input=importer.input_spec,
        layers=tuple(importer.layers),
        outputs=tuple(Output.whole(end, importer.tensors[end]) for end in ends),
        states=tuple(  # what would be taken over may stand behind a refused node
            State(tensor=name, update=name, initial=np.zeros(importer.tensors[name]))
            for name in importer.states
            if name in importer.tensors
        ),
    )
    return rebuild(graph, importer.layers)


def _known_shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes of values that are fully known."""
    shapes = {}
    for value in (*model.graph.value_info, *model.graph.output, *model.graph.input):
        if value.type.tensor_type.HasField("shape"):
            shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            if shape and all(shape):
                shapes[value.name] = shape
    return shapes
