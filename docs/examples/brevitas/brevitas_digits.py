"""Digits of 8 x 8 pixels in a network of Brevitas, weights and activations of 4 bits: trained, then compiled.

    pip install "narrows[generator,brevitas]"
    python docs/examples/brevitas/brevitas_digits.py

Brevitas' own answer and the golden model's are compared code by code, and the golden model with the instruction-set
model. A rescaler of 16 bits steps where the trained scales say, and not a little beside.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import brevitas.nn as qnn
import narrows
import numpy as np
import torch
from brevitas.quant import Int8WeightPerChannelFloat, Uint8ActPerTensorFloat
from torch import nn

__all__ = ["Outcome", "run"]

_TRAINING = 250
"""Images that are trained on, of the 450 with labels."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Accuracies of both, codes of the scores that differ and how many there are, and whether the engines agree."""

    brevitas: float
    narrows: float
    differing: int
    codes: int
    engines_agree: bool


def network(bits: int) -> nn.Sequential:
    """Two convolutions and a dense layer of so many bits, an image and scores of 8."""
    weights: dict[str, Any] = {"weight_quant": Int8WeightPerChannelFloat, "weight_bit_width": bits}
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=Uint8ActPerTensorFloat),
        qnn.QuantConv2d(1, 8, 3, padding=1, bias=False, **weights),
        nn.BatchNorm2d(8),
        qnn.QuantReLU(bit_width=bits),
        qnn.QuantConv2d(8, 16, 3, stride=2, padding=1, bias=True, **weights),
        qnn.QuantReLU(bit_width=bits),
        nn.Flatten(),
        qnn.QuantLinear(16 * 16, 10, bias=True, **weights),
        qnn.QuantIdentity(bit_width=8),
    )


def run(*, bits: int = 4, epochs: int = 40, samples: int = 200, seed: int = 0) -> Outcome:
    """Train, convert, compile and compare.

    Parameters
    ----------
    bits : int
        Of weights and activations, 2 to 8.
    epochs : int
        Over 250 of the built-in digits.
    samples : int
        Of the other 200, on which is compared.
    """
    torch.manual_seed(seed)
    example = narrows.example()
    images, digits = (example.x / 16).astype(np.float32), example.y.astype(np.int64)
    calib, y = torch.from_numpy(images[:_TRAINING]), torch.from_numpy(digits[:_TRAINING])
    x, wanted = images[_TRAINING:][:samples], digits[_TRAINING:][:samples]
    module = network(bits)
    optimiser = torch.optim.Adam(module.parameters(), 1e-2)
    for _ in range(epochs):
        for part in torch.randperm(len(calib)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(module(calib[part]), y[part]).backward()
            optimiser.step()
    module.eval()

    model = narrows.load(module, calib[:1])
    program = model.quantize(calib.numpy()).compile(narrows.Config("medium", acc_bits=24, rescale_bits=16))
    (ours,) = program.run(x).values()
    theirs = module(torch.from_numpy(x)).detach().numpy()
    step = float(module[-1].act_quant.scale())
    differing = np.rint(ours / step) != np.rint(theirs / step)
    return Outcome(
        brevitas=float((theirs.argmax(1) == wanted).mean()),
        narrows=float((ours.argmax(1) == wanted).mean()),
        differing=int(differing.sum()),
        codes=differing.size,
        engines_agree=bool(program.verify(x[:4], ["golden", "isa"])),
    )


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description="Digits: Brevitas' network in narrows' integers.")
    parser.add_argument("--bits", type=int, default=4, help="of weights and activations")
    parser.add_argument("--epochs", type=int, default=40)
    arguments = parser.parse_args()
    outcome = run(bits=arguments.bits, epochs=arguments.epochs)
    print(f"right answers: Brevitas {outcome.brevitas:.1%}, narrows {outcome.narrows:.1%}")
    print(f"codes of scores that differ: {outcome.differing} of {outcome.codes}")
    print(f"golden and instruction-set model agree: {outcome.engines_agree}")


if __name__ == "__main__":
    main()
