"""model_sources: a compiled program as C data for the driver; c_array: an array of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.answer import AnswerKind
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.layout import TensorLayout
from ...hw.spec.registers import Region, region_address, region_stride
from ..errors import InputError, ProgramError
from ..names import in_c_comment
from ..outputs import Output
from ..program import Program
from ..quantised import QuantisedTensor
from ..runtime.feed import feed_of
from ..runtime.serving import Serving, serving_of
from ..runtime.survey import survey
from ..runtime.windows import gathered, runs

__all__ = ["c_array", "model_sources"]

_GENERATED = "Generated; do not edit."


def model_sources(program: Program, config: AcceleratorConfig) -> tuple[str, str]:
    """``narrows_model.h`` and ``narrows_model.c`` of a program for a core of this configuration, one that it runs on.

    Raises
    ------
    ProgramError
        If the program moves tensors to a backing store: the driver reaches the core alone.
    """
    if program.config.has_backing:
        raise ProgramError(
            "the C driver does not fill a backing store: compile the model for a configuration without one"
        )
    answers = _answers(program, config)
    return _header(program, config, answers), _source(program, config, answers)


def _header(program: Program, config: AcceleratorConfig, answers: Mapping[str, Serving]) -> str:
    graph = program.graph
    shape, order = "x".join(map(str, graph.input.shape)), graph.input.permutation
    lines = [
        f"/* A compiled model. {_GENERATED}",
        " *",
        f" * A sample of the model is {shape}" + (f", its axes transposed to {order}" if order else "") + ". */",
        "#ifndef NARROWS_MODEL_H",
        "#define NARROWS_MODEL_H",
        "",
        '#include "narrows.h"',
        "",
        "extern const narrows_program narrows_model;",
        f"extern const narrows_tensor narrows_input; /* {in_c_comment(graph.input.tensor)} */",
        f"#define NARROWS_OUTPUTS {len(graph.outputs)}",
        "extern const narrows_tensor narrows_outputs[NARROWS_OUTPUTS];",
    ]
    for number, output in enumerate(graph.outputs):
        size = int(np.prod(graph.tensors[output.tensor].shape))
        lines.append(f"#define NARROWS_OUTPUT_{number}_LEVELS {size} /* {in_c_comment(_output(output))} */")
    feed = feed_of(program, config)
    if feed is not None:
        lines.append(f"#define NARROWS_INPUT_BYTES {feed.plan.frame_bytes} /* of a frame */")
    for name, serving in answers.items():
        lines.append(f"extern const uint32_t narrows_answer_{name}[{len(serving.answer)}]; /* for narrows_serve */")
        lines.append(f"#define NARROWS_ANSWER_{name.upper()}_BYTES {serving.answer_bytes}")
    lines += [f"#define NARROWS_INPUT_LEVELS {int(np.prod(graph.tensors[graph.input.tensor].shape))}", "", "#endif", ""]
    return "\n".join(lines)


def _answers(program: Program, config: AcceleratorConfig) -> dict[str, Serving]:
    """How a core serves the program from streams, if it does: answers with its only output's ``levels``, or the
    ``place`` of the largest."""
    found = {}
    for kind, name in ((None, "levels"), (AnswerKind.PLACE, "place")):
        with contextlib.suppress(InputError):
            found[name] = serving_of(program, config, kind)
    return found


def _output(output: Output) -> str:
    """What an output is, and what of it the driver leaves to its caller."""
    text = f"{output.name}: {'x'.join(map(str, output.shape)) or 'one value'}"
    if output.order is not None:
        text += ", its elements in an order of their own"
    if output.head:
        text += f", still to be computed of it: {', '.join(function.operator for function in output.head)}"
    return text


def _source(program: Program, config: AcceleratorConfig, answers: Mapping[str, Serving]) -> str:
    graph = program.graph
    tensor = graph.tensors[graph.input.tensor]
    layout = program.layouts[tensor.name]
    levels = tensor.levels
    codes = config.digits.to_planes(levels, layout.planes).T
    shown = [output.tensor for output in graph.outputs]
    images = [(region.name.lower(), region, 0, words) for region, words in program.memories.items() if len(words)]
    feed = feed_of(program, config)
    images += [(region.name.lower(), region, 0, words) for region, words in (feed.memories if feed else {}).items()]
    images += _states(program)
    parts = [
        f"/* A compiled model. {_GENERATED} */",
        '#include "narrows_model.h"',
        *(c_array("uint32_t", name, words, "0x{:08X}u") for name, _, _, words in images),
        "static const narrows_image images[] = {\n" + "".join(_image(config, *image) for image in images) + "};",
        "const narrows_program narrows_model = {"
        f"0x{config.hash32:08X}u, {survey(program).limit}u, {len(images)}u, images}};",
        *(
            f"const uint32_t narrows_answer_{name}[] = {{{', '.join(f'0x{word:08X}u' for word in serving.answer)}}};"
            for name, serving in answers.items()
        ),
        c_array("int16_t", "input_levels", levels, "{}"),
        c_array("uint8_t", "input_codes", codes, "{}"),
        "const narrows_tensor narrows_input = "
        + _tensor(tensor, layout, ("input_levels", "input_codes", len(levels)))
        + ";",
        "const narrows_tensor narrows_outputs[NARROWS_OUTPUTS] = {\n    "
        + ",\n    ".join(_tensor(graph.tensors[name], program.layouts[name], None) for name in shown)
        + "};",
    ]
    return "\n\n".join(parts) + "\n"


def _states(program: Program) -> list[tuple[str, Region, int, NDArray[np.uint32]]]:
    """What states hold at first: names of arrays, the memory, the first word of each range, and the words."""
    config, found = program.config, []
    for number, state in enumerate(program.graph.states):
        layout = program.layouts[state.tensor]
        packed, addresses = layout.pack(state.initial, config.digits), layout.addresses() % config.act_words
        for part, (first, words) in enumerate(gathered(packed, addresses, runs(addresses), config)):
            found.append((f"state{number}_{part}", Region.ACTIVATIONS, first, words))
    return found


def _image(config: AcceleratorConfig, name: str, region: Region, first: int, rows: NDArray[np.uint32]) -> str:
    words, beats = rows.shape
    where = f"0x{region_address(config, region, first):07X}u, {words}u, {beats}u, {region_stride(config, region)}u"
    return f"    {{{where}, {name}}},\n"


def _tensor(tensor: QuantisedTensor, layout: TensorLayout, table: tuple[str, str, int] | None) -> str:
    """Initialiser of a ``narrows_tensor``."""
    levels, codes, count = table or ("NULL", "NULL", 0)
    window = layout.unfold
    shape = (window.channels, window.height, window.width) if window else tensor.shape
    pairs = [getattr(window, name) for name in ("kernel", "stride", "pad", "dilation")] if window else []
    geometry = [_braced(pair) for pair in pairs or [(1, 1), (1, 1), (0, 0), (1, 1)]]
    values = [
        *shape,
        layout.channels,
        layout.height,
        layout.width,
        *geometry,
        window.fill if window else 0,
        layout.base,
        layout.planes,
        _braced(layout.phases),
        layout.line,
        layout.pixel_pitch,
        layout.phase_pitch,
        layout.plane_pitch,
        layout.group_pitch,
        count,
        levels,
        codes,
        tensor.low,
        tensor.high,
        repr(float(tensor.scale)),
        tensor.zero,
    ]
    return _braced(values)


def _braced(values: Iterable[object]) -> str:
    return "{" + ", ".join(map(str, values)) + "}"


def c_array(kind: str, name: str, values: np.ndarray, form: str) -> str:
    """Definition of an array of integers of type ``kind``, each written as ``form`` says."""
    flat = [form.format(int(value)) for value in values.reshape(-1)]
    lines = [", ".join(flat[first : first + 8]) for first in range(0, len(flat), 8)]
    return f"static const {kind} {name}[] = {{\n    " + ",\n    ".join(lines) + "};"
