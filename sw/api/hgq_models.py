"""from_hgq: Keras models of HGQ2's layers, with the fixed-point numbers that these were trained to."""

from __future__ import annotations

import io
from typing import Any

from ..errors import InputError, ModelError, NarrowsError
from ..extras import need
from .hgq_quantisers import QONNX, as_qonnx, finish
from .keras_ends import input_shape, output_names
from .model import Model
from .proto import of_proto
from .silence import first_line, silenced

__all__ = ["from_hgq"]


def from_hgq(model: Any) -> Model:
    """A Keras model with layers of HGQ2, its quantisers kept.

    Parameters
    ----------
    model : keras.Model
        Trained, on Keras' torch backend; one input of a known shape. Where quantisers wrap (``overflow_mode="WRAP"``,
        HGQ2's default), ``hgq.utils.trace_minmax`` has found their ranges.

    Raises
    ------
    ToolMissing
        If a package is missing.
    InputError
        If Keras runs on another backend; as `input_shape` raises it.
    UnsupportedOperator
        If a quantiser does what no grid of up to 8 bits does.
    ModelError
        If torch cannot export the model.
    """
    need("torch", "models of HGQ2", "hgq2")
    need("onnxscript", "torch's exporter", "hgq2")
    import keras  # pyright: ignore[reportMissingImports]
    import onnx
    import torch

    if (backend := keras.backend.backend()) != "torch":
        raise InputError(
            f"Keras runs on {backend}: save the model, and load it with KERAS_BACKEND=torch in the environment"
        )
    sample = torch.zeros(1, *input_shape(model))
    training = model.training
    written: Any = io.BytesIO()  # which the tracer writes to as well
    try:
        with silenced(), torch.no_grad(), as_qonnx(model, sample):
            names: Any = {"input_names": [model.inputs[0].name], "output_names": output_names(model)}
            # The tracer: torch.export cannot look into Keras' layers.
            torch.onnx.export(model.eval(), (sample,), written, dynamo=False, custom_opsets={QONNX: 1}, **names)
    except NarrowsError:
        raise
    except Exception as error:
        raise ModelError(f"torch cannot export {model.name}: {first_line(error)}") from error
    finally:
        model.train(training)
    proto = onnx.load_from_string(written.getvalue())
    finish(proto)
    proto.graph.name = model.name
    return of_proto(proto)
