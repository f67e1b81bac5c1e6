"""Activity: counts are those of a waveform of the same run, and what two runs share is in neither's difference."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from frame_cores import FRAME_CORE
from narrows.hw.core_verilog import CoreVerilog
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sim.cosim.activity import measure_activity
from narrows.sim.cosim.errors import SimulationError
from narrows.sim.cosim.inference import run_program
from narrows.sim.cosim.saif import Switching, read_saif
from program_batch import random_program
from random_graphs import random_levels

CONFIG = AcceleratorConfig(**FRAME_CORE | {"frame_bytes": 0, "columns": 1, "lanes": 2})


def changes_of_waveform(path: Path) -> dict[tuple[str, ...], int]:
    """Bits of all signals of each instance that changed, in a VCD; each from its first value on."""
    scope: list[str] = []
    owners: dict[str, list[tuple[str, ...]]] = {}
    values: dict[str, str] = {}
    toggles: Counter[tuple[str, ...]] = Counter()
    widths: dict[str, int] = {}
    with path.open() as lines:
        for line in lines:
            words = line.split()
            if line.startswith("$scope") or " $scope" in line:
                scope.append(words[words.index("$scope") + 2])
            elif "$upscope" in line:
                scope.pop()
            elif "$var" in line:
                at = words.index("$var")
                owners.setdefault(words[at + 3], []).append(tuple(scope))
                widths[words[at + 3]] = int(words[at + 2])
            elif found := re.match(r"b([01]+) (\S+)|([01])(\S+)$", line.strip()):
                value, code = (found[1], found[2]) if found[1] else (found[3], found[4])
                value = value.zfill(widths[code])
                if code in values:
                    changed = sum(a != b for a, b in zip(values[code], value, strict=True))
                    for owner in owners[code]:
                        toggles[owner] += changed
                values[code] = value
    return toggles


def test_counts_are_those_of_the_waveform_and_of_one_sample(tmp_path: Path) -> None:
    program, _ = random_program(CONFIG, 3, 2)
    rng = np.random.default_rng(5)
    levels = np.array([random_levels(program.graph, rng) for _ in range(2)])
    found = measure_activity(program, levels, verilog=CoreVerilog(CONFIG), saif=tmp_path / "all.saif")
    whole = read_saif(tmp_path / "all.saif")
    for count in (1, 2):
        folder = tmp_path / str(count)
        run = run_program(program, levels[:count], verilog=CoreVerilog(CONFIG), work_folder=folder, waves=True)
    one, two = (changes_of_waveform(tmp_path / str(count) / "dump.vcd") for count in (1, 2))
    name = ("bench", "core", "compute", "drain")
    assert found.samples == 1
    assert found.modules[name[2:]].toggles > 0
    differing = {
        place: (found.modules[place[2:]].toggles, two[place] - one[place])
        for place in whole.instances
        if place[:2] == ("bench", "core") and found.modules[place[2:]].toggles != two[place] - one[place]
    }
    assert differing == {}
    total = found.within(())
    assert total == Switching(
        sum(each.bits for each in found.modules.values()), sum(each.toggles for each in found.modules.values())
    )
    assert found.paths(1)[0] == () and ("compute",) in found.paths(1)
    assert found.cycles < run.sim_cycles


def test_one_sample_is_no_difference() -> None:
    program, levels = random_program(CONFIG, 3, 2)
    with pytest.raises(ValueError, match="two samples at least"):
        measure_activity(program, levels, verilog=CoreVerilog(CONFIG))


def test_half_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "half.saif").write_text("(SAIFILE\n(DURATION 30)\n (INSTANCE bench\n  (NET\n   (a (T0 3) (TC 2))\n")
    with pytest.raises(SimulationError, match="ends too soon"):
        read_saif(tmp_path / "half.saif")
