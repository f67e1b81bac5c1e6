"""TFLite: files, their conversion to ONNX, and LiteRT's own kernels."""

from .converter import tflite_to_onnx
from .file import is_hybrid
from .reference import has_litert, run_litert

__all__ = ["has_litert", "is_hybrid", "run_litert", "tflite_to_onnx"]
