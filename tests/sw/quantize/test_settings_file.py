"""Formats as a file: what is written is read again, and mistakes are named in one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from narrows.sw.errors import InputError
from narrows.sw.quantize import LayerFormats, QuantSettings
from narrows.sw.quantize.settings_file import load_settings, settings_text

FORMATS = st.sampled_from(["dybit4", "int8", "int2"])
LAYERS = st.builds(LayerFormats, weights=st.none() | FORMATS, acts=st.none() | st.sampled_from(["uint4", "dybit3"]))
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=8)


@given(
    settings=st.builds(
        QuantSettings,
        weights=FORMATS,
        acts=FORMATS,
        edge_weights=st.none() | FORMATS,
        equalise=st.booleans(),
        axe=st.booleans(),
        layers=st.dictionaries(NAMES, LAYERS, max_size=3),
    )
)
def test_what_is_written_is_read_again(settings, tmp_path_factory):
    path = tmp_path_factory.mktemp("formats") / "formats.toml"
    path.write_text(settings_text(settings), encoding="utf-8")
    assert load_settings(path) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weights = 4", "weights must be the name of a format, not 4"),
        ("width = 4", "unknown parameter 'width': the parameters are weights, acts, edge_weights"),
        ('[layers.conv1]\nbits = "int4"', "unknown parameter 'bits': the parameters are weights, acts"),
        ("layers = 3", "layers must be tables such as"),
    ],
)
def test_mistakes(tmp_path, text, message):
    path = tmp_path / "formats.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_settings(path)


def test_no_toml(tmp_path):
    path = tmp_path / "formats.toml"
    path.write_text("weights: int4")
    with pytest.raises(InputError, match=f"^cannot read formats {path}: "):
        load_settings(path)
    with pytest.raises(InputError, match=r"^cannot read formats "):
        load_settings(tmp_path / "none.toml")
