"""Pll: the clock generator of an FPGA family, set for one frequency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const, Instance, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .board import BoardError

__all__ = ["Divisors", "Pll", "PllError", "divisors_for", "ecp5_output", "ecp5_pll"]

_TOLERANCE = 0.002  # of the frequency asked for; a UART bears ten times that


class PllError(BoardError):
    """A frequency that a clock generator cannot make of its input."""


@dataclass(frozen=True, kw_only=True)
class Divisors:
    """Settings of a clock generator.

    Parameters
    ----------
    reference, feedback, output : int
        Divisors of the input, of the feedback and of the oscillator.
    mhz : float
        The frequency they give.
    """

    reference: int
    feedback: int
    output: int
    mhz: float


@dataclass(frozen=True, kw_only=True)
class _Limits:
    """What a generator can be set to; frequencies in MHz."""

    name: str
    references: Sequence[int]
    feedbacks: Sequence[int]
    outputs: Sequence[int]
    oscillator: tuple[float, float]
    comparison: float
    from_output: bool  # the feedback is taken behind the output's divisor


_LIMITS: Mapping[str, _Limits] = {
    # Lattice FPGA-TN-02200
    "ecp5": _Limits(
        name="EHXPLLL",
        references=range(1, 129),
        feedbacks=range(1, 81),
        outputs=range(1, 129),
        oscillator=(400, 800),
        comparison=3.125,
        from_output=True,
    ),
    # Lattice FPGA-TN-02052
    "ice40": _Limits(
        name="SB_PLL40",
        references=range(1, 17),
        feedbacks=range(1, 129),
        outputs=[1 << power for power in range(1, 7)],
        oscillator=(533, 1066),
        comparison=10,
        from_output=False,
    ),
    # Gowin UG286
    "gowin": _Limits(
        name="rPLL",
        references=range(1, 65),
        feedbacks=range(1, 65),
        outputs=[2, 4, *range(8, 129, 8)],
        oscillator=(400, 1200),
        comparison=3,
        from_output=True,
    ),
    # AMD DS181, speed grade 1
    "xilinx": _Limits(
        name="PLLE2",
        references=range(1, 6),
        feedbacks=range(2, 65),
        outputs=range(1, 129),
        oscillator=(800, 1600),
        comparison=19,
        from_output=False,
    ),
}


def divisors_for(family: str, input_mhz: float, mhz: float) -> Divisors:
    """The divisors that come nearest to a frequency; of those the ones that compare fastest.

    Raises
    ------
    PllError
        If none come within 0.2 %.
    """
    limits = _LIMITS[family]
    found: list[tuple[float, int, Divisors]] = []
    for reference in limits.references:
        if input_mhz / reference < limits.comparison:
            break
        for feedback in limits.feedbacks:
            for output in limits.outputs:
                looped = input_mhz * feedback / reference
                oscillator, made = (looped * output, looped) if limits.from_output else (looped, looped / output)
                if limits.oscillator[0] <= oscillator <= limits.oscillator[1]:
                    divisors = Divisors(reference=reference, feedback=feedback, output=output, mhz=made)
                    found.append((abs(made - mhz), reference, divisors))
    error, _, best = min(found, key=lambda entry: entry[:2])
    if error > _TOLERANCE * mhz:
        raise PllError(f"the {limits.name} makes {best.mhz:g} MHz of {input_mhz:g} MHz at best, not {mhz:g} MHz")
    return best


def ecp5_pll(
    input_mhz: float, reference: int, feedback: int, clock: Value, fed_back: Value, locked: Value
) -> dict[str, Any]:
    """What every EHXPLLL that feeds CLKOP back is told: its input with its divisors, and what it says of itself."""
    return {
        "a_FREQUENCY_PIN_CLKI": f"{input_mhz:.6f}",
        "a_ICP_CURRENT": "12",
        "a_LPF_RESISTOR": "8",
        "a_MFG_ENABLE_FILTEROPAMP": "1",
        "a_MFG_GMCREF_SEL": "2",
        "p_PLLRST_ENA": "DISABLED",
        "p_INTFB_WAKE": "DISABLED",
        "p_STDBY_ENABLE": "DISABLED",
        "p_DPHASE_SOURCE": "DISABLED",
        "p_OUTDIVIDER_MUXA": "DIVA",
        "p_FEEDBK_PATH": "CLKOP",
        "p_CLKI_DIV": reference,
        "p_CLKFB_DIV": feedback,
        "i_CLKI": clock,
        "i_CLKFB": fed_back,
        "i_RST": Const(0),
        "i_STDBY": Const(0),
        "i_ENCLKOP": Const(0),
        "o_LOCK": locked,
    }


def ecp5_output(name: str, divisor: int, phase: int, clock: Value) -> dict[str, Any]:
    """An output of an EHXPLLL, such as ``CLKOP``."""
    return {
        f"p_{name}_ENABLE": "ENABLED",
        f"p_{name}_DIV": divisor,
        f"p_{name}_CPHASE": phase,
        f"p_{name}_FPHASE": 0,
        f"o_{name}": clock,
    }


class Pll(wiring.Component):
    """Makes ``out`` of the clock on ``clock``; ``locked`` is high while it is steady.

    Parameters
    ----------
    family : str
        ``ecp5``, ``ice40``, ``gowin`` or ``xilinx``.
    input_mhz, mhz : float
        Frequencies of ``clock`` and of ``out``.
    pad : optional
        iCE40: the generator's own pin, which then is its input instead of ``clock``.
    device : str
        Gowin: the name of the part's family, which its cell asks for.

    Attributes
    ----------
    divisors : Divisors

    Raises
    ------
    PllError
        If the family's generator cannot make that frequency.
    """

    def __init__(self, *, family: str, input_mhz: float, mhz: float, pad: Any = None, device: str = "") -> None:
        self.divisors = divisors_for(family, input_mhz, mhz)
        self._family, self._input_mhz, self._pad, self._device = family, input_mhz, pad, device
        super().__init__({"clock": In(1), "out": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Place the family's cell."""
        m = Module()
        make = {"ecp5": self._ecp5, "ice40": self._ice40, "gowin": self._gowin, "xilinx": self._xilinx}
        make[self._family](m)
        return m

    def _ecp5(self, m: Module) -> None:
        divisors = self.divisors
        m.submodules.pll = Instance(
            "EHXPLLL",
            **ecp5_pll(self._input_mhz, divisors.reference, divisors.feedback, self.clock, self.out, self.locked),
            **ecp5_output("CLKOP", divisors.output, divisors.output // 2, self.out),
            a_FREQUENCY_PIN_CLKOP=f"{divisors.mhz:.6f}",
        )

    def _ice40(self, m: Module) -> None:
        divisors = self.divisors
        comparison = self._input_mhz / divisors.reference
        source = {"i_REFERENCECLK": self.clock} if self._pad is None else {"i_PACKAGEPIN": self._pad}
        m.submodules.pll = Instance(
            "SB_PLL40_CORE" if self._pad is None else "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(divisors.reference - 1, 4),
            p_DIVF=Const(divisors.feedback - 1, 7),
            p_DIVQ=Const(divisors.output.bit_length() - 1, 3),
            p_FILTER_RANGE=Const(1 + sum(comparison >= limit for limit in (17, 26, 44, 66, 101)), 3),
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=self.out,
            o_LOCK=self.locked,
            **source,
        )

    def _gowin(self, m: Module) -> None:
        divisors = self.divisors
        unused: dict[str, Value] = {
            **dict.fromkeys(("i_CLKFB", "i_RESET", "i_RESET_P"), Const(0)),
            **dict.fromkeys(("i_FBDSEL", "i_IDSEL", "i_ODSEL"), Const(0, 6)),
            **dict.fromkeys(("i_PSDA", "i_DUTYDA", "i_FDLY"), Const(0, 4)),
        }
        m.submodules.pll = Instance(
            "rPLL",
            p_DEVICE=self._device,
            p_FCLKIN=f"{self._input_mhz:g}",
            p_IDIV_SEL=divisors.reference - 1,
            p_FBDIV_SEL=divisors.feedback - 1,
            p_ODIV_SEL=divisors.output,
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            p_DYN_DA_EN="false",
            p_DUTYDA_SEL="1000",
            p_PSDA_SEL="0000",
            p_CLKFB_SEL="internal",
            p_CLKOUT_BYPASS="false",
            p_CLKOUTP_BYPASS="false",
            p_CLKOUTD_BYPASS="false",
            p_DYN_SDIV_SEL=2,
            p_CLKOUTD_SRC="CLKOUT",
            p_CLKOUTD3_SRC="CLKOUT",
            i_CLKIN=self.clock,
            o_CLKOUT=self.out,
            o_LOCK=self.locked,
            **unused,
        )

    def _xilinx(self, m: Module) -> None:
        divisors = self.divisors
        loop, made = Signal(), Signal()
        m.submodules.pll = Instance(
            "PLLE2_BASE",
            p_CLKIN1_PERIOD=1000 / self._input_mhz,
            p_DIVCLK_DIVIDE=divisors.reference,
            p_CLKFBOUT_MULT=divisors.feedback,
            p_CLKOUT0_DIVIDE=divisors.output,
            i_CLKIN1=self.clock,
            i_CLKFBIN=loop,
            i_RST=Const(0),
            i_PWRDWN=Const(0),
            o_CLKFBOUT=loop,
            o_CLKOUT0=made,
            o_LOCKED=self.locked,
        )
        m.submodules.buffer = Instance("BUFG", i_I=made, o_O=self.out)
