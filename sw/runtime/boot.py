"""boot_image: a program as a core loads it by itself, from a flash memory."""

from __future__ import annotations

from ...hw.spec.config import AcceleratorConfig
from ..linked import Linked
from ..program import Program
from .driver import Driver
from .recorder import Recorder
from .resident import Resident
from .serving import Serving
from .transport import run_sync

__all__ = ["boot_image"]


def boot_image(program: Program | Linked, config: AcceleratorConfig, serving: Serving | None = None) -> bytes:
    """Image (`hw/spec/boot.py`) of what the ordinary driver writes when it loads a program.

    Parameters
    ----------
    program : Program or Linked
        Of several programs the first one is selected after a reset.
    config : AcceleratorConfig
        Of the core that is to load it: whether that has a frame memory decides about the image, too.
    serving : Serving, optional
        How it then serves frames that its stream brings, which it counts.

    Raises
    ------
    ProgramMismatch
        If the program was compiled for another configuration.
    TransportError
        If the core has a backing store, which no image fills.
    """
    recorder = Recorder(config)
    if isinstance(program, Linked):
        resident = Resident(recorder, config)
        run_sync(resident.load(program))
        driver = resident.driver
    else:
        driver = Driver(recorder, config)
        run_sync(driver.load(program))
    if serving is not None:
        run_sync(driver.serve(serving, counted=True))
    return recorder.image()
