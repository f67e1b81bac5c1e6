"""What a backing store costs: cycles with weights in external memory against weights on the chip, layer by layer.

    python bench/external_memory.py                           # ResNet-8's shape, 8 and 2 bytes a cycle, ISA model
    python bench/external_memory.py --rtl --json external.json # the Verilog under Verilator beside the cycle model
    python bench/external_memory.py --net conv256 --rtl       # a layer larger than every memory
    python bench/external_memory.py --net mobilenet_v2        # 96 pixels, on 1,024 units

Weights are random, which changes no cycle. The cycle model says what each layer adds up to where its last word is
written; the core is compared with it over runs that END behind each layer, where both wait for what is under way.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit, Int
from narrows.hw.spec.isa import Opcode, decode_instruction
from narrows.hw.spec.transfer_cycles import BusTiming
from narrows.sim.cosim.session import simulate
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.costs.work import layer_work
from narrows.sw.program import Program
from narrows.sw.quantised import QuantisedGraph
from narrows.sw.runtime import Transport
from narrows.sw.runtime.driver import Driver
from narrows.sw.runtime.transport import run_sync
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from narrows.sw.results import write_json
from random_graphs import SAME, GraphBuilder, random_levels

_CAUSES = ("cycles", "busy", "stall_drain", "stall_walk", "stall_load", "stall_store", "stall_token")
_LATENCY = 64
_SHAPE = AcceleratorConfig(
    rows=4, columns=4, lanes=16, rescalers=4, acc_bits=24, act_words=8192, weight_words=4096, instructions=1024
)
_NATIVE = DyBit(4).levels


def resnet8(config: AcceleratorConfig) -> QuantisedGraph:
    """The shape of MLPerf Tiny's ResNet-8, W4A4 with an 8-bit image."""
    build = GraphBuilder(config, np.random.default_rng(0))
    x = build.tensor((3, 32, 32), Int(8))
    x = build.mac([build.segment(x, 16, **SAME, levels=_NATIVE)], (32, 32), DyBit(4))
    y = build.mac([build.segment(x, 16, **SAME, levels=_NATIVE)], (32, 32), DyBit(4))
    skip = build.segment(x, None, levels=[16])
    x = build.mac([build.segment(y, 16, **SAME, levels=_NATIVE), skip], (32, 32), DyBit(4))
    for channels, size in ((32, 16), (64, 8)):
        strided = {"kernel": (3, 3), "stride": (2, 2), "pads": (0, 0, 1, 1)}
        y = build.mac([build.segment(x, channels, **strided, levels=_NATIVE)], (size, size), DyBit(4))
        skip = build.segment(x, channels, stride=(2, 2), levels=_NATIVE)
        x = build.mac([build.segment(y, channels, **SAME, levels=_NATIVE), skip], (size, size), DyBit(4))
    x = build.mac([build.segment(x, None, kernel=(8, 8), levels=[1])], (1, 1), DyBit(4))
    x = build.mac([build.segment(x, 10, levels=_NATIVE)], (1, 1), Int(8))
    return build.graph([x])


def conv256(config: AcceleratorConfig) -> QuantisedGraph:
    """One layer larger than every memory: 256 to 256 channels, 3x3, on 56x56."""
    build = GraphBuilder(config, np.random.default_rng(0))
    x = build.tensor((256, 56, 56), DyBit(4))
    x = build.mac([build.segment(x, 256, **SAME, levels=_NATIVE)], (56, 56), DyBit(4))
    return build.graph([x])


def _begun(config: AcceleratorConfig, outputs: int) -> tuple[GraphBuilder, str]:
    """An image of 96 pixels in 8 bits, and the first layer of a MobileNet, which halves it."""
    build = GraphBuilder(config, np.random.default_rng(0))
    x = build.tensor((3, 96, 96), Int(8))
    strided = {"kernel": (3, 3), "stride": (2, 2), "pads": (0, 0, 1, 1)}
    return build, build.mac([build.segment(x, outputs, **strided, levels=_NATIVE)], (48, 48), DyBit(4))


def _ended(build: GraphBuilder, x: str, classes: int) -> QuantisedGraph:
    """An average over 3 x 3 pixels and a dense layer."""
    x = build.mac([build.segment(x, None, kernel=(3, 3), levels=[1])], (1, 1), DyBit(4))
    return build.graph([build.mac([build.segment(x, classes, levels=_NATIVE)], (1, 1), Int(8))])


def _block(build: GraphBuilder, x: str, outputs: int, size: int, stride: int) -> str:
    """A depthwise layer and one of 1 x 1."""
    pads = (1, 1, 1, 1) if stride == 1 else (0, 0, 1, 1)
    depthwise = build.segment(x, None, kernel=(3, 3), stride=(stride, stride), pads=pads, levels=_NATIVE)
    x = build.mac([depthwise], (size, size), DyBit(4))
    return build.mac([build.segment(x, outputs, levels=_NATIVE)], (size, size), DyBit(4))


def mobilenet_v1(config: AcceleratorConfig) -> QuantisedGraph:
    """The shape of MLPerf Tiny's MobileNetV1 for visual wake words, W4A4 with an 8-bit image."""
    build, x = _begun(config, 8)
    x = _block(build, x, 16, 48, 1)
    for outputs, size, blocks in ((32, 24, 2), (64, 12, 2), (128, 6, 6), (256, 3, 2)):
        for number in range(blocks):
            x = _block(build, x, outputs, size, 1 if number else 2)
    return _ended(build, x, 2)


def mobilenet_v2(config: AcceleratorConfig) -> QuantisedGraph:
    """The shape of MobileNetV2 at 96 pixels (arXiv 1801.04381), W4A4 with an 8-bit image."""
    build, x = _begun(config, 32)
    x = _block(build, x, 16, 48, 1)
    channels, size = 16, 48
    for outputs, blocks, stride in ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1)):
        for number in range(blocks):
            y = build.mac([build.segment(x, 6 * channels, levels=_NATIVE)], (size, size), DyBit(4))
            by = 1 if number else stride
            pads = (1, 1, 1, 1) if by == 1 else (0, 0, 1, 1)
            size //= by
            depthwise = build.segment(y, None, kernel=(3, 3), stride=(by, by), pads=pads, levels=_NATIVE)
            y = build.mac([depthwise], (size, size), DyBit(4))
            sums = [build.segment(y, outputs, levels=_NATIVE)]
            if number:
                sums.append(build.segment(x, None, levels=[16]))
            x = build.mac(sums, (size, size), DyBit(4))
            channels = outputs
    x = build.mac([build.segment(x, 1280, levels=_NATIVE)], (3, 3), DyBit(4))
    return _ended(build, x, 1000)


@dataclass(frozen=True, kw_only=True)
class _Net:
    """A network and the core that it runs on, with a backing store and, if it fits there, without one."""

    make: Callable[[AcceleratorConfig], QuantisedGraph]
    config: AcceleratorConfig
    on_chip: AcceleratorConfig | None = None


_STORE = replace(_SHAPE, backing="axi4", bus_bits=64)
NETS = {
    "resnet8": _Net(make=resnet8, config=_STORE, on_chip=replace(_SHAPE, weight_words=16384, param_words=1024)),
    "conv256": _Net(make=conv256, config=_STORE),
    "mobilenet_v1": _Net(
        make=mobilenet_v1,
        config=replace(_STORE, bus_bits=32, act_words=32768, param_words=1024),
        on_chip=replace(_SHAPE, act_words=32768, weight_words=16384, param_words=4096),
    ),
    "mobilenet_v2": _Net(
        make=mobilenet_v2,
        config=replace(
            _STORE, rows=16, drain_rows=4, act_words=32768, weight_words=32768, param_words=4096, taps=1024, blocks=1024
        ),
    ),
}


def main() -> int:
    """Measure; 1 where an engine's levels differ from the golden model's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=NETS, default="resnet8")
    parser.add_argument("--rtl", action="store_true", help="simulate the Verilog, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    options = parser.parse_args()
    net = NETS[options.net]
    config = net.config
    graph = net.make(config)
    program = compile_graph(graph, config)
    levels = random_levels(graph, np.random.default_rng(1))
    golden = GoldenModel(program.graph, config).run(levels[np.newaxis])
    records: dict[str, Any] = {"program": _sizes(program)}
    if net.on_chip is not None:
        records["on chip"] = _isa(compile_graph(graph, net.on_chip), levels, BusTiming(), stops=False)
        records["on chip"].pop("outputs")
    status = 0
    for pace in (1, 4):
        bus = BusTiming(latency=_LATENCY, pace=pace)
        engines = {"model": _isa(program, levels, bus, stops=options.rtl)}
        if options.rtl:
            engines["core"] = _core(program, levels, bus)
        for engine, results in engines.items():
            found = results.pop("outputs")
            wrong = [name for name in found if not np.array_equal(found[name], golden[name][0])]
            status |= bool(wrong)
            records[f"{config.bus_bytes / pace:g} bytes a cycle, {engine}"] = results | {"wrong": wrong}
    _show(records, program)
    write_json(options.json, records)
    return status


def _sizes(program: Program) -> dict[str, Any]:
    return {
        "instructions": len(program.instructions),
        "image bytes": 4 * len(program.backing),
        "window bytes": program.window_bytes,
        "external tensors": list(program.external),
    }


def _layer_ends(program: Program) -> list[int]:
    """Last COMPUTE of every layer, in order."""
    ends = {
        name: index
        for index, (name, words) in enumerate(zip(program.layers, program.instructions, strict=True))
        if decode_instruction(words.tolist())[0] is Opcode.COMPUTE
    }
    return [ends[layer.name] for layer in program.graph.layers]


async def _measure(transport: Transport, program: Program, levels: NDArray[np.int64], *, stops: bool) -> dict[str, Any]:
    """Counters of runs stopped behind each layer, if they are asked for, and of a whole one, and its outputs."""
    driver = Driver(transport, program.config)
    await driver.load(program)
    whole = await driver.infer(levels)
    runs = [await driver.run_until(index) for index in _layer_ends(program)[:-1]] if stops else []
    if runs:
        await driver.infer(levels)
    counts = {cause: [getattr(run, cause) for run in (*runs, whole)] for cause in _CAUSES}
    return {"counts": counts, "outputs": whole.outputs}


def _isa(program: Program, levels: NDArray[np.int64], bus: BusTiming, *, stops: bool) -> dict[str, Any]:
    """The same of the cycle model, with the counters at which each layer is written in an undisturbed run."""
    transport = IsaTransport(program.config, bus=bus)
    measured = run_sync(_measure(transport, program, levels, stops=stops))
    trace = [transport.machine.trace[index] for index in _layer_ends(program)]
    return measured | {"layers": {cause: [getattr(at, cause) for at in trace] for cause in _CAUSES}}


def _core(program: Program, levels: NDArray[np.int64], bus: BusTiming) -> dict[str, Any]:
    async def measure(transport: Any) -> dict[str, Any]:
        await transport.set_bus(latency=bus.latency, pace=bus.pace)
        return await _measure(transport, program, levels, stops=True)

    return simulate(CoreVerilog(program.config), measure).result


def _show(records: dict[str, Any], program: Program) -> None:
    _say(json.dumps(records["program"]))
    macs = sum(work.macs for work in layer_work(program))
    resident = records["on chip"]["counts"]["cycles"][-1] if "on chip" in records else 0
    for name, record in records.items():
        if name == "program":
            continue
        cycles = record["counts"]["cycles"][-1]
        loss = f", {cycles / resident - 1:+.2%} against weights on the chip" if resident else ""
        useful = f", {macs / cycles / program.config.macs:.1%} useful"
        _say(f"{name}: {cycles} cycles{useful}{loss}" + (f", WRONG: {record['wrong']}" if record.get("wrong") else ""))
        if "layers" not in record:
            beside = records[name.replace("core", "model")]["counts"]["cycles"]
            off = [core / model - 1 for core, model in zip(record["counts"]["cycles"], beside, strict=True)]
            _say("  runs up to each layer against the model: " + " ".join(f"{value:+.3%}" for value in off))
            continue
        previous = dict.fromkeys(_CAUSES, 0)
        for number, layer in enumerate(program.graph.layers):
            now = {cause: record["layers"][cause][number] for cause in _CAUSES}
            _say(f"  {layer.name:<4}" + " ".join(f"{cause} {now[cause] - previous[cause]:<7}" for cause in _CAUSES))
            previous = now


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a script's result


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main())
