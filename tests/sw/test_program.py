"""A program file gives back the program it was written from, or one clear line."""

import dataclasses
import hashlib
import io
import json
import struct
import zipfile

import numpy as np
import pytest
from narrows.hw.spec.registers import Region
from narrows.sw.errors import ProgramError, ProgramMismatch
from narrows.sw.graph_io import graph_from_parts, graph_to_parts
from narrows.sw.heads import HostFunction
from narrows.sw.outputs import Output
from narrows.sw.program import Program
from narrows.sw.quantised import MacLayer

HEADER = struct.Struct("<8sIQ32s")
TABLES = ("instructions", "blocks", "taps", "params", "weights")


def repacked(data, payload):
    magic, version, *_ = HEADER.unpack_from(data)
    return HEADER.pack(magic, version, len(payload), hashlib.sha256(payload).digest()) + payload


def test_a_saved_program_loads_equal(tiny_program, tmp_path):
    path = tmp_path / "tiny.nrw"
    tiny_program.save(path)
    loaded = Program.load(path)
    assert loaded.to_bytes() == tiny_program.to_bytes()
    for name in TABLES:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(tiny_program, name))
        assert getattr(loaded, name).dtype == np.uint32
    assert loaded.config == tiny_program.config
    assert (loaded.layouts, loaded.layers) == (tiny_program.layouts, tiny_program.layers)
    graph, expected = loaded.graph, tiny_program.graph
    assert (graph.name, graph.tensors, graph.input, graph.outputs) == (
        expected.name,
        expected.tensors,
        expected.input,
        expected.outputs,
    )
    assert graph.layers[1] == expected.layers[1]
    layer, expected_layer = graph.layers[0], expected.layers[0]
    assert isinstance(layer, MacLayer)
    assert isinstance(expected_layer, MacLayer)
    for name in ("bias", "multiplicand", "shift"):
        np.testing.assert_array_equal(getattr(layer, name), getattr(expected_layer, name))
    segment, expected_segment = layer.segments[0], expected_layer.segments[0]
    np.testing.assert_array_equal(segment.weights, expected_segment.weights)
    assert (segment.source, segment.stride, segment.pads) == ("image", (1, 1), (1, 1, 1, 1))
    assert layer.cert_bits == expected_layer.cert_bits


def test_orders_of_outputs_are_kept_and_checked(tiny_program):
    graph = tiny_program.graph
    order = np.arange(36)[::-1]
    head = HostFunction(kind="softmax", attributes={"axes": [1]}, operator="Softmax", node="odds")
    output = Output(name="y", tensor="pooled", shape=(36,), order=order, head=(head,))
    structure, arrays = graph_to_parts(dataclasses.replace(graph, outputs=(output, graph.outputs[0])))
    first, second = graph_from_parts(json.loads(json.dumps(structure)), arrays).outputs
    np.testing.assert_array_equal(first.order, order)
    assert (first.name, first.tensor, first.shape, first.head) == ("y", "pooled", (36,), (head,))
    assert second == graph.outputs[0]
    for wrong in (order + 1, order[1:], order - 1):
        with pytest.raises(ValueError, match=r"^the order of output .* does not fit it$"):
            graph_from_parts(structure, arrays | {"output0.order": wrong})


def test_the_same_program_gives_the_same_bytes(tiny_program, tmp_path):
    tiny_program.save(tmp_path / "a.nrw")
    tiny_program.save(tmp_path / "b.nrw")
    assert (tmp_path / "a.nrw").read_bytes() == (tmp_path / "b.nrw").read_bytes() == tiny_program.to_bytes()


def test_memories_are_one_row_a_word(tiny_program):
    shapes = {region: words.shape for region, words in tiny_program.memories.items()}
    assert shapes == {
        Region.INSTRUCTIONS: (48, 1),
        Region.BLOCKS: (2, 4),
        Region.TAPS: (13, 1),
        Region.PARAMS: (4, 2),
        Region.WEIGHTS: (18, 2),
        Region.TABLES: (0, 1),
    }


def test_every_truncation_is_refused(tiny_program):
    data = tiny_program.to_bytes()
    for length in (*range(1, HEADER.size + 4), len(data) // 2, len(data) - 1):
        with pytest.raises(ProgramError, match=r"^x.nrw is truncated .*: compile the model again$"):
            Program.from_bytes(data[:length], "x.nrw")


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_is_refused(tiny_program, seed):
    data = bytearray(tiny_program.to_bytes())
    place = int(np.random.default_rng(seed).integers(HEADER.size, len(data)))
    data[place] ^= 1 << seed % 8
    with pytest.raises(
        ProgramError, match=r"^x.nrw is damaged \(its SHA-256 does not match\): compile the model again$"
    ):
        Program.from_bytes(bytes(data), "x.nrw")


def test_every_flipped_bit_of_the_header_is_refused(tiny_program):
    data = tiny_program.to_bytes()
    for place in range(HEADER.size):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            with pytest.raises(ProgramError):
                Program.from_bytes(bytes(flipped))


def test_appended_bytes_are_refused(tiny_program):
    with pytest.raises(ProgramError, match="is damaged"):
        Program.from_bytes(tiny_program.to_bytes() + b"\0")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" * 30, b"\x08\x01onnx" * 20], ids=["empty", "zip", "onnx"])
def test_a_foreign_file_is_refused(data):
    with pytest.raises(ProgramError, match=r"^x.nrw is not a narrows program: compile a model to get one$"):
        Program.from_bytes(data, "x.nrw")


def test_a_newer_file_version_is_refused(tiny_program):
    data = bytearray(tiny_program.to_bytes())
    data[8] = 9
    with pytest.raises(
        ProgramMismatch, match=r"^x.nrw has version 9 of the file format, this is version 4: update narrows or "
    ):
        Program.from_bytes(bytes(data), "x.nrw")


def change_manifest(program, change):
    data = program.to_bytes()
    source = zipfile.ZipFile(io.BytesIO(data[HEADER.size :]))
    members = {name: source.read(name) for name in source.namelist()}
    manifest = json.loads(members["manifest.json"])
    change(manifest, members)
    members["manifest.json"] = json.dumps(manifest).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return repacked(data, buffer.getvalue())


def test_another_version_of_the_contract_is_refused(tiny_program):
    data = change_manifest(tiny_program, lambda manifest, members: manifest.update(contract=7))
    with pytest.raises(ProgramMismatch, match="was written for version 7 of the machine, this is version 2"):
        Program.from_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest, members: manifest.pop("layers"),
        lambda manifest, members: manifest.update(config={"lanes": 3}),
        lambda manifest, members: manifest.update(config_digest="00"),
        lambda manifest, members: manifest.update(layers=["conv"]),
        lambda manifest, members: manifest.update(graph=[]),
        lambda manifest, members: manifest["graph"]["tensors"][0].update(format="float7"),
        lambda manifest, members: manifest["graph"]["layers"][0].update(kind="lstm"),
        lambda manifest, members: manifest["layouts"].pop("pooled"),
        lambda manifest, members: members.pop("weights.npy"),
        lambda manifest, members: members.update({"taps.npy": b"junk"}),
    ],
)
def test_contents_that_make_no_sense_are_refused(tiny_program, change):
    with pytest.raises(ProgramError, match=r"^x.nrw makes no sense"):
        Program.from_bytes(change_manifest(tiny_program, change), "x.nrw")


def test_an_intact_archive_that_is_none_is_refused(tiny_program):
    with pytest.raises(ProgramError, match=r"^x.nrw makes no sense"):
        Program.from_bytes(repacked(tiny_program.to_bytes(), b"not a zip"), "x.nrw")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ProgramError, match=r"^cannot read program .*none.nrw: No such file or directory$"):
        Program.load(tmp_path / "none.nrw")
    with pytest.raises(ProgramError, match=r"^cannot read program .*: Is a directory$"):
        Program.load(tmp_path)


def test_a_save_that_fails_leaves_nothing(tiny_program, tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(ProgramError, match=r"^cannot write program .*taken"):
        tiny_program.save(tmp_path / "taken")
    with pytest.raises(ProgramError, match=r"^cannot write program .*: No such file or directory$"):
        tiny_program.save(tmp_path / "nowhere" / "tiny.nrw")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"taps": np.zeros((3, 2), dtype=np.uint32)},
            r"taps must be uint32 of shape \(n, 1\), not uint32 of shape \(3, 2\)",
        ),
        (
            {"taps": np.zeros((3, 1), dtype=np.int64)},
            r"taps must be uint32 of shape \(n, 1\), not int64 of shape \(3, 1\)",
        ),
        ({"taps": np.zeros((257, 1), dtype=np.uint32)}, "the program has 257 taps, its configuration holds 256"),
        ({"layers": ("conv", "")}, "3 instructions with 2 layer names: each instruction needs one"),
        ({"layers": ("conv", "dense", "")}, "an instruction names the layer 'dense', which the graph does not have"),
        ({"layouts": {}}, "the tensor 'image' has no layout"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(tiny_program, change, message):
    with pytest.raises(ProgramError, match=message):
        dataclasses.replace(tiny_program, **change)
