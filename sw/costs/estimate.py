"""estimate: what a float graph would be compiled to, and what a configuration lacks for it, before it is quantised."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...hw.spec.config import MOST_BLOCKS, AcceleratorConfig, ConfigError
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

__all__ = ["Estimate", "estimate", "roomy", "with_cures"]

_MOST_WORDS = 65536
_STORED = {"act_words", "weight_words", "param_words"}
_RAISED = ("act_words", "weight_words", "param_words", "taps", "blocks", "instructions")

_TRIES = 8
"""Rounds of raising what a program lacks: raising one thing shows the next."""

_ROOMY = {
    "act_words": 65536,
    "weight_words": 65536,
    "param_words": 65536,
    "taps": 1024,
    "blocks": MOST_BLOCKS,
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


def with_cures(found: Estimate, graph: Graph, config: AcceleratorConfig, settings: QuantSettings) -> Estimate:
    """The same; where no single parameter can be raised far enough, with all that has to change for the model to fit.

    That is a backing store, where the core has none, and what the program needs beside it: memories at which tensors
    and weights are cut into few enough parts. Arguments are those of :func:`estimate`.
    """
    hopeless = {lack.parameter for lack in found.shortages if lack.enough is None}
    curable = {"instructions"} if config.has_backing else _STORED
    if not hopeless or not hopeless <= curable:
        return found
    given = {lack.parameter: lack.enough for lack in found.shortages if lack.enough is not None}
    if not config.has_backing:
        given = {"backing": "axi4"} | {name: value for name, value in given.items() if name not in _STORED}
    try:
        program = _raised(graph, replace(config, **given), settings)
    except ConfigError:
        return found
    if program is None:
        return found
    changes = {
        name: value
        for name in _RAISED
        if (value := getattr(program.config, name)) != getattr(config, name) and given.get(name) != value
    }
    raised = " and ".join(f"{name} to {value}" for name, value in changes.items())
    if config.has_backing:
        cure = f"raise {raised}, so that the model is cut into fewer parts"
    else:
        cure = 'keep them in a backing store: set backing = "axi4"' + (f", and raise {raised}" if raised else "")

    def cured(lack: Shortage) -> Shortage:
        stored = not config.has_backing and lack.parameter in _STORED
        if lack.enough is None or lack.parameter in changes:
            return replace(lack, cure=cure)
        return replace(lack, cure="the backing store holds them, too") if stored else lack

    lacks = tuple(map(cured, found.shortages))
    return replace(found, shortages=lacks, problems=tuple(map(str, lacks)))


def _raised(graph: Graph, config: AcceleratorConfig, settings: QuantSettings) -> Program | None:
    """The program for the core with the smallest memories, of doubled ones, that holds a model; None if none does."""
    if (program := _grown(graph, config, settings)) is not None:
        return program
    words = {name: getattr(config, name) for name in ("act_words", "weight_words")}
    while min(words.values()) < _MOST_WORDS:
        words = {name: min(_MOST_WORDS, 2 * count) for name, count in words.items()}
        for names in (("act_words",), ("weight_words",), ("act_words", "weight_words")):
            try:
                wide = replace(config, **{name: words[name] for name in names})
            except ConfigError:
                continue
            if (program := _grown(graph, wide, settings)) is not None:
                return program
    return None


def _grown(graph: Graph, config: AcceleratorConfig, settings: QuantSettings) -> Program | None:
    """The program for a core that has as much of everything as it takes; None if there is none."""
    for _ in range(_TRIES):
        try:
            return compile_graph(sketch(graph, config, settings), config)
        except (CapacityError, CertificateError) as error:
            more = {lack.parameter: lack.enough for lack in error.shortages}
            if not more or None in more.values():
                return None
            config = replace(config, **more)
    return None


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
