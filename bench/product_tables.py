"""Tables of four inputs that make the bits of a product of two levels of one format, as `hw.array.tables` holds them.

    python bench/product_tables.py dybit4
    python bench/product_tables.py e2m1
    python bench/product_tables.py e2m1 --x 1,3 2,3,6 8,12 6,12 3,6,8 --w 1,3 2,3,6 8,12 6,12 --bits 2=g:h 5=g:h

A bit of the product of two 3-bit codes has six inputs, which takes four look-up tables of four. With bits predecoded
once for each operand it is one table where it tells at most four classes of either operand apart, and two or three
tables for the others. A SAT solver picks the inputs of each table out of code and predecoded bits, and its contents.

Shapes: ``g`` and ``gh`` are tables before the last one, which takes them and more inputs; ``g:h`` are two tables and
an input that chooses between them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import z3
from narrows.hw.spec.formats import Format, parse_format
from rich.console import Console

_Levels = tuple[int, ...]
_Point = tuple[int, int]
_Input = Callable[[_Point], z3.BoolRef]

_CHOICE = 0xCA
"""The third input chooses the second of the first two."""


@dataclass(frozen=True)
class _Goal:
    """Levels that set the predecoded bits of each operand, and the shapes of bits that are more than one table."""

    x: Sequence[_Levels]
    w: Sequence[_Levels]
    shapes: Mapping[int, str]


_DYBIT4 = ((1, 3), (2, 3, 6), (1, 4, 6), (4, 6, 8), (8, 16))
_E2M1 = ((1, 3), (2, 3, 6), (6, 12), (8, 12))

_GOALS = {
    "dybit4": _Goal(_DYBIT4, _DYBIT4, {2: "g", 3: "gh", 4: "gh", 5: "g"}),
    "e2m1": _Goal((*_E2M1, (3, 4, 6, 12)), (*_E2M1, (4, 6, 12)), {2: "g:h", 3: "gh", 4: "gh", 5: "g:h"}),
}
"""What `hw.array.tables` holds."""

_LAST = {"": "xxww", "g": "xww", "gh": "xw", "g:h": "?"}
"""Operands of the inputs of the last table besides other tables; ``?``: of either."""

_BEFORE = {"g": "xxww", "gh": "xxww", "g:h": "????"}
"""The same of the tables before it."""


class _Search:
    """Tables of one bit of the product."""

    def __init__(self, fmt: Format, goal: _Goal, bit: int) -> None:
        self.levels = fmt.magnitudes
        codes = range(len(self.levels))
        self.points = [(x, w) for x in codes for w in codes]
        self.solver = z3.SolverFor("QF_FD")
        self.pool = {
            side + name: [bits[point["xw".index(side)]] for point in self.points]
            for side, predecoded in (("x", goal.x), ("w", goal.w))
            for name, bits in self._bits(fmt, predecoded).items()
        }
        self.choices: dict[str, dict[str, z3.BoolRef]] = {}
        self.tables: dict[str, tuple[list[str], list[z3.BoolRef] | int]] = {}
        shape = goal.shapes.get(bit, "")
        made = {f"{bit}{part}": self.table(f"{bit}{part}", {}, _BEFORE[shape]) for part in shape if part.isalpha()}
        last = (self.choice if ":" in shape else self.table)(str(bit), made, _LAST[shape])
        for point in self.points:
            x, w = (self.levels[code] for code in point)
            self.solver.add(last(point) == bool(x * w >> bit & 1))

    def _bits(self, fmt: Format, predecoded: Sequence[_Levels]) -> dict[str, list[int]]:
        codes = range(len(self.levels))
        bits = {f":{bit}": [code >> bit & 1 for code in codes] for bit in range(fmt.magnitude_bits)}
        return bits | {"_".join(map(str, levels)): [int(v in levels) for v in self.levels] for levels in predecoded}

    def chosen(self, name: str, side: str) -> _Input:
        """An input that is any of the pool's bits, of one operand or of either."""
        values = {point: z3.Bool(f"{name}_at{point[0]}_{point[1]}") for point in self.points}
        sources = [source for source in self.pool if side in ("?", source[0])]
        self.choices[name] = {source: z3.Bool(f"{name}_is_{source}") for source in sources}
        self.solver.add(z3.Or(list(self.choices[name].values())))
        for source, choice in self.choices[name].items():
            own = zip(values.values(), self.pool[source], strict=True)
            self.solver.add(z3.Implies(choice, z3.And([value == bool(bit) for value, bit in own])))
        return values.__getitem__

    def table(self, name: str, made: Mapping[str, _Input], sides: str) -> _Input:
        """A table of other tables and of chosen inputs."""
        places = [f"{name}_{number}{side}" for number, side in enumerate(sides)]
        inputs = [*made.values(), *(self.chosen(place, place[-1]) for place in places)]
        contents = [z3.Bool(f"{name}_bit{index}") for index in range(1 << len(inputs))]
        self.tables[name] = ([*made, *places], contents)
        outputs = {point: z3.Bool(f"{name}_at{point[0]}_{point[1]}") for point in self.points}
        for point, (index, content) in product(self.points, enumerate(contents)):
            here = [source(point) == bool(index >> place & 1) for place, source in enumerate(inputs)]
            self.solver.add(z3.Implies(z3.And(here), outputs[point] == content))
        return outputs.__getitem__

    def choice(self, name: str, made: Mapping[str, _Input], sides: str) -> _Input:
        """One of two tables, by a chosen input."""
        (place,) = (f"{name}_{number}{side}" for number, side in enumerate(sides))
        selected = self.chosen(place, place[-1])
        self.tables[name] = ([*made, place], _CHOICE)
        low, high = made.values()
        outputs = {point: z3.Bool(f"{name}_at{point[0]}_{point[1]}") for point in self.points}
        for point, output in outputs.items():
            self.solver.add(z3.Implies(selected(point), output == high(point)))
            self.solver.add(z3.Or(selected(point), output == low(point)))
        return outputs.__getitem__

    def lines(self, model: z3.ModelRef) -> list[str]:
        """Found tables as `hw.array.tables` writes them; an input may occur twice."""
        lines = []
        for name, (inputs, contents) in self.tables.items():
            sources = [self.source(model, place) if place in self.choices else place for place in inputs]
            if isinstance(contents, int):
                value, digits = contents, 2
            else:
                value = sum(1 << index for index, content in enumerate(contents) if z3.is_true(model[content]))
                digits = len(contents) // 4
            lines.append(f'"{name}": ProductTable("{" ".join(sources)}", 0x{value:0{digits}X}),')
        return lines

    def source(self, model: z3.ModelRef, place: str) -> str:
        """Of an input: the pool's bit that was chosen for it."""
        return next(source for source, choice in self.choices[place].items() if z3.is_true(model[choice]))


def _levels(text: str) -> _Levels:
    return tuple(map(int, text.split(",")))


def _shape(text: str) -> tuple[int, str]:
    bit, _, shape = text.partition("=")
    if shape not in _LAST:
        raise argparse.ArgumentTypeError(f"{shape!r} is none of {', '.join(filter(None, _LAST))}")
    return int(bit), shape


def main(arguments: Sequence[str] | None = None) -> int:
    """Search and print; 1 if there are no such tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("format", nargs="?", default="dybit4", choices=list(_GOALS))
    for side in "xw":
        parser.add_argument(
            f"--{side}",
            nargs="+",
            type=_levels,
            metavar="LEVELS",
            help=f"levels that set each predecoded bit of {side} (default: those of hw.array.tables)",
        )
    parser.add_argument(
        "--bits", nargs="+", type=_shape, metavar="BIT=SHAPE", help="bits of more than one table (default: the same)"
    )
    options = parser.parse_args(arguments)
    usual, fmt = _GOALS[options.format], parse_format(options.format)
    goal = _Goal(options.x or usual.x, options.w or usual.w, dict(options.bits or usual.shapes))
    screen, missing = Console(highlight=False, markup=False, soft_wrap=True), 0
    for bit in range((fmt.magnitudes[-1] ** 2).bit_length()):
        search = _Search(fmt, goal, bit)
        if search.solver.check() == z3.sat:
            screen.print("\n".join(search.lines(search.solver.model())))
        else:
            screen.print(f"There are no such tables of bit {bit}.")
            missing += 1
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
