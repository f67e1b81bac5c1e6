"""Formats of a network as a TOML file: what `narrows search` writes and `narrows compile --formats` reads."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..names import toml_key
from .settings import LayerFormats, QuantSettings

__all__ = ["load_settings", "settings_text"]

_LAYERS = "layers"


def load_settings(path: Path) -> QuantSettings:
    """Settings from a TOML file: parameters of `QuantSettings` by name, layers as tables ``[layers."NAME"]``.

    Raises
    ------
    InputError
        If the file cannot be read or parsed, or names an unknown parameter or format.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read formats {path}: {error}") from error
    layers = values.pop(_LAYERS, {})
    if not isinstance(layers, dict) or not all(isinstance(entry, dict) for entry in layers.values()):
        raise InputError(f'{path}: layers must be tables such as [layers."conv1"]')
    try:
        return QuantSettings(
            **_known(values, QuantSettings, path),
            layers={name: LayerFormats(**_known(entry, LayerFormats, path)) for name, entry in layers.items()},
        )
    except TypeError as error:
        raise InputError(f"{path}: {error}") from error


def settings_text(settings: QuantSettings) -> str:
    """The file of some settings; what has its default is left out, but for the formats of all layers."""
    defaults = QuantSettings()
    lines = []
    for entry in fields(settings):
        value = getattr(settings, entry.name)
        always = entry.name in ("weights", "acts")
        if entry.name != _LAYERS and (always or value != getattr(defaults, entry.name)):
            lines.append(f"{entry.name} = {json.dumps(value)}")
    for name, formats in settings.layers.items():
        lines += ["", f"[{_LAYERS}.{toml_key(name)}]"]
        lines += [f'{key} = "{value}"' for key, value in vars(formats).items() if value is not None]
    return "\n".join(lines) + "\n"


def _known(values: dict[str, Any], kind: type, path: Path) -> dict[str, Any]:
    names = [entry.name for entry in fields(kind) if entry.name != _LAYERS]
    for name in values:
        if name not in names:
            raise InputError(f"{path}: unknown parameter {name!r}: the parameters are {', '.join(names)}")
    return values
