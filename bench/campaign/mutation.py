"""Small changes of Python sources, each at a place where it changes what the code does.

Made from `ast`. Libraries for this (mutmut, cosmic-ray) change annotations, messages and flags as well, write ``**`` or
``@`` for ``+``, which any test finds, and know nothing of Amaranth: that ``m.If(...)`` is a condition, that a line
``m.d.sync += ...`` or one element of a list behind it is a statement, and that `Mux` has two values to swap. mutmut
keeps all variants of a function in one module; cosmic-ray brings a database and a web client.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
import re
from dataclasses import dataclass

from .mutation_rules import (
    ARITHMETIC,
    CALLS,
    COMMUTES,
    COMPARE,
    FLAGS,
    SAY_ONLY,
    TEXTS,
    is_class,
    is_none,
    is_text,
    last_name,
    only_said,
    rename,
    with_fields,
)

__all__ = ["Change", "apply", "changes"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of one expression or statement.

    Parameters
    ----------
    kind : str
        ``compare``, ``arithmetic``, ``logic``, ``constant``, ``condition``, ``drop``, ``swap`` or ``call``.
    line, last : int
        Where it begins and ends, from 1.
    before, after : str
        The expression or statement, on one line.
    put : str
        What takes the place of the bytes of the UTF-8 source
    start, end : int
        from ``start`` up to ``end``.
    """

    kind: str
    line: int
    last: int
    before: str
    after: str
    put: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"line {self.line}, {self.kind}: {_short(self.before)} -> {_short(self.after)}"


def apply(source: str, change: Change) -> str:
    """The source with a change."""
    data = source.encode()
    return (data[: change.start] + change.put.encode() + data[change.end :]).decode()


def changes(source: str) -> list[Change]:
    """All changes of a module, in the order of its text."""
    tree = ast.parse(source)
    finder = _Finder(source)
    finder.visit(tree)
    return sorted(finder.found, key=lambda change: (change.line, change.start, change.kind, change.before, change.put))


class _Finder(ast.NodeVisitor):
    """Collects changes; leaves out docstrings, annotations, messages, decorators and flags."""

    def __init__(self, source: str) -> None:
        self._lines = [0]
        for line in source.encode().splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))
        self.found: list[Change] = []

    def _add(self, kind: str, node: ast.stmt | ast.expr, after: ast.AST | str) -> None:
        assert node.end_lineno is not None, "of a parsed source"
        assert node.end_col_offset is not None, "of a parsed source"
        new = after if isinstance(after, str) else ast.unparse(after)
        if isinstance(node, ast.expr):
            new = f"({new})" if kind not in ("constant", "call") or new.startswith("-") else new
        self.found.append(
            Change(
                kind=kind,
                line=node.lineno,
                last=node.end_lineno,
                before=ast.unparse(node),
                after="nothing" if new == "pass" else new,
                put=new,
                start=self._lines[node.lineno - 1] + node.col_offset,
                end=self._lines[node.end_lineno - 1] + node.end_col_offset,
            )
        )

    # -- what is left out --

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name not in TEXTS:
            self._each([*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if not any(last_name(base) == "Protocol" for base in node.bases):
            self._each(node.body)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None and not only_said(node.target):
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        alias = isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.BitOr) and is_class(node.targets[0])
        if not alias and not only_said(node.targets[0]):
            self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Says what holds anyway."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """A message."""

    def visit_Import(self, node: ast.Import) -> None:
        """Not changed."""

    def visit_Raise(self, node: ast.Raise) -> None:
        if node.exc is not None:
            self._add("drop", node, "pass")

    # -- statements --

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        called = node.value.func if isinstance(node.value, ast.Call) else None
        if called is not None and not SAY_ONLY.match(last_name(called)) and ast.unparse(called) != "super().__init__":
            self._add("drop", node, "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        gates = re.match(r"m\.(d|submodules)\b", ast.unparse(node.target)) is not None
        if isinstance(node.value, ast.List) and len(node.value.elts) > 1 and gates:
            for place, element in enumerate(node.value.elts):
                rest = copy.deepcopy(node)
                assert isinstance(rest.value, ast.List), "a copy"
                del rest.value.elts[place]
                self._add_element(element, node, rest)
        else:
            self._add("drop", node, "pass")
        other = ARITHMETIC.get(type(node.op))
        if not gates and other is not None:
            self._add("arithmetic", node, with_fields(node, op=other()))
        self.generic_visit(node)

    def _add_element(self, element: ast.expr, whole: ast.AugAssign, rest: ast.AugAssign) -> None:
        self._add("drop", whole, rest)
        last = self.found.pop()
        said = {"line": element.lineno, "last": element.end_lineno, "before": ast.unparse(element), "after": "nothing"}
        self.found.append(dataclasses.replace(last, **said))

    def visit_Continue(self, node: ast.Continue) -> None:
        self._add("drop", node, "pass")

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "__name__ == '__main__'"):
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):
            self._negate(node.test)
        self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("m.If", "m.Elif"):
                self._add("condition", call.args[0], f"({ast.unparse(call.args[0])}) == 0")
        self.generic_visit(node)

    # -- expressions --

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._negate(test)
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        self._add("condition", test, ast.UnaryOp(op=ast.Not(), operand=test))

    def visit_Compare(self, node: ast.Compare) -> None:
        for place, operator in enumerate(node.ops):
            other = COMPARE[type(operator)]()
            self._add("compare", node, with_fields(node, ops=[*node.ops[:place], other, *node.ops[place + 1 :]]))
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        self._add("logic", node, with_fields(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And()))
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        self._add("logic", node, node.operand)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        sides = (node.left, node.right)
        text = any(isinstance(side, ast.JoinedStr) or is_text(side) for side in sides)
        types = isinstance(node.op, ast.BitOr) and any(is_none(side) or is_class(side) for side in sides)
        if text or types:
            return
        other = ARITHMETIC.get(type(node.op))
        if other is not None:
            self._add("arithmetic", node, with_fields(node, op=other()))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._add("constant", node, str(not node.value))
        elif isinstance(node.value, int | float):
            self._add("constant", node, str(node.value + 1))
            if node.value:
                self._add("constant", node, str(node.value - 1))

    def visit_Call(self, node: ast.Call) -> None:
        name = last_name(node.func)
        if SAY_ONLY.match(name):
            return
        if name in CALLS:
            other = copy.deepcopy(node)
            rename(other.func, CALLS[name])
            self._add("call", node, other)
        first = 1 if name == "Mux" else 0
        pair = node.args[first : first + 2]
        if len(pair) == 2 and name not in COMMUTES and not any(isinstance(each, ast.Starred) for each in pair):
            swapped = [*node.args[:first], pair[1], pair[0], *node.args[first + 2 :]]
            if ast.unparse(pair[0]) != ast.unparse(pair[1]):
                self._add("swap", node, with_fields(node, args=swapped))
        self.visit(node.func)
        self._each(node.args)
        self._each([keyword.value for keyword in node.keywords if keyword.arg not in FLAGS])

    def _each(self, nodes: list[ast.stmt] | list[ast.expr] | list[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def _short(text: str, most: int = 110) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
