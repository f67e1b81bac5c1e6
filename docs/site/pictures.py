"""The pictures of docs/pictures.md, from the code and from simulated signals.

    python docs/site/pictures.py           # writes docs/pictures/*.svg

`tests/test_pictures.py` makes them again and compares.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from narrows.sw.files import write_whole

sys.path.insert(0, str(Path(__file__).parent))
import core_pictures
import port_pictures
import run_pictures
from drawing import Drawing

__all__ = ["PICTURES", "main"]

_FOLDER = Path(__file__).parents[1] / "pictures"

PICTURES: dict[str, Callable[[], Drawing]] = {
    "block_diagram": core_pictures.block_diagram,
    "pipeline": core_pictures.pipeline_stages,
    "memories": core_pictures.memories,
    "walk": run_pictures.walk,
    "run": run_pictures.run_of_digits,
    "axi_lite": port_pictures.axi_lite,
    "wishbone": port_pictures.wishbone,
    "bare": port_pictures.bare,
    "serial_uart": port_pictures.uart,
    "serial_spi": port_pictures.spi,
}
"""Pictures by the name of their file."""


def main() -> None:
    """Write all of them."""
    _FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        write_whole(_FOLDER / f"{name}.svg", draw().svg().encode())


if __name__ == "__main__":
    main()
