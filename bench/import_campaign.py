"""Campaign: random models over operators and attributes against the runtime that defines them.

    python bench/import_campaign.py --onnx 10000 --json campaign.json     # 10,000 ONNX models against onnxruntime
    python bench/import_campaign.py --onnx 1 --seed 4711                  # one model again, shown node by node
    python bench/import_campaign.py --onnx 0 --qdq 1000                   # 1,000 with quantisers around their tensors

Each model is read as commands read it. Its float graph must compute what onnxruntime computes without optimisations on
the file, to float rounding; of every --every-th one the golden model's 8-bit answer must come near as well. A model
that is refused is counted by its reason. Anything else is a difference, and printed with its seed. SAME padding with
a dilation is left out: onnxruntime refuses it for Conv and forgets the dilation in pools. Models with quantisers are
judged by the golden model alone, whose integers are theirs: sums half way between two levels may go to either.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from campaign.judges import Outcome, judge_onnx, judge_quantised, judge_seeds
from campaign.modules import MODULES, parts
from campaign.onnx_models import RandomModel
from narrows.sw.results import write_json
from narrows.sw.tasks import Workers, open_workers
from rich.console import Console
from rich.table import Table

_PART = 8
"""Models of a task."""


def reason(detail: str) -> str:
    """A refusal without what is special to a model."""
    text = re.sub(r"'[^']*'", "*", detail)
    text = re.sub(r"\([\d, ]+\)|-?\d+(\.\d+)?", "#", text)
    return re.sub(r"\(node \*\) ", "", text)[:150]


def outcomes(judge: Callable[[int], Outcome], seeds: range, workers: Workers) -> Iterator[Outcome]:
    """Outcomes of seeds, as they come."""
    for _, found in workers.run(judge_seeds, judge, parts(seeds, _PART)):
        yield from found


def summary(found: list[Outcome]) -> dict[str, Any]:
    """Counts by kind and by reason, and all that is wrong."""
    refused = Counter(reason(each.detail) for each in found if each.kind.startswith("refused"))
    errors = [each.golden for each in found if each.golden is not None]
    return {
        "models": len(found),
        "kinds": dict(Counter(each.kind for each in found)),
        "wrong": [asdict(each) for each in found if each.kind in ("different", "beyond", "crashed")],
        "golden": {"models": len(errors), "median": float(np.median(errors)) if errors else None},
        "refused": dict(refused.most_common()),
    }


def main(
    onnx_models: Annotated[int, typer.Option("--onnx", min=0, metavar="N", help="Random ONNX models.")] = 1000,
    qdq: Annotated[int, typer.Option(min=0, metavar="N", help="Random ONNX models that come quantised.")] = 0,
    seed: Annotated[int, typer.Option(metavar="S", help="Of the first model; the others follow.")] = 0,
    every: Annotated[int, typer.Option(min=1, metavar="K", help="Every K-th is quantised to 8 bits as well.")] = 10,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Models at once.")] = os.cpu_count() or 1,
    cluster: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="Instead: on the workers of this Dask scheduler.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all counts.")] = None,
) -> None:
    """Judge random models; exit status 1 if one is read wrongly."""
    console = Console(width=None if sys.stdout.isatty() else 180)
    if onnx_models == 1:
        console.print(str(RandomModel(seed)), markup=False)
    kinds: dict[str, tuple[Callable[[int], Outcome], int]] = {
        "onnx": (partial(judge_onnx, every=every), onnx_models),
        "qdq": (judge_quantised, qdq),
    }
    results = {}
    with open_workers(cluster, jobs if cluster is None else 1, modules=MODULES) as workers:
        for name, (judge, count) in kinds.items():
            if count:
                results[name] = _campaign(name, judge, range(seed, seed + count), workers, console)
    write_json(json_file, results)
    if any(result["wrong"] for result in results.values()):
        raise typer.Exit(1)


def _campaign(
    name: str, judge: Callable[[int], Outcome], seeds: range, workers: Workers, console: Console
) -> dict[str, Any]:
    """Counts of one kind of models, printed."""
    found = []
    for each in outcomes(judge, seeds, workers):
        found.append(each)
        if each.kind in ("different", "beyond", "crashed"):
            console.print(f"{name}, seed {each.seed}: {each.kind}: {each.detail}", markup=False)
    result: dict[str, Any] = summary(sorted(found, key=lambda each: each.seed)) | {"seeds": [seeds.start, seeds.stop]}
    table = Table("models", "refused because", box=None)
    for text, count in list(result["refused"].items())[:25]:
        table.add_row(str(count), text)
    console.print(table)
    shown = {key: result[key] for key in ("seeds", "models", "kinds", "golden")}
    console.print(f"{name}: {json.dumps(shown)}", markup=False)
    return result


if __name__ == "__main__":
    typer.run(main)
