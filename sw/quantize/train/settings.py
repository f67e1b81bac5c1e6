"""TrainSettings: how a network is trained."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InputError
from .rescaler import RESCALING

__all__ = ["ACCUMULATORS", "OPTIMISERS", "PRECISIONS", "TrainSettings", "suited"]

ACCUMULATORS = ("free", "a2q", "a2q+", "fitted")
"""What holds sums inside the accumulator: nothing, a norm (arXiv 2308.13504, 2401.10432), or the certificate itself."""

PRECISIONS = ("float32", "bfloat16")
"""What convolutions are computed in. Weights, scales, evaluation and export are the same in both."""


OPTIMISERS = ("adam", "momentum")
"""How gradients become steps: Adam, or momentum SGD in the size of each tensor's gradients (`TensorMomentum`)."""

_BATCHES = (16, 128)
_STEPS = 20
"""Steps that an epoch of few samples should have at least."""

_RATES = (1e-3, 1e-2)
_TRAVEL = 8.0
"""Levels that a weight could move at most if all steps of the largest rate went one way."""


def suited(samples: int, epochs: int) -> tuple[int, float]:
    """Batch and rate that suit so many samples and epochs: few samples take small batches, a short run large steps."""
    batch = min(max(samples // _STEPS, _BATCHES[0]), _BATCHES[1])
    steps = max(1, epochs * max(1, samples // batch))
    return batch, min(max(_TRAVEL / steps, _RATES[0]), _RATES[1])


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Everything that decides a run, but data and model.

    Parameters
    ----------
    epochs, batch, seed : int
    rate : float
        Largest learning rate of weights, in their levels; biases take it in levels of their output.
    scale_rate : float
        The same of scales, in octaves. Far below that of weights: they move all levels at once.
    shift_rate : float
        The same of zero levels, in levels.
    warmup : float
        Part of the run in which rates rise; they fall to nothing along a cosine.
    accumulator : str
        One of `ACCUMULATORS`.
    acc_bits : int or None
        Accumulator width P to train for; None: the configuration's.
    penalty : float
        Weight of what the norms of A2Q and A2Q+ exceed their limits by.
    optimiser : str
        One of `OPTIMISERS`.
    accumulate : int
        Batches whose gradients make one step.
    damping : float
        Weight, at the end of the run, of the pull of weights towards the levels that they are rounded to; it grows
        from nothing (arXiv 2203.11086).
    freezing : float
        Turns a step from which on a weight that jumps back and forth is frozen; 0: never (the same paper).
    inner : float
        Weight of the distance of all tensors between layers from the float model's.
    rescaling : str
        One of `rescaler.RESCALING`.
    learn_shift : bool
        Whether zero levels are learned, for the first half of the run; after that they stay.
    distillation : float
        Part of the loss that is the distance from the float model's scores, 0 to 1.
    temperature : float
        Of both models' scores in that distance.
    averaging : float
        Decay of the running average of parameters at every step; 0: none.
    crop : int
        Pixels by which images are shifted at random; 0: none.
    mirror : bool
        Whether every second image is mirrored left to right.
    precision : str
        One of `PRECISIONS`.
    compiled : bool
        Whether the rounding of activations is compiled first: it takes a C++ compiler and a minute, and pays from a
        few epochs on.
    patience : int
        Epochs without a better score on the validation samples after which training stops; 0: never.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    epochs: int = 10
    batch: int = 128
    seed: int = 1
    rate: float = 4e-3
    scale_rate: float = 1e-4
    shift_rate: float = 2e-3
    warmup: float = 0.1
    accumulator: str = "fitted"
    acc_bits: int | None = None
    penalty: float = 1e-3
    optimiser: str = "adam"
    accumulate: int = 1
    damping: float = 0.0
    freezing: float = 0.0
    inner: float = 0.0
    rescaling: str = "absorbed"
    learn_shift: bool = True
    distillation: float = 0.5
    temperature: float = 2.0
    averaging: float = 0.998
    crop: int = 0
    mirror: bool = False
    precision: str = "float32"
    compiled: bool = False
    patience: int = 0

    def __post_init__(self) -> None:
        for name, low in (("epochs", 0), ("batch", 1), ("seed", 0), ("crop", 0), ("patience", 0), ("accumulate", 1)):
            self._need(name, getattr(self, name) >= low, f"{low} or more")
        for name in ("rate", "scale_rate", "shift_rate", "temperature"):
            self._need(name, getattr(self, name) > 0, "above 0")
        for name in ("warmup", "averaging"):
            self._need(name, 0 <= getattr(self, name) < 1, "at least 0 and below 1")
        self._need("distillation", 0 <= self.distillation <= 1, "0 to 1")
        for name in ("penalty", "damping", "freezing", "inner"):
            self._need(name, getattr(self, name) >= 0, "0 or more")
        self._need("acc_bits", self.acc_bits is None or 6 <= self.acc_bits <= 32, "6 to 32")
        named = {"accumulator": ACCUMULATORS, "rescaling": RESCALING, "precision": PRECISIONS, "optimiser": OPTIMISERS}
        for name, choices in named.items():
            self._need(name, getattr(self, name) in choices, f"one of {', '.join(choices)}")

    def _need(self, name: str, holds: bool, what: str) -> None:
        if not holds:
            raise InputError(f"{name} must be {what}, not {getattr(self, name)}")
