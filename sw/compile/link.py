"""link: several programs for one core get places of their own, so that all of them are resident at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.layout import TensorLayout
from ..errors import CapacityError, InputError, ProgramMismatch
from ..linked import Linked
from ..program import Program
from ..quantised import MacLayer
from ..shortage import Shortage
from .allocate import Lifetime, lifetimes, pack_tensors
from .assemble import Assembler
from .certify import certify
from .lower import lower_layer
from .shortages import Shortages
from .states import places

__all__ = ["link"]

_ALWAYS = 1 << 30  # behind every layer of every program


def link(programs: Mapping[str, Program]) -> Linked:
    """Programs as they lie in one core together, each as it runs alone: same results, same cycles.

    Every layer is lowered again for the places that its tensors get. A state has a place that no other tensor of any
    program takes; all others share the activation memory over time, as if the programs ran one after the other. Equal
    runs of weights, parameters, taps, blocks and tables are stored once.

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
        If there are none, a name is empty, or the core has a backing store.
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
        raise InputError(
            "programs of a core with a backing store cannot be resident together: each of them moves its weights, and "
            "its tensors, through the same memories; compile for backing = 'none'"
        )
    placed, words = _placed(list(programs.values()))
    assemblers: list[Assembler] = []
    for program, layouts in zip(programs.values(), placed, strict=True):
        beside = assemblers[-1] if assemblers else None
        assembler = Assembler(program.graph, config, layouts, Shortages(config), beside=beside)
        for layer in program.graph.layers:
            bits = certify(layer, program.graph, config, Shortages(config)) if isinstance(layer, MacLayer) else 0
            assembler.add_resident(layer.name, lower_layer(layer, program.graph, layouts, config, cert_bits=bits))
        assemblers.append(assembler)
    _check(config, assemblers, words)
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


def _check(config: AcceleratorConfig, assemblers: Sequence[Assembler], words: int) -> None:
    """Raise CapacityError unless everything fits."""
    needs = {("words of activation memory", "act_words"): words, **assemblers[-1].used}
    ends = [count for assembler in assemblers for key, count in assembler.used.items() if key[1] == "instructions"]
    needs[("instructions", "instructions")] = sum(ends)
    found = tuple(
        Shortage.of(config, parameter, what, needed=needed, layer="")
        for (what, parameter), needed in needs.items()
        if needed > getattr(config, parameter)
    )
    if found:
        lacking = (
            f"together the programs need {one.needed} {one.what}, the configuration has {one.available} "
            f"({one.needed - one.available} too few): {one.cure}"
            for one in found
        )
        raise CapacityError("; ".join(lacking), found)
