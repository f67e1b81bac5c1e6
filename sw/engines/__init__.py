"""What runs a program: models of it, its simulated Verilog, a board at a port, each behind the same protocol."""

from __future__ import annotations

from .catalogue import find_engine
from .engine import Engine, EngineName, EngineRun, Simulator

__all__ = ["Engine", "EngineName", "EngineRun", "Simulator", "find_engine"]
