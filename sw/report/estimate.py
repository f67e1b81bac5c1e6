"""estimate: what a float graph would be compiled to, and what a configuration lacks for it, before it is quantised."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...hw.spec.config import MOST_INSTRUCTIONS, AcceleratorConfig
from ...hw.spec.formats import Format
from ...hw.spec.memories import words_in_window
from ..compile import compile_graph
from ..errors import CapacityError, CertificateError
from ..graph import Graph
from ..program import Program
from ..quantize import QuantSettings
from ..quantize.planned import curved_layers, planned_format, tables_needed
from ..quantize.trained import settings_beside
from ..shortage import Shortage
from .sketch import IMAGE, MERGED, sketch

__all__ = ["Estimate", "estimate", "roomy", "with_larger_memories"]

_MOST_WORDS = 65536
_ROOMY = {
    "act_words": 65536,
    "weight_words": 65536,
    "param_words": 65536,
    "taps": 1024,
    "blocks": 1024,
    "instructions": 1024,
    "memories": "dual",
    "max_pool": 1,
}


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A program with blank weights, None if none fits, and all that the configuration asked for lacks.

    ``problems`` are lines for people; ``shortages`` those of them that can be counted.
    """

    program: Program | None
    shortages: tuple[Shortage, ...] = ()
    problems: tuple[str, ...] = ()


def roomy(config: AcceleratorConfig) -> AcceleratorConfig:
    """The same array with the largest memories, and a max-pool unit."""
    sizes = {
        name: min(_ROOMY[name], words_in_window(bits))
        for name, bits in (
            ("act_words", config.act_word_bits),
            ("weight_words", config.weight_word_bits),
            ("param_words", config.param_word_bits),
        )
    }
    return replace(config, **{**_ROOMY, **sizes})


def estimate(
    graph: Graph,
    config: AcceleratorConfig,
    settings: QuantSettings,
    *,
    source: Format = IMAGE,
    only: bool = False,
    least: bool = False,
) -> Estimate:
    """What a lowered float graph would be compiled to, with larger memories or a backing store where it does not fit.

    Parameters
    ----------
    graph : Graph
        Lowered: of `Mac`, `MaxPool` and `Product` layers only.
    config : AcceleratorConfig
    settings : QuantSettings
    source : Format
        Of the input, where it has no trained grid; that of images unless samples say something else.
    only : bool
        Whether no other configuration is tried where the model does not fit.
    least : bool
        Whether what only calibration tells is taken to need as little as it can: what is lacking then always is.
    """
    settings = settings_beside(graph, settings).for_layers(graph.layers)
    found: Program | None = None
    shortages: tuple[Shortage, ...] = ()
    problems: tuple[str, ...] = ()
    needed, _ = tables = tables_needed(graph, lambda layer: planned_format(layer, graph, settings, config))
    try:
        found = compile_graph(sketch(graph, config, settings, source, merged=1 if least else MERGED), config)
    except (CapacityError, CertificateError) as error:
        shortages, problems = error.shortages, () if error.shortages else (str(error),)
    if needed > config.tables:
        shortages += (Shortage.of_tables(config, *tables, layer=curved_layers(graph)[0].name),)
    problems = (*map(str, shortages), *problems)
    if found is None and not only:
        found = _elsewhere(graph, config, settings, source, shortages)
    return Estimate(program=found, shortages=shortages, problems=problems)


def with_larger_memories(found: Estimate, graph: Graph, config: AcceleratorConfig, settings: QuantSettings) -> Estimate:
    """The same; where no core with a backing store has so many instructions, the memories at which they suffice.

    Tensors and weights are cut into fewer parts then. Arguments are those of :func:`estimate`.
    """
    hopeless = [lack.parameter for lack in found.shortages if lack.enough is None]
    if hopeless != ["instructions"] or not config.has_backing:
        return found
    given = {lack.parameter: lack.enough for lack in found.shortages if lack.enough is not None}
    words = {name: getattr(config, name) for name in ("act_words", "weight_words")}
    while min(words.values()) < _MOST_WORDS:
        words = {name: min(_MOST_WORDS, 2 * count) for name, count in words.items()}
        for names in (("act_words",), ("weight_words",), ("act_words", "weight_words")):
            more = {name: words[name] for name in names}
            wide = replace(config, **{"instructions": MOST_INSTRUCTIONS, **given, **more})
            try:
                program = compile_graph(sketch(graph, wide, settings), wide)
            except (CapacityError, CertificateError):
                continue
            if (count := len(program.instructions)) > config.instructions:
                more["instructions"] = count
            raised = ", ".join(f"{name} to {value}" for name, value in more.items())
            cure = f"raise {raised}, so that the model is cut into fewer parts"
            lacks = tuple(replace(lack, cure=cure) if lack.enough is None else lack for lack in found.shortages)
            return replace(found, shortages=lacks, problems=tuple(map(str, lacks)))
    return found


def _elsewhere(
    graph: Graph, config: AcceleratorConfig, settings: QuantSettings, source: Format, shortages: tuple[Shortage, ...]
) -> Program | None:
    """The program for the nearest configuration that holds the model."""
    lacking = {lack.parameter for lack in shortages}
    wide = {"acc_bits": 32} if "acc_bits" in lacking else {}
    if "dynamic" in lacking and config.weight_format == config.act_format:
        wide["dynamic"] = 1
    grown = replace(roomy(config), **wide)
    streamed = replace(grown, backing="axi4")
    for candidate in (grown, streamed):
        try:
            return compile_graph(sketch(graph, candidate, settings, source), candidate)
        except (CapacityError, CertificateError):
            continue
    return None
