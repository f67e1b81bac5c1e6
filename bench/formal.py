"""Proofs that take longer than the tests' ones: wider sums, multiplicands and digits.

python bench/formal.py            # each within a few minutes
python bench/formal.py --deep     # without a limit worth the name
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from narrows.hw.spec.config import AcceleratorConfig
from narrows.hw.spec.formats import DyBit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from claims_array import accumulator_claim, digits_claim, dot_claim
from claims_drain import rescaler_claim, result_claim
from narrows.hw.spec.pipeline import pipeline
from prover import Claim, ProofError, Verdict, prove_bounded, prove_flushed, prove_induction


def main() -> int:
    """Print the verdicts; 1 if a claim was not proven."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deep", action="store_true", help="the hardest, too, and an hour for each question")
    options = parser.parse_args()
    failures = 0
    for prove, claim, cycles in _proofs(options.deep):
        try:
            verdict = prove(claim, cycles, timeout=3600 if options.deep else 600)
            failures += not verdict.proven
            sys.stdout.write(f"{verdict}\n")
        except ProofError as error:
            failures += 1
            sys.stdout.write(f"{error}\n")
        sys.stdout.flush()
    return min(failures, 1)


def _proofs(deep: bool) -> Iterator[tuple[Callable[..., Verdict], Claim, int]]:
    for lanes, tree_stage in ((16, 2), (32, 2)):
        machine = _config(lanes=lanes, tree_stage=tree_stage)
        yield prove_flushed, dot_claim(machine), pipeline(machine).dot_product
    machine = _config(lanes=4, tree_stage=1)
    yield prove_flushed, dot_claim(machine, by_nodes=False), pipeline(machine).dot_product
    for planes in ((2, 2), (3, 1), *(((2, 3), (3, 3)) if deep else ())):
        claim, cycles = digits_claim(_config(acc_bits=20), planes)
        yield prove_bounded, claim, cycles
    for lanes, acc_bits in ((4, 12), (2, 16), (4, 16), *(((8, 16),) if deep else ())):
        for span in ((-16, 16), (-4, 16)):
            yield prove_induction, accumulator_claim(_config(lanes=lanes, acc_bits=acc_bits), span), 1
    for acc_bits, bits in ((16, 4), (12, 6), (12, 8), *(((16, 8),) if deep else ())):
        for planes in (1, 3):
            machine = _config(acc_bits=acc_bits, rescale_bits=bits, planes=planes)
            yield prove_flushed, rescaler_claim(machine), pipeline(machine).rescaler
        machine = _config(acc_bits=acc_bits, rescale_bits=bits, planes=1)
        yield prove_flushed, result_claim(machine, DyBit(4)), pipeline(machine).rescaler + pipeline(machine).encoder


def _config(**parameters: int) -> AcceleratorConfig:
    return AcceleratorConfig(**{"rows": 1, "columns": 1, "lanes": 2, "rescalers": 1, **parameters})


if __name__ == "__main__":
    sys.exit(main())
