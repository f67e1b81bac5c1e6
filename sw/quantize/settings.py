"""QuantSettings: the number formats that quantisation aims at, and which of its means it uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace

from ...hw.spec.formats import MAX_BITS, Format, parse_format
from ..errors import InputError
from ..layers import Layer
from ..origin import named_by

__all__ = ["LayerFormats", "QuantSettings"]


@dataclass(frozen=True, kw_only=True)
class LayerFormats:
    """Formats of one layer instead of the network's: of its weights, and of the tensor that it writes.

    Raises
    ------
    InputError
        If a format is unknown, or that of the weights is unsigned.
    """

    weights: str | None = None
    acts: str | None = None

    def __post_init__(self) -> None:
        _check(self, signed=("weights",), any_sign=("acts",))


@dataclass(frozen=True, kw_only=True)
class QuantSettings:
    """Formats by name, as `hw.spec.formats.parse_format` takes them.

    Parameters
    ----------
    weights : str
        Of weights; signed.
    acts : str
        Of tensors between layers. The network's input and outputs have integer formats of their own.
    edge_weights : str or None
        Of the weights of layers that read the network's input or write its outputs; None: the same as ``weights``.
    input_bits : int or None
        Most bits of the network's input, 2 to 8, where it has no trained grid; None: 8, or fewer where they are exact.
    layers : mapping of LayerFormats
        By the name of a layer of the lowered graph, or of a node that it came from; go before the others.
    bias_correction : bool
        Biases make the means of integer sums those of the float sums; otherwise they are the model's own.
    absorb : bool
        Weights are rounded on scales that the narrow multiplicand undoes exactly; otherwise scales are free, and the
        nearest multiplicand has a gain error.
    axe : bool
        Scales too fine for rounding to nearest are tried with weights rounded greedily within the accumulator.
    fine_averages : bool
        Averages over whole images are integers of up to 8 bits, as far as their readers' sums have room for that,
        unless their layer has a format of its own.
    equalise : bool
        Channels of tensors are scaled against the weights that read them first; otherwise only those of tensors in
        whose integers some would vanish.
    reconstruct : bool
        Weights and biases are learned block by block on the calibration samples, where
        `quantise_and_reconstruct` does it; needs torch.
    exact : bool
        Of a model that comes quantised every layer is made in two halves whose sums its own arithmetic rounds twice
        (`halves`), whatever that costs; otherwise as many as cost little.

    Raises
    ------
    InputError
        If a format is unknown, or one of weights is unsigned.
    """

    weights: str = "dybit4"
    acts: str = "dybit4"
    edge_weights: str | None = None
    input_bits: int | None = None
    layers: Mapping[str, LayerFormats] = field(default_factory=dict)
    bias_correction: bool = True
    absorb: bool = True
    axe: bool = True
    fine_averages: bool = True
    equalise: bool = False
    reconstruct: bool = False
    exact: bool = False

    def __post_init__(self) -> None:
        _check(self, signed=("weights", "edge_weights"), any_sign=("acts",))
        if self.input_bits is not None and (type(self.input_bits) is not int or not 2 <= self.input_bits <= MAX_BITS):
            raise InputError(f"input_bits must be 2 to {MAX_BITS}, not {self.input_bits!r}")
        for name in ("bias_correction", "absorb", "axe", "fine_averages", "equalise", "reconstruct", "exact"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} must be true or false, not {getattr(self, name)!r}")

    def check_layers(self, layers: Iterable[Layer]) -> None:
        """Refuse formats of layers that a graph does not have, and two that mean one layer.

        Raises
        ------
        InputError
        """
        layers, taken = list(layers), {}
        for name in sorted(self.layers):
            found = named_by(name, layers)
            if not found:
                known = ", ".join(sorted(layer.name for layer in layers))
                raise InputError(f"formats for layer {name!r}: the layers are {known}")
            for layer in found:
                if taken.setdefault(layer, name) != name:
                    raise InputError(f"formats for {taken[layer]!r} and {name!r}: both are the layer {layer!r}")

    def for_layers(self, layers: Iterable[Layer]) -> QuantSettings:
        """The settings by the names of a graph's layers alone, instead of nodes that those came from."""
        layers = list(layers)
        own = {layer: formats for name, formats in self.layers.items() for layer in named_by(name, layers)}
        return replace(self, layers=own)

    def act_format(self, layer: str) -> Format:
        """Format of the tensor that a layer writes."""
        own = self.layers.get(layer)
        return parse_format(own.acts if own is not None and own.acts else self.acts)

    def weight_format(self, layer: str, *, edge: bool) -> Format:
        """Format of the weights of a layer; ``edge`` if it reads the network's input or writes an output."""
        own = self.layers.get(layer)
        common = self.edge_weights if edge and self.edge_weights is not None else self.weights
        return parse_format(own.weights if own is not None and own.weights else common)


def _check(settings: LayerFormats | QuantSettings, *, signed: tuple[str, ...], any_sign: tuple[str, ...]) -> None:
    optional = {entry.name for entry in fields(settings) if entry.default is None}
    for name in (*signed, *any_sign):
        value = getattr(settings, name)
        if value is None and name in optional:
            continue
        if not isinstance(value, str):
            raise TypeError(f"{name} must be the name of a format, not {value!r}")
        try:
            fmt = parse_format(value)
        except ValueError as error:
            raise InputError(f"{name}: {error}") from error
        if name in signed and not fmt.signed:
            raise InputError(f"{name} must be a signed format, not {value}: drop the u")
