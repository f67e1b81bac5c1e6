"""exact_session: onnxruntime, asked for right values."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime

__all__ = ["exact_session"]

_ON_CODES = ("QLinear", "QGemm", "ConvInteger", "MatMulInteger", "DynamicQuantize")
"""How operators begin whose products are of bytes."""


def exact_session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """A session for a model's file or content, on one thread, that says nothing of other people's graphs, rewrites
    nothing, and sums bytes without saturation.

    Where a processor has AVX2 but no VNNI, onnxruntime adds products of unsigned and signed bytes in pairs of 16 bits
    unless it is told not to: sums of large weights are wrong by many steps then. What it is told takes one of its
    rewrites, so models on codes are left to those.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.graph_optimization_level = (
        onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        if _is_on_codes(model)
        else onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    )
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def _is_on_codes(model: Path | bytes) -> bool:
    read = onnx.load_from_string(model) if isinstance(model, bytes) else onnx.load(model, load_external_data=False)
    return any(node.op_type.startswith(_ON_CODES) for node in read.graph.node)
