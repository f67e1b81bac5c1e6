"""Training samples: levels of the network's input in memory, batches of them, shifted and mirrored at random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import InputError
from ...quantised import QuantisedGraph
from ...runtime.tensors import prepare_input

__all__ = ["Samples"]

_AT_ONCE = 1024


class Samples:
    """Samples as offsets from the input's zero level, and their labels.

    Parameters
    ----------
    graph : QuantisedGraph
        Says how samples become levels; its input stays as it is in training.
    x : array, shape (N, ...)
        As the model takes them.
    y : array of int, shape (N,), or None
        Labels.

    Raises
    ------
    InputError
        If the samples do not fit the model, or labels are no integers from 0 to the number of scores less one.
    """

    def __init__(self, graph: QuantisedGraph, x: NDArray, y: NDArray | None) -> None:
        zero = graph.tensors[graph.input.tensor].zero
        if not len(x):
            raise InputError("there are no samples: give some")
        parts = [prepare_input(graph, x[first : first + _AT_ONCE]) - zero for first in range(0, len(x), _AT_ONCE)]
        self.offsets = torch.from_numpy(np.concatenate([part.astype(np.int16) for part in parts]))
        self.labels = None if y is None else torch.from_numpy(_checked(graph, y))
        self._rows, self._columns = self.offsets.shape[2:]

    def __len__(self) -> int:
        return len(self.offsets)

    def drawn(self, batch: int, *, crop: int, mirror: bool) -> Iterator[tuple[Tensor, Tensor | None]]:
        """All samples once, in a random order of torch's generator: offsets (B, C, H, W) and labels (B,).

        Parameters
        ----------
        batch : int
            Samples at once; what is left at the end is left out, unless it is all there is.
        crop : int
            Each sample moves by up to so many pixels in both directions; what comes in is zero.
        mirror : bool
            Whether every second sample, by chance, is mirrored left to right.
        """
        parts = torch.randperm(len(self)).split(batch)
        for index in parts[:-1] if len(parts) > 1 and len(parts[-1]) < batch else parts:
            yield self._moved(index, crop, mirror), None if self.labels is None else self.labels[index]

    def _moved(self, index: Tensor, crop: int, mirror: bool) -> Tensor:
        samples = self.offsets[index]
        if not crop and not mirror:
            return samples
        count, line = len(index), torch.arange(self._columns)
        columns = line.expand(count, -1)
        if mirror:
            columns = torch.where(torch.rand(count, 1) < 0.5, columns.flip(1), columns)
        rows = torch.arange(self._rows).expand(count, -1)
        if crop:
            samples = torch.nn.functional.pad(samples, (crop, crop, crop, crop))
            columns = columns + torch.randint(0, 2 * crop + 1, (count, 1))
            rows = rows + torch.randint(0, 2 * crop + 1, (count, 1))
        batch = torch.arange(count)[:, None, None]
        return samples.permute(0, 2, 3, 1)[batch, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)

    def in_order(self, batch: int) -> Iterator[tuple[Tensor, Tensor | None]]:
        """All samples as they are."""
        for index in torch.arange(len(self)).split(batch):
            yield self.offsets[index], None if self.labels is None else self.labels[index]


def _checked(graph: QuantisedGraph, y: NDArray) -> NDArray[np.int64]:
    labels = np.asarray(y)
    scores = int(np.prod(graph.outputs[0].shape))
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= scores:
        raise InputError(f"labels y must be integers from 0 to {scores - 1}, one for each sample")
    return labels.astype(np.int64)
