"""core_ports: the pins of a core, read from its Verilog."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Port", "core_ports"]

_MODULE = re.compile(r"^module narrows_core\(.*?^endmodule", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"^\s*(input|output)\s+(?:\[(\d+):0\]\s+)?(\w+);", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Port:
    """A pin or a vector of pins; ``direction`` is ``"input"`` or ``"output"``."""

    name: str
    direction: str
    width: int


def core_ports(verilog: str) -> tuple[Port, ...]:
    """Ports of module ``narrows_core``, the clock and the reset first, then by name.

    Raises
    ------
    ValueError
        If the text has no such module.
    """
    module = _MODULE.search(verilog)
    if module is None:
        raise ValueError("the Verilog has no module narrows_core")
    ports = [
        Port(name=name, direction=direction, width=int(high or 0) + 1)
        for direction, high, name in _PORT.findall(module[0])
    ]
    return tuple(sorted(ports, key=lambda port: (port.name not in ("clk", "rst"), port.name)))
