"""judge: does what was imported compute what another runtime computes with the untouched file?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ImportMismatch, ModelError
from ..frontend import Imported
from ..graph import Graph
from ..grids import Grid
from ..layers import Quantise
from ..outputs import Output, given_outputs
from ..passes import lower
from ..quantize.evaluate import evaluate
from .runtimes import NotCompared, Runtime, runtimes_of
from .walk import Suspect, walk

__all__ = ["Verdict", "judge"]

_GIVEN = 3
"""Of the samples at hand: the first, the last, and what lies between at equal distances."""

_FRAMES = 8
"""Of a stream: the first ones."""

_OF_RANGE, _OF_VALUE = 2e-6, 2e-5
"""What float32 takes from an output, of its largest and of the value itself; whatever is more is looked into."""

_OF_FLOAT64 = 1e-9
"""What float64 takes from tensors, of their largest values, in graphs that compute the same."""

_LARGEST = 1e30
"""Of made-up samples: float32 holds it, and sums of it."""

_TO_ONE = frozenset({"Sigmoid", "HardSigmoid", "Softmax"})
"""Functions of the host whose values reach up to 1: float32 kernels lose what is a small part of that, and give 0."""

_OF_HEAD = 1e-5
"""What float32 takes from a function that the host computes, of the output's largest value."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an import was held against.

    ``runtime`` is empty where nothing was compared, and ``note`` says why. ``difference`` is the largest of an output,
    as a part of that output's largest value. ``ties`` counts values that the runtime's trained quantisers round to
    another level than ours: sums that lie in the middle of two, as far as float32 can tell.
    """

    runtime: str
    samples: int = 0
    difference: float = 0.0
    ties: int = 0
    note: str = ""

    def __str__(self) -> str:
        if not self.runtime:
            return f"import: held against nothing, {self.note}"
        text = f"import: computes what {self.runtime} does, on {self.samples} samples"
        return f"{text}, {self.ties} roundings at ties aside" if self.ties else text


def judge(
    path: Path, imported: Imported, samples: NDArray | None = None, *, states: Mapping[str, str] | None = None
) -> Verdict:
    """Hold a model's lowered graph against another runtime on its file.

    All outputs are compared by name and shape, on a few of the samples and on one of noise in their range; of a model
    with states on the stream that these make. Where an output differs by more than float rounding, every layer is
    computed on the runtime's own values.

    Parameters
    ----------
    path : Path
        The file that was imported.
    imported : Imported
    samples : array, shape (N, ...), optional
        As the model takes them; without any, noise alone is tried.
    states : mapping of str, optional
        Outputs that inputs take over, by input, as the model was imported with them.

    Raises
    ------
    ImportMismatch
        If they differ; the message names the first node whose value does.
    """
    chosen, reasons = _chosen(imported.graph, samples), []
    try:
        for runtime in runtimes_of(path, states):
            try:
                _runs(runtime, imported, chosen[:1])
            except Exception as error:  # a runtime refuses in its own ways
                reasons.append(f"{runtime.name} does not run it ({' '.join(str(error).split())})")
                continue
            return _compared(runtime, imported, chosen)
    except NotCompared as reason:
        reasons.append(str(reason))
    return Verdict(runtime="", note=", ".join(reasons))


def _chosen(graph: Graph, samples: NDArray | None) -> NDArray:
    """A few samples, and one of noise in their range."""
    grid = _input_grid(graph)
    if samples is None or not len(samples):
        given = np.zeros((0, *graph.input.shape))
        ends = (0, 1) if grid is None else grid.scale * (np.array((grid.low, grid.high)) - grid.zero)
        low, high = float(ends[0]), float(ends[1])
    else:
        places = np.linspace(0, len(samples) - 1, _GIVEN).astype(int)
        picked = np.arange(len(samples))[:_FRAMES] if graph.states else np.unique(places)
        given = np.asarray(samples)[picked].astype(np.float64)
        low, high = float(np.min(samples)), float(np.max(samples))
    low, high = np.clip((low, high), -_LARGEST, _LARGEST)
    count = _FRAMES if graph.states else 1
    noise = np.random.default_rng(0).uniform(low, high, (count, *graph.input.shape))
    if len(given) and np.array_equal(given, np.rint(given)):
        noise = np.rint(noise)
    return np.concatenate([given, noise]).astype(np.float32).astype(np.float64)


def _input_grid(graph: Graph) -> Grid | None:
    """Grid of a quantiser that reads the model's input."""
    quantisers = (each for each in graph.layers if isinstance(each, Quantise))
    return next((each.grid for each in quantisers if each.source == graph.input.tensor), None)


def _compared(runtime: Runtime, imported: Imported, samples: NDArray) -> Verdict:
    graph = lower(imported.graph)
    with np.errstate(over="ignore", invalid="ignore"):  # said below of the node that leaves float32's range
        tensors = evaluate(graph, samples)
        ours = given_outputs(graph.outputs, tensors)
    difference, ties, behind = 0.0, 0, _before_heads(imported)
    different: list[int] = []
    for index, theirs in enumerate(_runs(runtime, imported, samples, behind)):
        inner, _ = _tensors(runtime, imported, {name: theirs.pop(name) for name in behind if name in theirs})
        mine = {name: values[index : index + 1] for name, values in ours.items()}
        if [value.shape for value in mine.values()] != [value.shape for value in theirs.values()]:
            for everything in _runs(runtime, imported, samples, tuple(imported.values)):
                _tensors(runtime, imported, everything)  # names the first node
        _check_outputs(runtime, graph.outputs, mine, theirs)
        close = all(_close(mine[name], theirs[name]) for name in mine)
        if not close or not all(_close_where_seen(tensors[name][index], value[0]) for name, value in inner.items()):
            different.append(index)
        difference = max([difference, *(_difference(mine[name], theirs[name]) for name in mine)])
    if different:
        # of a stream all: what one frame leaves behind is what the next one finds
        doubted = samples if graph.states else samples[different]
        ties = _examined(runtime, imported, graph, doubted)
    return Verdict(runtime=runtime.name, samples=len(samples), difference=difference, ties=ties)


def _runs(
    runtime: Runtime, imported: Imported, samples: NDArray, values: tuple[str, ...] = ()
) -> Iterable[dict[str, NDArray]]:
    """What a runtime gives for each sample; of a model with states they are the frames of a stream."""
    grid = _input_grid(imported.graph)
    if imported.graph.states:
        return runtime.stream(samples, grid, values)
    return [runtime.run(samples[index : index + 1], grid, values) for index in range(len(samples))]


def _before_heads(imported: Imported) -> tuple[str, ...]:
    """Values that the host's functions read: a Softmax that is sure of its answer hides what it reads."""
    outputs = imported.graph.outputs
    shown = {output.tensor for output in outputs if output.head}
    own = {output.name for output in outputs}
    return tuple(name for name, view in imported.values.items() if view.tensor in shown and name not in own)


def _check_outputs(
    runtime: Runtime, outputs: tuple[Output, ...], ours: Mapping[str, NDArray], theirs: Mapping[str, NDArray]
) -> None:
    given, wanted = list(ours), list(theirs)
    if given != wanted:
        raise _mismatch(runtime, f"the outputs are {', '.join(given)}", ", ".join(wanted))
    for output in outputs:
        if ours[output.name].shape != theirs[output.name].shape:
            shapes = (_shown(each[output.name].shape) for each in (ours, theirs))
            raise _mismatch(runtime, f"output {output.name!r} has the shape {next(shapes)}", next(shapes))


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _mismatch(runtime: Runtime, ours: str, theirs: str) -> ImportMismatch:
    return ImportMismatch(
        f"narrows reads this model wrongly: {ours}, with {runtime.name} {theirs}; nothing was made of it: "
        "please report the model"
    )


def _close_where_seen(ours: NDArray, theirs: np.ma.MaskedArray) -> bool:
    seen = ~np.ma.getmaskarray(theirs)
    return _close(ours[seen], np.ma.getdata(theirs)[seen])


def _close(ours: NDArray, theirs: NDArray) -> bool:
    if theirs.dtype.kind != "f":
        return bool(np.array_equal(ours, theirs))
    wanted = theirs.astype(np.float64)
    finite = np.abs(wanted[np.isfinite(wanted)])
    limit = _OF_RANGE * finite.max(initial=0.0) + _OF_VALUE * np.abs(wanted)
    with np.errstate(invalid="ignore"):
        return bool(((np.abs(ours - wanted) <= limit) | (ours == wanted) | (np.isnan(ours) & np.isnan(wanted))).all())


def _difference(ours: NDArray, theirs: NDArray) -> float:
    if theirs.dtype.kind != "f":
        return 0.0
    both = np.isfinite(ours) & np.isfinite(theirs)
    largest = float(np.abs(theirs[both]).max(initial=0.0))
    return float(np.abs(ours[both] - theirs[both]).max(initial=0.0)) / largest if largest else 0.0


def _examined(runtime: Runtime, imported: Imported, graph: Graph, samples: NDArray) -> int:
    """Ties that explain differences of samples, layer by layer; ImportMismatch where they do not."""
    total, held = 0, {state.tensor: state.initial[np.newaxis] for state in graph.states}
    for index, theirs in enumerate(_runs(runtime, imported, samples, tuple(imported.values))):
        sample, (known, names) = samples[index : index + 1], _tensors(runtime, imported, theirs)
        judged = graph
        suspect, tensors, ties = walk(graph, sample, known, steps=runtime.steps, held=held)
        if suspect is not None:
            # A layer may be made of several nodes, between which more is lost than in one: the graph as imported tells
            # them apart. It is right where each of its steps is, and the layers are where they compute the same.
            judged = imported.graph
            earlier, tensors, ties = walk(judged, sample, known, steps=runtime.steps, held=held)
            if earlier is not None or not _same(graph, judged, sample, held):
                raise _named(runtime, earlier or suspect, names)
        _check_examined(runtime, judged, given_outputs(judged.outputs, tensors), theirs)
        total += ties
        held = {state.tensor: tensors[state.update] for state in judged.states}
    return total


def _same(lowered: Graph, imported: Graph, sample: NDArray, held: Mapping[str, NDArray]) -> bool:
    """Whether two graphs give the same tensors of a name, and outputs, as far as float64 tells."""
    (_, ours, _), (_, theirs, _) = (walk(graph, sample, {}, held=held) for graph in (lowered, imported))
    pairs = [(ours[name], theirs[name]) for name in ours.keys() & theirs.keys()]
    given = [given_outputs(graph.outputs, tensors) for graph, tensors in ((lowered, ours), (imported, theirs))]
    pairs += [(given[0][name], given[1][name]) for name in given[0]]
    return all(
        bool(np.allclose(a, b, rtol=0, atol=_OF_FLOAT64 * np.abs(b).max(initial=0.0), equal_nan=True)) for a, b in pairs
    )


def _check_examined(runtime: Runtime, graph: Graph, ours: Mapping[str, NDArray], theirs: Mapping[str, NDArray]) -> None:
    """Refuse outputs that differ where all layers are right."""
    for output in graph.outputs:
        mine, wanted = ours[output.name], theirs[output.name]
        spare = 0.0 if output.head or output.tensor not in graph.grids else graph.grids[output.tensor].scale
        if not _close_head(output, mine, wanted, runtime.steps, spare):
            at = np.unravel_index(int(np.abs(mine - wanted.astype(np.float64)).argmax()), mine.shape)
            raise _mismatch(
                runtime,
                f"output {output.name!r} is {mine[at]:.6g} at {_place(at)} where its layers are right",
                f"{wanted[at]:.6g}",
            )


def _tensors(
    runtime: Runtime, imported: Imported, theirs: Mapping[str, NDArray]
) -> tuple[dict[str, np.ma.MaskedArray], dict[str, str]]:
    """Tensors that values of the file show, masked where none does; and a value that shows each."""
    known: dict[str, np.ma.MaskedArray] = {}
    names: dict[str, str] = {}
    graph = imported.graph
    for name, view in imported.values.items():
        if name not in theirs or (view.tensor in known and not np.ma.getmaskarray(known[view.tensor]).any()):
            continue
        if theirs[name].size != view.index.size:
            ours = f"{runtime.producer(name)} gives {name!r} the shape {_shown(view.shape)}"
            raise _mismatch(runtime, ours, _shown(theirs[name].shape))
        if view.tensor in graph.tensors:
            unseen = np.ma.masked_all((1, *graph.tensors[view.tensor]), dtype=np.float64)
            tensor = known.setdefault(view.tensor, unseen)
            tensor.reshape(-1)[view.index.ravel()] = theirs[name].ravel()
            names.setdefault(view.tensor, name)
    return known, names


def _close_head(output: Output, ours: NDArray, theirs: NDArray, steps: float, spare: float) -> bool:
    """Whether what the host computes of right values is right, and values that no name shows, to ``spare`` a step."""
    if any(function.kind == "codes" for function in output.head) and theirs.dtype.kind != "f":
        return bool((np.abs(ours.astype(np.int64) - theirs.astype(np.int64)) <= 1).all())
    if theirs.dtype.kind != "f":
        return bool(np.array_equal(ours, theirs))
    largest = float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0))
    if any(function.operator in _TO_ONE for function in output.head):
        largest = max(largest, 1.0)
    limit = _OF_HEAD * largest + 1.001 * steps * spare
    return _close(ours, theirs) or bool(np.allclose(ours, theirs, rtol=0, atol=limit, equal_nan=True))


def _named(runtime: Runtime, suspect: Suspect, names: Mapping[str, str]) -> ModelError:
    value = names[suspect.tensor]
    if not np.isfinite(suspect.theirs) or abs(suspect.ours) > np.finfo(np.float32).max:
        return ModelError(
            f"{runtime.producer(value)} gives {suspect.theirs:.6g} with {runtime.name}: the model leaves the range of "
            "float32; train or export it again"
        )
    ours = f"{runtime.producer(value)} gives {suspect.ours:.6g} for the first value that differs ({value!r})"
    return _mismatch(runtime, ours, f"{suspect.theirs:.6g}")


def _place(index: Sequence[np.intp]) -> str:
    return str(tuple(int(i) for i in index[1:]))
