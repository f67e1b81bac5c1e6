"""Points become settings and configurations; spaces know what can be chosen."""

import pytest
from narrows.hw.spec.config import PRESETS
from narrows.sw.errors import InputError
from narrows.sw.examples import digits_model
from narrows.sw.frontend import load_model
from narrows.sw.passes import lower
from narrows.sw.quantize import LayerFormats
from narrows.sw.search.space import Knob, Space

OPTIONS = {
    "weights": ("dybit4", "int8"),
    "acts": ("dybit4", "int6"),
    "acc_bits": (14, 16),
    "rescale_bits": (4,),
    "bases": ("dybit4", "int4"),
    "shapes": ((2, 4, 4),),
}


@pytest.fixture(scope="module")
def graph():
    with digits_model() as path:
        return lower(load_model(path))


def test_what_can_be_chosen(graph):
    space = Space.of(graph, **OPTIONS)
    names = [(knob.layer, knob.kind) for knob in space.knobs]
    assert ("stem.0", "weights") in names and ("stem.0", "acts") in names
    assert ("classify", "weights") in names and ("classify", "acts") not in names
    assert ("/mean/GlobalAveragePool", "weights") not in names and ("/mean/GlobalAveragePool", "acts") in names
    assert len(list(space.cores())) == 4


def test_a_point_as_settings_and_configuration(graph):
    space = Space.of(graph, **OPTIONS)
    core = {"acc_bits": 14, "rescale_bits": 4, "base": "int4", "shape": (2, 4, 4)}
    point = space.uniform("int8", "int6", **core)
    assert point.is_uniform
    assert point.settings.layers["stem.0"] == LayerFormats(weights="int8", acts="int6")
    assert point.settings.layers["classify"] == LayerFormats(weights="int8")
    config = point.config(PRESETS["tiny"])
    assert (config.base, config.acc_bits, config.rows, config.columns, config.lanes) == ("int4", 14, 2, 4, 4)
    assert config.rescalers == PRESETS["tiny"].rescalers
    changed = {**point.formats, Knob("stem.0", "acts"): "dybit4"}
    other = type(point)(formats=changed, **core)
    assert not other.is_uniform and other.key != point.key


def test_a_core_gets_the_roundings_that_its_formats_need(graph):
    space = Space.of(graph, **OPTIONS | {"acts": ("dybit4", "e2m1", "e3m2")})
    core = {"acc_bits": 16, "rescale_bits": 4, "shape": (2, 4, 4)}
    for base, acts, rounds_to in (
        ("dybit4", "dybit4", ""),
        ("dybit4", "e2m1", "dybit+e2m1"),
        ("e2m1", "e2m1", ""),
        ("e2m1", "dybit4", "e2m1+dybit4"),
        ("dybit4", "e3m2", ""),  # beyond what three planes hold, which is refused later
    ):
        assert space.uniform("int8", acts, base=base, **core).config(PRESETS["tiny"]).rounds_to == rounds_to


def test_the_widest_formats_that_a_core_writes(graph):
    space = Space.of(graph, **OPTIONS | {"acts": ("dybit4", "int6", "dybit8")})
    assert space.finest(PRESETS["tiny"]) == ("int8", "int6")


def test_formats_are_checked(graph):
    with pytest.raises(InputError, match=r"^weights must be a signed format, not uint4: drop the u$"):
        Space.of(graph, **OPTIONS | {"weights": ("uint4",)})
