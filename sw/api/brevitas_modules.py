"""from_brevitas: torch modules of Brevitas' layers, with the integers that these were trained to."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from ..errors import ModelError
from ..extras import need
from .model import Model
from .proto import of_proto
from .silence import first_line, silenced

__all__ = ["from_brevitas", "has_brevitas"]


def has_brevitas(module: Any) -> bool:
    """Whether a torch module has quantisers of Brevitas: whether one of its modules is of that package."""
    return "brevitas" in sys.modules and any(
        type(part).__module__.split(".")[0] == "brevitas" for part in module.modules()
    )


def from_brevitas(module: Any, inputs: Any) -> Model:
    """A torch module with layers of Brevitas, by Brevitas' own exporter to QONNX.

    QONNX has widths of 2 to 32 bits and biases with quantisers of their own, and what Brevitas rounds is rounded there:
    to the nearest, ties to even. Brevitas' exporter to QCDQ refuses such biases.

    Parameters
    ----------
    module : torch.nn.Module
        It is exported as it evaluates, and left as it was.
    inputs : tensor of float, shape (1, ...)
        What it is traced with.

    Raises
    ------
    ToolMissing
        If a package is missing.
    ModelError
        If Brevitas cannot export the module.
    """
    need("onnxoptimizer", "Brevitas' exporters", "brevitas")
    import onnx
    from brevitas.export import export_qonnx  # pyright: ignore[reportMissingImports]

    training, name = module.training, type(module).__name__
    with tempfile.TemporaryDirectory(prefix="narrows-brevitas-") as folder:
        path = Path(folder) / "module.onnx"
        try:
            with silenced():
                export_qonnx(
                    module, args=inputs, export_path=str(path), dynamo=True, optimize=True, external_data=False
                )
        except Exception as error:
            raise ModelError(f"Brevitas cannot export {name}: {first_line(error)}") from error
        finally:
            module.train(training)
        proto = onnx.load(path)
    proto.graph.name = name
    return of_proto(proto)
