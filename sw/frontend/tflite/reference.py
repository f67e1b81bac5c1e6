"""LiteRT's own kernels on a TFLite file: somebody else's arithmetic, against which imports are held."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError, ToolMissing
from .file import read_tflite

__all__ = ["has_litert", "run_litert"]

_MODULE = "ai_edge_litert"


def has_litert() -> bool:
    """Whether LiteRT is installed; it is an extra."""
    return importlib.util.find_spec(_MODULE) is not None


def run_litert(
    path: Path, samples: NDArray[Any], *, every: bool = False, default_kernels: bool = False
) -> dict[str, NDArray[Any]]:
    """Real values that LiteRT gives for samples, by tensor name.

    Integers of quantised inputs are rounded from the samples to the nearest, ties to even, and those of quantised
    tensors are given as the real values ``scale * (q - zero)`` in float64; other tensors come as they are.

    Parameters
    ----------
    path : Path
        A TFLite file with one input.
    samples : array, shape (N, ...), N > 0
        As the model takes them, in real numbers, without its batch axis.
    every : bool
        Give all tensors that are not constant, instead of the outputs alone.
    default_kernels : bool
        Use the kernels that LiteRT prefers on this machine, which round otherwise, instead of its reference kernels.

    Returns
    -------
    dict of array, shape (N, ...)

    Raises
    ------
    ToolMissing
        If LiteRT is not installed.
    InputError
        If LiteRT does not take the file, or the samples do not fit it.
    """
    if not has_litert():
        raise ToolMissing("LiteRT is not installed: pip install 'narrows[litert]'")
    try:
        interpreter = _interpreter(path, every, default_kernels)
        given = interpreter.get_input_details()
        if len(given) != 1:
            raise InputError(f"{path} has {len(given)} inputs: exactly one is supported")
        shape = (1, *np.shape(samples)[1:])
        if tuple(given[0]["shape"]) != shape:
            interpreter.resize_tensor_input(given[0]["index"], shape)
        interpreter.allocate_tensors()
        wanted = [given[0], *_written(interpreter, path)] if every else interpreter.get_output_details()
        return _run(interpreter, given[0], wanted, np.asarray(samples))
    except (RuntimeError, ValueError) as error:
        raise InputError(f"LiteRT does not run {path}: {' '.join(str(error).split())}") from error


def _interpreter(path: Path, every: bool, default_kernels: bool) -> Any:
    library = importlib.import_module(f"{_MODULE}.interpreter")
    kinds = library.OpResolverType
    return library.Interpreter(
        model_content=Path(path).read_bytes(),
        num_threads=1,
        experimental_op_resolver_type=kinds.AUTO if default_kernels else kinds.BUILTIN_REF,
        experimental_preserve_all_tensors=every,
    )


def _written(interpreter: Any, path: Path) -> list[dict[str, Any]]:
    """What the file's operators write, in their order."""
    details = {entry["index"]: entry for entry in interpreter.get_tensor_details()}
    numbers = dict.fromkeys(number for node in read_tflite(path).nodes for number in node.outputs)
    return [details[number] for number in numbers if number in details]


def _run(
    interpreter: Any, given: dict[str, Any], wanted: list[dict[str, Any]], samples: NDArray[Any]
) -> dict[str, NDArray[Any]]:
    results: dict[str, list[NDArray[Any]]] = {entry["name"]: [] for entry in wanted}
    for sample in samples:
        interpreter.set_tensor(given["index"], _codes(sample[np.newaxis], given))
        interpreter.invoke()
        for entry in wanted:
            results[entry["name"]].append(_real(interpreter.get_tensor(entry["index"]), entry))
    return {name: _joined(values) for name, values in results.items()}


def _joined(values: list[NDArray[Any]]) -> NDArray[Any]:
    """One array (N, ...) of what samples gave: a batch axis of 1 becomes that of the samples."""
    batched = all(value.shape[:1] == (1,) for value in values)
    return np.concatenate(values) if values and batched else np.stack(values)


def _grid(entry: dict[str, Any]) -> tuple[float, int] | None:
    """Scale and zero point of a tensor, if its integers stand for real values."""
    scales, zeros = entry["quantization_parameters"]["scales"], entry["quantization_parameters"]["zero_points"]
    return (float(scales[0]), int(zeros[0])) if len(scales) == 1 else None


def _codes(values: NDArray[Any], entry: dict[str, Any]) -> NDArray[Any]:
    dtype, grid = np.dtype(entry["dtype"]), _grid(entry)
    if grid is None:
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values.astype(np.float64) / grid[0] + grid[1]), limits.min, limits.max).astype(dtype)


def _real(values: NDArray[Any], entry: dict[str, Any]) -> NDArray[Any]:
    grid = _grid(entry)
    return values if grid is None else grid[0] * (values.astype(np.float64) - grid[1])
