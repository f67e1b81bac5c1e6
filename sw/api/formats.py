"""Formats: what formats weights and tensors get, on whatever core it is going to be."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    from ...hw.spec.config import AcceleratorConfig
    from ..graph import Graph
    from ..quantize import QuantSettings

__all__ = ["Formats"]


@dataclass(frozen=True, kw_only=True)
class Formats:
    """Formats that were asked for; called with a configuration it says what that one gets.

    Parameters
    ----------
    weights, acts : str or None
        Of weights and of tensors between layers; None: the core's base.
    layers : QuantSettings or None
        Instead: all of them, layer by layer.
    equalise, reconstruct, exact : bool
        As `QuantSettings` has them.
    """

    weights: str | None = None
    acts: str | None = None
    layers: QuantSettings | None = None
    equalise: bool = False
    reconstruct: bool = False
    exact: bool = False

    @classmethod
    def of(
        cls,
        *,
        weights: str | None = None,
        acts: str | None = None,
        formats: QuantSettings | str | os.PathLike[str] | None = None,
        equalise: bool = False,
        reconstruct: bool = False,
        exact: bool = False,
    ) -> Formats:
        """As `Model.quantize` takes them.

        Raises
        ------
        InputError
            If a format is unknown, or a file of formats cannot be read.
        """
        from ..quantize import QuantSettings
        from ..quantize.settings_file import load_settings

        if formats is not None and (weights or acts):
            raise InputError("--formats says all formats: leave out --weights and --acts")
        if formats is None:
            QuantSettings(weights=weights or "dybit4", acts=acts or "dybit4")  # an unknown one is said at once
        layers = formats if formats is None or isinstance(formats, QuantSettings) else load_settings(Path(formats))
        return cls(weights=weights, acts=acts, layers=layers, equalise=equalise, reconstruct=reconstruct, exact=exact)

    @property
    def asked(self) -> bool:
        """Whether formats of the network were named."""
        return bool(self.weights or self.acts)

    def for_graph(self, lowered: Graph) -> Formats:
        """The same by the names of a lowered graph's layers; InputError if it lacks one of those named."""
        from ..layers import Mac, Product

        if self.layers is None:
            return self
        macs = [layer for layer in lowered.layers if isinstance(layer, Mac | Product)]
        self.layers.check_layers(macs)
        return dataclasses.replace(self, layers=self.layers.for_layers(macs))

    def __call__(self, core: AcceleratorConfig) -> QuantSettings:
        """Formats that a core gets."""
        from ..quantize import QuantSettings

        found = self.layers or QuantSettings(
            weights=self.weights or core.weight_format, acts=self.acts or core.act_format
        )
        asked = {name: getattr(found, name) or getattr(self, name) for name in ("equalise", "reconstruct", "exact")}
        return dataclasses.replace(found, **asked)

    def __str__(self) -> str:
        shown = {name: getattr(self, name) for name in ("weights", "acts")}
        said = [f"{name}={value!r}" for name, value in shown.items() if value is not None]
        return ", ".join([*said, *(["formats by layer"] if self.layers else [])])
