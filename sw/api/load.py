"""load: models of files and of other frameworks' objects."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, UnsupportedOperator
from ..extras import need
from .model import Model
from .proto import of_proto

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..frontend.onnx_file import Shapes

__all__ = ["Example", "example", "load"]


def load(
    source: Any,
    example: Any = None,
    *,
    input_shapes: Shapes | None = None,
    states: Mapping[str, str] | None = None,
) -> Model:
    """A trained model.

    Parameters
    ----------
    source : str, Path, onnx.ModelProto, torch.nn.Module, keras.Model or tf_keras.Model (QKeras)
        An ONNX or TFLite file, or a model as its framework has it.
    example : tensor or array, optional
        Of a torch module: an input, of shape (1, ...), which it is exported with.
    input_shapes : mapping of sequence of int, optional
        Sizes of axes that the file leaves open, by input: ``{"x": (1, 3, 320, 320)}``.
    states : mapping of str, optional
        Outputs that further inputs take over from run to run: ``{"h": "h_next"}``; in the first run these inputs are 0,
        or what the file has for them. Variables of a TFLite file are known.

    Returns
    -------
    Model
        It may hold operators that cannot run: `Model.doctor` lists them all, `Model.quantize` refuses the first one.

    Raises
    ------
    ModelError
        If the file cannot be read, or is no model.
    InputError
        If ``source`` is nothing of the above, or a torch module comes without an example.
    ToolMissing
        If the framework's exporter lacks a package.
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.suffix == ".nrw":
            raise InputError(f"{path} is a program already: narrows.Program.load({str(path)!r})")
        need("onnx", "model files", "generator")
        model = Model(path, input_shapes, states=states)
    elif hasattr(source, "SerializeToString") and hasattr(source, "graph"):
        model = of_proto(source, input_shapes, states)
    elif any(_is_a(source, package, "Model") for package in ("keras", "tf_keras")):  # on torch it is a module, too
        from .frameworks import from_keras

        return from_keras(source)
    elif _is_a(source, "torch", "nn.Module"):
        from .frameworks import from_torch

        return from_torch(source, example)
    else:
        raise InputError(
            f"a {type(source).__name__} is no model: give a path, an onnx.ModelProto, a torch module or a Keras model"
        )
    with contextlib.suppress(UnsupportedOperator):  # the doctor says all of them
        _ = model.imported
    return model


def _is_a(source: Any, package: str, kind: str) -> bool:
    """Whether an object is of a class of a framework, which is imported if it is."""
    found = sys.modules.get(package)
    for part in kind.split("."):
        found = getattr(found, part, None)
    return isinstance(found, type) and isinstance(source, found)


@dataclass(frozen=True, eq=False)
class Example:
    """The built-in example: a residual CNN on handwritten digits of 8 x 8 pixels.

    Parameters
    ----------
    model : Model
    calib : array of uint8, shape (N, 1, 8, 8)
        Calibration samples.
    x : array of uint8, shape (N, 1, 8, 8)
        Samples that it was not trained on.
    y : array of uint8, shape (N,)
        Their labels.
    """

    model: Model
    calib: NDArray[Any]
    x: NDArray[Any]
    y: NDArray[Any]

    def __repr__(self) -> str:
        return f"Example({self.model.name!r}, {len(self.calib)} calibration samples, {len(self.x)} others)"


def example() -> Example:
    """The built-in example.

    Examples
    --------
    >>> import narrows
    >>> narrows.example()
    Example('digits', 256 calibration samples, 450 others)
    """
    from ..examples import digits, digits_model

    need("onnx", "model files", "generator")
    keep = contextlib.ExitStack()
    data = digits()
    model = Model(keep.enter_context(digits_model()), keep=keep)
    _ = model.imported
    return Example(model, data.calib_x, data.test_x, data.test_y)
