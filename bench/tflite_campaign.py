"""Random TFLite files against LiteRT: what is imported computes what LiteRT's reference kernels do, or is refused.

    python bench/tflite_campaign.py --files 1000 --seed 0 --json tflite.json

Files are short chains of operators with random shapes and options, in float32, int8 or uint8. Whatever is imported is
held against LiteRT on noise, as `compile` does it: outputs first, then layer by layer, with room for double rounding.
A difference, or an error that is not one for users, is printed with its seed, and the exit status is 1.
"""

from __future__ import annotations

import collections
import re
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from narrows.sw.errors import ImportMismatch, NarrowsError
from narrows.sw.frontend import import_model
from narrows.sw.reference import judge
from narrows.sw.results import write_json
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from random_tflite import random_tflite  # of the tests, not installed


def verdict(seed: int, folder: Path) -> tuple[str, str]:
    """What became of a file (same, refused, different, crashed, not compared), and why."""
    content, operators = random_tflite(seed)
    path = folder / "model.tflite"
    path.write_bytes(content)
    chain = ", ".join(operators)
    try:
        found = judge(path, import_model(path))
    except ImportMismatch as error:
        return "different", f"{chain}: {error}"
    except NarrowsError as error:
        return "refused", re.sub(r"'[^']*'|\(\d[^)]*\)", "...", str(error))
    except Exception as error:  # that is what the campaign looks for
        return "crashed", f"{chain}: {error!r}"
    return ("same", "") if found.runtime else ("not compared", f"{chain}: {found.note}")


def main(
    files: Annotated[int, typer.Option(help="Files to try.", min=1)] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the first; each file has the next.")] = 0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the counts.")] = None,
) -> None:
    """Try random files and print what became of them."""
    fates: collections.Counter[str] = collections.Counter()
    reasons: collections.Counter[str] = collections.Counter()
    console = Console(width=150, highlight=False, markup=False)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(seed, seed + files):
            fate, why = verdict(number, Path(folder))
            fates[fate] += 1
            if fate == "refused":
                reasons[why] += 1
            elif why:
                console.print(f"seed {number}, {fate}: {why}")
    console.print(f"seeds {seed} to {seed + files - 1}: " + ", ".join(f"{n} {fate}" for fate, n in fates.items()))
    for why, count in reasons.most_common(15):
        console.print(f"{count:5} {why}")
    write_json(json_file, {"fates": fates, "refused": reasons})
    if fates["different"] or fates["crashed"] or fates["not compared"]:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
