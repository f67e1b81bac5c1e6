"""narrows: trained networks on small FPGAs, in narrow arithmetic that is exact to the bit.

    import narrows

    model   = narrows.load("model.onnx")
    config  = narrows.Config("medium", acc_bits=14)
    program = model.quantize(calib, weights="dybit4").compile(config)
    y       = program.run(x)
    program.verify(x)
    program.verilog("ip/core.v", wrapper="wishbone")
    program.save("m.nrw")

Everything is imported when it is used first: ``import narrows`` itself takes milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from narrows.sw.api.agreement import Agreement
    from narrows.sw.api.config import Config
    from narrows.sw.api.doctor import Examination
    from narrows.sw.api.explaining import Explanation
    from narrows.sw.api.frameworks import from_keras, from_torch
    from narrows.sw.api.linked import Linked, link
    from narrows.sw.api.load import Example, example, load
    from narrows.sw.api.model import Model
    from narrows.sw.api.program import Program
    from narrows.sw.api.quantised import Quantised
    from narrows.sw.api.result import Result
    from narrows.sw.api.searching import Found
    from narrows.sw.api.training import Trained
    from narrows.sw.errors import NarrowsError
    from narrows.sw.listener import NarrowsWarning
    from narrows.sw.tasks import open_workers

__version__: str

__all__ = [
    "Agreement",
    "Config",
    "Example",
    "Examination",
    "Explanation",
    "Found",
    "Linked",
    "Model",
    "NarrowsError",
    "NarrowsWarning",
    "Program",
    "Quantised",
    "Result",
    "Trained",
    "__version__",
    "example",
    "from_keras",
    "from_torch",
    "link",
    "load",
    "open_workers",
]

_PLACES = {
    "Agreement": ".sw.api.agreement",
    "Config": ".sw.api.config",
    "Example": ".sw.api.load",
    "Examination": ".sw.api.doctor",
    "Explanation": ".sw.api.explaining",
    "Found": ".sw.api.searching",
    "Linked": ".sw.api.linked",
    "Model": ".sw.api.model",
    "NarrowsError": ".sw.errors",
    "NarrowsWarning": ".sw.listener",
    "Program": ".sw.api.program",
    "Quantised": ".sw.api.quantised",
    "Result": ".sw.api.result",
    "Trained": ".sw.api.training",
    "__version__": ".sw.version",
    "example": ".sw.api.load",
    "from_keras": ".sw.api.frameworks",
    "from_torch": ".sw.api.frameworks",
    "link": ".sw.api.linked",
    "load": ".sw.api.load",
    "open_workers": ".sw.tasks",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'narrows' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_PLACES[name], __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
