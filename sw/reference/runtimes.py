"""Runtimes that evaluate a model's file: onnxruntime, qonnx for its dialect, onnx's evaluator for what both lack."""

from __future__ import annotations

import functools
import importlib.util
import warnings
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto

from ..frontend.model_file import is_tflite
from ..frontend.states import declare_states, state_inputs
from ..frontend.tflite import has_litert, is_hybrid
from ..grids import Grid
from ..onnx_sessions import exact_session
from .litert import LiteRt

__all__ = ["NotCompared", "Runtime", "runtimes_of"]

_QONNX_DOMAIN = "qonnx.custom_op.general"
_QONNX = frozenset({"Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold"})


class NotCompared(Exception):
    """No runtime at hand evaluates the file; the message says why, in a clause."""


class Runtime(Protocol):
    """A model's file behind somebody else's arithmetic.

    ``name`` is what reports call it. ``steps`` is how far it may place a result beside the nearest level for reasons of
    its own, in levels: 0 if it computes with floating-point numbers.
    """

    name: str
    steps: float

    def run(self, sample: NDArray, grid: Grid | None, values: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
        """The model's outputs in its order, and further ``values`` of floating-point type, all by name with batch.

        ``sample`` has shape (1, ...) and is real; ``grid`` is that of its codes, where the model takes codes. Values
        that the file does not have, or that are no real numbers, are left out.
        """
        ...

    def stream(self, frames: NDArray, grid: Grid | None, values: Iterable[str] = ()) -> list[dict[str, NDArray[Any]]]:
        """As `run`, of each of the frames (N, ...) of one stream, from its begin on."""
        ...

    def producer(self, value: str) -> str:
        """Operator and node that compute a value, as errors name them."""
        ...


def runtimes_of(path: Path, states: Mapping[str, str] | None = None) -> Iterator[Runtime]:
    """Runtimes that may evaluate a file, the one to be trusted most first; what none of them says is why it does not.

    ``states`` are outputs that inputs take over, by input, beside those that the file names.

    Raises
    ------
    NotCompared
        If what it takes is not installed.
    """
    if is_tflite(path):
        if not has_litert():
            raise NotCompared("LiteRT is not installed: pip install 'narrows[litert]'")
        if is_hybrid(path):
            raise NotCompared("LiteRT rounds activations beside weights of integers, anew for each sample")
        yield LiteRt(path)
        return
    model = onnx.load(path)
    declare_states(model, states or {})
    if any(node.op_type in _QONNX for node in model.graph.node):
        if importlib.util.find_spec("qonnx") is None:
            raise NotCompared("qonnx, which evaluates Quant nodes, is not installed: pip install qonnx")
        yield Qonnx(model)
        return
    yield OnnxRuntime(model, path)
    yield OnnxReference(model)


class _OnnxFile:
    """What runtimes of ONNX files share: the input's type, nodes by the values that they compute."""

    steps = 0.0

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.states = state_inputs(model)
        given = [value for value in model.graph.input if value.name not in constants or value.name in self.states]
        self.input = next(value for value in given if value.name not in self.states)
        self._first = {
            value.name: onnx.numpy_helper.to_array(constants[value.name]) if value.name in constants else _zeros(value)
            for value in given
            if value.name in self.states
        }
        self._held: dict[str, NDArray[Any]] = {}
        self.outputs = [value.name for value in model.graph.output]
        self._encoded = any(
            node.op_type == "DequantizeLinear" and node.input[0] == self.input.name for node in model.graph.node
        )

    @functools.cached_property
    def _producers(self) -> dict[str, onnx.NodeProto]:
        return {output: node for node in self.model.graph.node for output in node.output if output}

    def producer(self, value: str) -> str:
        """Operator and node of a value."""
        node = self._producers[value]
        return f"{node.op_type} (node {node.name or value!r})"

    def fed(self, sample: NDArray, grid: Grid | None) -> dict[str, NDArray[Any]]:
        """The input by its name, in the type that the file asks for."""
        dtype = onnx.helper.tensor_dtype_to_np_dtype(self.input.type.tensor_type.elem_type)
        given = grid.integers(sample) if self._encoded and grid is not None else np.asarray(sample)
        return {self.input.name: (np.rint(given) if dtype.kind in "iu" else given).astype(dtype), **self._held}

    def run(self, sample: NDArray, grid: Grid | None, values: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
        """See `Runtime`."""
        raise NotImplementedError

    def stream(self, frames: NDArray, grid: Grid | None, values: Iterable[str] = ()) -> list[dict[str, NDArray[Any]]]:
        """See `Runtime`."""
        self._held, values, runs = dict(self._first), tuple(values), []
        for number in range(len(frames)):
            found = self.run(frames[number : number + 1], grid, values)
            self._held = {name: found[output] for name, output in self.states.items()}
            runs.append({name: value for name, value in found.items() if name not in self.states.values()})
        return runs

    def exposed(self, values: Iterable[str]) -> tuple[ModelProto, list[str]]:
        """The model with further outputs, and all their names."""
        more = [value for value in dict.fromkeys(values) if value in self._producers and value not in self.outputs]
        model = ModelProto()
        model.CopyFrom(self.model)
        model.graph.output.extend(onnx.ValueInfoProto(name=value) for value in more)
        return model, [*self.outputs, *more]

    def kept(self, results: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Outputs and real values."""
        arrays = {name: np.asarray(value) for name, value in results.items() if value is not None}
        return {name: array for name, array in arrays.items() if name in self.outputs or array.dtype.kind == "f"}


def _zeros(value: onnx.ValueInfoProto) -> NDArray[Any]:
    """What a state without a first value holds in the first run."""
    dims = value.type.tensor_type.shape.dim
    dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    return np.zeros([max(1, dim.dim_value) for dim in dims], dtype=dtype)


class OnnxRuntime(_OnnxFile):
    """onnxruntime on the file as it lies there, its optimisations off."""

    def __init__(self, model: ModelProto, path: Path) -> None:
        super().__init__(model)
        self.name = f"onnxruntime {onnxruntime.__version__}"
        self._path = path

    @functools.cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        return self._opened(self._path)

    @functools.lru_cache(maxsize=2)  # noqa: B019 - a runtime lives as long as its model is looked at
    def _exposing(self, values: tuple[str, ...]) -> tuple[onnxruntime.InferenceSession, list[str]]:
        """A session that gives further values, and the names of all that it gives."""
        if not values:
            return self._session, self.outputs
        model, names = self.exposed(values)
        return self._opened(model.SerializeToString()), names

    @staticmethod
    def _opened(model: Path | bytes) -> onnxruntime.InferenceSession:
        return exact_session(model)

    def run(self, sample: NDArray, grid: Grid | None, values: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
        """See `Runtime`."""
        session, names = self._exposing(tuple(values))
        return self.kept(dict(zip(names, session.run(names, self.fed(sample, grid)), strict=True)))


class OnnxReference(_OnnxFile):
    """onnx's own evaluator in numpy: slow, but it knows what onnxruntime lacks."""

    def __init__(self, model: ModelProto) -> None:
        super().__init__(model)
        self.name = f"the evaluator of onnx {onnx.__version__}"

    def run(self, sample: NDArray, grid: Grid | None, values: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
        """See `Runtime`."""
        from onnx.reference import ReferenceEvaluator

        model, names = self.exposed(values)
        results: Any = ReferenceEvaluator(model).run(names, self.fed(sample, grid))
        return self.kept(dict(zip(names, results, strict=True)))


class Qonnx(_OnnxFile):
    """qonnx's execution of its dialect (arXiv 2206.07527), with the batch and the domain that it asks for."""

    def __init__(self, model: ModelProto) -> None:
        super().__init__(model)
        self.name = f"qonnx {version('qonnx')}"
        self._shape: tuple[int, ...] = ()

    @functools.cached_property
    def _wrapped(self) -> Any:
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.transformation.infer_shapes import InferShapes

        model = self.model
        for node in model.graph.node:
            if node.op_type in _QONNX:
                node.domain = _QONNX_DOMAIN
        if all(entry.domain != _QONNX_DOMAIN for entry in model.opset_import):
            model.opset_import.append(onnx.helper.make_opsetid(_QONNX_DOMAIN, 1))
        for dim, size in zip(self.input.type.tensor_type.shape.dim, self._shape, strict=True):
            dim.dim_value = size
        del model.graph.value_info[:]  # they may be of another batch
        for output in model.graph.output:
            output.type.tensor_type.ClearField("shape")
        return ModelWrapper(model).transform(InferShapes())

    def run(self, sample: NDArray, grid: Grid | None, values: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
        """See `Runtime`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from qonnx.core.onnx_exec import execute_onnx

            self._shape = sample.shape
            everything = execute_onnx(self._wrapped, self.fed(sample, grid), return_full_exec_context=True)
        wanted = [*self.outputs, *values]
        return self.kept({name: everything[name] for name in wanted if name in everything})
