"""Dataclasses from JSON values: every field there, none unknown, each of the kind that its annotation says."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

__all__ = ["read_record"]

_T = TypeVar("_T")


def read_record(kind: type[_T], values: Any, **given: Any) -> _T:
    """A dataclass of its fields' JSON values; lists become the tuples that fields say.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are int, float, str, bool, tuples of these, dicts by name, further such dataclasses, or
        one of these or None; Any is taken as it is. A float is finite; a bool is no int.
    values : mapping
        By the field's name; a field with a default may be missing.
    **given
        Fields that are not among the values, as they are.

    Raises
    ------
    ValueError
        If a field is missing or unknown, or a value of another kind.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{kind.__name__} is {_shown(values)}, not a table")
    hints = _hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name not in given}  # type: ignore[arg-type]
    if unknown := sorted(set(map(str, values)) - set(fields)):
        raise ValueError(f"{kind.__name__} has no {unknown[0][:40]!r}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise ValueError(f"{kind.__name__} lacks {name!r}")
    read = {name: _value(hints[name], value, f"{kind.__name__}.{name}") for name, value in values.items()}
    return kind(**read, **given)


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        (hint,) = (argument for argument in arguments if argument is not type(None))
        return _value(hint, value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{where} is {_shown(value)}, not a list")
        if arguments[-1] is Ellipsis:
            arguments = (arguments[0],) * len(value)
        if len(arguments) != len(value):
            raise ValueError(f"{where} has {len(value)} entries, not {len(arguments)}")
        return tuple(_value(argument, item, where) for argument, item in zip(arguments, value, strict=True))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} is {_shown(value)}, not a table")
        return {str(name): _value(arguments[1], item, where) for name, item in value.items()}
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return read_record(hint, value)  # type: ignore[type-var]
    wanted = (int, float) if hint is float else hint
    if not isinstance(value, wanted) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{where} is {_shown(value)}, not of the kind {hint.__name__}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}")
    return float(value) if hint is float else value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "..."
