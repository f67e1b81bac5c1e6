"""from_qkeras: models of QKeras' layers, with the weights that its quantisers give and the grids of its activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import UnsupportedOperator
from ..extras import need
from ..version import __version__
from .hgq_quantisers import QONNX
from .keras_ends import input_shape, output_names
from .model import Model
from .proto import of_proto
from .qkeras_quantisers import grid_of, weights_of

__all__ = ["from_qkeras", "has_qkeras"]

_OPSET, _IR = 17, 10
_PARAMETER_BITS = 32


def has_qkeras(model: Any) -> bool:
    """Whether a Keras model has layers of QKeras."""
    return any(type(layer).__module__.split(".")[0] == "qkeras" for layer in getattr(model, "layers", ()))


def from_qkeras(model: Any) -> Model:
    """A model with layers of QKeras, of Keras 2, written layer by layer as QONNX.

    Parameters
    ----------
    model : tf_keras.Model
        Trained, channels last; one input of a known shape.

    Raises
    ------
    InputError
        As `input_shape` raises it.
    UnsupportedOperator
        If a layer is none of those that are known, or a quantiser of activations is no even grid.
    """
    need("onnx", "models of QKeras", "generator")
    return of_proto(_Writer(model).proto())


class _Writer:
    """An `onnx.ModelProto` of a model, written call by call of its layers."""

    def __init__(self, model: Any) -> None:
        self._model, self._shape = model, input_shape(model)
        depths = model._nodes_by_depth
        self._calls = [call for depth in sorted(depths, reverse=True) for call in depths[depth]]
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._values: dict[tuple[int, int, int], str] = {}

    def proto(self) -> Any:
        """The whole."""
        from onnx import TensorProto, helper

        self._values[_key(self._model.inputs[0])] = "input"
        for call in self._calls:
            self._call(call)
        outputs, named = [], zip(self._model.outputs, self._output_names(), strict=True)
        for tensor, name in named:
            self._add("Identity", [self._values[_key(tensor)]], name, output=name)
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        graph = helper.make_graph(
            self._nodes,
            self._model.name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, *self._shape])],
            outputs,
            self._constants,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=_IR, producer_name="narrows", producer_version=__version__
        )

    def _output_names(self) -> list[str]:
        names = output_names(self._model)
        return [name if names.count(name) == 1 else f"{name}_{at}" for at, name in enumerate(names)]

    def _call(self, call: Any) -> None:
        layer = call.layer
        kind = type(layer).__name__
        if kind == "InputLayer":
            return
        if kind not in _LAYERS:
            raise UnsupportedOperator(
                f"layer {layer.name!r} is a {kind}: of QKeras and Keras {', '.join(_LAYERS)} are read"
            )
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            raise UnsupportedOperator(f"layer {layer.name!r} has channels first: train with channels_last")
        given = call.keras_inputs
        found = _LAYERS[kind](self, layer, [self._values[_key(each)] for each in given])
        self._values[_key(_only(call.outputs))] = found

    # What layers are made of.

    def _add(self, kind: str, inputs: list[str], name: str, *, output: str = "", domain: str = "", **what: Any) -> str:
        """A node; the name of its output."""
        from onnx import helper

        output = output or f"value_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], name=name, domain=domain, **what))
        return output

    def _constant(self, values: ArrayLike, kind: type = np.float32) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, dtype=kind), name))
        return name

    def _moved(self, value: str, name: str, *order: int) -> str:
        return self._add("Transpose", [value], f"{name}.order", perm=list(order))

    def _imaged(self, kind: str, layer: Any, value: str, *constants: str, **what: Any) -> str:
        """A node on an image whose channels come first for it."""
        first = self._moved(value, layer.name, 0, 3, 1, 2)
        return self._moved(self._add(kind, [first, *constants], layer.name, **what), layer.name, 0, 2, 3, 1)

    def _parameters(self, quantiser: Any, values: Any, name: str, order: Callable[[NDArray], NDArray]) -> str:
        """Weights in the ``order`` that their node has them in, with their steps if they are quantised."""
        if quantiser is None:
            return self._constant(order(np.asarray(values)))
        weights, steps = weights_of(quantiser, values, name)
        steps = np.broadcast_to(steps, (*(1 for _ in weights.shape[:-2]), *weights.shape[-2:]))
        inputs = [self._constant(each) for each in (order(weights), _by_output(order(steps)), 0.0, _PARAMETER_BITS)]
        how = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"}
        return self._add("Quant", inputs, f"{name}.kernel", domain=QONNX, **how)

    def _biased(self, layer: Any, bias: Any) -> list[str]:
        quantiser = getattr(layer, "bias_quantizer_internal", None)
        return [] if bias is None else [self._constant(np.asarray(bias if quantiser is None else quantiser(bias)))]

    def _activated(self, layer: Any, value: str, activation: Any = None) -> str:
        """What a layer's activation makes of it, a quantiser or a function with a name."""
        activation = activation or getattr(layer, "activation", None)
        if activation is None:
            return value
        if type(activation).__module__.split(".")[0] == "qkeras" or hasattr(activation, "get_config"):
            return self._quantised(activation, value, layer.name)
        name = getattr(activation, "__name__", str(activation))
        if name == "linear":
            return value
        if name not in _FUNCTIONS:
            raise UnsupportedOperator(
                f"layer {layer.name!r} has the activation {name}: {', '.join(_FUNCTIONS)} are read"
            )
        return self._add(_FUNCTIONS[name], [value], f"{layer.name}.{name}")

    def _quantised(self, quantiser: Any, value: str, name: str) -> str:
        grid = grid_of(quantiser, name)
        step = self._constant(grid.step)
        if grid.signed and grid.bits == 1:
            return self._add("BipolarQuant", [value, step], f"{name}.quantiser", domain=QONNX)
        inputs = [value, step, self._constant(0.0), self._constant(grid.bits)]
        how = {"signed": int(grid.signed), "narrow": int(grid.narrow), "rounding_mode": "ROUND"}
        return self._add("Quant", inputs, f"{name}.quantiser", domain=QONNX, **how)

    # Layers.

    def convolution(self, layer: Any, inputs: list[str]) -> str:
        """QConv2D, Conv2D; with a normalisation inside, too."""
        kernel, bias = _folded(layer, layer.kernel)
        weights = self._parameters(
            getattr(layer, "kernel_quantizer_internal", None),
            kernel,
            layer.name,
            lambda each: each.transpose(3, 2, 0, 1),
        )
        how = _windows(layer, layer.kernel.shape[:2]) | {"group": int(getattr(layer, "groups", 1))}
        found = self._imaged("Conv", layer, _only(inputs), weights, *self._biased(layer, bias), **how)
        return self._activated(layer, found)

    def depthwise(self, layer: Any, inputs: list[str]) -> str:
        """QDepthwiseConv2D, DepthwiseConv2D; with a normalisation inside, too."""
        kernel, bias = _folded(layer, layer.depthwise_kernel)
        channels = int(layer.depthwise_kernel.shape[2])

        def order(each: NDArray) -> NDArray:
            whole = np.broadcast_to(each, (*each.shape[:2], channels, each.shape[3]))
            return whole.reshape(*each.shape[:2], 1, -1).transpose(3, 2, 0, 1)

        weights = self._parameters(getattr(layer, "depthwise_quantizer_internal", None), kernel, layer.name, order)
        how = _windows(layer, layer.depthwise_kernel.shape[:2]) | {"group": channels}
        found = self._imaged("Conv", layer, _only(inputs), weights, *self._biased(layer, bias), **how)
        return self._activated(layer, found)

    def dense(self, layer: Any, inputs: list[str]) -> str:
        """QDense, Dense."""
        weights = self._parameters(
            getattr(layer, "kernel_quantizer_internal", None), layer.kernel, layer.name, np.asarray
        )
        found = self._add("MatMul", [_only(inputs), weights], layer.name)
        for bias in self._biased(layer, layer.bias if layer.use_bias else None):
            found = self._add("Add", [found, bias], f"{layer.name}.bias")
        return self._activated(layer, found)

    def activation(self, layer: Any, inputs: list[str]) -> str:
        """QActivation, whose string is a quantiser's or a function's name; Activation."""
        return self._activated(layer, _only(inputs), getattr(layer, "quantizer", None))

    def rectifier(self, layer: Any, inputs: list[str]) -> str:
        """ReLU."""
        if layer.negative_slope or layer.threshold:
            raise UnsupportedOperator(f"layer {layer.name!r} has a slope or a threshold: train with a plain ReLU")
        found = self._add("Relu", inputs, layer.name)
        if layer.max_value is None:
            return found
        return self._add("Clip", [found, self._constant(0.0), self._constant(layer.max_value)], f"{layer.name}.end")

    def normalised(self, layer: Any, inputs: list[str]) -> str:
        """QBatchNormalization, BatchNormalization: what is left of it behind the training, a factor and a summand."""

        def held(what: str, values: Any) -> NDArray[np.float64]:
            quantiser = getattr(layer, f"{what}_quantizer_internal", None)
            return np.asarray(values if quantiser is None else quantiser(values), dtype=np.float64)

        if list(np.ravel(layer.axis)) not in ([-1], [len(layer.input_shape) - 1]):
            raise UnsupportedOperator(f"layer {layer.name!r} normalises along another axis than that of the channels")
        variance = held("variance", layer.moving_variance) + layer.epsilon
        factor = (held("gamma", layer.gamma) if layer.scale else 1.0) / np.sqrt(variance)
        summand = (held("beta", layer.beta) if layer.center else 0.0) - factor * held("mean", layer.moving_mean)
        found = self._add("Mul", [_only(inputs), self._constant(factor)], f"{layer.name}.factor")
        return self._add("Add", [found, self._constant(summand)], layer.name)

    def pooled(self, layer: Any, inputs: list[str]) -> str:
        """MaxPooling2D, AveragePooling2D, QAveragePooling2D."""
        kind = "MaxPool" if type(layer).__name__.startswith("Max") else "AveragePool"
        found = self._imaged(kind, layer, _only(inputs), **_windows(layer, layer.pool_size))
        return self._averaged(layer, found, int(np.prod(layer.pool_size)))

    def pooled_globally(self, layer: Any, inputs: list[str]) -> str:
        """GlobalMaxPooling2D, GlobalAveragePooling2D, QGlobalAveragePooling2D."""
        kind = "ReduceMax" if "Max" in type(layer).__name__ else "ReduceMean"
        keep = int(bool(getattr(layer, "keepdims", False)))
        found = self._add(kind, inputs, layer.name, axes=[1, 2], keepdims=keep)
        return self._averaged(layer, found, int(np.prod(layer.input_shape[1:3])))

    def _averaged(self, layer: Any, value: str, area: int) -> str:
        """A mean whose division QKeras has rounded, and its activation."""
        quantiser = getattr(layer, "average_quantizer_internal", None)
        if quantiser is not None:
            factor = area * float(np.asarray(quantiser(1.0 / area)).reshape(()))
            value = self._add("Mul", [value, self._constant(factor)], f"{layer.name}.factor")
        return self._activated(layer, value)

    def flat(self, layer: Any, inputs: list[str]) -> str:
        """Flatten, Reshape."""
        sizes = getattr(layer, "target_shape", None) or (-1,)
        return self._add("Reshape", [*inputs, self._constant([1, *sizes], np.int64)], layer.name)

    def padded(self, layer: Any, inputs: list[str]) -> str:
        """ZeroPadding2D."""
        (top, bottom), (left, right) = layer.padding
        sizes = self._constant([0, top, left, 0, 0, bottom, right, 0], np.int64)
        return self._add("Pad", [_only(inputs), sizes], layer.name)

    def added(self, layer: Any, inputs: list[str]) -> str:
        """Add."""
        found = inputs[0]
        for other in inputs[1:]:
            found = self._add("Add", [found, other], layer.name)
        return found

    def joined(self, layer: Any, inputs: list[str]) -> str:
        """Concatenate."""
        return self._add("Concat", inputs, layer.name, axis=int(layer.axis))

    def passed(self, layer: Any, inputs: list[str]) -> str:
        """Dropout and what else is nothing once a model is trained."""
        return _only(inputs)


_FUNCTIONS: Mapping[str, str] = {"relu": "Relu", "softmax": "Softmax", "sigmoid": "Sigmoid", "tanh": "Tanh"}

_LAYERS: Mapping[str, Callable[[_Writer, Any, list[str]], str]] = {
    "QConv2D": _Writer.convolution,
    "QConv2DBatchnorm": _Writer.convolution,
    "Conv2D": _Writer.convolution,
    "QDepthwiseConv2D": _Writer.depthwise,
    "QDepthwiseConv2DBatchnorm": _Writer.depthwise,
    "DepthwiseConv2D": _Writer.depthwise,
    "QDense": _Writer.dense,
    "Dense": _Writer.dense,
    "QActivation": _Writer.activation,
    "QAdaptiveActivation": _Writer.activation,
    "Activation": _Writer.activation,
    "ReLU": _Writer.rectifier,
    "QBatchNormalization": _Writer.normalised,
    "BatchNormalization": _Writer.normalised,
    "MaxPooling2D": _Writer.pooled,
    "AveragePooling2D": _Writer.pooled,
    "QAveragePooling2D": _Writer.pooled,
    "GlobalMaxPooling2D": _Writer.pooled_globally,
    "GlobalAveragePooling2D": _Writer.pooled_globally,
    "QGlobalAveragePooling2D": _Writer.pooled_globally,
    "Flatten": _Writer.flat,
    "Reshape": _Writer.flat,
    "ZeroPadding2D": _Writer.padded,
    "Add": _Writer.added,
    "Concatenate": _Writer.joined,
    "Dropout": _Writer.passed,
}


def _key(tensor: Any) -> tuple[int, int, int]:
    """Of a tensor of a Keras model: the call that gives it."""
    history = tensor._keras_history
    return id(history.layer), history.node_index, history.tensor_index


def _only(values: Any) -> Any:
    if not isinstance(values, (list, tuple)):
        return values
    (value,) = values
    return value


def _windows(layer: Any, kernel: Any) -> dict[str, Any]:
    """Attributes of a node with windows."""
    what = {"kernel_shape": [int(size) for size in kernel], "strides": [int(each) for each in layer.strides]}
    if hasattr(layer, "dilation_rate"):
        what["dilations"] = [int(each) for each in layer.dilation_rate]
    return what | {"auto_pad": "SAME_UPPER" if layer.padding == "same" else "VALID"}


def _folded(layer: Any, kernel: Any) -> tuple[Any, Any]:
    """Kernel and bias, None without one; those of a layer with a normalisation inside once that is a part of them."""
    if hasattr(layer, "get_folded_weights"):
        return layer.get_folded_weights()
    return kernel, layer.bias if layer.use_bias else None


def _by_output(steps: NDArray) -> NDArray:
    """Steps of the shape that broadcasts with weights, one for each output."""
    return steps[:, :1] if steps.ndim == 4 else steps[:1]
