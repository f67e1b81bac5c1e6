"""Layers of trained integers: common scales of several operands, certificates, wide outputs."""

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.errors import CapacityError, CertificateError
from narrows.sw.graph import Graph
from narrows.sw.grids import Grid
from narrows.sw.layers import Mac, Term
from narrows.sw.outputs import Output
from narrows.sw.quantised import InputSpec, MacLayer
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.quantize.tensors import on_grid
from narrows.sw.runtime import prepare_input, restore_outputs
from narrows.sw.windows import Window

POINT = Window(kernel=(1, 1))
DIGITS = AcceleratorConfig().digits
BYTE = {"low": 0, "high": 255}


def branches(ratio, *, channels=2):
    """Two branches of given grids from one input, and their sum."""
    grids = {
        "x": Grid(scale=0.05, zero=100, **BYTE),
        "a": Grid(scale=0.01, zero=90, **BYTE),
        "b": Grid(scale=0.01 * ratio, zero=20, **BYTE),
        "y": Grid(scale=0.0123 * max(1.0, ratio), zero=70, **BYTE),
    }
    shape = (channels, 3, 3)
    rng = np.random.default_rng(1)

    def dense(output, reach):
        levels = rng.integers(-120, 121, (channels, channels, 1, 1)).astype(float)
        step = np.full(channels, reach / 120 / channels / 5)
        term = Term(source="x", weights=levels * step[:, None, None, None], window=POINT, step=step)
        return Mac(name=output, terms=(term,), bias=np.zeros(channels), output=output)

    ones = np.ones((channels, 1, 1, 1))
    total = tuple(Term(source=s, weights=ones, window=POINT, depthwise=True, constant=True) for s in ("a", "b"))
    layers = (
        dense("a", 1.0),
        dense("b", ratio),
        Mac(name="sum", terms=total, bias=np.zeros(channels), output="y"),
    )
    return Graph(
        name="branches",
        tensors=dict.fromkeys(grids, shape),
        input=InputSpec(tensor="x", shape=shape),
        layers=layers,
        outputs=(Output.whole("y", shape),),
        grids=grids,
    )


@pytest.mark.parametrize("ratio", [1.0, 0.5, 1.37, 3.1416, 0.071, 41.7])
def test_sums_of_different_scales_come_to_one(ratio):
    graph = branches(ratio)
    config = AcceleratorConfig(acc_bits=26, rescale_bits=16)
    x = np.random.default_rng(2).normal(0, 2.5, (40, 2, 3, 3))
    quantised = quantise(graph, x, QuantSettings(), config)
    levels = GoldenModel(quantised, config).run(prepare_input(quantised, x))
    sums = 0.01 * (levels["a"] - 90.0) + 0.01 * ratio * (levels["b"] - 20.0)
    expected = graph.grids["y"].integers(sums)
    assert np.abs(levels["y"] - expected).max() <= 1
    assert (levels["y"] == expected).mean() > 0.97
    layer = quantised.layers[-1]
    assert isinstance(layer, MacLayer)
    a, b = (int(segment.weights.flat[0]) for segment in layer.segments)
    assert b / a == pytest.approx(ratio, rel=0.02)


def test_too_narrow_an_accumulator_is_refused_with_the_width_it_takes():
    graph = branches(1.0, channels=8)
    x = np.zeros((2, 8, 3, 3))
    with pytest.raises(
        CertificateError,
        match=r"^the model needs (\d\d) accumulator bits for sums of trained integers, the configuration has 16 "
        r"\(layer 'a' exceeds them\): raise acc_bits to \1, or quantise the float model$",
    ):
        quantise(graph, x, QuantSettings(), AcceleratorConfig(acc_bits=16))


def scores(units, planes, bias=0.0):
    """A network of one layer without a grid on its output."""
    step = np.array(units)
    term = Term(source="x", weights=7 * step[:, None, None, None] * np.ones((1, 4, 1, 1)), window=POINT, step=step)
    graph = Graph(
        name="scores",
        tensors={"x": (4, 1, 1), "y": (len(units), 1, 1)},
        input=InputSpec(tensor="x", shape=(4, 1, 1)),
        layers=(Mac(name="scores", terms=(term,), bias=np.full(len(units), bias), output="y"),),
        outputs=(Output.whole("y", (len(units), 1, 1)),),
        grids={"x": Grid(scale=0.5, zero=0, low=-127, high=127)},
    )
    config = AcceleratorConfig(acc_bits=20, rescale_bits=8, planes=planes)
    x = np.random.default_rng(3).integers(-127, 128, (50, 4, 1, 1)) * 0.5
    quantised = quantise(graph, x, QuantSettings(), config)
    values = restore_outputs(quantised, GoldenModel(quantised, config).run(prepare_input(quantised, x)))["y"]
    return values - evaluate(graph, x)["y"], quantised.tensors["y"]


def test_sums_leave_the_network_as_they_are_where_they_fit():
    deviation, tensor = scores([0.25, 0.25], planes=5)
    assert tensor.format.name == "int15"
    assert not deviation.any()


def test_sums_that_do_not_fit_are_rounded_once():
    deviation, tensor = scores([0.25, 0.25], planes=3)
    assert tensor.format.name == "int9"
    assert tensor.scale in 0.125 * 2.0 ** np.arange(16)
    assert np.abs(deviation).max() <= tensor.scale / 2


@pytest.mark.parametrize(
    ("weight", "scale", "zero", "bias", "bits", "exact", "factor"),
    [
        (1, 18.0, 6, 1.9, 8, True, 2),
        (5, 10.0, 8, 2.2, 7, True, 2),
        (1, 20.4, -7, 0.7, 8, True, 16),
        (4, 12.5, 7, 0.4, 10, False, 256),
    ],
)
def test_larger_weights_make_every_level_right(weight, scale, zero, bias, bits, exact, factor):
    grids = {"x": Grid(scale=1.0, zero=0, low=-127, high=127), "y": Grid(scale=scale, zero=zero, low=-128, high=127)}
    shape = (1, 1, 1)
    term = Term(source="x", weights=np.full((1, 1, 1, 1), float(weight)), window=POINT, step=np.ones(1))
    graph = Graph(
        name="one",
        tensors=dict.fromkeys(grids, shape),
        input=InputSpec(tensor="x", shape=shape),
        layers=(Mac(name="one", terms=(term,), bias=np.full(1, bias), output="y"),),
        outputs=(Output.whole("y", shape),),
        grids=grids,
    )
    config = AcceleratorConfig(acc_bits=20, rescale_bits=bits, planes=5)
    x = np.arange(-127.0, 128.0).reshape(-1, 1, 1, 1)
    quantised = quantise(graph, x, QuantSettings(exact=exact), config)
    levels = GoldenModel(quantised, config).run(prepare_input(quantised, x))["y"]
    moved = quantised.tensors["y"].zero - zero
    np.testing.assert_array_equal(levels, grids["y"].integers(weight * x + bias) + moved)
    (layer,) = quantised.layers
    assert isinstance(layer, MacLayer)
    assert layer.segments[0].weights.item() == factor * weight


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        (Grid(scale=0.1, zero=0, low=0, high=7), ("int4", -4, -4, 3, 1)),
        (Grid(scale=0.1, zero=0, low=0, high=3), ("uint2", 0, 0, 3, 1)),
        (Grid(scale=0.1, zero=3, low=0, high=15), ("uint4", 3, 0, 15, 2)),
        (Grid(scale=0.1, zero=0, low=-8, high=7), ("int5", 0, -8, 7, 2)),
        (Grid(scale=0.1, zero=0, low=0, high=63), ("int7", -32, -32, 31, 2)),
        (Grid(scale=0.1, zero=-3, low=-128, high=127), ("uint8", 125, 0, 255, 3)),
        (Grid(scale=0.1, zero=0, low=-127, high=127), ("int8", 0, -127, 127, 3)),
        (Grid(scale=0.1, zero=0, low=-1, high=1, bipolar=True), ("int2", 0, -1, 1, 1)),
    ],
)
def test_grids_move_to_where_they_need_the_fewest_digits(grid, expected):
    tensor = on_grid("t", (1, 1, 1), grid, -np.inf, np.inf, DIGITS)
    found = (tensor.format.name, tensor.zero, tensor.low, tensor.high, DIGITS.count(tensor.levels))
    assert found == expected
    assert tensor.scale == 0.1


def test_narrow_bases_take_the_narrower_half():
    grid = Grid(scale=0.1, zero=-128, low=-128, high=127)
    for base, planes, zero in (("dybit4", 3, 0), ("int3", 4, -128), ("dybit2", 8, -128)):
        digits = AcceleratorConfig(base=base).digits
        tensor = on_grid("t", (1, 1, 1), grid, -np.inf, np.inf, digits)
        assert (digits.count(tensor.levels), tensor.zero, tensor.high - tensor.low) == (planes, zero, 255)


def test_a_clamp_before_rounding_narrows_the_levels():
    tensor = on_grid("t", (1, 1, 1), Grid(scale=0.5, zero=-128, low=-128, high=127), 0.0, 6.0, DIGITS)
    assert (tensor.zero, tensor.low, tensor.high) == (-6, -6, 6)


def test_zero_points_far_from_the_codes_are_refused():
    with pytest.raises(CapacityError, match=r"^tensor 't' has codes from 0 to 255 and its zero point at 999: "):
        on_grid("t", (1, 1, 1), Grid(scale=0.1, zero=999, **BYTE), -np.inf, np.inf, DIGITS)
