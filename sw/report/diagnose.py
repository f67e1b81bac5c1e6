"""diagnose: every node of a model file, whether and how it maps, what it costs, and what to change."""

from __future__ import annotations

import enum
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnx.defs
import onnx.shape_inference
from onnx import ModelProto, NodeProto

from ...hw.spec.config import AcceleratorConfig
from ..errors import ModelError, NarrowsError
from ..frontend.importer import Importer
from ..frontend.model_file import load_onnx
from ..frontend.onnx_file import QONNX_OPERATORS, read_model
from ..frontend.onnx_graph import finish_graph, import_nodes
from ..frontend.view import View
from ..graph import Graph, MaxPool, Window
from ..passes import lower
from ..quantize import QuantSettings
from .cleanup import Fate, fates
from .sketch import alone, estimate
from .work import LayerWork, layer_work

__all__ = ["Diagnosis", "NodeReport", "Status", "diagnose"]

_REFUSED = " (refused)"
_STAND_IN = "Hardmax"  # standard, of one operand, of its operand's shape, and never supported


class Status(enum.StrEnum):
    """What becomes of a node."""

    ARRAY = "array"
    MAX_POOL = "max-pool unit"
    FUSED = "fused"
    MOVEMENT = "data movement"
    CONSTANT = "constant"
    HOST = "host"
    REFUSED = "refused"
    UNKNOWN = "not examined"


@dataclass(frozen=True, kw_only=True)
class NodeReport:
    """A node of the file.

    ``detail`` says what it is fused into or why it is refused. ``macs``, ``cycles`` and ``..._bytes`` are those of the
    layer that the node becomes; ``weight_bytes`` and ``written_bytes`` are codes.
    """

    operator: str
    name: str
    shape: tuple[int, ...] | None
    status: Status
    detail: str = ""
    macs: int = 0
    cycles: int = 0
    weight_bytes: int = 0
    written_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Nodes in the file's order, what to change, and the cycles of the whole if it can run (0: it cannot)."""

    nodes: tuple[NodeReport, ...]
    changes: tuple[str, ...]
    notes: tuple[str, ...]
    cycles: int

    @property
    def refused(self) -> bool:
        """Whether something has to be changed before the model can run."""
        return bool(self.changes)


@dataclass
class _Imported:
    """What importing gave for a cleaned-up node."""

    status: Status
    detail: str = ""
    layers: tuple[str, ...] = ()


def diagnose(path: Path, config: AcceleratorConfig, settings: QuantSettings) -> Diagnosis:
    """Diagnosis of a model file for a configuration, without quantising or compiling the model itself.

    Cycles are those of a program of the same shapes and formats with made-up weights.

    Parameters
    ----------
    path : Path
        ONNX or TFLite.
    config : AcceleratorConfig
    settings : QuantSettings

    Raises
    ------
    ModelError
        If the file cannot be read at all.
    """
    original = _load(path)
    foreign = _foreign(original)
    importer = Importer(_cleaned(path, original, foreign))
    imported = list(_import(importer, foreign))
    changes = [node.detail for node in imported if node.status is Status.REFUSED]
    graph = _graph(importer, path.stem, changes)
    costs, cycles, owners = _costs(graph, imported, config, settings, changes)
    found = fates(original, importer.model)
    shapes = _shapes(original)
    names = {}
    for node, fate in zip(original.graph.node, found, strict=True):
        if fate.node is not None and fate.kept:
            names |= dict.fromkeys((fate.node, *imported[fate.node].layers), importer.label(node))
    nodes = []
    for node, fate in zip(original.graph.node, found, strict=True):
        report = _report(fate, imported, owners, costs, names)
        output = next(filter(None, node.output), "")
        view = importer.views.get(output)  # behind operators of other sets only that knows a shape
        shape = shapes.get(output) or (None if view is None else view.shape)
        nodes.append(replace(report, operator=node.op_type, name=importer.label(node), shape=shape))
    return Diagnosis(
        nodes=tuple(nodes),
        changes=tuple(dict.fromkeys(changes)),
        notes=tuple(importer.notes),
        cycles=0 if changes else cycles,
    )


def _load(path: Path) -> ModelProto:
    try:
        return load_onnx(path)
    except FileNotFoundError as error:
        raise ModelError(f"cannot read {path}: no such file") from error
    except NarrowsError:
        raise
    except Exception as error:  # protobuf has errors of its own
        raise ModelError(f"cannot read {path} as an ONNX model: export it again") from error


def _foreign(model: ModelProto) -> dict[str, str]:
    """Operators of other sets, by the first output of their nodes."""
    return {
        node.output[0]: node.op_type
        for node in model.graph.node
        if node.op_type not in QONNX_OPERATORS
        and not onnx.defs.has(node.op_type, domain="" if node.domain == "ai.onnx" else node.domain)
    }


def _cleaned(path: Path, original: ModelProto, foreign: dict[str, str]) -> ModelProto:
    if not foreign:
        return read_model(path)
    model = ModelProto()
    model.CopyFrom(original)
    for node in model.graph.node:
        if node.output and node.output[0] in foreign:
            node.op_type, node.domain = _STAND_IN, ""
            del node.input[1:]
            del node.output[1:]
            del node.attribute[:]
    with tempfile.TemporaryDirectory() as folder:
        stripped = Path(folder) / "model.onnx"
        onnx.save(model, stripped)
        return read_model(stripped)


def _import(importer: Importer, foreign: dict[str, str]) -> Iterator[_Imported]:
    """Result for each cleaned-up node; behind a refused one work goes on with a tensor of its shape."""
    shapes = _known_shapes(importer.model)
    lost: set[str] = set()
    done = 0
    for node, refusal in import_nodes(importer):
        layers, done = tuple(layer.name for layer in importer.layers[done:]), len(importer.layers)
        if refusal is None:
            if any(name in importer.hosted for name in node.output):
                yield _Imported(Status.HOST)
            elif layers:
                yield _Imported(Status.ARRAY, layers=layers)
            elif set(node.output) & importer.constants.keys():
                yield _Imported(Status.CONSTANT)
            else:
                yield _Imported(Status.MOVEMENT)
            continue
        known = lost.isdisjoint(node.input)
        for name in filter(None, node.output):
            if name in shapes:
                _stand_in(importer, node, name, shapes[name])
                done = len(importer.layers)
            else:
                lost.add(name)
        if not known:
            yield _Imported(Status.UNKNOWN, "it stands behind a refused node whose output has no known shape")
        elif (operator := foreign.get(node.output[0])) is not None:
            yield _Imported(
                Status.REFUSED,
                f"operator {operator} (node {importer.label(node)!r}) is not standard ONNX: replace it, "
                "or export the float model without custom nodes (its output is taken to have its input's shape)",
            )
        else:
            yield _Imported(Status.REFUSED, str(refusal))


def _stand_in(importer: Importer, node: NodeProto, output: str, shape: tuple[int, ...]) -> None:
    """Let a refused node's output be a tensor of its shape, written by an opaque layer that no pass can merge."""
    sources = [importer.views[name] for name in node.input if name in importer.views]
    source = importer.chw(sources[0] if sources else importer.views[importer.input]).tensor
    tensor = importer.unique(f"{output}{_REFUSED}")
    layer = MaxPool(name=tensor, source=source, window=Window(kernel=(1, 1)), output=tensor)
    importer.layers.append(layer)
    importer.tensors[tensor] = importer.chw_shape(shape)
    importer.views[output] = View(tensor, np.arange(int(np.prod(shape))).reshape(shape))


def _graph(importer: Importer, name: str, changes: list[str]) -> Graph | None:
    """The typed graph; None where an output cannot be had, for a reason that no node has given."""
    try:
        return finish_graph(importer, name)
    except ModelError as error:
        changes.append(str(error))
    except KeyError:  # an output behind a node without a known shape
        pass
    return None


def _costs(
    graph: Graph | None,
    imported: list[_Imported],
    config: AcceleratorConfig,
    settings: QuantSettings,
    changes: list[str],
) -> tuple[dict[str, LayerWork], int, dict[str, tuple[str, Status]]]:
    """Work by layer, cycles of the whole, and for each imported layer the one that does its work, and on what."""
    if graph is None:
        return {}, 0, {}
    lowered = lower(graph)
    owners = _owners(graph, lowered)
    whole = not any(node.status in (Status.REFUSED, Status.UNKNOWN) for node in imported)
    costs: dict[str, LayerWork] = {}
    if whole:
        guess = estimate(lowered, config, settings)
        changes += guess.problems
        if guess.program is not None:
            costs = {work.name: work for work in layer_work(guess.program)}
    if not costs:
        for layer in lowered.layers:
            if layer.name.endswith(_REFUSED):
                continue
            parts = [estimate(part, config, settings).program for part in alone(layer, lowered)]
            works = [layer_work(program)[-1] for program in parts if program is not None]
            if works:
                costs[layer.name] = replace(
                    works[0],
                    macs=sum(work.macs for work in works),
                    cycles=sum(work.cycles for work in works),
                    weight_bytes=sum(work.weight_bytes for work in works),
                )
    return costs, sum(work.cycles for work in costs.values()), owners


def _owners(graph: Graph, lowered: Graph) -> dict[str, tuple[str, Status]]:
    """For each layer of the graph the lowered one that does its work: of its name, or of what its output goes into."""
    final = {layer.name: layer for layer in lowered.layers}
    writes = {layer.output: layer for layer in lowered.layers}
    readers = {source: layer for layer in reversed(graph.layers) for source in layer.sources}
    owners = {}
    for layer in graph.layers:
        found, output = final.get(layer.name), layer.output
        while found is None and output is not None:
            found = writes.get(output)
            reader = readers.get(output)
            output = None if reader is None else reader.output
        if found is not None:
            owners[layer.name] = found.name, Status.MAX_POOL if isinstance(found, MaxPool) else Status.ARRAY
    return owners


def _report(
    fate: Fate,
    imported: list[_Imported],
    owners: dict[str, tuple[str, Status]],
    costs: dict[str, LayerWork],
    names: Mapping[int | str, str],
) -> NodeReport:
    """All that is known of a node but for its own name and shape; ``names`` are those of others, by node or layer."""
    blank = NodeReport(operator="", name="", shape=None, status=Status.CONSTANT)
    if fate.node is None:
        return replace(blank, detail="folded beforehand")
    node = imported[fate.node]
    if not fate.kept:
        return replace(blank, status=Status.FUSED, detail=f"into {names.get(fate.node, 'others')}")
    if node.status is not Status.ARRAY:
        return replace(blank, status=node.status, detail=_hint(node.detail))
    work = next(((name, *owners[name]) for name in node.layers if name in owners), None)
    if work is None:
        return replace(blank, status=Status.FUSED, detail="nothing reads it")
    name, owner, unit = next(((n, *owners[n]) for n in node.layers if owners.get(n, ("",))[0] == n), work)
    if name != owner:
        return replace(blank, status=Status.FUSED, detail=f"into {names.get(owner, owner)}")
    cost = costs.get(owner)
    if cost is None:
        return replace(blank, status=unit)
    return replace(
        blank,
        status=unit,
        macs=cost.macs,
        cycles=cost.cycles,
        weight_bytes=cost.weight_bytes,
        written_bytes=cost.written_bytes,
    )


def _hint(message: str) -> str:
    """A refusal without the operator and node that its row names anyway."""
    return re.sub(r"^operator \S+ \(node '.*?'\) is ", "", message)


def _known_shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes of values that are fully known."""
    shapes = {}
    for value in (*model.graph.value_info, *model.graph.output, *model.graph.input):
        if value.type.tensor_type.HasField("shape"):
            shape = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            if shape and all(shape):
                shapes[value.name] = shape
    return shapes


def _shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Shapes of the values of a file, with a batch of 1."""
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for value in copy.graph.input:
        dims = value.type.tensor_type.shape.dim
        if dims and not dims[0].dim_value:
            dims[0].dim_value = 1
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        return _known_shapes(onnx.shape_inference.infer_shapes(copy))
    except Exception:  # the inference has errors of its own; shapes are then left out
        return {}
