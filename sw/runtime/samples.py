"""run_samples: many samples of a program on one core, with the counters of each and perhaps every layer's tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..program import Program
from .driver import Driver
from .run_result import RunResult
from .transport import Transport

__all__ = ["SampleRecord", "counted_record", "run_samples"]


@dataclass(frozen=True, kw_only=True)
class SampleRecord:
    """What N samples gave.

    Parameters
    ----------
    outputs : dict of int64 arrays, shape (N, C, H, W)
        Levels of each tensor that an output shows.
    dumps : dict of int64 arrays, shape (D, C, H, W)
        Levels of every tensor that a layer writes, for the first D samples.
    layer_cycles : array of int64, shape (D, layers)
        Cycles of runs that end behind each layer, in the order of ``dumps``.
    checksums : array of uint32, shape (counted, instructions without END)
    cycles, busy, stall_drain, stall_walk, stall_load, stall_store, stall_token : arrays of int64, shape (counted,)
        Counters of each run that was asked for them.
    reruns : int
        Runs that a protected core did again, since words of its memories were damaged.
    """

    outputs: dict[str, NDArray[np.int64]]
    dumps: dict[str, NDArray[np.int64]]
    layer_cycles: NDArray[np.int64]
    checksums: NDArray[np.uint32]
    cycles: NDArray[np.int64]
    busy: NDArray[np.int64]
    stall_drain: NDArray[np.int64]
    stall_walk: NDArray[np.int64]
    stall_load: NDArray[np.int64]
    stall_store: NDArray[np.int64]
    stall_token: NDArray[np.int64]
    reruns: int = 0


async def run_samples(
    transport: Transport,
    program: Program,
    levels: ArrayLike,
    *,
    dump_layers: int = 0,
    counted: int | None = None,
    loaded: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SampleRecord:
    """Load a program and run samples one after the other.

    Parameters
    ----------
    transport : Transport
        To a core of the program's configuration.
    program : Program
    levels : array of int, shape (N, C, H, W)
        Levels of the graph's input tensor; of a graph with states those of the frames of one stream, from its begin on.
    dump_layers : int
        For so many first samples, run again up to each layer and read its tensor.
    counted : int, optional
        Read counters and checksums of so many first samples alone, and of those that are dumped; without it of all.
    loaded : bool
        The core has the program already, from its flash: load nothing.
    progress : callable, optional
        Called with (samples done, samples in all).

    Raises
    ------
    ProgramError, TransportError, InputError
        As `Driver` does.
    """
    samples = np.asarray(levels)
    driver = Driver(transport, program.config)
    await (driver.attach(program) if loaded else driver.load(program))
    last = _last_instruction(program)
    dumps: dict[str, list[NDArray[np.int64]]] = {name: [] for name in last}
    results, outputs, layer_cycles, ends_at = [], [], [], list(last.values())
    counted = len(samples) if counted is None else max(counted, dump_layers)
    for number, sample in enumerate(samples):
        dumps_it = number < dump_layers
        following = samples[number + 1] if number + 1 < len(samples) and not dumps_it else None
        if number < counted:
            results.append(await driver.infer(sample, again=dumps_it, following=following))
            outputs.append(results[-1].outputs)
        else:
            outputs.append(await driver.answer(sample, following=following))
        if dumps_it:
            ends = []
            for name, index in last.items():
                ends.append((await driver.run_until(index)).cycles)
                dumps[name].append(await driver.dump(name))
            if program.graph.states and ends_at[-1] < max(ends_at):
                await driver.run_until(max(ends_at))  # so that states hold what the next frame takes over
            layer_cycles.append(ends)
        if progress is not None:
            progress(number + 1, len(samples))
    return counted_record(
        results,
        outputs={name: np.array([output[name] for output in outputs]) for name in program.graph.output_tensors},
        dumps={name: np.array(tensors) for name, tensors in dumps.items() if tensors},
        layer_cycles=np.array(layer_cycles, dtype=np.int64).reshape(len(layer_cycles), len(last)),
        reruns=driver.reruns,
    )


def counted_record(results: Sequence[RunResult], **more: Any) -> SampleRecord:
    """A record with the counters and checksums of runs; ``more`` are its other fields."""
    return SampleRecord(
        **more,
        checksums=np.array([result.checksums for result in results], dtype=np.uint32),
        cycles=np.array([result.cycles for result in results]),
        busy=np.array([result.busy for result in results]),
        stall_drain=np.array([result.stall_drain for result in results]),
        stall_walk=np.array([result.stall_walk for result in results]),
        stall_load=np.array([result.stall_load for result in results]),
        stall_store=np.array([result.stall_store for result in results]),
        stall_token=np.array([result.stall_token for result in results]),
    )


def _last_instruction(program: Program) -> dict[str, int]:
    """Index of the instruction after which each tensor that a layer writes is whole."""
    output = {layer.name: layer.output for layer in program.graph.layers}
    return {output[layer]: index for index, layer in enumerate(program.layers) if layer}
