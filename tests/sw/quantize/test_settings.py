"""Settings refuse what is no format."""

import pytest
from narrows.sw.errors import InputError
from narrows.sw.layers import Clamp
from narrows.sw.quantize import LayerFormats, QuantSettings


def layer(name, *origin):
    return Clamp(name=name, source="x", low=0.0, high=1.0, output=name, origin=origin)


def test_unknown_format():
    with pytest.raises(InputError, match=r"^acts: unknown number format 'dybit9': use "):
        QuantSettings(acts="dybit9")


@pytest.mark.parametrize("field", ["weights", "edge_weights"])
def test_unsigned_weights(field):
    with pytest.raises(InputError, match=f"^{field} must be a signed format, not uint4: drop the u$"):
        QuantSettings(**{field: "uint4"})


def test_wrong_kind():
    with pytest.raises(TypeError, match=r"^weights must be the name of a format, not 4$"):
        QuantSettings(weights=4)  # pyright: ignore[reportArgumentType]


def test_edge_layers_take_their_own_format_if_there_is_one():
    assert QuantSettings().weight_format("a", edge=True).name == "dybit4"
    settings = QuantSettings(edge_weights="int8")
    assert [settings.weight_format("a", edge=edge).name for edge in (False, True)] == ["dybit4", "int8"]


def test_formats_of_a_layer_go_before_the_others():
    layers = {"a": LayerFormats(weights="int6"), "b": LayerFormats(acts="uint5")}
    settings = QuantSettings(edge_weights="int8", layers=layers)
    assert [settings.weight_format(name, edge=True).name for name in "abc"] == ["int6", "int8", "int8"]
    assert [settings.act_format(name).name for name in "abc"] == ["dybit4", "uint5", "dybit4"]


def test_formats_of_a_layer_are_checked():
    with pytest.raises(InputError, match=r"^weights must be a signed format, not uint4: drop the u$"):
        LayerFormats(weights="uint4")
    with pytest.raises(InputError, match=r"^acts: unknown number format 'int1': use "):
        LayerFormats(acts="int1")


def test_layers_that_a_graph_does_not_have():
    settings = QuantSettings(layers={"c": LayerFormats(), "a": LayerFormats()})
    settings.check_layers([layer("c"), layer("a"), layer("b")])
    with pytest.raises(InputError, match=r"^formats for layer 'c': the layers are a, b$"):
        settings.check_layers([layer("b"), layer("a")])


def test_layers_go_by_their_nodes_too():
    settings = QuantSettings(layers={"relu": LayerFormats(weights="int8"), "b": LayerFormats(weights="int4")})
    layers = [layer("a", "conv", "relu"), layer("b", "b"), layer("c", "b", "shared")]
    settings.check_layers(layers)
    assert dict(settings.for_layers(layers).layers) == {
        "a": LayerFormats(weights="int8"),
        "b": LayerFormats(weights="int4"),  # and not the layer c, since there is one of that very name
    }
    assert settings.for_layers(layers).for_layers(layers) == settings.for_layers(layers)
    twice = QuantSettings(layers={"conv": LayerFormats(), "relu": LayerFormats()})
    with pytest.raises(InputError, match=r"^formats for 'conv' and 'relu': both are the layer 'a'$"):
        twice.check_layers(layers)
    shared = QuantSettings(layers={"shared": LayerFormats(), "b": LayerFormats()})
    assert list(shared.for_layers(layers).layers) == ["c", "b"]
