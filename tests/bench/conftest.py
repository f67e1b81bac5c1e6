"""The benchmark's modules, which are not installed, made importable."""

import sys
from pathlib import Path

_BENCH = Path(__file__).parents[2] / "bench"

sys.path[:0] = [str(_BENCH), str(_BENCH / "quantisation"), str(_BENCH / "quantisation" / "zoo")]
