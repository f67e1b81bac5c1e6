"""A core in a memory map: every access is one word, places are opened or refused in a line."""

from __future__ import annotations

import dataclasses
import mmap
from pathlib import Path

import numpy as np
import pytest
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from narrows.hw.spec.registers import MAGIC, Control, Register, Status
from narrows.sim.golden import GoldenModel
from narrows.sim.isa_transport import IsaTransport
from narrows.sw.compile import compile_graph
from narrows.sw.errors import InputError
from narrows.sw.runtime import Driver, TransportError, mapped, run_sync
from narrows.sw.runtime.mapped import MappedTransport, open_mapped
from random_graphs import CONFIGS, GraphBuilder, random_chain, random_levels

SPAN = 1 << 26


class ModelWords:
    """The words of a core's address space, each of which is an access of the machine's model; a run takes a while."""

    def __init__(self, config: AcceleratorConfig, polls: int = 0) -> None:
        self.core, self.polls, self.left = IsaTransport(config), polls, 0

    def __getitem__(self, index: int, /) -> int:
        word = int(run_sync(self.core.read(4 * index, 1))[0])
        if 4 * index == Register.STATUS.offset and self.left:
            self.left -= 1
            return int(Status.BUSY)
        return word

    def __setitem__(self, index: int, value: np.uint32, /) -> None:
        assert isinstance(value, np.uint32)
        run_sync(self.core.write(4 * index, np.array([value])))
        if 4 * index == Register.CONTROL.offset and value & Control.START:
            self.left = self.polls


@pytest.mark.parametrize(("seed", "name"), list(enumerate(CONFIGS)))
def test_random_programs_agree_with_the_golden_model(seed: int, name: str) -> None:
    config, rng = CONFIGS[name], np.random.default_rng(seed)
    program = compile_graph(random_chain(GraphBuilder(config, rng), 3), config)
    levels = random_levels(program.graph, rng)
    driver = Driver(MappedTransport(ModelWords(config, polls=seed)), config)
    run_sync(driver.load(program))
    golden = GoldenModel(program.graph, config).run(levels[np.newaxis])
    for tensor, found in run_sync(driver.infer(levels)).outputs.items():
        np.testing.assert_array_equal(found, golden[tensor][0])


def test_a_frame_is_written_to_the_frame_memory() -> None:
    config = dataclasses.replace(PRESETS["medium"], acc_bits=32, frame_bytes=2048)
    rng = np.random.default_rng(1)
    program = compile_graph(random_chain(GraphBuilder(config, rng), 2), config)
    levels = random_levels(program.graph, rng)
    driver = Driver(MappedTransport(ModelWords(config)), config)
    run_sync(driver.load(program))
    golden = GoldenModel(program.graph, config).run(levels[np.newaxis])
    for tensor, found in run_sync(driver.infer(levels)).outputs.items():
        np.testing.assert_array_equal(found, golden[tensor][0])


@pytest.mark.parametrize("cycles", [0, 200])
def test_a_run_that_goes_on_for_too_long_is_told(cycles: int) -> None:
    words = np.zeros(64, dtype=np.uint32)
    words[Register.STATUS.offset // 4] = Status.BUSY
    words[Register.CYCLES.offset // 4] = cycles
    with pytest.raises(TransportError, match="a run exceeds its time limit"):
        run_sync(MappedTransport(words).wait(100))


def test_a_place_without_a_core_is_told() -> None:
    driver = Driver(MappedTransport(np.zeros(SPAN // 4, dtype=np.uint32)), PRESETS["tiny"])
    program = compile_graph(random_chain(GraphBuilder(PRESETS["tiny"], np.random.default_rng(1)), 1), PRESETS["tiny"])
    with pytest.raises(TransportError, match="there is no narrows core: MAGIC reads 0x00000000"):
        run_sync(driver.load(program))


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in place of /dev/mem, of two spans, most of it holes."""
    file = tmp_path / "mem"
    with file.open("wb") as opened:
        opened.truncate(2 * SPAN)
    monkeypatch.setattr(mapped, "_MEMORY", file)
    return file


def test_a_physical_address_is_where_the_words_are(memory: Path) -> None:
    transport = open_mapped(f"mem:{SPAN:#x}")
    run_sync(transport.write(Register.MAGIC.offset, np.array([MAGIC, 5], dtype=np.uint32)))
    run_sync(transport.write(SPAN - 4, np.array([7], dtype=np.uint32)))
    with memory.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        found = np.frombuffer(whole[SPAN : SPAN + 8] + whole[-4:], dtype="<u4")
        assert whole[:8] == bytes(8)
    assert found.tolist() == [MAGIC, 5, 7]
    assert run_sync(transport.read(SPAN - 8, 2)).tolist() == [0, 7]


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in place of /dev/uio0, and what the kernel tells of it."""
    file = tmp_path / "uio0"
    with file.open("wb") as opened:
        opened.truncate(SPAN)
    told = tmp_path / "class" / "uio0" / "maps" / "map0"
    told.mkdir(parents=True)
    (told / "size").write_text("0x04000000\n")
    monkeypatch.setattr(mapped, "_UIO_MAPS", tmp_path / "class")
    return file


def test_a_uio_device_is_mapped_from_its_begin(device: Path) -> None:
    run_sync(open_mapped(f"uio:{device}").write(0, np.array([MAGIC], dtype=np.uint32)))
    assert device.read_bytes()[:4] == MAGIC.to_bytes(4, "little")


def test_a_uio_device_that_maps_too_little_is_refused(device: Path, tmp_path: Path) -> None:
    (tmp_path / "class" / "uio0" / "maps" / "map0" / "size").write_text("0x00010000\n")
    with pytest.raises(TransportError, match="maps 65,536 bytes, a core takes 64 MiB"):
        open_mapped(f"uio:{device}")


@pytest.mark.parametrize("place", ["", "mem", "uio:", "ram:0", "/dev/uio0"])
def test_a_place_that_is_none_says_which_there_are(place: str) -> None:
    with pytest.raises(InputError, match=r"physical address|say uio:/dev/uio0, or mem:0x40000000"):
        open_mapped(place)


@pytest.mark.parametrize(("address", "said"), [("here", "no physical address"), ("0x40010000", "multiple of 64 MiB")])
def test_an_address_that_is_none_is_refused(address: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        open_mapped(f"mem:{address}")


def test_what_cannot_be_opened_says_why(memory: Path, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TransportError, match=r"there is no UIO device .*uio7: name the core generic-uio"):
        open_mapped("uio:/dev/uio7")
    device.unlink()
    with pytest.raises(TransportError, match=r"there is no .*uio0 on this computer"):
        open_mapped(f"uio:{device}")
    with pytest.raises(TransportError, match=r"64 MiB from 0x8000000 of .* cannot be mapped"):
        open_mapped(f"mem:{2 * SPAN:#x}")

    def refused(path: Path, flags: int) -> int:
        raise PermissionError

    monkeypatch.setattr(mapped.os, "open", refused)
    with pytest.raises(TransportError, match="may not be opened: run as root"):
        open_mapped("mem:0x40000000")
