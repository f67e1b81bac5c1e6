"""The examples' modules, which are not installed, made importable."""

import sys
from pathlib import Path

_EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"

sys.path[:0] = [str(folder) for folder in sorted(_EXAMPLES.iterdir()) if folder.is_dir()]
