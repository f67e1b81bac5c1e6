"""link: several programs for one core get places of their own, so that all of them are resident at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...hw.spec.layout import TensorLayout
from ..errors import InputError, ProgramMismatch
from ..linked import Linked
from ..program import Program
from .allocate import Lifetime, lifetimes, pack_tensors
from .assemble import Assembler
from .certify import certify
from .link_streamed import link_streamed
from .room import check_room
from .shortages import Shortages
from .states import places

__all__ = ["link"]

_ALWAYS = 1 << 30  # behind every layer of every program
_INSTRUCTIONS = ("instructions", "instructions")


def link(programs: Mapping[str, Program]) -> Linked:
    """Programs as they lie in one core together, each as it runs alone: same results, same cycles.

    Every layer is lowered again for the places that its tensors get. A state has a place that no other tensor of any
    program takes; all others share the activation memory over time, as if the programs ran one after the other. Equal
    runs of weights, parameters, taps, blocks and tables are stored once. On a core with a backing store each program
    has a window of its own (`link_streamed`).

    Parameters
    ----------
    programs : mapping of Program
        By the names that they are chosen by; in this order their instructions lie in the memory.

    Returns
    -------
    Linked
        For the first program's core with ``entry = 1``.

    Raises
    ------
    ProgramMismatch
        If they were not compiled for one configuration.
    InputError
        If there are none, a name is empty, or a program for a core with a backing store keeps states.
    CapacityError
        If they do not fit together; the message names everything that is lacking, and by how much.
    """
    if not programs or not all(programs):
        raise InputError("linking takes programs, each with a name")
    first = next(iter(programs.values()))
    for name, program in programs.items():
        if program.config.digest != first.config.digest:
            raise ProgramMismatch(
                f"{name} was compiled for another configuration than {next(iter(programs))}: compile all models for one"
            )
    config = replace(first.config, entry=1)
    if config.has_backing:
        return link_streamed(programs, config)
    placed, words = _placed(list(programs.values()))
    assemblers: list[Assembler] = []
    for program, layouts in zip(programs.values(), placed, strict=True):
        beside = assemblers[-1] if assemblers else None
        assembler = Assembler(program.graph, config, layouts, Shortages(config), beside=beside)
        for layer in program.graph.layers:
            assembler.add_resident(layer, certify(layer, program.graph, config, Shortages(config)))
        assemblers.append(assembler)
    check_room(config, _needs(assemblers, words))
    linked: dict[str, Program] = {}
    entry = 0
    for (name, program), assembler in zip(programs.items(), assemblers, strict=True):
        linked[name] = replace(assembler.finish(), entry=entry, record=program.record)
        entry += len(linked[name].instructions)
    return Linked(linked)


def _placed(programs: Sequence[Program]) -> tuple[list[dict[str, TensorLayout]], int]:
    """Layouts of each program's tensors, and the words of activation memory that all of them take."""
    sizes: dict[str, int] = {}
    lives: dict[str, Lifetime] = {}
    start = 0
    for number, program in enumerate(programs):
        states, shared = {state.tensor for state in program.graph.states}, places(program.graph)
        for name, life in lifetimes(program.graph).items():
            if name in shared:  # lies where its state does
                continue
            own = f"{number} {name}"
            sizes[own] = program.layouts[name].size
            lives[own] = (
                Lifetime(-1, _ALWAYS) if name in states else Lifetime(start + life.first + 1, start + life.last + 1)
            )
        start += len(program.graph.layers) + 2  # its input is there before it, its outputs behind
    bases, used = pack_tensors(sizes, lives)
    placed = []
    for number, program in enumerate(programs):
        shared = places(program.graph)
        placed.append(
            {
                name: replace(layout, base=bases[f"{number} {shared.get(name, name)}"])
                for name, layout in program.layouts.items()
            }
        )
    return placed, used


def _needs(assemblers: Sequence[Assembler], words: int) -> dict[tuple[str, str], int]:
    """Rows of each memory that the programs need together, as `check_room` takes them."""
    own = [assembler.used[_INSTRUCTIONS] for assembler in assemblers]
    return {("words of activation memory", "act_words"): words, **assemblers[-1].used, _INSTRUCTIONS: sum(own)}
