"""Settings refuse what is no format."""

import pytest
from narrows.sw.errors import InputError
from narrows.sw.quantize import QuantSettings


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
    assert QuantSettings().weight_format(edge=True).name == "dybit4"
    settings = QuantSettings(edge_weights="int8")
    assert [settings.weight_format(edge=edge).name for edge in (False, True)] == ["dybit4", "int8"]
