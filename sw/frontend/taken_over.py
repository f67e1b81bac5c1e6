"""taken_over: a model's output as what a state holds in the next run."""

from __future__ import annotations

import numpy as np

from ..errors import ModelError, UnsupportedOperator
from ..states import State
from .copying import as_image
from .importer import Importer, Start
from .view import View

__all__ = ["taken_over"]


def taken_over(importer: Importer, start: Start, output: str) -> State:
    """The state of an input that takes over an output, which is copied if its elements lie in another order.

    Raises
    ------
    ModelError
        If the output has another shape, or does not depend on what the model reads.
    UnsupportedOperator
        If the host computes it, or no layer brings its elements to their places.
    """
    node = next((node for node in importer.model.graph.node if output in node.output), None)
    if output in importer.constants or node is None:
        raise ModelError(f"output {output!r}, which {start.name!r} takes over, depends on nothing: remove the state")
    if output in importer.hosted:
        raise importer.unsupported(
            node, f"the host would have to compute it in every run, for {start.name!r}: keep the state before it"
        )
    held, update = (importer.chw(importer.views[name]) for name in (start.name, output))
    if held.shape != update.shape:
        raise ModelError(
            f"output {output!r} has the shape {update.shape}, {start.name!r}, which takes it over, {held.shape}"
        )
    shape = importer.tensors[start.name]
    index, first = np.empty(held.index.size, dtype=np.int64), np.empty(held.index.size)
    index[held.index.ravel()] = update.index.ravel()
    first[held.index.ravel()] = importer.first[start.name].ravel()
    layers = len(importer.layers)
    image = as_image(importer, node, View(update.tensor, index.reshape(1, *shape)))
    if image is None:
        raise UnsupportedOperator(
            f"output {output!r} shows its elements in another order than {start.name!r} does, which takes it over, and "
            "no layer brings them there: keep states in one order"
        )
    made = importer.made.get(node.output[0], [])
    importer.sign(node, layers)
    importer.made[node.output[0]] = [*made, *importer.made[node.output[0]]]
    return State(tensor=start.name, update=image.tensor, initial=first.reshape(shape))
