"""compare: two programs' summaries side by side, as the report shows and writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["compare"]

_WHOLE, _SHARE = "{:,.0f}", "{:.1%}"

_ERRORS = ("samples", "errors")

_TOTALS = (
    ("clock cycles for a sample", ("cycles",), _WHOLE),
    ("samples a second", ("samples_per_second",), _WHOLE),
    ("at MHz", ("mhz",), "{:g}"),
    ("multiply-accumulate units", ("macs",), _WHOLE),
    ("share of slots that do useful work", ("utilisation",), _SHARE),
    ("right answers of the samples", ("samples", "accuracy"), _SHARE),
    ("signal over noise of the outputs, dB", (*_ERRORS, "snr_db"), "{:.1f}"),
    ("right answers when it was made", ("record", "quality", "accuracy"), _SHARE),
    ("accumulator bits", ("acc_bits",), _WHOLE),
    ("certified bits", ("cert_bits",), _WHOLE),
    ("bytes of weights", ("total", "weight_bytes"), _WHOLE),
    ("bytes written", ("total", "written_bytes"), _WHOLE),
    ("bytes loaded from a backing store", ("total", "loaded"), _WHOLE),
    ("look-up tables on an ECP5, estimated", ("cells", "luts"), _WHOLE),
    ("block RAMs on an ECP5, estimated", ("cells", "brams"), _WHOLE),
)


def compare(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Any]:
    """Totals and layers of two programs.

    Parameters
    ----------
    a, b : mapping
        What `summary.summarise` gives, with ``cells`` and ``samples`` where they are known.

    Returns
    -------
    dict
        ``totals`` are rows of ``what``, ``a``, ``b``, how to write them (``form``) and ``ratio`` (B / A); figures that
        neither has are left out. ``layers`` are rows by name, in the order of A, then those that B alone has:
        ``number`` is the layer's in A, 0 for these, ``a`` and ``b`` are rows of the summaries or None.
    """
    totals = []
    references = {_found(one, (*_ERRORS, "beside_float")) for one in (a, b)}
    for what, path, form in _TOTALS:
        if path[: len(_ERRORS)] == _ERRORS and len(references) > 1:  # noise beside floats, and beside own weights
            continue
        values = [_found(one, path) for one in (a, b)]
        if any(value for value in values):
            totals.append({"what": what, "a": values[0], "b": values[1], "form": form, "ratio": _ratio(*values)})
    return {"a": _about(a), "b": _about(b), "totals": totals, "layers": _layers(a["layers"], b["layers"])}


def _about(summary: Mapping[str, Any]) -> dict[str, Any]:
    shape = f"{summary['rows']} x {summary['columns']} x {summary['lanes']} of {summary['base']}"
    return {"name": summary["name"], "about": f"{shape}, configuration {summary['config']}"}


def _layers(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    others = {row["name"]: row for row in b}
    rows = []
    for number, row in enumerate(a, start=1):
        other = others.pop(row["name"], None)
        ratio = None if other is None else _ratio(row["cycles"], other["cycles"])
        rows.append({"number": number, "name": row["name"], "a": row, "b": other, "ratio": ratio})
    return rows + [{"number": 0, "name": name, "a": None, "b": row, "ratio": None} for name, row in others.items()]


def _found(summary: Any, path: Sequence[str]) -> Any:
    """What lies at the end of a path of keys, or None."""
    for key in path:
        summary = summary.get(key) if isinstance(summary, Mapping) else None
    return summary


def _ratio(a: Any, b: Any) -> float | None:
    return b / a if a and b is not None else None
