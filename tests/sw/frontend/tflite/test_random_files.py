"""Random files compute what LiteRT does, or are refused: a slice of bench/tflite_campaign.py."""

import pytest
from narrows.sw.errors import ImportMismatch, NarrowsError
from narrows.sw.frontend import import_model
from narrows.sw.frontend.tflite import has_litert
from narrows.sw.reference import judge
from random_tflite import random_tflite

pytestmark = pytest.mark.skipif(not has_litert(), reason="LiteRT is an extra")


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_files_are_read_rightly_or_refused(first, tmp_path):
    path, same = tmp_path / "model.tflite", 0
    for seed in range(first, first + 20):
        content, operators = random_tflite(seed)
        path.write_bytes(content)
        try:
            found = judge(path, import_model(path))
        except ImportMismatch as error:
            pytest.fail(f"seed {seed}, {', '.join(operators)}: {error}")
        except NarrowsError:
            continue
        assert found.runtime, f"seed {seed}: {found.note}"
        same += 1
    assert same >= 5
