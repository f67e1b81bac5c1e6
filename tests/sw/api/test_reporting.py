"""The report: everything about a program on one page."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import narrows
import numpy as np
import pytest
from narrows.boards.catalogue import BOARDS
from narrows.sw.cli import run
from narrows.sw.errors import InputError
from onnx import TensorProto, helper, numpy_helper


def test_a_page_with_everything(digits: narrows.Example, program: narrows.Program, tmp_path: Path) -> None:
    other = digits.model.quantize(digits.calib[:64], acts="int8").compile("tiny")
    path = tmp_path / "r.html"
    found = program.report(path, (digits.x[:40], digits.y[:40]), beside=other, command="narrows report <a>")
    page = path.read_text(encoding="utf-8")
    assert found["samples"]["accuracy"] == program.run(digits.x[:40]).accuracy(digits.y[:40])
    assert [row["name"] for row in found["samples"]["tensors"]] == [
        program.graph.input.tensor,
        *(layer.output for layer in program.graph.layers),
    ]
    assert [row["name"] for row in found["boards"]["rows"]] == list(BOARDS)
    assert all(row["cycles"] or row["lacking"] for row in found["boards"]["rows"])
    cycles = next(row for row in found["compared"]["totals"] if row["what"] == "clock cycles for a sample")
    assert cycles["b"] / cycles["a"] == cycles["ratio"] > 1, "wider activations take longer"
    noise = next(row for row in found["compared"]["totals"] if "noise" in row["what"])
    assert noise["b"] > noise["a"], "beside the float model, both; wider activations are nearer to it"
    assert "narrows report &lt;a&gt;" in page
    assert f"narrows {narrows.__version__}" in page
    for number in range(1, len(program.graph.layers) + 1):
        assert f'id="row-{number}"' in page and f'href="#network-layer-{number}"' in page
        assert f'id="network-layer-{number}"' in page and f'href="#row-{number}"' in page
    json.dumps(found)


def test_the_same_page_twice(program: narrows.Program, tmp_path: Path) -> None:
    for name in "ab":
        program.report(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_board_of_ones_own_stands_first(program: narrows.Program, tmp_path: Path) -> None:
    text = (
        "import dataclasses\nfrom narrows.boards.catalogue import BOARDS\nfrom narrows.hw.spec.config import PRESETS\n"
    )
    text += 'BOARD = dataclasses.replace(BOARDS["ulx3s"], name="mine", config=PRESETS["tiny"])\n'
    (tmp_path / "mine.py").write_text(text)
    rows = program.report(tmp_path / "r.html", board=tmp_path / "mine.py")["boards"]["rows"]
    assert [row["name"] for row in rows] == ["mine", *BOARDS]
    assert rows[0]["mhz"] == BOARDS["ulx3s"].clock_mhz


def test_the_float_model_needs_samples(program: narrows.Program, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give data"):
        program.report(tmp_path / "r.html", model=program.model)
    assert not (tmp_path / "r.html").exists()


def test_from_the_command_line(
    program: narrows.Program, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = program.save(tmp_path / "a" / "m.nrw"), program.save(tmp_path / "b" / "m.nrw")
    page, numbers = tmp_path / "r.html", tmp_path / "r.json"
    arguments = ["report", str(one), str(other), "--data", str(archive), "--limit", "30", "-o", str(page)]
    assert run([*arguments, "--json", str(numbers)]) == 0
    found = json.loads(numbers.read_text())
    assert found["samples"]["count"] == 30
    assert found["made"]["command"] == f"narrows {' '.join(arguments)} --json {numbers}"
    assert {row["ratio"] for row in found["compared"]["totals"]} <= {1.0, None}
    assert f"accuracy on 30 samples: {found['samples']['accuracy']:.2%}" in capsys.readouterr().out
    assert run(["report", str(one), "--model", "m.onnx"]) == 2
    assert "give --data" in capsys.readouterr().err


def test_a_streaming_model(tmp_path: Path) -> None:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4)) for name in ("x", "kept")]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 4)) for name in ("y", "next")]
    nodes = [
        helper.make_node("Mul", ["kept", "w"], ["half"], "fade"),
        helper.make_node("Add", ["x", "half"], ["next"], "take"),
        helper.make_node("Relu", ["next"], ["y"], "show"),
    ]
    constants = [numpy_helper.from_array(np.float32([[0.5]]), "w")]
    graph = helper.make_graph(nodes, "fading", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = np.random.default_rng(3).normal(size=(24, 4)).astype(np.float32)
    program = narrows.load(model, states={"kept": "next"}).quantize(x).compile("tiny")
    found = program.report(tmp_path / "r.html", x)
    assert found["samples"]["errors"] is None
    rows = found["samples"]["tensors"]
    assert [row["by"] for row in rows[:2]] == ["input", "state"]
    assert "kept, kept from run to run" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_the_samples_of_another_model(digits: narrows.Example, program: narrows.Program, tmp_path: Path) -> None:
    wrong = dataclasses.replace(digits, x=digits.x[:, :, :4])
    with pytest.raises(InputError, match="must have the shape"):
        program.report(tmp_path / "r.html", wrong.x)
