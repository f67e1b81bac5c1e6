"""Which operators take the place of which, and what of a source only says something."""

from __future__ import annotations

import ast
import copy
import re

__all__ = [
    *("ARITHMETIC", "CALLS", "COMMUTES", "COMPARE", "FLAGS", "SAY_ONLY", "TEXTS"),
    *("is_class", "is_none", "is_text", "last_name", "only_said", "rename", "with_fields"),
]

COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.Pow: ast.Mult,
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "minimum": "maximum", "maximum": "minimum"}

SAY_ONLY = re.compile(
    r"(warn|tell|progress|need|cast|TypeVar|isinstance|issubclass|hasattr|Doc|log|debug|info|.*(Error|Warning|Missing))$"
)
"""Called for what is said or typed: neither the call nor its arguments change a result."""

FLAGS = {"strict", "name", "reset_less", "stacklevel", "src_loc_at", "attrs", "doc", "help", "transparent_for"}
"""Keyword arguments that change no result of working code."""

TEXTS = {"__repr__", "__str__", "__format__", "__doc__"}
TIMES = re.compile(r"_?[A-Z_]*(SECONDS|PATIENCE|POLL|LOOK|GRACE|LOGO)[A-Z_]*$")
COMMUTES = {"max", "min", "gcd", "lcm", "minimum", "maximum", "isclose", "array_equal"}


def with_fields(node: ast.AST, **fields: object) -> ast.AST:
    """A node with other fields."""
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def last_name(node: ast.expr) -> str:
    """The last part of a dotted name, else nothing."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def rename(node: ast.expr, name: str) -> None:
    if isinstance(node, ast.Attribute):
        node.attr = name
    elif isinstance(node, ast.Name):
        node.id = name


def only_said(target: ast.expr) -> bool:
    """Whether a name is only said, exported or a time to wait."""
    name = last_name(target)
    return name.startswith("__") or TIMES.match(name) is not None


def is_class(node: ast.expr) -> bool:
    inner = node.value if isinstance(node, ast.Subscript) else node
    name = last_name(inner)
    return name[:1].isupper() and not name.isupper()


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
