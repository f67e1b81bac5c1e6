"""The house is in order: packages are listed, data is shipped, imports go one way."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREES = ("hw", "sw", "sim", "boards")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def package_of(folder: Path) -> str:
    """The package that a folder of the trees is; one of them is `narrows` itself."""
    name = ".".join(("narrows", *folder.relative_to(ROOT).parts))
    return name.removesuffix(".sw.package")


def test_every_folder_with_sources_is_a_listed_package() -> None:
    folders = {path.parent for tree in TREES for path in (ROOT / tree).rglob("*.py")}
    found = {package_of(folder) for folder in folders}
    assert set(SETTINGS["tool"]["setuptools"]["packages"]) == found


def test_every_data_file_is_listed_and_installed() -> None:
    listed = SETTINGS["tool"]["setuptools"]["package-data"]
    found: dict[str, set[str]] = {}
    for tree in TREES:
        for path in (ROOT / tree).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc") and "__pycache__" not in path.parts:
                package = package_of(path.parent)
                found.setdefault(package, set()).add(path.name)
    assert {package: set(names) for package, names in listed.items()} == found
    for package, names in found.items():
        for name in names:
            assert resources.files(package).joinpath(name).is_file()


@pytest.mark.parametrize("folder", [*TREES, "tests", "bench"])
def test_no_module_imports_a_tree_by_its_folder(folder: str) -> None:
    # hw.spec beside narrows.hw.spec would be a second copy of every enum
    pattern = re.compile(rf"^\s*(from|import) ({'|'.join(TREES)})\b", re.MULTILINE)
    wrong = [str(path) for path in (ROOT / folder).rglob("*.py") if pattern.search(path.read_text(encoding="utf-8"))]
    assert wrong == []


def test_every_module_says_what_it_is_for_and_what_it_offers() -> None:
    for tree in TREES:
        for path in (ROOT / tree).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if text:
                assert text.startswith('"""'), f"{path} has no docstring"
                assert path.name == "__init__.py" or "\n__all__ = [" in text, f"{path} has no __all__"


def test_the_contract_needs_no_hardware_library() -> None:
    code = "import sys, narrows.hw.spec.isa, narrows.hw.spec.registers; sys.exit('amaranth' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_needs_no_heavy_library() -> None:
    code = (
        "import sys; from narrows.sw.cli import run; status = run(['--help']); "
        "sys.exit(status or any(name in sys.modules for name in ('onnx', 'amaranth', 'matplotlib', 'cocotb')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL).returncode == 0


def test_make_and_ci_are_there() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert all(f"\n{target}:" in makefile for target in ("demo", "test", "lint"))


def test_workflows_give_no_command_that_a_checkout_does_not_have() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    known = {".ci/run", *(f"make {target}" for target in targets)}
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        commands = re.findall(r"\brun: *(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert commands, path.name
        assert set(commands) <= known, path.name


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {SETTINGS['project']['version']}\n" in citation
    assert f"\nlicense: {SETTINGS['project']['license']}\n" in citation
