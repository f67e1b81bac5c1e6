"""Fuzzing of what reads files: damaged ones of every format, read in this process."""

from __future__ import annotations

import functools
import importlib.util
import io
import json
import tempfile
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import narrows
import numpy as np
from damage import (
    damaged,
    with_other_arrays,
    with_other_chunks,
    with_other_members,
    with_other_value,
    with_other_words,
    with_right_checksum,
)
from hostile_onnx import hostile
from narrows.hw.spec.config_file import load_config
from narrows.sw.api.samples import load_samples
from narrows.sw.audio.tables import SAMPLE_RATE
from narrows.sw.compile import compile_graph
from narrows.sw.compile.disasm import disassemble
from narrows.sw.compile.link import link
from narrows.sw.errors import NarrowsError, UnsupportedOperator
from narrows.sw.examples import digits, digits_model
from narrows.sw.linked import Linked
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import QuantSettings
from narrows.sw.quantize.settings import LayerFormats
from narrows.sw.quantize.settings_file import load_settings, settings_text
from random_cores import random_core
from random_graphs import GraphBuilder, random_chain
from random_tflite import random_tflite
from small_core import SMALL

from .onnx_models import RandomModel

__all__ = ["FILES"]

Harm = Callable[[bytes, np.random.Generator], bytes]

_MODELS = 12
"""Whole models of which damaged ones are made, beside the built-in example."""

_BEGINNINGS = (
    b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x80\x02", b"GGUF", b"\x1f\x8b", b"version https://git-lfs",
    b'{"modelTopology": {}, "format": "graph-model"}', b"<?xml <net ", b" <html", b"\x08\x00\x00\x00\x00\x00\x00\x00{",
)  # fmt: skip


class FileTrial:
    """Reads damaged files.

    Parameters
    ----------
    whole : sequence of bytes
        Files as they should be.
    name : str
        What damaged ones are called.
    read : callable
        Takes the path of one; it may refuse it by a NarrowsError and must not do anything else that is wrong.
    crafted : sequence of callables
        Damage that gets behind the parser, done to seven of ten files.
    """

    def __init__(
        self, whole: Sequence[bytes], name: str, read: Callable[[Path], object], crafted: Sequence[Harm] = ()
    ) -> None:
        self._whole, self._name, self._read, self._crafted = whole, name, read, crafted

    def make(self, rng: np.random.Generator) -> bytes:
        """A damaged file."""
        content = self._whole[int(rng.integers(len(self._whole)))]
        if self._crafted and rng.random() < 0.7:
            return self._crafted[int(rng.integers(len(self._crafted)))](content, rng)
        return damaged(content, rng)

    def __call__(self, rng: np.random.Generator) -> str:
        """Make one and read it; whether that was refused."""
        with tempfile.TemporaryDirectory(prefix="narrows-fuzz-") as folder:
            path = Path(folder) / self._name
            path.write_bytes(self.make(rng))
            try:
                self._read(path)
            except NarrowsError:
                return "refused"
        return "answer"


def _onnx() -> FileTrial:
    with digits_model() as path:
        models = [path.read_bytes()]
    made = (RandomModel(seed) for seed in range(_MODELS))
    models += [each.model.SerializeToString() for each in made if each.outputs]
    return FileTrial(models, "model.onnx", _read_model, (hostile,))


def _tflite() -> FileTrial:
    models = [random_tflite(seed)[0] for seed in range(_MODELS)]
    return FileTrial(models, "model.tflite", _read_model, (with_other_words,))


def _foreign() -> FileTrial:
    """Files of other frameworks, of which no more is read than it takes to say so."""
    filled = (begin + bytes(range(256)) for begin in _BEGINNINGS)
    return FileTrial([_archive(), *filled], "model.bin", narrows.load, (_other_beginning,))


def _other_beginning(content: bytes, rng: np.random.Generator) -> bytes:
    begin = _BEGINNINGS[int(rng.integers(len(_BEGINNINGS)))]
    return begin + damaged(content, rng)[: int(rng.integers(400))]


def _read_model(path: Path) -> None:
    model = narrows.load(path)
    try:
        lower(model.graph)
    except UnsupportedOperator:
        model.doctor()


def _programs() -> list[Program]:
    cores = (SMALL, random_core(3), random_core(5))
    return [
        compile_graph(random_chain(GraphBuilder(core, np.random.default_rng(seed)), 2), core)
        for seed, core in enumerate(cores)
    ]


def _program() -> FileTrial:
    def read(path: Path) -> None:
        disassemble(Program.load(path))

    return FileTrial([program.to_bytes() for program in _programs()], "model.nrw", read, (with_right_checksum,))


def _linked() -> FileTrial:
    builders = (GraphBuilder(SMALL, np.random.default_rng(seed)) for seed in (7, 8))
    graphs = [random_chain(build, 1) for build in builders]
    linked = link({name: compile_graph(graph, SMALL) for name, graph in zip("ab", graphs, strict=True)})
    return FileTrial([linked.to_bytes()], "models.nrw", Linked.load, (with_right_checksum,))


def _samples() -> FileTrial:
    return FileTrial([_archive()], "x.npz", load_samples, (with_other_arrays,))


def _archive() -> bytes:
    data, buffer = digits(), io.BytesIO()
    np.savez(buffer, x=data.test_x[:3], y=data.test_y[:3])
    return buffer.getvalue()


def _sound() -> FileTrial:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(1).integers(-9000, 9000, 2000).astype("<i2").tobytes())
    return FileTrial([buffer.getvalue()], "x.wav", load_samples, (with_other_chunks,))


def _config() -> FileTrial:
    cores = [random_core(seed).to_dict() for seed in range(_MODELS)]
    texts = ["".join(f"{key} = {json.dumps(value)}\n" for key, value in core.items()) for core in cores]
    texts.append('preset = "tiny"\ncolumns = 8\n')
    return FileTrial([text.encode() for text in texts], "core.toml", load_config, (_other_values,))


def _formats() -> FileTrial:
    layers = {"stem.0": LayerFormats(weights="int8"), "head": LayerFormats(acts="uint4", weights="dybit4")}
    texts = [settings_text(QuantSettings()), settings_text(QuantSettings(weights="int8", layers=layers))]
    return FileTrial([text.encode() for text in texts], "formats.toml", load_settings, (_other_values,))


def _checkpoint() -> FileTrial:
    from narrows.sw.quantize.train import Samples, Trainer  # torch is an extra
    from trained_networks import random_network

    network, samples = random_network(1, batch=8, epochs=2)
    trainer = Trainer(network, Samples(network.start, samples, None))
    with tempfile.TemporaryDirectory(prefix="narrows-fuzz-") as folder:
        trainer.save(Path(folder) / "run.pt")
        whole = (Path(folder) / "run.pt").read_bytes()
    return FileTrial([whole], "run.pt", trainer.load, (with_other_members,))


def _other_values(toml: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(int(rng.integers(1, 4))):
        toml = with_other_value(toml, rng)
    return toml


FILES: dict[str, Callable[[], FileTrial]] = {
    name: functools.cache(make)
    for name, make in {
        "onnx": _onnx,
        "tflite": _tflite,
        "foreign": _foreign,
        "program": _program,
        "linked": _linked,
        "samples": _samples,
        "sound": _sound,
        "config": _config,
        "formats": _formats,
        "checkpoint": _checkpoint,
    }.items()
    if name != "checkpoint" or importlib.util.find_spec("torch")
}
"""What makes the trial of a format; checkpoints are torch's."""
