"""Claims about the drain: rescaling in one exact rounding, alone and with the encoder behind it."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Const, Mux, Signal, Value, signed
from claims_codec import level_of
from narrows.hw.drain.encoder import Encoder
from narrows.hw.drain.rescaler import Rescaler
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Format
from narrows.hw.spec.pipeline import pipeline
from prover import Claim, internals

__all__ = ["rescaler_claim", "result_claim"]


class _Rescaled:
    """A claim's rescaler with free inputs; claims that its product is right, so that the rest may start from there."""

    def __init__(self, claim: Claim, config: AcceleratorConfig) -> None:
        m = claim.module
        self.dut = Rescaler(config)
        m.submodules.rescaler, inside = internals(self.dut)
        names = ("acc", "bias", "multiplicand_low", "shift")
        inputs = {name: claim.free(name, getattr(self.dut, name).shape()) for name in names}
        # what must be stable is free, but constant
        settings = {name: claim.free(name, self.dut.zero.shape(), constant=True) for name in ("zero", "low", "high")}
        m.d.comb += [getattr(self.dut, name).eq(value) for name, value in (inputs | settings).items()]
        claim.assume(inputs["shift"] <= config.shift_max)
        claim.assume(settings["low"] <= settings["high"])
        self.zero, self.low, self.high = settings.values()
        plan = pipeline(config)
        behind = plan.shift + plan.clamp
        acc, bias, low_bits, shift = (claim.delayed(inputs[name], plan.rescaler - behind) for name in names)
        value = inside["value"]
        claim.claim(value == (acc + bias) * Cat(low_bits, Const(1, 1)))
        self.value = claim.show("value", claim.delayed(value, behind))
        self.shift = claim.delayed(shift, behind)


def rescaler_claim(config: AcceleratorConfig, *, late: int = 0) -> Claim:
    """Half units are ``floor(2 * (acc + bias) * m / 2**s) + 2 * zero``, clamped, for all inputs.

    Parameters
    ----------
    late : int
        Added before the floor, in half units of the last place: other than 0 the claim is wrong.
    """
    width = f"{config.acc_bits} + {config.bias_width} bits by {config.rescale_bits}"
    claim = Claim(f"rescaler of {width}" + f", {late} late" * bool(late))
    rescaled = _Rescaled(claim, config)
    half_units = claim.show("half_units", (((rescaled.value << 1) + late) >> rescaled.shift) + (rescaled.zero << 1))
    low, high = rescaled.low << 1, rescaled.high << 1
    expected = Mux(half_units < low, low, Mux(half_units > high, high, half_units))
    claim.claim(claim.show("result", rescaled.dut.half_units) == claim.show("expected", expected))
    return claim


def result_claim(config: AcceleratorConfig, fmt: Format | None, *, tie: int = 0) -> Claim:
    """One plane written for an accumulator is the level nearest to the exact ``(acc + bias) * m / 2**s + zero``.

    Nearest by definition: the largest level that lies no further away than its lower neighbour, compared in integers
    without any rounding in between, then clamped.

    Parameters
    ----------
    fmt : Format, optional
        Uneven format of the result; all integers that a plane holds without it.
    tie : int
        1 claims that ties go toward minus infinity, which is wrong.
    """
    widths = f"{config.acc_bits}-bit sums, {config.rescale_bits}-bit multiplicands"
    claim = Claim(f"results in {fmt or 'integers'} of {widths}" + ", ties down" * tie)
    m = claim.module
    levels = fmt.levels.tolist() if fmt else list(range(-4, 5))
    rescaled = _Rescaled(claim, config)
    for clamp in (rescaled.low, rescaled.high):
        claim.assume(Cat(clamp == level for level in levels).any())
    m.submodules.encoder = encoder = Encoder(config)
    m.d.comb += [
        encoder.half_units.eq(rescaled.dut.half_units),
        encoder.plane.eq(0),
        encoder.planes.eq(1),
        encoder.uneven.eq(int(fmt is not None)),
        encoder.rounding.eq(fmt.rounding.number if fmt else 0),
    ]
    behind = pipeline(config).encoder
    twice, shift = (claim.delayed(value, behind) for value in (rescaled.value << 1, rescaled.shift))
    nearest: Value = Const(levels[0], signed(6))
    for lower, upper in pairwise(levels):
        midpoint = Signal(signed(config.value_bits + 12), name="midpoint")
        m.d.comb += midpoint.eq((lower + upper - (rescaled.zero << 1)) << shift)
        nearest = Mux(twice > midpoint if tie else twice >= midpoint, Const(upper, signed(6)), nearest)
    expected = Mux(nearest < rescaled.low, rescaled.low, Mux(nearest > rescaled.high, rescaled.high, nearest))
    claim.claim(level_of(claim.show("code", encoder.code)) == claim.show("expected", expected))
    return claim
