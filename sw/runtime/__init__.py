"""The host's side of a core: one driver over any transport."""

from .doubts import input_doubts
from .driver import Driver
from .run_result import RunResult
from .tensors import accuracy, clamped_share, prepare_input, restore_outputs
from .transport import Transport, TransportError, run_sync

__all__ = [
    "Driver",
    "RunResult",
    "Transport",
    "TransportError",
    "accuracy",
    "clamped_share",
    "input_doubts",
    "prepare_input",
    "restore_outputs",
    "run_sync",
]
