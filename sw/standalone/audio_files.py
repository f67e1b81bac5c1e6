"""audio_files: the front end of keyword models in C, with its tables."""

from __future__ import annotations

from pathlib import Path

from ..audio import tables
from .model_data import c_array

__all__ = ["audio_files"]

_SOURCES = ("narrows_audio.h", "narrows_audio.c")


def audio_files() -> dict[str, str]:
    """Texts by file name: ``narrows_audio.h``, ``narrows_audio.c`` and the tables that it includes."""
    texts = {name: (Path(__file__).parent / name).read_text(encoding="utf-8") for name in _SOURCES}
    return texts | {"narrows_audio_tables.h": _tables()}


def _tables() -> str:
    gains = ",\n".join("    {" + ", ".join(map(str, row)) + "}" for row in tables.GAINS.tolist())
    parts = [
        "/* Tables of narrows_audio.c. Generated; do not edit. */",
        f"enum {{ FIRST_BIN = {tables.FIRST_BIN} }}; /* of the spectrum that counts */",
        c_array("int16_t", "window", tables.WINDOW, "{}"),
        c_array("int16_t", "quarter_sine", tables.QUARTER_SINE, "{}"),
        c_array("uint8_t", "band_ends", tables.BAND_ENDS, "{}"),
        c_array("int16_t", "band_weights", tables.BAND_WEIGHTS, "{}"),
        f"static const int16_t gains[][3] = {{\n{gains}}};",
        c_array("int16_t", "logs", tables.LOGS, "{}"),
    ]
    return "\n\n".join(parts) + "\n"
