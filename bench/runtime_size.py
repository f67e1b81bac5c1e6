"""How large the runtime is: what `pip install 'narrows[run]'` puts onto a disk, package by package.

    python bench/runtime_size.py dist/narrows-0.2.0-py3-none-any.whl                          # of `make dist`
    python bench/runtime_size.py dist/narrows-0.2.0-py3-none-any.whl --python python3.13      # another interpreter

Installs the wheel into an environment of its own and adds up the sizes of all files that pip has recorded, in MB of
10**6 bytes; byte code, which pip makes at installation unless told ``--no-compile``, is counted apart.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Annotated

import typer
from narrows.sw.results import write_json
from rich.console import Console
from rich.table import Table

__all__ = ["Row", "installed", "sizes"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """An installed package: bytes of its files, and of the byte code that its modules become."""

    package: str
    files: int
    byte_code: int


def sizes(site: Path) -> list[Row]:
    """The packages of a folder of packages, the largest first."""
    rows = [_row(each, site) for each in distributions(path=[str(site)])]
    return sorted(rows, key=lambda row: (-row.files, row.package))


def _row(package: Distribution, site: Path) -> Row:
    paths = [site / str(path) for path in package.files or ()]
    found = {path: path.stat().st_size for path in paths if path.is_file()}
    byte_code = sum(size for path, size in found.items() if path.suffix == ".pyc")
    name = f"{package.metadata['Name']} {package.version}"
    return Row(package=name, files=sum(found.values()) - byte_code, byte_code=byte_code)


def installed(wheel: Path, python: str, folder: Path) -> Path:
    """The folder of packages of an environment in ``folder`` that has the runtime of a wheel, and nothing else.

    Raises
    ------
    subprocess.CalledProcessError
        If an interpreter or pip fails.
    """
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", f"{wheel.resolve()}[run]"], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    return site


def main(
    wheel: Annotated[Path, typer.Argument(help="As `make dist` makes it.", exists=True, dir_okay=False)],
    python: Annotated[str, typer.Option(help="Interpreter of the environment.")] = sys.executable,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Install the runtime and print what it takes."""
    with tempfile.TemporaryDirectory() as folder:
        rows = sizes(installed(wheel, python, Path(folder)))
    table = Table("package", "MB", "byte code, MB")
    total = Row(package="sum", files=sum(row.files for row in rows), byte_code=sum(row.byte_code for row in rows))
    for row in [*rows, total]:
        table.add_row(row.package, f"{row.files / 1e6:.2f}", f"{row.byte_code / 1e6:.2f}")
    Console().print(table)
    write_json(json_file, [asdict(row) for row in rows])


if __name__ == "__main__":
    typer.run(main)
