"""Two programs side by side: rows by what they are, ratios B / A, nothing that neither has."""

from __future__ import annotations

from typing import Any

from narrows.sw.report.compared import compare


def summary(**own: Any) -> dict[str, Any]:
    layers = [{"name": "conv", "cycles": 100}, {"name": "dense", "cycles": 10}]
    known = {"name": "net", "rows": 4, "columns": 2, "lanes": 8, "base": "int4", "config": "0123abcd", "macs": 64}
    return known | {"cycles": 110, "layers": layers, "total": {"loaded": 0}, "record": {}, "samples": None} | own


def test_totals() -> None:
    found = compare(summary(), summary(cycles=55, samples={"accuracy": 0.5}))
    rows = {row["what"]: (row["a"], row["b"], row["ratio"]) for row in found["totals"]}
    assert rows["clock cycles for a sample"] == (110, 55, 0.5)
    assert rows["right answers of the samples"] == (None, 0.5, None)
    assert rows["multiply-accumulate units"] == (64, 64, 1)
    assert "bytes loaded from a backing store" not in rows, "neither loads any"
    assert found["a"] == {"name": "net", "about": "4 x 2 x 8 of int4, configuration 0123abcd"}


def test_noise_is_compared_where_it_is_beside_the_same() -> None:
    def noisy(beside_float: bool) -> dict[str, Any]:
        return summary(samples={"errors": {"snr_db": 20.0, "beside_float": beside_float}})

    shown = [[row["what"] for row in compare(noisy(True), noisy(same))["totals"]] for same in (True, False)]
    assert [sum("noise" in what for what in each) for each in shown] == [1, 0]


def test_layers_by_name() -> None:
    other = summary(layers=[{"name": "copy", "cycles": 7}, {"name": "dense", "cycles": 20}])
    rows = compare(summary(), other)["layers"]
    assert [(row["number"], row["name"], row["ratio"]) for row in rows] == [
        (1, "conv", None),
        (2, "dense", 2.0),
        (0, "copy", None),
    ]
    assert rows[0]["b"] is None and rows[2]["a"] is None
