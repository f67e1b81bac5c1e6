"""Tables of four inputs that make the bits of a product of DyBit4 levels, as `hw.array.multiplier` holds them.

    python bench/product_tables.py
    python bench/product_tables.py --predecoded 1,3 2,3,6 8,16 4,6,8

A bit of the product of two 3-bit codes has six inputs, which takes four look-up tables of four. With bits predecoded
once for each operand it is one table where it tells at most four classes of either operand apart, and two or three
tables for bits 2 to 5. A SAT solver picks the inputs of each table out of code and predecoded bits, and its contents.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import product

import z3
from narrows.hw.spec.formats import DyBit
from rich.console import Console

_LEVELS = DyBit(4).magnitudes
_POINTS = list(product(range(len(_LEVELS)), repeat=2))
_SHAPES = {2: "g", 3: "gh", 4: "gh", 5: "g"}
"""Tables before the last one, by bit; further bits have one table."""

_Input = Callable[[tuple[int, int]], z3.BoolRef]


class _Search:
    def __init__(self, predecoded: Sequence[Sequence[int]]) -> None:
        self.solver = z3.SolverFor("QF_FD")
        self.pool = {f":{bit}": [code >> bit & 1 for code in range(len(_LEVELS))] for bit in range(3)}
        self.pool |= {"_".join(map(str, levels)): [int(v in levels) for v in _LEVELS] for levels in predecoded}
        self.choices: dict[str, list[z3.BoolRef]] = {}
        self.tables: dict[str, tuple[list[str], list[z3.BoolRef]]] = {}
        for bit in range((_LEVELS[-1] ** 2).bit_length()):
            made = {f"{bit}{part}": self.table(f"{bit}{part}", {}, "xxww") for part in _SHAPES.get(bit, "")}
            last = self.table(str(bit), made, {0: "xxww", 1: "xww", 2: "xw"}[len(made)])
            for point in _POINTS:
                x, w = (_LEVELS[code] for code in point)
                self.solver.add(last(point) == bool(x * w >> bit & 1))

    def chosen(self, name: str, side: str) -> _Input:
        """An input that is any of the pool's bits of one operand."""
        values = [z3.Bool(f"{name}_{code}") for code in range(len(_LEVELS))]
        self.choices[name] = [z3.Bool(f"{name}_is_{source}") for source in self.pool]
        self.solver.add(z3.Or(self.choices[name]))
        for choice, bits in zip(self.choices[name], self.pool.values(), strict=True):
            self.solver.add(
                z3.Implies(choice, z3.And([value == bool(bit) for value, bit in zip(values, bits, strict=True)]))
            )
        return lambda point: values[point["xw".index(side)]]

    def table(self, name: str, made: dict[str, _Input], sides: str) -> _Input:
        """A table of other tables and of chosen inputs."""
        places = [f"{name}_{number}{side}" for number, side in enumerate(sides)]
        inputs = [*made.values(), *(self.chosen(place, place[-1]) for place in places)]
        contents = [z3.Bool(f"{name}_bit{index}") for index in range(1 << len(inputs))]
        self.tables[name] = ([*made, *places], contents)
        outputs = {point: z3.Bool(f"{name}_at{point[0]}_{point[1]}") for point in _POINTS}
        for point, (index, content) in product(_POINTS, enumerate(contents)):
            here = [source(point) == bool(index >> place & 1) for place, source in enumerate(inputs)]
            self.solver.add(z3.Implies(z3.And(here), outputs[point] == content))
        return outputs.__getitem__

    def lines(self, model: z3.ModelRef) -> list[str]:
        """Found tables as `hw.array.multiplier` writes them; an input may occur twice."""
        lines = []
        for name, (inputs, contents) in self.tables.items():
            sources = [self.source(model, place) if place in self.choices else place for place in inputs]
            value = sum(1 << index for index, content in enumerate(contents) if z3.is_true(model[content]))
            lines.append(f'"{name}": _Table("{" ".join(sources)}", 0x{value:0{len(contents) // 4}X}),')
        return lines

    def source(self, model: z3.ModelRef, place: str) -> str:
        return place[-1] + next(
            source for source, choice in zip(self.pool, self.choices[place], strict=True) if z3.is_true(model[choice])
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Search and print; 1 if there are no such tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--predecoded",
        nargs="+",
        type=lambda text: tuple(map(int, text.split(","))),
        default=[(1, 3), (2, 3, 6), (1, 4, 6), (4, 6, 8), (8, 16)],
        metavar="LEVELS",
        help="levels that set each predecoded bit (default: those of hw.array.operand)",
    )
    search = _Search(parser.parse_args(arguments).predecoded)
    screen = Console(highlight=False, markup=False, soft_wrap=True)
    if search.solver.check() != z3.sat:
        screen.print("There are no such tables of these bits.")
        return 1
    screen.print("\n".join(search.lines(search.solver.model())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
