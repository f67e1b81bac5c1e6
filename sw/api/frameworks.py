"""from_torch, from_keras: models as their frameworks have them, by way of the frameworks' own exporters."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, ModelError, ToolMissing
from ..extras import need
from .brevitas_modules import from_brevitas, has_brevitas
from .hgq_models import from_hgq
from .hgq_quantisers import has_quantisers
from .model import Model
from .proto import of_proto
from .qkeras_models import from_qkeras, has_qkeras
from .silence import first_line, silenced

__all__ = ["from_keras", "from_torch"]


def from_torch(module: Any, example: Any) -> Model:
    """A torch module, exported with ``torch.onnx``; one with layers of Brevitas by Brevitas, with its trained integers.

    Parameters
    ----------
    module : torch.nn.Module
        In whatever mode: it is exported as it evaluates, and left as it was.
    example : tensor or array, shape (N, ...)
        Any input; its first sample is traced.

    Raises
    ------
    ToolMissing
        If the exporter's package ``onnxscript`` is missing.
    InputError
        If there is no example.
    ModelError
        If torch or Brevitas cannot export the module.
    """
    need("torch", "torch modules", "torch")
    need("onnxscript", "torch's exporter", "torch")
    import torch

    if example is None:
        raise InputError("a torch module needs an example input: narrows.load(module, torch.zeros(1, 3, 32, 32))")
    inputs = torch.as_tensor(example)[:1]
    if not inputs.is_floating_point():
        inputs = inputs.float()
    if has_brevitas(module):
        return from_brevitas(module, inputs)
    training = module.training
    with tempfile.TemporaryDirectory(prefix="narrows-torch-") as folder:
        path = Path(folder) / f"{type(module).__name__}.onnx"
        try:
            with silenced():
                torch.onnx.export(module.eval(), (inputs,), str(path), dynamo=True, external_data=False)
        except Exception as error:
            raise ModelError(f"torch cannot export {type(module).__name__}: {first_line(error)}") from error
        finally:
            module.train(training)
        return _loaded(path)


def from_keras(model: Any) -> Model:
    """A Keras model, exported with its own ``export`` to ONNX; one of HGQ2 or QKeras with its trained integers.

    Parameters
    ----------
    model : keras.Model or, with layers of QKeras, tf_keras.Model
        Built: its input's shape is known.

    Raises
    ------
    ToolMissing
        If Keras or what its exporter needs is missing.
    InputError, UnsupportedOperator
        As `from_hgq` and `from_qkeras` raise them.
    ModelError
        If Keras cannot export the model.
    """
    if has_qkeras(model):
        return from_qkeras(model)
    need("keras", "Keras models", "keras")
    if has_quantisers(model):
        return from_hgq(model)
    with tempfile.TemporaryDirectory(prefix="narrows-keras-") as folder:
        path = Path(folder) / f"{model.name}.onnx"
        try:
            with silenced():
                _run_once(model)
                model.export(str(path), format="onnx", verbose=False)
        except ImportError as error:
            raise ToolMissing(f"Keras' exporter lacks a package: {first_line(error)}") from error
        except Exception as error:
            raise ModelError(f"Keras cannot export {model.name}: {first_line(error)}") from error
        return _loaded(path)


def _run_once(model: Any) -> None:
    """What Keras' exporter asks of a model that is built, whether or not its input is known."""
    inputs = getattr(model, "inputs", None) or ()
    if len(inputs) == 1:
        model(np.zeros([size or 1 for size in inputs[0].shape], dtype=inputs[0].dtype), training=False)


def _loaded(path: Path) -> Model:
    import onnx

    proto = onnx.load(path)
    proto.graph.name = path.stem
    return of_proto(proto)
