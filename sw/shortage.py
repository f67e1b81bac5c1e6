"""Shortage: one thing that a model needs more of than a configuration has, and what to do about it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ..hw.spec.config import MOST_TABLES, AcceleratorConfig, ConfigError

__all__ = ["Shortage"]

_OUTSIDE = 'keep them in a backing store (backing = "axi4")'
_FEWER_PARTS = "raise act_words or weight_words, so that the model is cut into fewer parts"
_WAYS = {
    "act_words": "use more lanes, or smaller images",
    "weight_words": "use more columns or lanes, or fewer weights",
    "param_words": "use more rescalers, or fewer channels",
    "taps": "use smaller kernels, or fewer different ones",
    "blocks": "use narrower formats, which take fewer digits, or fewer layers",
    "instructions": "use fewer layers",
    "planes": "use narrower activations",
    "acc_bits": "use narrower weights or activations",
    "tables": "use fewer different functions",
    "dynamic": "leave out its products of two tensors",
    "max_pool": "let a ReLU stand before it, or leave out its padding, or pool by strides or averages instead",
}
_MEMORIES = ("act_words", "weight_words", "param_words")


@dataclass(frozen=True, kw_only=True)
class Shortage:
    """What a model needs beyond a configuration.

    Parameters
    ----------
    parameter : str
        Of the configuration.
    what : str
        What is counted, for people.
    needed, available : int
    layer : str
        The first one that exceeds it.
    enough : int or None
        Value of the parameter that suffices; None: no configuration like this one has it.
    cure : str
        What to do.
    """

    parameter: str
    what: str
    needed: int
    available: int
    layer: str
    enough: int | None
    cure: str

    @classmethod
    def of(cls, config: AcceleratorConfig, parameter: str, what: str, *, needed: int, layer: str) -> Shortage:
        """The shortage of a configuration that has less than ``needed``."""
        enough: int | None = 1 << (needed - 1).bit_length() if parameter == "act_words" else needed
        try:
            dataclasses.replace(config, **{parameter: enough})
            cure = f"raise {parameter} to {enough}"
        except ConfigError as error:
            streams = parameter == "instructions" and config.has_backing
            enough, ways = None, [_FEWER_PARTS if streams else _WAYS[parameter]]
            if parameter in _MEMORIES and not config.has_backing:
                ways.insert(0, _OUTSIDE)
            cure = f"{', or '.join(ways)} ({str(error).split(', not ')[0]})"
        return cls(
            parameter=parameter,
            what=what,
            needed=needed,
            available=getattr(config, parameter),
            layer=layer,
            enough=enough,
            cure=cure,
        )

    @classmethod
    def of_tables(cls, config: AcceleratorConfig, least: int, most: int, *, layer: str) -> Shortage:
        """The shortage of tables of levels, of which a model needs so many at least and can use more."""
        found = cls.of(config, "tables", "tables of levels for its functions", needed=least, layer=layer)
        if found.enough is None or most == least:
            return found
        enough = min(most, MOST_TABLES)
        return dataclasses.replace(found, cure=f"set tables to {least}, or better to {enough}: one for each layer")

    def __str__(self) -> str:
        return (
            f"the model needs {self.needed} {self.what}, the configuration has {self.available} "
            f"(layer {self.layer!r} exceeds them): {self.cure}"
        )
