"""What an output depends on: squared derivatives, against those of a matrix."""

import numpy as np
import torch
from narrows.sw.graph import Graph
from narrows.sw.layers import Mac, Term
from narrows.sw.outputs import Output
from narrows.sw.quantised import InputSpec
from narrows.sw.quantize.train.sensitivity import sensitivities
from narrows.sw.windows import Window

POINT = Window(kernel=(1, 1))


def dense(name, source, weights, low=-np.inf):
    term = Term(source=source, weights=weights[:, :, np.newaxis, np.newaxis], window=POINT)
    return Mac(name=name, terms=(term,), bias=np.zeros(len(weights)), output=name, low=low)


def test_they_are_the_diagonal_of_the_gauss_newton_matrix() -> None:
    rng = np.random.default_rng(11)
    first, second = rng.normal(size=(6, 4)), rng.normal(size=(3, 6))
    tensors = {"x": (4, 1, 1), "h": (6, 1, 1), "y": (3, 1, 1)}
    graph = Graph(
        name="g",
        tensors=tensors,
        input=InputSpec(tensor="x", shape=tensors["x"]),
        layers=(dense("h", "x", first, low=0.0), dense("y", "h", second)),
        outputs=(Output.whole("y", tensors["y"]),),
    )
    x = torch.tensor(rng.normal(size=(5, 4, 1, 1)), dtype=torch.float32)
    found = sensitivities(graph, x, ["h", "y"], probes=400, generator=torch.Generator().manual_seed(1))
    wanted = np.square(second).sum(0)
    wanted = wanted / wanted.mean()
    for sample in found["h"].flatten(1).numpy():
        np.testing.assert_allclose(sample, wanted, rtol=0.4)
    np.testing.assert_allclose(found["y"].numpy(), 1.0, rtol=1e-5)
