"""The command line: every command, what it leaves behind, and one clear line for every mistake."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from narrows.hw.spec.config import PRESETS
from narrows.sw.cli import run
from narrows.sw.costs import propose
from narrows.sw.examples import digits, digits_model
from narrows.sw.program import Program


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with model.onnx, calib.npz, test.npz and model.nrw for the preset tiny."""
    folder = tmp_path_factory.mktemp("example")
    data = digits()
    with digits_model() as path:
        (folder / "model.onnx").write_bytes(path.read_bytes())
    np.savez(folder / "calib.npz", x=data.calib_x[:64])
    np.savez(folder / "test.npz", x=data.test_x[:40], y=data.test_y[:40])
    assert compile_to(folder / "model.nrw", folder, "--preset", "tiny", "--json", str(folder / "compile.json")) == 0
    return folder


def compile_to(output: Path, folder: Path, *options: str) -> int:
    return run(
        ["compile", str(folder / "model.onnx"), "--calib", str(folder / "calib.npz"), "-o", str(output), *options]
    )


@pytest.mark.parametrize("points", ["3", "0.5"])
def test_compile_within_points_gives_8_bits_where_they_gain_most(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], points: str
) -> None:
    output, made = tmp_path / "m.nrw", tmp_path / "m.json"
    coarse = ("--preset", "tiny", "--weights", "int2", "--acts", "int2", "--data", str(example / "test.npz"))
    assert compile_to(output, example, *coarse, "--json", str(made)) == 0
    before = json.loads(made.read_text())
    agreed = before["quality"]["outputs"][0]["agreement"]
    assert agreed < 0.97
    assert f"gave up {100 * (1 - agreed):.1f} points" in capsys.readouterr().out
    assert compile_to(output, example, *coarse, "--within", points, "--json", str(made)) == 0
    after = json.loads(made.read_text())
    assert after["quality"]["outputs"][0]["agreement"] >= 1 - float(points) / 100
    assert after["config"] == before["config"]
    wide = [name for own in after["layer_formats"].values() for name in own.values() if name]
    assert set(wide) == {"int8"}
    assert "gave up" not in capsys.readouterr().out


def test_compile_within_points_that_cannot_be_kept_leaves_nothing(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compile", example / "model.onnx", "--calib", example / "calib.npz", "-o", tmp_path / "m.nrw"]
    assert "0 to below 100" in complaint(capsys, *arguments, "--preset", "tiny", "--within", "-1")
    assert "one of the two" in complaint(capsys, *arguments, "--target-fps", "10", "--within", "1")
    assert not (tmp_path / "m.nrw").exists()


def complaint(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a mistake of the user's gives."""
    capsys.readouterr()
    assert run([str(argument) for argument in arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("narrows: error: ")
    return lines[0].removeprefix("narrows: error: ")


def test_compile_leaves_a_program_and_says_what_it_uses(example: Path) -> None:
    program = Program.load(example / "model.nrw")
    assert program.config == PRESETS["tiny"]
    report = json.loads((example / "compile.json").read_text())
    assert report["layers"] == [layer.name for layer in program.graph.layers]
    assert report["memories"]["weight words"] == {"used": len(program.weights), "available": 8192}
    assert report["cert_bits"] <= 16


def test_compile_holds_its_integers_against_the_float_model(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {name: tmp_path / f"{name}.json" for name in ("compile", "run", "report")}
    options = ("--preset", "tiny", "--data", example / "test.npz", "--json", paths["compile"])
    capsys.readouterr()
    assert compile_to(tmp_path / "m.nrw", example, *map(str, options)) == 0
    made = json.loads(paths["compile"].read_text())
    assert made["import"]["runtime"].startswith("onnxruntime")
    quality = made["quality"]
    assert (quality["samples"], quality["data"]) == (40, "samples of test.npz")
    text = capsys.readouterr().out
    assert f"accuracy: float {quality['float_accuracy']:.2%}, integers {quality['accuracy']:.2%}" in text

    x, y = (np.load(example / "test.npz")[name] for name in "xy")
    session = onnxruntime.InferenceSession(str(example / "model.onnx"))
    name = session.get_inputs()[0].name
    wanted = np.concatenate([np.asarray(session.run(None, {name: one[None]})[0]) for one in x.astype("f4")])
    assert quality["float_accuracy"] == (wanted.argmax(1) == y).mean()
    scores = tmp_path / "scores.npz"
    common = ["run", tmp_path / "m.nrw", "--input", example / "test.npz", "--engine", "golden", "-o", scores]
    assert run([*map(str, common), "--model", str(example / "model.onnx"), "--json", str(paths["run"])]) == 0
    given = np.load(scores)[quality["outputs"][0]["name"]]
    assert quality["accuracy"] == (given.argmax(1) == y).mean()
    assert quality["outputs"][0]["agreement"] == (given.argmax(1) == wanted.argmax(1)).mean()
    noise = 10 * np.log10(np.square(wanted).mean() / np.square(given - wanted).mean())
    assert quality["outputs"][0]["snr_db"] == pytest.approx(noise, abs=0.01)
    again = json.loads(paths["run"].read_text())["quality"]
    assert again == {name: value for name, value in quality.items() if name != "data"}

    capsys.readouterr()
    assert run([str(part) for part in common]) == 0
    assert "on 40 samples of test.npz when it was made: float" in capsys.readouterr().out
    report = ["report", tmp_path / "m.nrw", "-o", tmp_path / "page.html", "--json", paths["report"]]
    assert run([str(part) for part in report]) == 0
    assert json.loads(paths["report"].read_text())["record"]["quality"] == quality
    assert "Integers beside the float model" in (tmp_path / "page.html").read_text()


def test_explain_ranks_layers_and_measures_what_would_help(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, formats = tmp_path / "report.json", tmp_path / "formats.toml"
    command = ["explain", example / "model.nrw", "--calib", example / "calib.npz"]
    with_model = [*command, "--model", example / "model.onnx"]
    capsys.readouterr()
    assert run([str(part) for part in [*with_model, "-o", formats, "--json", report]]) == 0
    text, found = capsys.readouterr().out, json.loads(report.read_text())
    assert max(len(line) for line in text.splitlines() if line[:1] in "┏┃┡│└") <= 80
    assert sum(layer["share"] for layer in found["layers"]) == pytest.approx(1, abs=1e-3)
    assert {layer.name for layer in Program.load(example / "model.nrw").graph.layers} >= {
        layer["layer"] for layer in found["layers"][1:] if layer["origin"]
    }
    gains = {each["what"]: each["gain_db"] for each in found["advice"]}
    assert gains["8 bits everywhere"] > 3
    assert f"8 bits everywhere (compile --weights int8 --acts int8): {gains['8 bits everywhere']:+.1f} dB" in text

    settings = ("--preset", "tiny", "--acc-bits", "24", "--formats", str(formats))
    assert compile_to(tmp_path / "m.nrw", example, *settings) == 0
    again = ["explain", tmp_path / "m.nrw", *with_model[2:], "--quick", "--json", report]
    assert run([str(part) for part in again]) == 0
    assert json.loads(report.read_text())["snr_db"] > found["snr_db"]
    assert json.loads(report.read_text())["advice"] == []

    assert run([str(part) for part in [*command, "--json", report]]) == 0
    assert all(layer["weights"] is None for layer in json.loads(report.read_text())["layers"])
    assert complaint(capsys, *command, "-o", formats) == "--output needs the float model: give --model"


def test_what_may_be_wrong_with_samples_is_said_in_a_line(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x, y = (np.load(example / "test.npz")[name] for name in "xy")
    np.savez(tmp_path / "calib.npz", x=x[:5])
    np.savez(tmp_path / "held.npz", x=x, y=np.minimum(y + 1, 9))
    np.savez(tmp_path / "dark.npz", x=x / 255)
    np.savez(tmp_path / "names.npz", x=x, y=y.astype(str))
    report = tmp_path / "report.json"
    options = ["--calib", tmp_path / "calib.npz", "--data", tmp_path / "held.npz", "--preset", "tiny", "--json", report]
    command = ["compile", example / "model.onnx", "-o", tmp_path / "m.nrw", *options]
    capsys.readouterr()
    assert run([str(part) for part in command]) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert said[0].startswith("warning: only 5 calibration samples: ")
    assert said[-1].endswith("of their neighbours: subtract 1 from y?")
    assert [f"warning: {line}" for line in json.loads(report.read_text())["warnings"]] == said[1:]
    message = complaint(capsys, "run", example / "model.nrw", "--input", tmp_path / "names.npz", "--engine", "golden")
    assert message == "labels y must be class numbers, not text: number the classes from 0"
    assert run(["run", str(example / "model.nrw"), "--input", str(tmp_path / "dark.npz"), "--engine", "golden"]) == 0
    assert "warning: samples are 0 to 0.06275, the program's input 0 to 31" in capsys.readouterr().out


def test_compile_takes_widths_from_options(example: Path, tmp_path: Path) -> None:
    assert compile_to(tmp_path / "m.nrw", example, "--preset", "tiny", "--acc-bits", "14", "--rescale-bits", "6") == 0
    config = Program.load(tmp_path / "m.nrw").config
    assert (config.acc_bits, config.rescale_bits) == (14, 6)


def test_compile_takes_a_configuration_file(example: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('preset = "tiny"\nrows = 3\n')
    assert compile_to(tmp_path / "m.nrw", example, "--config", str(tmp_path / "mine.toml")) == 0
    assert Program.load(tmp_path / "m.nrw").config.rows == 3


def test_compile_takes_formats_layer_by_layer(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    formats, report = tmp_path / "formats.toml", tmp_path / "report.json"
    formats.write_text('weights = "int4"\n[layers."first.0"]\nweights = "int6"\nacts = "int8"\n')
    options = ("--preset", "tiny", "--acc-bits", "24", "--formats", str(formats), "--json", str(report))
    assert compile_to(tmp_path / "m.nrw", example, *options) == 0
    assert json.loads(report.read_text())["layer_formats"] == {"first.0": {"weights": "int6", "acts": "int8"}}
    layer = next(layer for layer in Program.load(tmp_path / "m.nrw").graph.layers if layer.name == "first.0")
    assert np.abs(layer.segments[0].weights).max() > 7
    message = complaint(
        capsys, "compile", example / "model.onnx", "--calib", example / "calib.npz", "-o", tmp_path / "m.nrw", *options,
        "--weights", "int4",
    )  # fmt: skip
    assert message == "--formats says all formats: leave out --weights and --acts"


@pytest.mark.parametrize("engine", ["golden", "isa"])
def test_run_gives_scores_and_accuracy(example: Path, tmp_path: Path, engine: str) -> None:
    report, scores = tmp_path / "run.json", tmp_path / "y.npz"
    status = run(
        [
            "run",
            str(example / "model.nrw"),
            "--input",
            str(example / "test.npz"),
            "--engine",
            engine,
            "--limit",
            "30",
            "-o",
            str(scores),
            "--json",
            str(report),
        ]
    )
    assert status == 0
    with np.load(scores) as archive:
        assert archive["scores"].shape == (30, 10)
        right = (archive["scores"].argmax(axis=1) == digits().test_y[:30]).mean()
    found = json.loads(report.read_text())
    assert found["samples"] == 30
    assert found["accuracy"] == right >= 0.9
    assert ("cycles_per_sample" in found) == (engine == "isa")


def test_run_and_verify_on_simulated_verilog(example: Path, tmp_path: Path) -> None:
    program, samples = str(example / "model.nrw"), str(example / "test.npz")
    assert (
        run(["run", program, "--input", samples, "--engine", "rtl", "--limit", "2", "--json", str(tmp_path / "r.json")])
        == 0
    )
    assert json.loads((tmp_path / "r.json").read_text())["sim_cycles_per_second"] > 0
    assert run(["verify", program, "--input", samples, "--limit", "2", "--json", str(tmp_path / "v.json")]) == 0
    report = json.loads((tmp_path / "v.json").read_text())
    assert (report["images"], report["engines"], report["mismatches"]) == (2, ["golden", "isa", "rtl"], 0)
    assert len(report["layers"]) == 7
    assert report["cycles"] > 0


def test_verilog_of_a_preset_and_of_a_program_are_the_same(example: Path, tmp_path: Path) -> None:
    assert run(["verilog", "--preset", "tiny", "-o", str(tmp_path / "a.v")]) == 0
    assert run(["verilog", "--program", str(example / "model.nrw"), "-o", str(tmp_path / "b.v")]) == 0
    assert (tmp_path / "a.v").read_bytes() == (tmp_path / "b.v").read_bytes()
    assert b"\nmodule narrows_core(" in (tmp_path / "a.v").read_bytes()


def test_disasm_prints_or_writes_the_listing(example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["disasm", str(example / "model.nrw")]) == 0
    shown = capsys.readouterr().out
    assert "COMPUTE MAC" in shown
    assert run(["disasm", str(example / "model.nrw"), "-o", str(tmp_path / "listing.txt")]) == 0
    assert (tmp_path / "listing.txt").read_text() == shown


def test_report_leaves_a_page_and_its_numbers(example: Path, tmp_path: Path) -> None:
    page, numbers = tmp_path / "report.html", tmp_path / "report.json"
    assert run(["report", str(example / "model.nrw"), "-o", str(page), "--mhz", "25", "--json", str(numbers)]) == 0
    report = json.loads(numbers.read_text())
    assert page.read_text().count("<svg") == 5
    assert [row["name"] for row in report["layers"]] == [
        layer.name for layer in Program.load(example / "model.nrw").graph.layers
    ]
    assert report["samples_per_second"] == 25e6 / report["cycles"]


def test_doctor_examines_a_model_and_fails_where_it_cannot_run(example: Path, tmp_path: Path) -> None:
    report = tmp_path / "doctor.json"
    assert run(["doctor", str(example / "model.onnx"), "--preset", "tiny", "--json", str(report)]) == 0
    assert json.loads(report.read_text())["import"]["samples"] == 1
    found = json.loads(report.read_text())
    assert found["changes"] == [] and not found["refused"] and found["cycles"] > 0
    assert {node["status"] for node in found["nodes"]} == {"array", "max-pool unit", "fused", "data movement"}
    (tmp_path / "small.toml").write_text('preset = "tiny"\nact_words = 64\n')
    arguments = ["--config", str(tmp_path / "small.toml"), "--json", str(report)]
    assert run(["doctor", str(example / "model.onnx"), *arguments]) == 1
    assert "words of activation memory" in json.loads(report.read_text())["changes"][0]


def test_compile_chooses_a_configuration_for_a_frame_rate(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(propose, "_SHAPES", [(2, 2, 4)])
    assert compile_to(tmp_path / "m.nrw", example, "--target-fps", "3000", "--target", "ecp5-25k") == 0
    config = Program.load(tmp_path / "m.nrw").config
    assert config.macs == PRESETS["tiny"].macs and config.weight_words < PRESETS["tiny"].weight_words
    assert "chosen: tiny" in capsys.readouterr().out
    arguments = ["compile", example / "model.onnx", "--calib", example / "calib.npz", "-o", tmp_path / "n.nrw"]
    message = complaint(capsys, *arguments, "--target-fps", "1e9")
    assert "the fastest that fits makes" in message
    message = complaint(capsys, *arguments, "--target-fps", "10", "--preset", "tiny")
    assert message == "--target-fps chooses the configuration: leave out --preset, --config and --board"


def test_compile_sizes_a_core_for_the_model_and_says_how(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(propose, "_SHAPES", [(1, 16, 16), (2, 2, 4)])
    capsys.readouterr()
    assert compile_to(tmp_path / "m.nrw", example) == 0
    program = Program.load(tmp_path / "m.nrw")
    verdict, text = capsys.readouterr().out.split("\n", 1)
    assert verdict.startswith("import: computes what onnxruntime")
    assert text.startswith(f"chosen: {program.config.rows} x {program.config.columns} x {program.config.lanes} units, ")
    assert "the fewest cycles of 6 shapes of up to 256 units" in text
    assert f"act_words = {program.config.act_words}, weight_words = {program.config.weight_words}, " in text
    assert program.config.macs <= 256
    assert program.config.weight_words < PRESETS["medium"].weight_words


def test_mistakes_cost_no_exploration(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explore(*_arguments, **_named):
        raise AssertionError("nothing may be sized before the cheap checks")

    monkeypatch.setattr(propose, "_proposals", explore)
    np.savez(tmp_path / "flat.npz", x=np.zeros((4, 64)))
    np.savez(tmp_path / "labels.npz", x=digits().calib_x[:4], y=np.zeros(3))
    (tmp_path / "formats.toml").write_text('[layers."nobody"]\nweights = "int8"\n')
    model, good, output = example / "model.onnx", example / "calib.npz", tmp_path / "m.nrw"
    for rate in ((), ("--target-fps", "10")):
        for calib, message in (("flat.npz", "must have shape"), ("labels.npz", "holds labels y of shape")):
            assert message in complaint(capsys, "compile", model, "--calib", tmp_path / calib, "-o", output, *rate)
        message = complaint(capsys, "compile", model, "--calib", good, "-o", tmp_path / "flat.npz" / "m.nrw", *rate)
        assert message == f"{tmp_path / 'flat.npz'}: this is a file, not a folder to write to"
        arguments = ["compile", model, "--calib", good, "-o", output, "--formats", tmp_path / "formats.toml", *rate]
        assert "formats for layer 'nobody'" in complaint(capsys, *arguments)


def test_all_that_is_lacking_is_one_line(example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.toml").write_text('preset = "tiny"\nact_words = 64\nweight_words = 100\ntaps = 16\n')
    arguments = ["--calib", example / "calib.npz", "--config", tmp_path / "c.toml", "-o", tmp_path / "m.nrw"]
    message = complaint(capsys, "compile", example / "model.onnx", *arguments)
    for parameter in ("act_words", "weight_words", "taps"):
        assert f": raise {parameter} to " in message
    assert not (tmp_path / "m.nrw").exists()


def test_trace_is_what_perfetto_reads(example: Path, tmp_path: Path) -> None:
    assert run(["trace", str(example / "model.nrw"), "-o", str(tmp_path / "trace.json")]) == 0
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert {event["ph"] for event in events} == {"M", "X"}
    assert all({"pid", "tid", "ts", "dur", "name"} <= set(event) for event in events if event["ph"] == "X")


def test_demo_on_the_model_of_the_machine(tmp_path: Path) -> None:
    assert run(["demo", "--out", str(tmp_path / "demo"), "--images", "20", "--engine", "isa", "--no-synthesis"]) == 0
    report = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert (report["images"], report["mismatches"]) == (20, 0)
    assert report["acc_bits"] <= 16
    assert 0.5 < report["utilisation"] < 1
    page = (tmp_path / "demo" / "index.html").read_text()
    assert page.count("<svg") == 4
    assert "equals the golden model to the bit" in page
    assert not [line for line in page.splitlines() if "src=" in line or "<link" in line], (
        "the page needs nothing beside it"
    )
    assert Program.load(tmp_path / "demo" / "digits.nrw").config == PRESETS["demo"]
    assert (tmp_path / "demo" / "core.v").stat().st_size > 10_000


@pytest.mark.parametrize(
    "command", ["demo", "compile", "run", "verify", "verilog", "synth", "disasm", "report", "trace"]
)
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert f"narrows {command}" in capsys.readouterr().out


class TestMistakes:
    def test_unknown_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "No such command 'frobnicate'" in complaint(capsys, "frobnicate")

    def test_missing_option(self, capsys: pytest.CaptureFixture[str], example: Path) -> None:
        assert "Missing option '--input'" in complaint(capsys, "run", example / "model.nrw")

    def test_missing_model(self, capsys: pytest.CaptureFixture[str], example: Path, tmp_path: Path) -> None:
        message = complaint(
            capsys, "compile", tmp_path / "no.onnx", "--calib", example / "calib.npz", "-o", tmp_path / "m.nrw"
        )
        assert "no.onnx" in message
        assert list(tmp_path.iterdir()) == []

    def test_missing_program(self, capsys: pytest.CaptureFixture[str], example: Path, tmp_path: Path) -> None:
        message = complaint(capsys, "run", tmp_path / "no.nrw", "--input", example / "test.npz")
        assert "no.nrw: No such file or directory" in message

    def test_unknown_preset(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        message = complaint(capsys, "verilog", "--preset", "huge", "-o", tmp_path / "core.v")
        assert message == "unknown preset 'huge': the presets are tiny, small, demo, medium, large"

    def test_two_configurations(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        message = complaint(
            capsys, "verilog", "--preset", "tiny", "--config", tmp_path / "c.toml", "-o", tmp_path / "core.v"
        )
        assert message == "choose one of --preset and --config: each says what core it is"

    def test_wrong_parameter(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        (tmp_path / "c.toml").write_text("lanes = 5\n")
        message = complaint(capsys, "verilog", "--config", tmp_path / "c.toml", "-o", tmp_path / "core.v")
        assert message.startswith("lanes must be a power of two")
        assert not (tmp_path / "core.v").exists()

    def test_folder_that_cannot_be_made(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        message = complaint(capsys, "verilog", "-o", tmp_path / "file" / "core.v")
        assert message == f"{tmp_path / 'file'}: this is a file, not a folder to write to"
        assert complaint(capsys, "verilog", "-o", tmp_path) == f"{tmp_path}: this is a folder: name a file to write"

    def test_samples_under_another_name(
        self, capsys: pytest.CaptureFixture[str], example: Path, tmp_path: Path
    ) -> None:
        np.savez(tmp_path / "s.npz", images=np.zeros((2, 1, 8, 8)))
        message = complaint(capsys, "run", example / "model.nrw", "--input", tmp_path / "s.npz")
        assert message == f"{tmp_path / 's.npz'} holds images: the samples must be named x"

    def test_samples_of_another_shape(self, capsys: pytest.CaptureFixture[str], example: Path, tmp_path: Path) -> None:
        np.savez(tmp_path / "s.npz", x=np.zeros((2, 8, 8)))
        message = complaint(capsys, "verify", example / "model.nrw", "--input", tmp_path / "s.npz")
        assert message == "input must have the shape N x 1 x 8 x 8 (N samples), not 2 x 8 x 8"

    @pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04"])
    def test_samples_that_are_no_archive(
        self,
        capsys: pytest.CaptureFixture[str],
        example: Path,
        tmp_path: Path,
        content: bytes,
    ) -> None:
        (tmp_path / "s.npz").write_bytes(content)
        message = complaint(capsys, "run", example / "model.nrw", "--input", tmp_path / "s.npz")
        assert "is not a numpy archive" in message

    def test_samples_that_are_a_single_array(
        self, capsys: pytest.CaptureFixture[str], example: Path, tmp_path: Path
    ) -> None:
        path = tmp_path / "x.npy"
        np.save(path, np.zeros((2, 1, 8, 8)))
        message = complaint(capsys, "run", example / "model.nrw", "--input", path)
        assert "is a single array: save it as an archive" in message

    def test_objects_in_samples_are_not_unpickled(
        self,
        capsys: pytest.CaptureFixture[str],
        example: Path,
        tmp_path: Path,
    ) -> None:
        np.savez(tmp_path / "s.npz", x=np.array([{}, {}], dtype=object))
        message = complaint(capsys, "run", example / "model.nrw", "--input", tmp_path / "s.npz")
        assert "is not a numpy archive of plain arrays" in message

    def test_labels_of_another_length(self, capsys: pytest.CaptureFixture[str], example: Path, tmp_path: Path) -> None:
        np.savez(tmp_path / "s.npz", x=np.zeros((2, 1, 8, 8)), y=np.zeros(3, dtype=int))
        message = complaint(capsys, "run", example / "model.nrw", "--input", tmp_path / "s.npz")
        assert message.endswith("labels y of shape (3,) for 2 samples: they must have the shape (2,)")

    def test_widths_that_do_not_do(self, capsys: pytest.CaptureFixture[str], example: Path, tmp_path: Path) -> None:
        message = complaint(
            capsys,
            "compile",
            example / "model.onnx",
            "--calib",
            example / "calib.npz",
            "-o",
            tmp_path / "m.nrw",
            "--acc-bits",
            "7",
        )
        assert message == "acc_bits must be 12 to 32, not 7"

    def test_a_file_that_is_no_program(self, capsys: pytest.CaptureFixture[str], example: Path) -> None:
        message = complaint(capsys, "disasm", example / "model.onnx")
        assert message.endswith("is not a narrows program: compile a model to get one")
