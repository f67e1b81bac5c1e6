"""summarise: a program's run in numbers, as the report shows and writes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...hw.spec.transfer_cycles import BusTiming
from ..costs.bounds import layer_bounds
from ..costs.memory_use import memory_use
from ..costs.timeline import Timeline
from ..costs.work import LayerWork, utilisation
from ..program import Program
from ..quantised import QuantisedGraph

__all__ = ["summarise"]

_CAUSES = {"resident": ("drain", "walk"), "streamed": ("drain", "walk", "load", "store", "token")}


def summarise(
    program: Program, run: Timeline, layers: Sequence[LayerWork], *, bus: BusTiming, mhz: float
) -> dict[str, Any]:
    """Numbers of a run as JSON holds them.

    Parameters
    ----------
    program : Program
    run : Timeline
        Of the program on ``bus``.
    layers : sequence of LayerWork
        Of that run.
    bus : BusTiming
    mhz : float
        Clock, for what cycles mean in time.
    """
    config, graph = program.config, program.graph
    causes = _CAUSES["streamed" if config.has_backing else "resident"]
    macs = sum(layer.macs for layer in layers)
    bounds = {bound.name: bound.cycles for bound in layer_bounds(program)}
    rows = [_row(layer, graph, config.macs, causes) | {"bound": bounds[layer.name]} for layer in layers]
    sums = {name: sum(getattr(layer, name) for layer in layers) for name in _SUMS}
    total = LayerWork(name="total", cert_bits=max(layer.cert_bits for layer in layers), **sums | {"cycles": run.cycles})
    return {
        "name": graph.name,
        "config": f"{config.hash32:08x}",
        "rows": config.rows,
        "columns": config.columns,
        "lanes": config.lanes,
        "base": config.formats,
        "macs": config.macs,
        "acc_bits": config.acc_bits,
        "backing": config.has_backing,
        "bus_bytes": config.bus_bytes,
        "latency": bus.latency,
        "pace": bus.pace,
        "mhz": mhz,
        "cycles": run.cycles,
        "samples_per_second": 1e6 * mhz / run.cycles,
        "useful_macs": macs,
        "utilisation": utilisation(macs, run.cycles, config.macs),
        "cert_bits": total.cert_bits,
        "causes": causes,
        "layers": rows,
        "total": _shares(total, config.macs, causes) | {"bound": sum(bounds.values())},
        "weight_words": len(program.weights),
        "weight_depth": config.weight_words,
        "record": program.record,
        "memories": [
            {"name": name, "used": used, "available": available}
            for name, (used, available) in memory_use(program).items()
        ],
    }


_SUMS = (
    "cycles",
    "busy",
    "macs",
    "stall_drain",
    "stall_walk",
    "stall_load",
    "stall_store",
    "stall_token",
    "weight_bytes",
    "written_bytes",
    "loaded",
    "stored",
)


def _row(work: LayerWork, graph: QuantisedGraph, units: int, causes: Sequence[str]) -> dict[str, Any]:
    layer = next(layer for layer in graph.layers if layer.name == work.name)
    output = graph.tensors[layer.output]
    return _shares(work, units, causes) | {
        "origin": layer.origin,
        "formats": layer.formats(graph.tensors),
        "output": f"{' x '.join(map(str, output.shape))} {output.format}",
    }


def _shares(work: LayerWork, units: int, causes: Sequence[str]) -> dict[str, Any]:
    return {
        "name": work.name,
        "macs": work.macs,
        "cycles": work.cycles,
        "useful": utilisation(work.macs, work.cycles, units),
        "fed": work.busy / work.cycles,
        "stalls": [getattr(work, f"stall_{cause}") for cause in causes],
        "weight_bytes": work.weight_bytes,
        "written_bytes": work.written_bytes,
        "loaded": work.loaded,
        "stored": work.stored,
        "cert_bits": work.cert_bits,
    }
