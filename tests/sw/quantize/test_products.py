"""What sums of products are multiplied by: as many bits as a multiplicand has, rounded up to one more or not."""

from __future__ import annotations

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import Int
from narrows.sw.layers import Product
from narrows.sw.quantised import QuantisedTensor
from narrows.sw.quantize.products import product_layer

CONFIG = AcceleratorConfig(dynamic=1, rescale_bits=8)


@pytest.mark.parametrize(
    ("ratio", "multiplicand", "shift"), [(0.75, 192, 8), (0.5, 128, 8), (1 - 2**-12, 128, 7), (1 - 2**-8, 255, 8)]
)
def test_the_ratio_of_scales_is_a_multiplicand_and_a_shift(ratio: float, multiplicand: int, shift: int) -> None:
    x, w, y = (
        QuantisedTensor(name=name, shape=(4, 2, 2), format=Int(4), scale=scale, zero=0, low=-8, high=7)
        for name, scale in (("x", 0.5), ("w", ratio), ("y", 0.5))
    )
    product = Product(name="p", output="y", first="x", second="w")
    layer, output = product_layer(product, {"x": x, "w": w, "y": y}, y, CONFIG, fixed=False)
    assert (set(layer.multiplicand.tolist()), set(layer.shift.tolist())) == ({multiplicand}, {shift})
    assert output.scale == pytest.approx(0.5 * ratio * 2.0**shift / multiplicand, rel=1e-15)
    kept = product_layer(product, {"x": x, "w": w, "y": y}, y, CONFIG, fixed=True)[1]
    assert kept == y and np.all(layer.bias == 0)
