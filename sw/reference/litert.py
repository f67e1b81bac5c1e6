"""LiteRt: TFLite files behind LiteRT's reference kernels."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..frontend.tflite.file import read_tflite
from ..frontend.tflite.reference import run_litert
from ..grids import Grid

__all__ = ["LiteRt"]


class LiteRt:
    """A TFLite file; real values are those that its integers stand for. Parameters and errors: `runtimes.Runtime`."""

    steps = 1.0  # integer kernels rescale by 32-bit multipliers, some of them twice

    def __init__(self, path: Path) -> None:
        self.name = f"LiteRT {version('ai-edge-litert')}"
        self._path, model = path, read_tflite(path)
        self._kinds = {model.tensors[number].name: node.kind for node in model.nodes for number in node.outputs}
        self._outputs = [model.tensors[number].name for number in model.outputs]
        self._given = {model.tensors[number].name for number in model.inputs}

    def producer(self, value: str) -> str:
        """See `runtimes.Runtime`."""
        return f"{self._kinds.get(value, 'input')} (node {value!r})"

    def run(self, sample: NDArray, grid: Grid | None, values: Iterable[str] = ()) -> dict[str, NDArray[Any]]:
        """See `runtimes.Runtime`; the file's own scale encodes the input, so ``grid`` is not asked for."""
        if len({*self._outputs, *self._given}) < len(self._outputs) + len(self._given):
            raise ValueError("several of the file's inputs and outputs have one name")
        found = run_litert(self._path, sample, every=bool(values))
        real = [name for name in values if name in found and found[name].dtype.kind == "f"]
        return {name: found[name] for name in dict.fromkeys((*self._outputs, *real))}

    def stream(self, frames: NDArray, grid: Grid | None, values: Iterable[str] = ()) -> list[dict[str, NDArray[Any]]]:
        """See `runtimes.Runtime`."""
        found = self.run(frames, grid, values)  # one interpreter for all of them
        return [{name: value[number : number + 1] for name, value in found.items()} for number in range(len(frames))]
