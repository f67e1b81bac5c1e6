"""`import narrows`: light, complete, of one version; `python -m narrows` is the command line."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import narrows
import narrows.boards
import narrows.hw
import narrows.sim
import narrows.sw
import pytest
from narrows.sw.errors import NarrowsError

ROOT = Path(__file__).parents[3]
HEAVY = ("amaranth", "cocotb", "matplotlib", "numpy", "onnx", "onnxruntime", "rich", "torch", "typer")
ALOOF = {"NotCompared", "NotWanted", "_Broken", "_TransferError"}  # caught where they are raised
OPTIONAL = (".train", ".litert", ".axi_bench")  # need packages that are not always there


def test_importing_it_imports_nothing_heavy() -> None:
    code = f"import sys, narrows; sys.exit(any(name in sys.modules for name in {HEAVY}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_configuration_needs_no_generator() -> None:
    heavy = tuple(name for name in HEAVY if name != "numpy")
    code = f"import sys, narrows; narrows.Config('tiny'); sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_all_that_is_offered_is_there_and_nothing_else() -> None:
    for name in narrows.__all__:
        assert getattr(narrows, name) is not None
        assert name in dir(narrows)
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        narrows.laod  # noqa: B018


def test_the_version_is_that_of_the_project() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert narrows.__version__ == settings["project"]["version"]
    assert (ROOT / "sw" / "package" / "py.typed").exists()


def test_the_module_is_the_command_line() -> None:
    found = subprocess.run([sys.executable, "-m", "narrows", "--help"], check=False, capture_output=True, text=True)
    assert found.returncode == 0
    assert "narrows demo" in found.stdout


def test_all_errors_have_one_root() -> None:
    found = {}
    for tree in (narrows.hw, narrows.sw, narrows.sim, narrows.boards):
        for module in pkgutil.walk_packages(tree.__path__, f"{tree.__name__}."):
            if module.name.endswith("__main__") or any(part in module.name for part in OPTIONAL):
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                own = isinstance(value, type) and value.__module__.startswith("narrows.")
                if own and issubclass(value, Exception) and not issubclass(value, Warning):
                    found[name] = value
    assert {"ConfigError", "IsaError", "BoardError", "TransportError", "SimulationError"} <= found.keys()
    assert {name for name, value in found.items() if not issubclass(value, NarrowsError)} == ALOOF & found.keys()
