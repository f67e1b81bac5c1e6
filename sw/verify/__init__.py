"""Do the engines agree, and if not, where does the first difference come from?"""

from __future__ import annotations

from .comparison import Comparison, Mismatch, compare_engines, compare_predicted, compare_runs

__all__ = ["Comparison", "Mismatch", "compare_engines", "compare_predicted", "compare_runs"]
