"""ProtectedScratchpad: a scratchpad with check bits beside each granule (`spec.protection`)."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from ..cells.checks import CHECK, check_bits, judged
from ..cells.delay_line import delayed
from ..spec.protection import check_code
from .scratchpad import Scratchpad, scratchpad_ports
from .split_scratchpad import SplitScratchpad

__all__ = ["ProtectedScratchpad"]


class ProtectedScratchpad(wiring.Component):
    """A `Scratchpad` or `SplitScratchpad` whose granules are stored with check bits, and judged when they are read.

    ``read_data`` comes as there, a cycle later where the code corrects; ``check`` a cycle behind it: whether any
    granule of that word was damaged, or was corrected. ``back_check`` is that of ``read_back``, which is corrected
    without a register. Words that nobody has written are sound: they and their check bits are zero.

    Parameters
    ----------
    protection : str
        As `spec.protection.check_code` takes it.
    used : sequence of int
        How many bits of each granule are checked, from its lowest on, 0 to ``granule``; the others are not stored.
    depth, width, granule, read_cycles, read_back
        As `Scratchpad` takes them.
    near : int
        As `SplitScratchpad` takes it; 0 for a `Scratchpad`.

    Raises
    ------
    ValueError
        If ``used`` does not name every granule.
    """

    def __init__(
        self,
        *,
        protection: str,
        used: Sequence[int],
        depth: int,
        width: int,
        granule: int,
        read_cycles: int = 1,
        read_back: bool = False,
        near: int = 0,
    ) -> None:
        ports = scratchpad_ports(depth=depth, width=width, granule=granule, read_back=read_back)
        if len(used) * granule != width:
            raise ValueError(f"used must name {width // granule} granules, not {len(used)}")
        self._codes = [check_code(protection, bits) if bits else None for bits in used]
        self._granule, self._read_back = granule, read_back
        self._checks = max(code.bits for code in self._codes if code)
        self._corrects = any(code.corrects for code in self._codes if code)
        stored = granule + self._checks
        shape = {
            "depth": depth,
            "width": stored * len(used),
            "granule": stored,
            "read_cycles": read_cycles,
            "read_back": read_back,
        }
        self._memory = SplitScratchpad(near=near, **shape) if near else Scratchpad(**shape)
        super().__init__({**ports, "check": Out(CHECK), **({"back_check": Out(CHECK)} if read_back else {})})

    def elaborate(self, platform: object) -> Module:
        """Check bits in on the one side, syndromes out on the other."""
        m = Module()
        m.submodules.memory = memory = self._memory
        stored = []
        for index, code in enumerate(self._codes):
            value = self.write_data.word_select(index, self._granule)
            checks = check_bits(code, value) if code else Cat()
            unused = (self._granule - len(code.columns) if code else self._granule) + self._checks - len(checks)
            used = value[: len(code.columns)] if code else Cat()
            stored.append(Cat(used, checks, Signal(unused, name=f"none{index}")))
        m.d.comb += [
            memory.read_address.eq(self.read_address),
            memory.write_address.eq(self.write_address),
            memory.write_enable.eq(self.write_enable),
            memory.write_data.eq(Cat(stored)),
        ]
        late = int(self._corrects)
        self._judge(m, memory.read_data, self.read_data, self.check, "read", late)
        if self._read_back:
            self._judge(m, memory.read_back, self.read_back, self.back_check, "back", 0)
        return m

    def _judge(self, m: Module, word: Value, right: Signal, check: Signal, name: str, late: int) -> None:
        """What a word's granules are, ``late`` cycles after it, and what is to be said of them."""
        values, damaged, corrected = [], [], []
        stored = self._granule + self._checks
        for index, code in enumerate(self._codes):
            if code is None:
                values.append(Signal(self._granule, name=f"{name}_none{index}"))
                continue
            bits = len(code.columns)
            value, checks = word.word_select(index, stored)[:bits], word.word_select(index, stored)[bits:][: code.bits]
            granule = Signal(bits + code.bits, name=f"{name}_granule{index}")
            m.d.comb += granule.eq(Cat(value, checks))
            value, is_damaged, is_corrected = judged(code, granule[:bits], granule[bits:])
            damaged.append(is_damaged)
            corrected.append(is_corrected)
            values.append(Cat(value, Signal(self._granule - bits, name=f"{name}_rest{index}")))
        m.d.comb += right.eq(delayed(m, Cat(values), late, f"{name}_word"))
        wrong = delayed(m, Cat(damaged), 1, f"{name}_damaged")
        fixed = delayed(m, Cat(corrected), 1, f"{name}_corrected")
        found = Signal(CHECK, name=f"{name}_found")
        m.d.comb += [found.damaged.eq(wrong.any()), found.corrected.eq(fixed.any())]
        m.d.comb += check.eq(delayed(m, found, late, f"{name}_check"))
