"""identity: what tells installations apart."""

import shutil
import subprocess
import sys
from pathlib import Path

import narrows.sw
from narrows.sw.tasks.identity import identity

TREES = Path(narrows.sw.__path__[0]).parent
SCRIPT = """
import importlib.machinery, sys, types
root = {root!r}
narrows = types.ModuleType("narrows")
narrows.__path__ = [root]
sys.modules["narrows"] = narrows
from narrows.sw.tasks.identity import identity
print(identity())
"""


def elsewhere(root):
    """The identity of a copy."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(root=str(root))], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_copy_is_the_same_until_a_module_differs(tmp_path):
    for tree in ("hw", "sw", "sim", "boards"):
        shutil.copytree(TREES / tree, tmp_path / tree, ignore=shutil.ignore_patterns("__pycache__", "package"))
    shutil.copy(TREES / "pyproject.toml", tmp_path)
    assert elsewhere(tmp_path) == identity()
    with (tmp_path / "sim" / "golden.py").open("a") as file:
        file.write("# changed\n")
    assert elsewhere(tmp_path) != identity()
