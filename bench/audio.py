"""From microphone samples to wake words: the front end's exactness and cost, and a wake word on a board's core.

    python bench/audio.py --json audio.json
    python bench/audio.py --only frontend --seconds 10

Needs `pip install 'narrows[audio]'` and a C compiler. ``frontend`` feeds sounds of every kind
(``tests/support/sounds.py``) in chunks of odd sizes to the front end in numpy and in C, and counts features that are
not those of ``pymicro-features``. ``cpu`` is processor time per second of sound.

``board`` compiles okay_nabu of ``pymicro-wakeword`` for boards, in their formats, and holds its probabilities on speech
against the package's (LiteRT's kernels on the file's own integers). The speech is espeak-ng's, six voices that say okay
nabu between other sentences, or ``--speech X.wav``. ``heard`` counts wake words by the package's rule (the mean of five
probabilities above 0.85), cycles are the cycle model's, ``real_time`` is the share of a frame's 30 ms that a run takes
at the board's clock.
"""

from __future__ import annotations

import ctypes
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import narrows
import numpy as np
import typer
from narrows.boards.catalogue import find_board
from narrows.sw.audio import FEATURE_SCALE, MicroFeatures, features_of
from narrows.sw.audio.detection import heard
from narrows.sw.audio.wav import read_wav
from narrows.sw.costs.timeline import timeline
from narrows.sw.errors import CapacityError
from narrows.sw.files import write_whole
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from c_features import CFeatures
from sounds import chunks, sounds

_RATE, _FRAME_SECONDS, _LINES, _CUTOFF = 16_000, 0.03, 3, 0.85
_VOICES = ("en-us", "en-gb", "en-us+f3", "en-us+m3", "en-gb+f2", "en-us+f4")
_OTHER = ("the weather is nice today and we go out", "turn on the light in the kitchen", "okay, never mind")
PLACES = (
    ("icebreaker-stream", "dybit4", "dybit4"),
    ("icebreaker-stream", "dybit4", "int8"),
)
"""Boards and formats of weights and activations."""

_console = Console(highlight=False)


@dataclass(frozen=True, kw_only=True)
class Sound:
    """A sound through the front ends: lines of 40 features, features that differ, processor seconds a second."""

    sound: str
    lines: int
    mismatches_numpy: int
    mismatches_c: int
    cpu_numpy: float
    cpu_c: float
    cpu_package: float


@dataclass(frozen=True, kw_only=True)
class Heard:
    """okay_nabu on a board's core beside the package's own: ``difference`` is of probabilities, mean and largest."""

    board: str
    formats: str
    frames: int
    difference: float
    largest: float
    heard: int
    heard_by_package: int
    heard_by_both: int
    cycles: int
    milliseconds: float
    real_time: float


def main(
    only: Annotated[str | None, typer.Option(help="frontend or board; both without it.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="Of each sound.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Of sounds, chunks and pauses.")] = 1,
    speech: Annotated[Path | None, typer.Option(help="A WAV file in the place of espeak-ng's speech.")] = None,
    cache: Annotated[Path, typer.Option(help="Folder of fetched files.")] = Path("build/networks"),
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Compare, compile and show."""
    _console.print(f"seed {seed}")
    rows: dict[str, list[Any]] = {"frontend": [], "board": []}
    if only != "board":
        rows["frontend"] = _frontend(seconds, seed)
    if only != "frontend":
        rows["board"] = _boards(seed, speech, cache)
    if json_file:
        found = {name: [asdict(row) for row in group] for name, group in rows.items()}
        write_whole(json_file, json.dumps({"seed": seed, **found}, indent=1).encode())
    for name, group in rows.items():
        if group:
            table = Table(*(key.replace("_", " ") for key in asdict(group[0])), title=name)
            for row in group:
                table.add_row(*(f"{v:.4f}" if isinstance(v, float) else str(v) for v in asdict(row).values()))
            _console.print(table)


def _frontend(seconds: float, seed: int) -> list[Sound]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        compiled = CFeatures(Path(folder))
        for name, samples in sounds(seconds, np.random.default_rng(seed)).items():
            wanted, package = _timed(lambda samples=samples: _package(samples))
            streams: list[tuple[NDArray[np.uint16], float]] = []
            for stream in (MicroFeatures(), compiled):
                stream.reset()
                pieces = chunks(samples, np.random.default_rng(seed))
                streams.append(_timed(lambda s=stream, p=pieces: np.concatenate([s(piece) for piece in p])))
            (ours, numpy_time), (theirs, c_time) = streams
            rows.append(
                Sound(
                    sound=name,
                    lines=len(wanted),
                    mismatches_numpy=_differing(ours, wanted),
                    mismatches_c=_differing(theirs, wanted),
                    cpu_numpy=numpy_time / seconds,
                    cpu_c=c_time / seconds,
                    cpu_package=package / seconds,
                )
            )
    return rows


def _timed(work: Callable[[], NDArray]) -> tuple[NDArray, float]:
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def _differing(lines: NDArray[np.uint16], wanted: NDArray[np.float64]) -> int:
    """Features that are not the wanted ones; lines that are missing or too many count whole."""
    common = min(len(lines), len(wanted))
    return int((lines[:common] * FEATURE_SCALE != wanted[:common]).sum()) + 40 * abs(len(lines) - len(wanted))


def _package(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """Features of the package, which takes 160 samples at a time."""
    from pymicro_features import MicroFrontend

    front_end, lines = MicroFrontend(), []
    for start in range(0, len(samples) // 160 * 160, 160):
        lines.append(front_end.process_samples(samples[start : start + 160].tobytes()).features)
    return np.array([line for line in lines if line])


def _boards(seed: int, speech: Path | None, cache: Path) -> list[Heard]:
    from networks import NETWORKS, fetched

    with tempfile.TemporaryDirectory() as scratch:
        path = fetched(NETWORKS["okay_nabu"], cache, Path(scratch))
    rng = np.random.default_rng(seed)
    beside = sounds(8.0, rng)["speech-like"]
    calibration = np.concatenate([_frames(_spoken(rng, 1)), _frames(beside)])
    frames = _frames(_spoken(rng, 4) if speech is None else read_wav(speech))
    wanted = _probabilities(frames)
    rows = []
    for name, weights, acts in PLACES:
        board = find_board(name)
        quantised = narrows.load(path).quantize(calibration, weights=weights, acts=acts, requantise=True)
        try:
            program = quantised.compile(narrows.Config(board=name))
        except CapacityError as error:  # how many digits copies take depends on the scales that calibration chose
            _console.print(f"{name}, {weights} x {acts}: {error}")
            continue
        found = next(iter(program.run(frames, "golden").values())).ravel()
        cycles = timeline(program.compiled).cycles
        milliseconds = cycles / board.clock_mhz / 1e3
        ours, theirs = _words(found), _words(wanted)
        rows.append(
            Heard(
                board=name,
                formats=f"{weights} x {acts}",
                frames=len(frames),
                difference=float(np.abs(found - wanted).mean()),
                largest=float(np.abs(found - wanted).max()),
                heard=len(ours),
                heard_by_package=len(theirs),
                heard_by_both=sum(any(a[0] <= b[1] and b[0] <= a[1] for b in ours) for a in theirs),
                cycles=cycles,
                milliseconds=milliseconds,
                real_time=milliseconds / 1e3 / _FRAME_SECONDS,
            )
        )
    return rows


def _frames(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    lines = features_of(samples)
    return lines[: len(lines) // _LINES * _LINES].reshape(-1, _LINES, 40)


def _words(probabilities: NDArray) -> list[tuple[int, int]]:
    """First and last frame of each time that the wake word is heard."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], heard(probabilities, _CUTOFF), [0]])))
    return [(int(first), int(behind) - 1) for first, behind in edges.reshape(-1, 2)]


def _probabilities(frames: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the package gives for every frame, before its mean."""
    from pymicro_wakeword import MicroWakeWord, Model

    model, found = MicroWakeWord.from_builtin(Model.OKAY_NABU), []
    for line in frames.reshape(-1, 1, 1, 40).astype(np.float64):
        model.process_streaming_prob(line)
        if not model._features:  # a frame is complete
            found.append(model._probabilities[-1])
    return np.array(found)


def _spoken(rng: np.random.Generator, rounds: int) -> NDArray[np.int16]:
    """Six voices that say the wake word, and after every other one another sentence, over a little hiss."""
    say, parts = _speaker(), []
    for number in range(rounds * len(_VOICES)):
        voice = _VOICES[number % len(_VOICES)]
        texts = ["okay nabu"] + ([_OTHER[number // 2 % len(_OTHER)]] if number % 2 else [])
        for text in texts:
            speed, pitch = int(rng.integers(120, 180)), int(rng.integers(30, 75))
            parts += [np.zeros(int(_RATE * rng.uniform(0.4, 0.9))), say(text, voice, speed, pitch)]
    sound = 0.5 * np.concatenate([*parts, np.zeros(_RATE // 2)])
    return np.clip(np.rint(sound + rng.normal(0, 25, len(sound))), -32_768, 32_767).astype(np.int16)


def _speaker() -> Callable[[str, str, int, int], NDArray[np.float64]]:
    """espeak-ng as a function of text, voice, words a minute and pitch, which gives samples of 16 kHz."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(2, 0, espeakng_loader.get_data_path().encode(), 0)  # samples come synchronously
    pieces: list[NDArray[np.int16]] = []

    def keep(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    taker = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)(keep)
    library.espeak_SetSynthCallback(taker)

    def say(text: str, voice: str, speed: int, pitch: int, taker: Any = taker) -> NDArray[np.float64]:
        pieces.clear()
        library.espeak_SetVoiceByName(voice.encode())
        library.espeak_SetParameter(1, speed, 0)
        library.espeak_SetParameter(3, pitch, 0)
        given = text.encode() + b"\0"
        library.espeak_Synth(given, len(given), 0, 1, 0, 1, None, None)
        library.espeak_Synchronize()
        sound = np.concatenate(pieces).astype(np.float64)
        bins, count = np.fft.rfft(sound), int(len(sound) * _RATE / rate)
        return np.fft.irfft(bins[: count // 2 + 1], count) * (count / len(sound))

    return say


if __name__ == "__main__":
    typer.run(main)
