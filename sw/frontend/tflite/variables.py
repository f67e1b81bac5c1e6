"""Variables of streaming models: which tensors read them, what is assigned to them, and what they hold at first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...errors import UnsupportedOperator
from .records import TfliteNode, TfliteTensor

__all__ = ["STATEFUL", "Subgraph", "TfliteVariable", "variables_of"]

_ONCE, _HANDLE, _READ, _ASSIGN = "CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"

STATEFUL = frozenset({_ONCE, _HANDLE, _READ, _ASSIGN})
"""Operators that deal with variables; none of them computes anything."""


@dataclass(frozen=True, kw_only=True)
class Subgraph:
    """Tensors and operators of a function of the file."""

    tensors: tuple[TfliteTensor, ...]
    nodes: tuple[TfliteNode, ...]


@dataclass(frozen=True, kw_only=True)
class TfliteVariable:
    """What is kept between runs: indices of the tensors that show it, and of the one that it takes over at the end of a
    run; ``initial`` is what it holds in the first one."""

    name: str
    reads: tuple[int, ...]
    written: int
    initial: TfliteTensor


def variables_of(main: Subgraph, others: Mapping[int, Subgraph]) -> tuple[TfliteVariable, ...]:
    """Variables that a main function reads.

    Parameters
    ----------
    main : Subgraph
    others : mapping of Subgraph
        By their numbers in the file; some of them give variables their first values.

    Raises
    ------
    UnsupportedOperator
        If a variable is read behind its assignment, assigned more than once, or has no constant for a first value; or
        a function is no more than such an initialisation.
    """
    called = [node.options["InitSubgraphIndex"] for node in main.nodes if node.kind == _ONCE]
    if unknown := sorted(set(others) - set(called)):
        raise UnsupportedOperator(
            f"the file holds further functions (subgraph {unknown[0]}: a branch, a loop or another signature): "
            "convert one function without control flow, loops unrolled"
        )
    first: dict[str, TfliteTensor] = {}
    for number in called:
        first |= _initial(others[number])
    names = _names(main.nodes)
    found = []
    for name in dict.fromkeys(names.values()):
        own = [node for node in main.nodes if node.kind in (_READ, _ASSIGN) and names.get(node.inputs[0]) == name]
        reads = [node.outputs[0] for node in own if node.kind == _READ]
        assigned = [node.inputs[1] for node in own if node.kind == _ASSIGN]
        if not reads:
            continue
        if len(assigned) != 1 or own[-1].kind != _ASSIGN:
            raise UnsupportedOperator(
                f"variable {name!r} is not read first and then assigned once in every run: export the model so"
            )
        if name not in first:
            raise UnsupportedOperator(f"variable {name!r} has no constant for a first value: export the model with one")
        found.append(TfliteVariable(name=name, reads=tuple(reads), written=assigned[0], initial=first[name]))
    return tuple(found)


def _names(nodes: Sequence[TfliteNode]) -> dict[int, str]:
    """Name of the variable behind each handle."""
    return {node.outputs[0]: node.options["SharedName"].decode() for node in nodes if node.kind == _HANDLE}


def _initial(graph: Subgraph) -> dict[str, TfliteTensor]:
    """What a function assigns to variables."""
    if strange := next((node.kind for node in graph.nodes if node.kind not in (_HANDLE, _ASSIGN)), None):
        raise UnsupportedOperator(f"first values of variables are computed ({strange}): export them as constants")
    names = _names(graph.nodes)
    assigned = {names[node.inputs[0]]: graph.tensors[node.inputs[1]] for node in graph.nodes if node.kind == _ASSIGN}
    return {name: tensor for name, tensor in assigned.items() if tensor.data is not None}
