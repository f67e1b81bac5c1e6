"""Digits of 8 x 8 pixels in a Keras model of HGQ2, whose widths are trained, too: and the same in narrows' integers.

    pip install "narrows[generator,hgq2]"
    KERAS_BACKEND=torch python docs/examples/hgq2/hgq_digits.py

Keras' own prediction and the golden model's are compared code by code, and the golden model with the instruction-set
model. Widths of weights are trained one by one, those of activations for each tensor: only these have one step here.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import narrows
import numpy as np
from hgq.config import LayerConfigScope, QuantizerConfig, QuantizerConfigScope
from hgq.constraints import MinMax
from hgq.layers import QConv2D, QDense

__all__ = ["Outcome", "network", "run"]

_TRAINING = 250
"""Images that are trained on, of the 450 with labels."""

_TENSOR: dict[str, Any] = {"heterogeneous_axis": (), "homogeneous_axis": None, "overflow_mode": "SAT"}
_TENSOR |= {"i0": 3, "f0": 4, "ic": MinMax(-8, 3), "fc": MinMax(-8, 4)}
"""Of activations: one step and range for a whole tensor, up to 8 bits with the sign; what is beyond is clamped."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Accuracies of both, codes of the scores that differ and how many there are, and whether the engines agree."""

    keras: float
    narrows: float
    differing: int
    codes: int
    engines_agree: bool


def network() -> keras.Model:
    """Two convolutions and a dense layer, in front of each a quantiser, and one of the scores."""
    scores = QuantizerConfig(place="datalane", **_TENSOR)
    with QuantizerConfigScope(place="datalane", **_TENSOR), LayerConfigScope(enable_ebops=True, beta0=1e-6):
        return keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                QConv2D(8, 3, padding="same", activation="relu"),
                QConv2D(16, 3, strides=2, padding="same", activation="relu"),
                keras.layers.Flatten(),
                QDense(10, enable_oq=True, oq_conf=scores),
            ]
        )


def run(*, epochs: int = 20, samples: int = 200, seed: int = 0) -> Outcome:
    """Train, convert, compile and compare.

    Parameters
    ----------
    epochs : int
        Over 250 of the built-in digits.
    samples : int
        Of the other 200, on which is compared.
    """
    keras.utils.set_random_seed(seed)
    example = narrows.example()
    images, digits = (example.x / 16).astype(np.float32).transpose(0, 2, 3, 1), example.y.astype(np.int64)
    calib, y = images[:_TRAINING], digits[:_TRAINING]
    x, wanted = images[_TRAINING:][:samples], digits[_TRAINING:][:samples]
    model = network()
    model.compile(keras.optimizers.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(calib, y, batch_size=64, epochs=epochs, verbose=0)

    program = narrows.load(model).quantize(calib).compile(narrows.Config("medium", acc_bits=24))
    (ours,) = program.run(x).values()
    theirs = np.asarray(model.predict(x, verbose=0))
    return Outcome(
        keras=float((theirs.argmax(1) == wanted).mean()),
        narrows=float((ours.argmax(1) == wanted).mean()),
        differing=int((ours != theirs).sum()),
        codes=theirs.size,
        engines_agree=bool(program.verify(x[:4], ["golden", "isa"])),
    )


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description="Digits: Keras' network in narrows' integers.")
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()
    outcome = run(epochs=arguments.epochs)
    print(f"right answers: Keras {outcome.keras:.1%}, narrows {outcome.narrows:.1%}")
    print(f"codes of scores that differ: {outcome.differing} of {outcome.codes}")
    print(f"golden and instruction-set model agree: {outcome.engines_agree}")


if __name__ == "__main__":
    main()
