"""Layers share tables where a model has more curves than the core has tables: one table for values of one size."""

import dataclasses

import numpy as np
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.golden import GoldenModel
from narrows.sw.compile import compile_graph
from narrows.sw.errors import CapacityError
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.quantised import MacLayer
from narrows.sw.quantize import QuantSettings, quantise
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.runtime import prepare_input, restore_outputs
from onnx import helper

CONFIG = AcceleratorConfig(rows=2, columns=4, lanes=4, rescalers=2, acc_bits=24, rescale_bits=8, weight_words=8192)
SCALES = (1.0, 0.25, 4.0, 0.3, 1.1)


def node(kind, *inputs, output="y", **attributes):
    return helper.make_node(kind, list(inputs), [output], name=f"{kind}_{output}", **attributes)


@pytest.fixture
def chain(onnx_model):
    """Convolutions with activation functions of given kinds behind them, of inputs of different sizes; and samples."""

    def make(kinds, *affine):
        rng = np.random.default_rng(51)
        nodes, constants, last = [], {}, "x"
        for number, kind in enumerate(kinds):
            constants[f"w{number}"] = SCALES[number] * rng.normal(size=(4, 4, 3, 3)).astype(np.float32) / 3
            nodes.append(node("Conv", last, f"w{number}", pads=[1, 1, 1, 1], output=f"c{number}"))
            nodes.append(node(kind, f"c{number}", output=f"s{number}"))
            last = f"s{number}"
            if affine:
                gain, offset = affine[number]
                constants |= {f"g{number}": np.float32(gain), f"o{number}": np.float32(offset)}
                nodes.append(node("Mul", f"g{number}", last, output=f"m{number}"))
                nodes.append(node("Add", f"m{number}", f"o{number}", output=f"a{number}"))
                last = f"a{number}"
        constants["v"] = rng.normal(size=(3, 4, 1, 1)).astype(np.float32)
        path = onnx_model([*nodes, node("Conv", last, "v")], (1, 4, 6, 5), constants, opset=20)
        return load_model(path), rng.normal(size=(48, 4, 6, 5))

    return make


def quantised_with(tables, graph, x):
    config = dataclasses.replace(CONFIG, tables=tables)
    quantised = quantise(graph, x, QuantSettings(weights="int8", acts="int8"), config)
    found = [layer.table for layer in quantised.layers if isinstance(layer, MacLayer) and layer.table is not None]
    keys = [(table.zero, table.levels.tobytes()) for table in found]
    assert len(compile_graph(quantised, config).tables) == 256 * len(set(keys)) <= 256 * tables
    result = restore_outputs(quantised, GoldenModel(quantised, config).run(prepare_input(quantised, x)))["y"]
    expected = evaluate(lower(graph), x)["y"]
    noise = np.square(expected - result.reshape(expected.shape)).mean()
    return [keys.index(key) for key in keys], 10 * np.log10(expected.var() / noise)


def test_layers_of_values_of_one_size_share_a_table(chain):
    graph, x = chain(["HardSwish"] * 5)
    own, best = quantised_with(5, graph, x)
    assert own == [0, 1, 2, 3, 4]
    few, fewer = quantised_with(2, graph, x)
    assert len(set(few)) == 2
    one, least = quantised_with(1, graph, x)
    assert one == [0] * 5
    assert best > 25 and fewer > best - 4 and least > best - 8


def test_layers_share_a_table_of_functions_that_are_alike_but_for_a_factor_and_a_summand(chain):
    graph, x = chain(["HardSwish"] * 4, (1.0, 0.0), (0.7, -0.3), (2.5, 0.2), (1.3, -0.01))
    own, best = quantised_with(4, graph, x)
    assert own == [0, 1, 2, 3]
    few, fewer = quantised_with(2, graph, x)
    assert len(set(few)) == 2
    one, least = quantised_with(1, graph, x)
    assert one == [0] * 4
    assert best > 25 and fewer > best - 4 and least > best - 10


def test_a_negative_factor_asks_for_a_table_of_its_own(chain):
    graph, x = chain(["HardSwish"] * 3, (1.0, 0.1), (-0.7, 0.1), (0.9, -0.1))
    assert quantised_with(2, graph, x)[0] == [0, 1, 0]
    with pytest.raises(CapacityError, match="needs 2 tables of levels"):
        quantised_with(1, graph, x)


def test_different_functions_have_different_tables(chain):
    graph, x = chain(["Gelu", "Mish", "Gelu", "Mish"])
    assert quantised_with(2, graph, x)[0] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("kinds", "tables", "needed", "cure"),
    [
        (["Mish"], 0, 1, "raise tables to 1"),
        (["Mish", "Mish", "Mish"], 0, 1, "set tables to 1, or better to 3: one for each layer"),
        (["Gelu", "Mish", "Gelu", "Tanh"], 2, 3, "set tables to 3, or better to 4: one for each layer"),
    ],
)
def test_more_functions_than_tables_are_refused_with_the_number_it_takes(kinds, tables, needed, cure, chain):
    graph, x = chain(kinds)
    with pytest.raises(
        CapacityError,
        match=rf"^the model needs {needed} tables of levels for its functions, the configuration has {tables} "
        rf"\(layer '\w+' exceeds them\): {cure}$",
    ):
        quantised_with(tables, graph, x)
