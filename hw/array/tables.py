"""Product tables: bits of a product of magnitudes as look-up tables of four inputs, and the bits predecoded for it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from ..spec.formats import DyBit, Format, Minifloat

__all__ = ["CHOICE", "ProductTable", "is_light", "predecoded", "product_tables"]


@dataclass(frozen=True)
class ProductTable:
    """A function of up to four bits: bit ``inputs`` of ``table``, the first input in the low place, and ``mask``.

    An input is ``x`` or ``w``, then ``:`` and a bit of the code, or the levels that set a predecoded bit; or the name
    of another table. So is ``mask``, where there is one: an adder's cell has room for it.
    """

    inputs: str
    table: int
    mask: str = ""


CHOICE = 0xCA
"""Table of a choice between its first two inputs, both of them tables, by the third: a cell of its own on an ECP5."""

# bits 2 to 5 tell too many levels apart for one table; `bench/product_tables.py` finds these with a SAT solver
_DYBIT4: Mapping[str, ProductTable] = MappingProxyType(
    {
        "0": ProductTable("x1_3 w1_3", 0x8),
        "1": ProductTable("x1_3 x2_3_6 w2_3_6 w1_3", 0x6CA0),
        "2g": ProductTable("x1_3 x1_4_6 w1_3 w1_4_6", 0xB59F),
        "2": ProductTable("2g x2_3_6 w2_3_6", 0x95),
        "3g": ProductTable("x:1 x2_3_6 w1_3 w2_3_6", 0x3DA8),
        "3h": ProductTable("x2_3_6 x1_3 w:0 w:1", 0x8C2A),
        "3": ProductTable("3g 3h x4_6_8 w4_6_8", 0x6C24),
        "4g": ProductTable("x:0 x:1 w8_16 w:0", 0xA9E3),
        "4h": ProductTable("x:1 x4_6_8 w8_16 w4_6_8", 0xAA7C),
        "4": ProductTable("4g 4h x:2 w2_3_6", 0x6828),
        "5g": ProductTable("x4_6_8 x2_3_6 w2_3_6 w4_6_8", 0x85A3),
        "5": ProductTable("5g x8_16 w2_3_6 w:1", 0x41E4),
        "6": ProductTable("x4_6_8 x8_16 w4_6_8 w8_16", 0x8240),
        "7": ProductTable("x4_6_8 x8_16 w4_6_8 w8_16", 0x4800),
        "8": ProductTable("x4_6_8 x8_16 w4_6_8 w8_16", 0x0400),
    }
)
"""Bits of a product of DyBit4 levels, and what they are made of."""

_E2M1: Mapping[str, ProductTable] = MappingProxyType(
    {
        "0": ProductTable("x1_3 w1_3", 0x8),
        "1": ProductTable("x2_3_6 x1_3 w1_3 w2_3_6", 0x6CA0),
        "2g": ProductTable("w1_3 w2_3_6 x3_4_6_12 x2_3_6", 0x6CA0),
        "2h": ProductTable("w:0 w2_3_6 w4_6_12 x3_4_6_12", 0x34B0),
        "2": ProductTable("2g 2h x1_3", CHOICE),
        "3g": ProductTable("x2_3_6 x1_3 w:1 w:0", 0x9535),
        "3h": ProductTable("x3_4_6_12 x8_12 w2_3_6 w1_3", 0x39F5),
        "3": ProductTable("3g 3h x3_4_6_12 w:2", 0x9583),
        "4g": ProductTable("x:1 x1_3 w:0 w:1", 0xBA84),
        "4h": ProductTable("x:0 x:1 w:1 w:0", 0x952B),
        "4": ProductTable("4g 4h x:2 w:2", 0xC220),
        "5g": ProductTable("x:2 w4_6_12 x3_4_6_12 w8_12", 0xE808),
        "5h": ProductTable("w:0 x:1 w:1 w:2", 0x5680),
        "5": ProductTable("5g 5h x6_12", CHOICE),
        "6": ProductTable("x8_12 x6_12 w8_12 w6_12", 0x68A0),
        "7": ProductTable("x:0 x8_12 w:0 w8_12", 0x8000),
    }
)
"""The same of E2M1 levels."""

_FOUND: Mapping[Format, Mapping[str, ProductTable]] = MappingProxyType({DyBit(4): _DYBIT4, Minifloat(2, 1): _E2M1})
"""Tables of products of a format with itself that were found for it."""

_ODD = ProductTable("x1_3", 0b10, "w1_3")
"""Bit 0 of those, where it is masked: it needs no table then."""

_CLASSES = 4
"""Classes of an operand's levels that two of a table's inputs can tell apart."""

_LIGHT = 4
"""Weights of fewer bits are worth a predecoded bit for one mask."""

_Bits = tuple[int, ...]
"""A function of a magnitude: its value for each magnitude code."""


def is_light(weights: Format) -> bool:
    """Whether weights are so narrow that masks decide what a product costs."""
    return weights.bits < _LIGHT


def product_tables(weights: Format, acts: Format, *, masked: bool) -> Mapping[str, ProductTable]:
    """Tables that make a product's bits, by bit or by what they are part of; bits without one are left to synthesis.

    Integers have none, they are multiplied as such; nor have weights of one level, which only let an activation pass.

    Parameters
    ----------
    weights, acts : Format
    masked : bool
        Whether what adds the product masks each of its bits: some tables then have a mask.
    """
    made = _made(weights, acts)
    return made.masked if masked else made.plain


def predecoded(weights: Format, acts: Format) -> Mapping[str, tuple[tuple[int, ...], ...]]:
    """Levels that set each bit predecoded for an activation (``x``) and for a weight (``w``)."""
    return _made(weights, acts).predecoded


@dataclass(frozen=True)
class _Made:
    """Tables of products, and the predecoded bits that they need."""

    plain: Mapping[str, ProductTable]
    masked: Mapping[str, ProductTable]
    predecoded: Mapping[str, tuple[_Bits, ...]]


@functools.cache
def _made(weights: Format, acts: Format) -> _Made:
    if weights.top == 1 or acts.whole or not (weights.octaves or acts.octaves):
        return _Made({}, {}, {"x": _binary(acts), "w": _binary(weights)})
    if weights == acts and weights in _FOUND:
        plain = _FOUND[weights]
        sources = [source for table in plain.values() for source in table.inputs.split() if source not in plain]
        used = dict.fromkeys(source for source in sources if ":" not in source)
        levels = {
            side: tuple(tuple(map(int, name[1:].split("_"))) for name in used if name[0] == side) for side in "xw"
        }
        return _Made(plain, {**plain, "0": _ODD}, levels)
    search = _Search(weights, acts)
    return _Made(search.plain, search.masked, {side: pool.predecoded for side, pool in search.pools.items()})


def _binary(fmt: Format) -> tuple[_Bits, ...]:
    """Levels that set each bit of a level in binary, where the code is not that already."""
    if fmt.whole:
        return ((-fmt.bottom,),)
    if not fmt.octaves:
        return ()
    bits = range(fmt.top.bit_length())
    return tuple(tuple(level for level in fmt.magnitudes if level >> bit & 1) for bit in bits)


class _Search:
    """Tables of two formats' products, one a bit, where two bits of each operand tell enough."""

    def __init__(self, weights: Format, acts: Format) -> None:
        self._formats = {"x": acts, "w": weights}
        self.pools = {side: _Pool(fmt) for side, fmt in self._formats.items()}
        self.plain: dict[str, ProductTable] = {}
        self.masked: dict[str, ProductTable] = {}
        bits = range((acts.top * weights.top).bit_length())
        found = {bit: {side: self._classes(side, bit) for side in "xw"} for bit in bits}
        # those that need the most classes first: what they need may serve the others
        for bit in sorted(bits, key=lambda bit: -max(max(classes) for classes in found[bit].values())):
            if max(max(classes) for classes in found[bit].values()) < _CLASSES:
                self.plain[str(bit)] = self._table(bit, found[bit], "")
        self.masked |= self.plain
        for bit in bits if is_light(weights) else ():
            table = self._with_mask(bit, found[bit])
            if table is not None:
                self.masked[str(bit)] = table

    def _classes(self, side: str, bit: int) -> _Bits:
        """Class of each magnitude of an operand: one class where a product's bit is the same whatever the other is; 0
        where it is 0."""
        own, other = self._formats[side], self._formats["w" if side == "x" else "x"]
        rows = [tuple(a * b >> bit & 1 for b in other.magnitudes) for a in own.magnitudes]
        different = list(dict.fromkeys(rows))
        return tuple(different.index(row) for row in rows)

    def _with_mask(self, bit: int, classes: Mapping[str, _Bits]) -> ProductTable | None:
        """A table that an operand masks: none at all where both have one class beside 0, one where there was none."""
        if max(map(max, classes.values())) == 1:
            x, w = (side + self.pools[side].known(classes[side]) for side in "xw")
            return ProductTable(x, 0b10, w)
        if str(bit) in self.plain or max(classes["w"]) >= _CLASSES or max(classes["x"]) > _CLASSES:
            return None
        used = tuple(int(each > 0) for each in classes["x"])
        # what the mask clears may be of any class
        rest = {"x": tuple(each - 1 if each else -1 for each in classes["x"]), "w": classes["w"]}
        return self._table(bit, rest, "x" + self.pools["x"].known(used))

    def _table(self, bit: int, classes: Mapping[str, _Bits], mask: str) -> ProductTable:
        inputs = [(side, source) for side in "xw" for source in self.pools[side].inputs(classes[side])]
        table = 0
        for x, w in itertools.product(*(range(len(self._formats[side].magnitudes)) for side in "xw")):
            if classes["x"][x] >= 0:
                at = {"x": x, "w": w}
                place = sum(self.pools[side].sources[name][at[side]] << i for i, (side, name) in enumerate(inputs))
                product = self._formats["x"].magnitudes[x] * self._formats["w"].magnitudes[w]
                table |= (product >> bit & 1) << place
        return ProductTable(" ".join(side + name for side, name in inputs), table, mask)


class _Pool:
    """Bits of one operand that tables may take: those of its code and what was predecoded so far."""

    def __init__(self, fmt: Format) -> None:
        self._fmt = fmt
        codes = range(len(fmt.magnitudes))
        self.sources = {f":{bit}": tuple(code >> bit & 1 for code in codes) for bit in range(fmt.magnitude_bits)}
        self.predecoded: tuple[_Bits, ...] = ()

    def inputs(self, classes: _Bits) -> tuple[str, ...]:
        """Names of at most two bits that tell up to four classes apart, as few of them new as can be, then of all; the
        class below 0 is not asked for."""
        unions = [
            tuple(union >> each & 1 if each >= 0 else 0 for each in classes)
            for union in range(1, 1 << max(classes) + 1)
        ]
        for fresh, old in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)):
            for names in itertools.combinations(self.sources, old):
                for new in itertools.combinations(unions, fresh):
                    if _tells([*(self.sources[name] for name in names), *new], classes):
                        return (*names, *map(self._add, new))
        raise AssertionError("two bits tell four classes apart")

    def known(self, bits: _Bits) -> str:
        """Name of just this bit."""
        return next((name for name, source in self.sources.items() if source == bits), None) or self._add(bits)

    def _add(self, bits: _Bits) -> str:
        if bits[0]:  # 0 sets none
            bits = tuple(1 - bit for bit in bits)
        levels = tuple(level for level, bit in zip(self._fmt.magnitudes, bits, strict=True) if bit)
        name = "_".join(map(str, levels))
        self.sources[name] = bits
        self.predecoded = (*self.predecoded, levels)
        return name


def _tells(functions: Sequence[_Bits], classes: _Bits) -> bool:
    """Whether the values of some functions of a magnitude give its class."""
    known: dict[_Bits, int] = {}
    values = zip(*functions, strict=True) if functions else itertools.repeat(())
    pairs = zip(values, classes, strict=False)
    return all(known.setdefault(value, each) == each for value, each in pairs if each >= 0)
