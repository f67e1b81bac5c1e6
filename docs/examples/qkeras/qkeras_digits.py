"""Digits of 8 x 8 pixels in a QKeras model, and the same in narrows' integers.

    pip install "narrows[generator,qkeras]"
    python docs/examples/qkeras/qkeras_digits.py

QKeras' own prediction and the golden model's are compared code by code, and the golden model with the instruction-set
model. Biases are real numbers and most scales no powers of two, so that sums do not lie in the middle of two codes,
where QKeras takes the even one and a rescaler the upper one.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # QKeras is of Keras 2
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import narrows
import numpy as np
import tf_keras as keras
from qkeras import QActivation, QConv2D, QDense, QDepthwiseConv2D, quantized_bits, quantized_relu

__all__ = ["Outcome", "network", "run"]

_TRAINING = 250
"""Images that are trained on, of the 450 with labels."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Accuracies of both, codes of the scores that differ and how many there are, and whether the engines agree."""

    qkeras: float
    narrows: float
    differing: int
    codes: int
    engines_agree: bool


def network() -> keras.Model:
    """A convolution, one by channel, one of single pixels and a dense layer of 4 bits; a quantiser of the scores."""

    def weights() -> Any:
        return quantized_bits(4, 0, alpha="auto")

    return keras.Sequential(
        [
            keras.layers.InputLayer((8, 8, 1)),
            QActivation(quantized_bits(5, 0, keep_negative=False)),
            QConv2D(8, 3, padding="same", kernel_quantizer=weights()),
            QActivation(quantized_relu(4, 1)),
            QDepthwiseConv2D(3, strides=2, padding="same", depthwise_quantizer=weights()),
            QActivation(quantized_bits(6, 1)),
            QConv2D(16, 1, kernel_quantizer=weights(), activation=quantized_relu(4, 1)),
            keras.layers.Flatten(),
            QDense(10, kernel_quantizer=weights()),
            QActivation(quantized_bits(8, 4)),
        ]
    )


def run(*, epochs: int = 30, samples: int = 200, seed: int = 0) -> Outcome:
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
    model.compile(keras.optimizers.legacy.Adam(1e-2), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(calib, y, batch_size=32, epochs=epochs, verbose=0)

    program = narrows.load(model).quantize(calib).compile(narrows.Config("medium", acc_bits=24, rescale_bits=16))
    (ours,) = program.run(x).values()
    theirs = np.asarray(model.predict(x, verbose=0))
    return Outcome(
        qkeras=float((theirs.argmax(1) == wanted).mean()),
        narrows=float((ours.argmax(1) == wanted).mean()),
        differing=int((np.abs(ours - theirs) > 1e-5).sum()),  # QKeras' x + (q - x) is beside q by a rounding
        codes=theirs.size,
        engines_agree=bool(program.verify(x[:4], ["golden", "isa"])),
    )


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description="Digits: QKeras' network in narrows' integers.")
    parser.add_argument("--epochs", type=int, default=30)
    arguments = parser.parse_args()
    outcome = run(epochs=arguments.epochs)
    print(f"right answers: QKeras {outcome.qkeras:.1%}, narrows {outcome.narrows:.1%}")
    print(f"codes of scores that differ: {outcome.differing} of {outcome.codes}")
    print(f"golden and instruction-set model agree: {outcome.engines_agree}")


if __name__ == "__main__":
    main()
