"""How much an import may be wrong before another runtime's arithmetic finds it: sabotage of every layer of real models.

    python bench/judge_mutations.py --json mutations.json
    python bench/judge_mutations.py --only resnet8_float.onnx

Every multiply-accumulate layer of every model's lowered graph is spoilt in turn, in seven ways, and the import is
judged on samples of noise. Caught: ImportMismatch. No effect: what is given for those samples stays the same within a
part in a million of the largest output, so nobody could see it there. A change that is neither is missed; exit status
1 if there are any, but for weights that move by a thousandth (printed, not required: integer kernels round them away).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from models import SHARED
from narrows.sw import passes
from narrows.sw.errors import ImportMismatch
from narrows.sw.frontend import Imported, import_model
from narrows.sw.graph import Graph
from narrows.sw.layers import Mac, Term
from narrows.sw.outputs import given_outputs
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.reference import judge
from narrows.sw.results import write_json
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

Change = Callable[[Mac], Mac | None]

_SAME = 1e-6
_RANGES = {"resnet": (0, 255), "mnist": (0, 255), "ad": (-80, 20), "dscnn": (-120, 25), "kws": (-120, 25)}
"""Of inputs, by parts of files' names; others take 0 to 1."""


def _first(layer: Mac, change: Callable[[Term], Term | None]) -> Mac | None:
    """The layer with its first term changed."""
    term = change(layer.terms[0])
    return None if term is None else replace(layer, terms=(term, *layer.terms[1:]))


def _weight(part: float) -> Change:
    def change(term: Term) -> Term:
        weights = term.weights.copy()
        weights[np.unravel_index(np.abs(weights).argmax(), weights.shape)] *= 1 + part
        return replace(term, weights=weights, step=None)

    return lambda layer: _first(layer, change)


def _bias(layer: Mac) -> Mac:
    bias = layer.bias.copy()
    bias[0] += 0.01 * np.abs(layer.terms[0].weights[0]).sum()
    return replace(layer, bias=bias)


def _channels(layer: Mac) -> Mac | None:
    """Two output channels in each other's place."""
    if len(layer.bias) < 2:
        return None
    order = np.arange(len(layer.bias))
    order[:2] = 1, 0
    return _first(layer, lambda term: replace(term, weights=term.weights[order], step=None))


def _taps(layer: Mac) -> Mac | None:
    if layer.terms[0].weights.shape[-1] < 2 or layer.terms[0].constant:
        return None
    return _first(layer, lambda term: replace(term, weights=term.weights[..., ::-1]))


def _pads(layer: Mac) -> Mac | None:
    top, left, bottom, right = layer.terms[0].window.pads
    if left == 0:
        return None
    moved = replace(layer.terms[0].window, pads=(top, left - 1, bottom, right + 1))
    return _first(layer, lambda term: replace(term, window=moved))


def _clamp(layer: Mac) -> Mac | None:
    return None if layer.is_linear or layer.curve is not None else replace(layer, low=-np.inf, high=np.inf)


WAYS: dict[str, Change] = {
    "a weight by a thousandth": _weight(1e-3),
    "a weight by a tenth": _weight(1e-1),
    "a bias": _bias,
    "two channels": _channels,
    "taps mirrored": _taps,
    "padding on the other side": _pads,
    "no clamp": _clamp,
}


def _spoilt(graph: Graph, place: int, change: Change) -> Graph | None:
    layer = graph.layers[place]
    other = change(layer) if isinstance(layer, Mac) else None
    return None if other is None else replace(graph, layers=(*graph.layers[:place], other, *graph.layers[place + 1 :]))


def _given(graph: Graph, x: NDArray) -> dict[str, NDArray]:
    return given_outputs(graph.outputs, evaluate(graph, x))


def _visible(graph: Graph, other: Graph, x: NDArray) -> bool:
    before, after = _given(graph, x), _given(other, x)
    return any(np.abs(before[name] - after[name]).max() > _SAME * np.abs(before[name]).max() for name in before)


def main(
    models: Annotated[Path, typer.Option(help="Folder of the models.")] = SHARED / "models",
    only: Annotated[list[str] | None, typer.Option(help="Only these files; repeat for more.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the counts.")] = None,
) -> None:
    """Spoil and judge; print caught, without effect and missed by model and way."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for path in sorted((*models.glob("*.onnx"), *models.glob("*.tflite"))):
        if only and path.name not in only:
            continue
        imported = import_model(path)
        lowered = passes.lower(imported.graph)
        low, high = next((ends for part, ends in _RANGES.items() if part in path.name.lower()), (0, 1))
        x = np.random.default_rng(1).uniform(low, high, (2, *imported.graph.input.shape))
        for place in range(len(lowered.layers)):
            for way, change in WAYS.items():
                other = _spoilt(lowered, place, change)
                if other is None:
                    continue
                verdict = _judged(path, imported, x, lambda graph, other=other: other)
                if not verdict and not _visible(lowered, other, x):
                    found = "no effect"
                else:
                    found = "caught" if verdict else "missed"
                counts.setdefault((path.name, way), Counter())[found] += 1
    _show(counts)
    if json_file is not None:
        rows = [{"model": model, "way": way, **found} for (model, way), found in counts.items()]
        write_json(json_file, rows)
    if any(found["missed"] for (_, way), found in counts.items() if way != next(iter(WAYS))):
        raise typer.Exit(1)


def _judged(path: Path, imported: Imported, x: NDArray, spoil: Callable[[Graph], Graph]) -> bool:
    """Whether the judge refuses the import with one more pass behind the others."""
    own = passes.PASSES
    passes.PASSES = (*own, spoil)
    try:
        judge(path, imported, x)
    except ImportMismatch:
        return True
    finally:
        passes.PASSES = own
    return False


def _show(counts: dict[tuple[str, str], Counter[str]]) -> None:
    table = Table(title="sabotaged layers")
    for title in ("model", "spoilt", "caught", "no effect", "missed"):
        table.add_column(title, justify="left" if title in ("model", "spoilt") else "right")
    for (model, way), found in counts.items():
        table.add_row(model, way, *(str(found[kind]) for kind in ("caught", "no effect", "missed")))
    Console(width=100).print(table)


if __name__ == "__main__":
    typer.run(main)
