"""Parameters that a rescaler takes, up to the largest shift."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.isa import decode_param
from narrows.sw.compile.params import param_words
from narrows.sw.errors import CapacityError

CONFIG = AcceleratorConfig(rows=1, columns=1, rescalers=1)


def layer(shift: int) -> Any:
    return SimpleNamespace(name="l", bias=[-3], multiplicand=[1 << (CONFIG.rescale_bits - 1)], shift=[shift])


@pytest.mark.parametrize("shift", [0, CONFIG.shift_max])
def test_shifts_up_to_the_largest_are_taken(shift: int) -> None:
    [words] = param_words(layer(shift), CONFIG)
    entry = sum(word << 32 * place for place, word in enumerate(words))
    widths = {"bias_width": CONFIG.bias_width, "rescale_bits": CONFIG.rescale_bits, "shift_bits": CONFIG.shift_bits}
    assert tuple(decode_param(entry, **widths)) == (-3, 1 << (CONFIG.rescale_bits - 1), shift)


def test_a_larger_one_names_its_layer() -> None:
    with pytest.raises(CapacityError, match=r"^channel 0 of layer 'l' does not fit the rescaler \(shift \d+ exceeds"):
        param_words(layer(CONFIG.shift_max + 1), CONFIG)
