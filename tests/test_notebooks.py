"""The notebooks run to their end: what they assert holds."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_some() -> None:
    assert len(NOTEBOOKS) >= 7


@pytest.mark.skipif(not importlib.util.find_spec("nbmake"), reason="needs the extra docs")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    options = ["--nbmake", "--nbmake-timeout=300", "-p", "no:cacheprovider", "-q", f"--rootdir={tmp_path}"]
    command = [sys.executable, "-m", "pytest", "-c", str(tmp_path / "none.ini"), *options, str(notebook)]
    (tmp_path / "none.ini").touch()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(notebook: Path) -> None:
    text = notebook.read_text(encoding="utf-8")
    assert text.count('"outputs": []') == text.count('"cell_type": "code"') > 0
    assert text.count('"execution_count": null') == text.count('"cell_type": "code"')
