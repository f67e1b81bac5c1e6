"""load_config: a configuration from a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from .config import PRESETS, AcceleratorConfig, ConfigError
from .errors import among

__all__ = ["load_config"]


def load_config(path: Path) -> AcceleratorConfig:
    """Configuration from a TOML file: a flat table of parameters, optionally on top of ``preset = "NAME"``.

    Raises
    ------
    ConfigError
        If the file cannot be read or parsed, or names an unknown preset or parameter.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read configuration {path}: {error}") from error
    base: dict[str, Any] = {}
    if (preset := values.pop("preset", None)) is not None:
        if not isinstance(preset, str) or preset not in PRESETS:
            raise ConfigError(f"unknown preset {preset!r} in {path}: {among(preset, 'presets', PRESETS)}")
        base = PRESETS[preset].to_dict()
    return AcceleratorConfig.from_dict(base | values)
