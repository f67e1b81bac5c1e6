"""Whatever a model calls its tensors and nodes, no medium takes it for anything but a name."""

import io
import json
import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path, PurePosixPath

import narrows.sw.standalone
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from narrows.sw import results
from narrows.sw.cli import output
from narrows.sw.cli.app import run
from narrows.sw.frontend import load_model
from narrows.sw.names import archive_member, in_c_comment, printable, toml_key
from narrows.sw.outputs import given_outputs
from narrows.sw.passes import lower
from narrows.sw.program import Program
from narrows.sw.quantize import LayerFormats, QuantSettings
from narrows.sw.quantize.evaluate import evaluate
from narrows.sw.quantize.settings_file import settings_text
from narrows.sw.report.canvas import bars, figure, svg
from narrows.sw.standalone.model_data import model_sources
from onnx import TensorProto, helper, numpy_helper

HOSTILE = (
    "*/ int x; /*",
    "[/]",
    "[bold red]x[/bold red]",
    "<script>alert(1)</script>",
    "$\\frac{1$",
    "../../etc/passwd",
    "/absolute",
    "C:\\windows",
    "..",
    ".",
    "file",
    "a\x00b",
    "two\nlines\r\x1b[2Jcleared",
    "\u202egnp.exe",
    "{0} %s %n",
    "日本語",
    "\"quoted\" 'too' \\",
    "??/",
    "line\\",
    "x" * 300,
    "\u2028",
    "🦆",
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(HOSTILE)


@given(TEXT)
def test_printable_text_is_one_line_without_controls(text):
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert printable(shown) == shown


@given(TEXT)
def test_comments_end_where_they_end(text):
    shown = in_c_comment(text)
    assert shown.isascii() and "\n" not in shown
    for danger in ("*/", "/*", "//", "\\", "??"):
        assert danger not in f"{shown}"
    assert f"/* {shown} */".count("*/") == 1


@given(TEXT)
def test_keys_of_toml_read_as_the_name_again(text):
    assert tomllib.loads(f"[layers.{toml_key(text)}]\nacts = 1") == {"layers": {text: {"acts": 1}}}


@given(TEXT, TEXT)
def test_settings_files_hold_any_layer(first, second):
    wanted = {first: LayerFormats(weights="int6"), second: LayerFormats(acts="int8")}
    layers = tomllib.loads(settings_text(QuantSettings(layers=wanted)))["layers"]
    assert {name: LayerFormats(**values) for name, values in layers.items()} == wanted


@given(TEXT)
@example("/model/dense/Softmax_output_0")
def test_members_stay_inside_their_archive(text):
    member = archive_member(text)
    assert member and not member.startswith("/") and "\\" not in member
    assert not {"", ".", ".."}.intersection(PurePosixPath(member).parts)
    assert len(member) < 180 and printable(member) == member
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, b"")
    with zipfile.ZipFile(buffer) as archive:
        assert archive.namelist() == [member]


@settings(max_examples=30)
@given(st.lists(TEXT, unique=True, max_size=6))
def test_archives_hold_every_array(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("arrays") / "y.npz"
    results.write_arrays(path, {name: np.full(2, number) for number, name in enumerate(names)})
    with np.load(path) as archive:
        assert sorted(int(archive[name][0]) for name in archive.files) == list(range(len(names)))
        for number, name in enumerate(names):
            if archive_member(name) == name:
                np.testing.assert_array_equal(archive[name], np.full(2, number))


@pytest.mark.parametrize("name", ["y", "out/ü;1 {x} [bold]", "Identity:0", "file", "a.b/c"])
def test_harmless_names_are_kept(name):
    assert archive_member(name) == name


@settings(max_examples=60)
@given(TEXT)
def test_tables_show_names_and_no_markup(text):
    with output._RESULTS.capture() as captured:
        output.show_table(text, ("name", text), [(text, "[red]1[/red]")])
        output.report_done(text)
    shown = captured.get()
    assert "\x1b" not in shown
    assert "[red]1[/red]" in shown.replace("\n", "")


@settings(max_examples=15)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_figures_draw_any_name(names):
    with figure(7.0, 2.0) as (_, axes, text):
        bars(axes[0], names, list(range(len(names))))
    assert "<script>" not in svg(text)


def hostile_model(path, names):
    """A convolution, an activation and a head, each of them and every value with a name of its own."""
    source, conv, relu, probability, first, second, third = names
    weights = np.random.default_rng(0).normal(size=(3, 2, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", [source, f"{first} weights"], [conv], name=first, pads=[1, 1, 1, 1]),
        helper.make_node("Relu", [conv], [relu], name=second),
        helper.make_node("Softmax", [relu], [probability], name=third, axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info(source, TensorProto.FLOAT, (1, 2, 4, 4))],
        [helper.make_empty_tensor_value_info(name) for name in (relu, probability)],
        [numpy_helper.from_array(weights, f"{first} weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    np.savez(path.with_name("x.npz"), x=np.random.default_rng(1).normal(size=(8, 2, 4, 4)).astype(np.float32))


NAMES = [
    ("*/ int x; /*", "[/]", "../../up", "[bold]", "conv[red]", "a\nb", "<script>alert(1)</script>"),
    ("file", "$\\frac{1$", "\x1b[2J", "/absolute", "??/", "%s {0}", "🦆日本語"),
]


@pytest.mark.parametrize("names", NAMES)
def test_a_model_of_hostile_names_goes_through_all_commands(names, tmp_path, capsys):
    model, program, page = tmp_path / "m.onnx", tmp_path / "m.nrw", tmp_path / "page.html"
    hostile_model(model, names)
    samples = tmp_path / "x.npz"
    report = tmp_path / "r.json"
    for command in (
        ["doctor", model],
        ["compile", model, "--calib", samples, "--preset", "tiny", "--acc-bits", "24", "-o", program],
        ["run", program, "--input", samples, "-o", tmp_path / "y.npz", "--json", report],
        ["verify", program, "--input", samples, "--limit", "1", "--engine", "golden", "--engine", "isa"],
        ["disasm", program],
        ["report", program, "-o", page],
        ["trace", program, "-o", tmp_path / "trace.json"],
    ):
        status = run([str(part) for part in command])
        shown = capsys.readouterr()
        assert status == 0, (command[0], shown)
        assert "\x1b" not in shown.out
    assert "<script>alert" not in page.read_text(encoding="utf-8")
    json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))
    with np.load(tmp_path / "y.npz") as archive:
        assert archive.files == [archive_member(name) for name in names[2:4]]
        np.testing.assert_allclose(archive[archive_member(names[3])].sum(axis=1), 1, rtol=1e-9)
    outputs = json.loads(report.read_text(encoding="utf-8"))["outputs"]
    assert [entry["name"] for entry in outputs] == list(names[2:4])
    assert [entry["member"] for entry in outputs] == [archive_member(name) for name in names[2:4]]
    assert [layer.origin for layer in Program.load(program).graph.layers] == [names[4:6]]


def test_values_called_like_parts_of_others_are_kept_apart(onnx_model, tmp_path):
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y/positive"]),
        helper.make_node("LeakyRelu", ["y/positive"], ["y"], alpha=0.3),
        helper.make_node("Add", ["y", "y/positive"], ["s"]),
    ]
    path = onnx_model(nodes, (1, 3, 6, 6), {"w": weights}, outputs=("s", "y/positive", "y"))
    x = np.random.default_rng(1).normal(size=(1, 3, 6, 6)).astype(np.float32)
    expected = onnxruntime.InferenceSession(str(path)).run(None, {"x": x})
    graph = lower(load_model(path))
    found = given_outputs(graph.outputs, evaluate(graph, x))
    assert list(found) == ["s", "y/positive", "y"]
    for values, right in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(values, np.asarray(right), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_c_data_of_hostile_names_compile(names, tmp_path):
    hostile_model(tmp_path / "m.onnx", names)
    program = tmp_path / "m.nrw"
    options = ["--calib", str(tmp_path / "x.npz"), "--preset", "tiny", "--acc-bits", "24", "-o", str(program)]
    assert run(["compile", str(tmp_path / "m.onnx"), *options]) == 0
    header, source = model_sources(loaded := Program.load(program), loaded.config)
    stripped = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    assert "int x" not in stripped
    assert set(re.findall(r"extern const \w+ (\w+)", stripped)) == {"narrows_model", "narrows_input", "narrows_outputs"}
    (tmp_path / "narrows_model.h").write_text(header)
    (tmp_path / "narrows_model.c").write_text(source)
    folder = Path(narrows.sw.standalone.__file__).parent
    command = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-trigraphs", "-fsyntax-only"]
    subprocess.run([*command, f"-I{folder}", f"-I{tmp_path}", str(tmp_path / "narrows_model.c")], check=True)
