"""What becomes of a random model: its import and its integers against the runtime that defines its operators."""

from __future__ import annotations

import dataclasses
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.errors import NarrowsError
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.runtime import prepare_input, restore_outputs
from numpy.typing import NDArray

from .onnx_models import RandomModel, reference_session
from .quantised_models import quantised_model

__all__ = ["FLOAT_LIMIT", "GOLDEN_LIMIT", "TRAINED_LIMIT", "Outcome", "judge_onnx", "judge_quantised", "judge_seeds"]

CONFIG = AcceleratorConfig(
    acc_bits=32, rescale_bits=8, act_words=65536, weight_words=65536, param_words=4096, taps=1024, blocks=1024,
    instructions=256, tables=15,
)  # fmt: skip
SETTINGS = QuantSettings(weights="int8", acts="int8")
FLOAT_LIMIT = 1e-3
"""Largest difference of float graphs, relative to the largest value of an output: float32 sums in another order."""

GOLDEN_LIMIT = 0.3
"""Largest root mean square error of 8-bit answers relative to that of the right values; seven layers may add up."""

TRAINED_LIMIT = 0.08
"""As `GOLDEN_LIMIT`, of models that come quantised: single steps beside, which later layers see."""

_HALF_WAY = 0.02
"""Share of elements that may lie half way between two levels, which are far from each other in 4 bits."""

TRAINED_CONFIG = dataclasses.replace(CONFIG, rescale_bits=16, planes=5)

_JUDGED, _CALIBRATION = 3, 24


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a model: right, refused, different (float), beyond (8 bits) or crashed."""

    seed: int
    kind: str
    detail: str = ""
    golden: float | None = None


def _difference(ours: dict[str, NDArray[Any]], right: dict[str, NDArray[Any]]) -> str:
    """What is different between the outputs of a float graph and the right ones; empty if nothing is."""
    if list(ours) != list(right):
        return f"outputs {list(ours)} instead of {list(right)}"
    for name, wanted in right.items():
        if ours[name].shape != wanted.shape:
            return f"{name} has shape {ours[name].shape} instead of {wanted.shape}"
        off = float(np.abs(ours[name] - wanted).max() / max(float(np.abs(wanted).max()), 1e-2))
        if not off <= FLOAT_LIMIT:
            return f"{name} differs by {off:.2g} of its largest value"
    return ""


def _golden_error(
    graph: Graph, model: RandomModel, session: Any, config: AcceleratorConfig = CONFIG, left_out: float = 0.0
) -> float:
    """Largest relative error of the outputs in integers, a share of the elements that are worst left out."""
    quantised = quantise(graph, model.samples(_CALIBRATION), SETTINGS, config)
    compile_graph(quantised, config)
    x = model.samples(_CALIBRATION)[: 2 * _JUDGED]
    found = restore_outputs(quantised, GoldenModel(quantised, config).run(prepare_input(quantised, x)))
    right = _right(session, x)
    errors = []
    for name, wanted in right.items():
        scale = max(float(np.sqrt(np.square(wanted).mean())), 1e-2)
        off = np.sort(np.square(found[name] - wanted), axis=None)[: int(np.ceil((1 - left_out) * wanted.size))]
        errors.append(float(np.sqrt(off.mean())) / scale)
    return max(errors)


def _right(session: Any, x: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    rows = [session.run(None, {"x": sample[np.newaxis]}) for sample in x]
    return {output.name: np.concatenate([row[i] for row in rows]) for i, output in enumerate(session.get_outputs())}


def judge_onnx(seed: int, every: int) -> Outcome:
    """A random ONNX model; its 8-bit answers if ``every`` divides the seed, and nothing is divided by a tensor."""
    made = RandomModel(seed)
    if not made.outputs:
        return Outcome(seed=seed, kind="empty")
    model = made.model
    session = reference_session(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        try:
            graph = load_model(path)
            lowered = lower(graph)
            x = made.samples(_JUDGED)
            ours = given_outputs(lowered.outputs, evaluate(lowered, x))
        except NarrowsError as error:
            return Outcome(seed=seed, kind="refused", detail=str(error))
        except Exception:
            return Outcome(seed=seed, kind="crashed", detail=traceback.format_exc(limit=-2).replace("\n", " "))
    wrong = _difference(ours, _right(session, x))
    if wrong:
        return Outcome(seed=seed, kind="different", detail=wrong)
    if seed % every or made.has_pole:
        return Outcome(seed=seed, kind="right")
    try:
        error = _golden_error(graph, made, session)
    except NarrowsError as refusal:
        return Outcome(seed=seed, kind="refused later", detail=str(refusal))
    except Exception:
        return Outcome(seed=seed, kind="crashed", detail=traceback.format_exc(limit=-2).replace("\n", " "))
    beyond = not error <= GOLDEN_LIMIT
    return Outcome(
        seed=seed, kind="beyond" if beyond else "right", detail=f"error {error:.3f}" if beyond else "", golden=error
    )


def judge_quantised(seed: int) -> Outcome:
    """A random ONNX model that comes quantised."""
    made = RandomModel(seed)
    model = None if made.has_pole else quantised_model(made)
    if model is None:
        return Outcome(seed=seed, kind="empty")
    session = reference_session(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        try:
            error = _golden_error(load_model(path), made, session, TRAINED_CONFIG, _HALF_WAY)
        except NarrowsError as refusal:
            return Outcome(seed=seed, kind="refused", detail=str(refusal))
        except Exception:
            return Outcome(seed=seed, kind="crashed", detail=traceback.format_exc(limit=-2).replace("\n", " "))
    beyond = not error <= TRAINED_LIMIT
    return Outcome(
        seed=seed, kind="beyond" if beyond else "right", detail=f"error {error:.3f}" if beyond else "", golden=error
    )


def judge_seeds(judge: Callable[[int], Outcome], seeds: Sequence[int]) -> list[Outcome]:
    """Outcomes of some seeds, as a task."""
    return [judge(seed) for seed in seeds]
