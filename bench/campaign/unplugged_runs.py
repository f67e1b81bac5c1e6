"""run_unplugged: runs whose UART is unplugged at random moments, and the next ones, which have to be exact."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from narrows.hw.spec.registers import Control, Register, Status
from narrows.sim.cosim.inference import Progress
from narrows.sim.golden import GoldenModel
from narrows.sw.program import Program
from narrows.sw.runtime import Driver, TransportError
from numpy.typing import NDArray

from .interrupted_runs import Interrupted

__all__ = ["run_unplugged"]

_LOG2_LONGER = 19
"""Of the cycles that the line is parted for, in powers of two: the host waits longer."""

_LONGEST = 1 << 21
"""Cycles that it is parted for at every eighth point: all tries of a request have ended by then."""

_TRIES = 20


async def run_unplugged(
    transport: Any, program: Program, samples: NDArray[np.int64], count: int, seed: int, progress: Progress
) -> Interrupted:
    """Unplug the line in runs of samples (N, C, H, W) by turns, at so many points.

    A run whose line comes back in time has to be exact. Otherwise the host hears of it in one line; it opens the link
    again, gives the run up, and does not load the program anew.
    """
    config, rng = program.config, np.random.default_rng(seed)
    golden = GoldenModel(program.graph, config).run(samples)
    driver = Driver(transport, config)
    await driver.load(program)
    ends, wrong = Counter[str](), list[dict[str, Any]]()

    async def exact(number: int) -> bool:
        outputs = (await driver.infer(samples[number])).outputs
        return all(np.array_equal(outputs[name], golden[name][number]) for name in outputs)

    async def come_back() -> None:
        for left in reversed(range(_TRIES)):
            transport.give_up()
            try:
                await transport.write(Register.CONTROL.offset, np.array([Control.CLEAR], dtype=np.uint32))
                [status] = await transport.read(Register.STATUS.offset, 1)
                if not int(status) & Status.BUSY:
                    return
            except TransportError:
                if not left:
                    raise
        raise TransportError("the core is still busy after CLEAR")

    begun = transport.cycles
    assert await exact(0), "the program is not exact even without a plug that is pulled"
    span = transport.cycles - begun
    for point in range(count):
        moment, length = int(rng.integers(0, span)), int(2 ** rng.uniform(0, _LOG2_LONGER))
        if point % 8 == 0:
            length = _LONGEST
        told = {"event": "unplugged", "cycle": moment, "for": length}
        transport.bench.unplug(moment, length)
        try:
            end = "exact" if await exact(point % len(samples)) else "wrong"
        except TransportError as error:
            end = str(error)
        try:
            if end not in ("exact", "wrong"):
                await come_back()
            if end == "wrong":
                wrong.append(told | {"run": end})
            if not await exact((point + 1) % len(samples)):
                wrong.append(told | {"next": "wrong"})
        except TransportError as error:
            wrong.append(told | {"error": str(error)})
            await come_back()
            await driver.load(program)
        ends[f"unplugged: {end}"] += 1
        progress(point + 1, count)
    return Interrupted(Counter(unplugged=count), ends, wrong, span)
