"""bench/byte_activations.py: its figures follow from each other, and are those of docs/benchmarks.md."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import byte_activations as bench
import pytest
from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.verilog import to_verilog
from narrows.sw.costs.work import useful_macs
from narrows.sw.errors import CapacityError
from narrows.sw.examples import digits_model
from narrows.sw.frontend import load_model
from narrows.sw.graph import Graph
from narrows.sw.passes import lower

SHARED = Path(os.environ.get("NARROWS_DATA", "."))  # a folder of models and data that are not ours to ship
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


@pytest.fixture(scope="module")
def digits() -> Graph:
    with digits_model() as path:
        return lower(load_model(path))


@pytest.mark.parametrize("config", bench.CONFIGS)
def test_weights_of_8_bits_take_twice_the_passes_and_nothing_else(digits: Graph, config: str) -> None:
    narrow, wide = (bench.row(digits, config, formats) for formats in ("W4A8", "W8A8"))
    for row in (narrow, wide):
        assert row.macs_per_cycle == useful_macs(digits) / row.cycles
        assert row.utilisation == pytest.approx(row.macs_per_cycle / bench.CONFIGS[config].macs)
    assert narrow.cycles < wide.cycles < 2 * narrow.cycles
    assert (narrow.dsp, narrow.lut_estimate) == (wide.dsp, wide.lut_estimate)


@pytest.mark.parametrize("core", [*bench.CONFIGS.values(), dataclasses.replace(bench.CONFIGS["6x4x16"], rows=5)])
def test_as_many_hard_multipliers_as_the_array_has_instances(core: AcceleratorConfig) -> None:
    lanes = dataclasses.replace(core, lanes=4, dsp_lanes=core.dsp_lanes // 4, rescalers=4)  # elaborates in a moment
    assert 4 * bench.hard_multipliers(lanes) == bench.hard_multipliers(core)
    assert bench.hard_multipliers(lanes) == to_verilog(lanes).count("narrows_mul mul (")


def test_a_model_that_does_not_fit_is_one_line(digits: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    small = dataclasses.replace(bench.CONFIGS["6x4x16"], weight_words=16)
    monkeypatch.setitem(bench.CONFIGS, "6x4x16", small)
    with pytest.raises(CapacityError, match=r"^.* in W8A8 on 6x4x16: .*weight_words") as caught:
        bench.row(digits, "6x4x16", "W8A8")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not (SHARED / "models").is_dir(), reason="needs the models of $NARROWS_DATA")
def test_the_pages_figures(tmp_path: Path) -> None:
    written, page = tmp_path / "bytes.json", PAGE.read_text(encoding="utf-8")
    bench.main(models=SHARED / "models", json_file=written)
    rows = json.loads(written.read_text())["rows"]
    assert [(row["config"], row["formats"]) for row in rows] == [
        (config, formats) for config in bench.CONFIGS for formats in bench.FORMATS
    ]
    for row in rows:
        assert f"{row['cycles']:,}" in page and f"({row['macs_per_cycle']:.1f}" in page, row
