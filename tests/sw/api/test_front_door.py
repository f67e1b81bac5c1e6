"""The seven lines of Python, and what each object says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import narrows
import numpy as np
import onnx
import pytest
from narrows.hw.spec.config import PRESETS
from narrows.sw.errors import CapacityError, InputError, ModelError, ProgramMismatch


def test_a_path_or_a_model_in_memory_is_the_same_model(digits: narrows.Example, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(digits.model.path.read_bytes())
    programs = [
        narrows.load(source).quantize(digits.calib[:32]).compile("tiny").compiled.instructions
        for source in (path, str(path), onnx.load(path))
    ]
    assert all(np.array_equal(each, programs[0]) for each in programs)


def test_a_program_gives_real_values_by_the_models_names(digits: narrows.Example, program: narrows.Program) -> None:
    golden, isa = (program.run(digits.x[:20], engine=name) for name in ("golden", "isa"))
    assert list(golden) == ["scores"]
    assert golden["scores"].dtype == np.float64
    assert np.array_equal(golden["scores"], isa["scores"])
    assert golden.cycles is None
    assert isa.cycles is not None
    assert golden.accuracy(digits.y[:20]) == isa.accuracy(digits.y[:20]) >= 0.9
    assert np.array_equal(program.run(digits.x[0])["scores"], golden["scores"][:1])


def test_a_saved_program_is_the_same(program: narrows.Program, digits: narrows.Example, tmp_path: Path) -> None:
    path = program.save(tmp_path / "made" / "m.nrw")
    again = narrows.Program.load(str(path))
    assert again.compiled.to_bytes() == program.compiled.to_bytes()
    assert np.array_equal(again.run(digits.x[:3])["scores"], program.run(digits.x[:3])["scores"])
    assert again.quality["data"] == "held-out samples"
    with pytest.raises(InputError, match=r"narrows\.Program\.load"):
        narrows.load(path)


def test_verify_is_true_when_engines_agree(digits: narrows.Example, program: narrows.Program) -> None:
    agreement = program.verify(digits.x[:2], engines=["isa"])
    assert agreement
    assert agreement.first is None
    assert agreement.to_dict()["engines"] == ["golden", "isa"]
    with pytest.raises(InputError, match="did you mean isa"):
        program.verify(digits.x[:2], engines=["ias"])


def test_verify_finds_a_planted_fault(digits: narrows.Example, program: narrows.Program, tmp_path: Path) -> None:
    import dataclasses

    weights = program.compiled.weights.copy()
    weights[3] ^= 0x7
    wrong = narrows.Program(dataclasses.replace(program.compiled, weights=weights))
    agreement = wrong.verify(digits.x[:1], engines=["isa"], waves=tmp_path)
    assert not agreement
    assert agreement.first is not None
    assert agreement.first.engine == "isa"
    assert "tensors differ; first: isa, sample 0" in repr(agreement)


def test_explain_ranks_layers(digits: narrows.Example, program: narrows.Program, tmp_path: Path) -> None:
    found = program.explain()
    assert found.found.layers[0].share == max(layer.share for layer in found.found.layers)
    assert found.wider is not None
    loaded = narrows.Program.load(program.save(tmp_path / "m.nrw"))
    with pytest.raises(InputError, match="give some"):
        loaded.explain()
    assert loaded.explain(digits.calib[:16]).wider is None


def test_pages_and_verilog_go_into_folders_that_are_made(program: narrows.Program, tmp_path: Path) -> None:
    summary = program.report(tmp_path / "a" / "r.html")
    assert (tmp_path / "a" / "r.html").read_text().startswith("<!doctype html>")
    assert summary["cycles"] > 1000
    instructions, cycles = program.trace(tmp_path / "b" / "t.json")
    assert (cycles, instructions > 5) == (summary["cycles"], True)
    assert json.loads((tmp_path / "b" / "t.json").read_text())["traceEvents"]
    core, *beside = program.verilog(str(tmp_path / "ip" / "core.v"), wrapper="wishbone")
    assert "module narrows_core" in core.read_text()
    assert {path.parent for path in beside} == {tmp_path / "ip"}
    assert "core.sdc" in {path.name for path in beside}
    with pytest.raises(InputError, match="did you mean wishbone"):
        program.verilog(tmp_path / "x.v", wrapper="wishbon")
    assert not (tmp_path / "x.v").exists()


def test_the_doctor_says_what_a_board_lacks(digits: narrows.Example) -> None:
    fine = digits.model.doctor(board="ulx3s")
    assert fine.ok
    assert not fine.changes
    tight = digits.model.doctor(narrows.Config("tiny", act_words=64))
    assert not tight.ok
    assert "act_words" in tight.changes[0]


def test_a_model_that_cannot_run_loads_and_the_doctor_says_why(onnx_model, digits: narrows.Example) -> None:
    model = narrows.load(onnx_model([onnx.helper.make_node("Det", ["x"], ["y"])], (1, 4, 4)))
    examined = model.doctor()
    assert not examined.ok
    assert "Det" in examined.changes[0]
    with pytest.raises(ModelError, match="Det"):
        model.quantize(np.zeros((2, 4, 4)))


def test_shapes_of_open_axes_are_given(onnx_model) -> None:
    weight = np.ones((2, 1, 1, 1), dtype=np.float32)
    path = onnx_model([onnx.helper.make_node("Conv", ["x", "w"], ["y"])], (1, 1, "h", "w_"), {"w": weight})
    assert narrows.load(path, input_shapes={"x": (1, 1, 4, 4)}).input_shape == (1, 4, 4)


@pytest.mark.parametrize("source", [3, None, object()])
def test_what_is_no_model_is_one_line(source: object) -> None:
    with pytest.raises(InputError, match="is no model: give a path"):
        narrows.load(source)


def test_configurations_are_named_replaced_and_saved(tmp_path: Path) -> None:
    config = narrows.Config("medium", acc_bits=14)
    assert (config.acc_bits, config.rows) == (14, PRESETS["medium"].rows)
    assert repr(config) == "Config('medium', acc_bits=14)"
    assert narrows.Config(config.save(tmp_path / "made" / "c.toml")) == config
    assert narrows.Config(str(tmp_path / "made" / "c.toml"), acc_bits=16) == narrows.Config("medium")
    assert narrows.Config(board="icebreaker").memories == "single"
    with pytest.raises(narrows.NarrowsError, match="did you mean medium"):
        narrows.Config("medum")
    with pytest.raises(narrows.NarrowsError, match="did you mean acc_bits"):
        narrows.Config("medium", accbits=14)
    with pytest.raises(narrows.NarrowsError, match="choose one of"):
        narrows.Config("medium", board="ulx3s")


def test_a_boards_core_is_chosen_if_it_holds_the_model(digits: narrows.Example) -> None:
    assert narrows.Config.for_model(digits.model, board="ulx3s") == narrows.Config(board="ulx3s")
    with pytest.raises(InputError, match="are not estimated"):
        narrows.Config.for_model(digits.model, board="icebreaker", fps=10)


def test_what_does_not_fit_is_refused(digits: narrows.Example) -> None:
    plan = digits.model.quantize(digits.calib[:16])
    with pytest.raises(CapacityError, match="act_words"):
        plan.compile("tiny", act_words=64)
    with pytest.raises(InputError, match="leave out"):
        digits.model.quantize(digits.calib[:16], weights="int4", formats=plan.formats(narrows.Config("tiny").core))
    with pytest.raises(InputError, match="int99"):
        digits.model.quantize(digits.calib[:16], weights="int99")


def test_a_program_of_another_core_is_not_the_boards(program: narrows.Program) -> None:
    with pytest.raises(ProgramMismatch, match="--board ulx3s"):
        program.on_board("ulx3s")


def test_warnings_are_pythons_own(digits: narrows.Example, program: narrows.Program) -> None:
    with pytest.warns(narrows.NarrowsWarning, match="input"):
        program.run(digits.x[:20].astype(np.float64) * 50)


def test_objects_say_what_they_are_in_a_line_and_in_a_notebook(
    digits: narrows.Example, program: narrows.Program
) -> None:
    found = [
        digits.model,
        narrows.Config("tiny"),
        program,
        program.run(digits.x[:2]),
        program.verify(digits.x[:1], engines=["isa"]),
        program.explain(),
        digits.model.doctor("tiny"),
    ]
    for each in found:
        assert len(repr(each)) < 200
        assert "\n" not in repr(each)
        assert each._repr_html_().startswith("<table>")


def test_a_search_leads_to_a_program(digits: narrows.Example) -> None:
    held = (digits.x[:60], digits.y[:60])
    found = digits.model.quantize(digits.calib[:32]).search(
        held, config="tiny", weights=("dybit4", "int8"), acts=("dybit4",), trials=0, images=40, max_loss=50
    )
    assert len(found.rows[0]) == 10
    program = found.compile()
    assert program.quality["samples"] == 60
    assert f"{len(found.summary['front'])} on the front" in repr(found)
