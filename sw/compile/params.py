"""Parameter words: bias, multiplicand and shift of every channel, as the drain reads them."""

from __future__ import annotations

from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import IsaError, encode_param
from ...hw.spec.registers import Region, region_beats
from ..errors import CapacityError
from ..quantised import MacLayer
from .weights import tile_count

__all__ = ["param_words"]

_BEAT_MASK = (1 << 32) - 1


def param_words(layer: MacLayer, config: AcceleratorConfig) -> list[tuple[int, ...]]:
    """Parameter words of a layer, each as 32-bit beats, low beat first.

    Raises
    ------
    CapacityError
        If a bias, multiplicand or shift does not fit the configuration's rescaler.
    """
    entries = []
    for channel, values in enumerate(zip(layer.bias, layer.multiplicand, layer.shift, strict=True)):
        entries.append(_entry(layer.name, channel, [int(value) for value in values], config))
    neutral = _entry(layer.name, len(entries), [0, 1 << (config.rescale_bits - 1), 0], config)
    entries += [neutral] * (tile_count(len(entries), config) * config.columns - len(entries))
    beats = region_beats(config, Region.PARAMS)
    words = []
    for first in range(0, len(entries), config.rescalers):
        granule = entries[first : first + config.rescalers]
        word = sum(entry << (config.param_bits * place) for place, entry in enumerate(granule))
        words.append(tuple(word >> (32 * beat) & _BEAT_MASK for beat in range(beats)))
    return words


def _entry(layer: str, channel: int, values: list[int], config: AcceleratorConfig) -> int:
    bias, multiplicand, shift = values
    try:
        if shift > config.shift_max:
            raise IsaError(f"shift {shift} exceeds {config.shift_max}")
        return encode_param(
            bias,
            multiplicand,
            shift,
            bias_width=config.bias_width,
            rescale_bits=config.rescale_bits,
            shift_bits=config.shift_bits,
        )
    except IsaError as error:
        raise CapacityError(
            f"channel {channel} of layer {layer!r} does not fit the rescaler ({error}): raise bias_bits, or "
            f"quantise the model for bias_bits = {config.bias_width}, rescale_bits = {config.rescale_bits}"
        ) from error
