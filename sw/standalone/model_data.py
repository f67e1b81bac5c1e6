"""model_sources: a compiled program as C data for the driver; c_array: an array of it."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hw.spec.answer import AnswerKind
from ...hw.spec.config import AcceleratorConfig
from ...hw.spec.isa import INSTRUCTION_WORDS
from ...hw.spec.layout import TensorLayout
from ...hw.spec.registers import Region, region_address, region_stride
from ..errors import InputError, ProgramError
from ..linked import Linked
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


_Image = tuple[str, Region, int, NDArray[np.uint32]]
"""Name of an array, the memory that it fills, its first word there, and the words."""


@dataclass(frozen=True)
class _Model:
    """A program, and what its C names begin with."""

    program: Program
    label: str = ""

    @property
    def own(self) -> str:
        """Before names of objects of its own."""
        return f"narrows_{self.label}"

    @property
    def macro(self) -> str:
        """Before names of macros."""
        return self.own.upper()


def model_sources(program: Program | Linked, config: AcceleratorConfig) -> tuple[str, str]:
    """``narrows_model.h`` and ``narrows_model.c`` of a program for a core of this configuration, one that it runs on;
    or of several programs, whose names are those of a single one with ``narrows_NAME_`` in the place of ``narrows_``.

    Raises
    ------
    ProgramError
        If the program moves tensors to a backing store: the driver reaches the core alone.
    """
    if program.config.has_backing:
        raise ProgramError(
            "the C driver does not fill a backing store: compile the model for a configuration without one"
        )
    models = [_Model(program)] if isinstance(program, Program) else _labelled(program)
    answers = [_answers(model.program, config) for model in models]
    return _header(models, config, answers), _source(models, config, answers)


def _labelled(linked: Linked) -> list[_Model]:
    """Programs with labels made of their names, each of which is one of its own."""
    models: dict[str, _Model] = {}
    for name, program in linked.items():
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        plain = plain if plain[:1].isalpha() else f"program_{plain}".rstrip("_")
        tries = itertools.chain([f"{plain}_"], (f"{plain}_{number}_" for number in itertools.count(2)))
        label = next(each for each in tries if each not in models)
        models[label] = _Model(program, label)
    return list(models.values())


def _header(models: Sequence[_Model], config: AcceleratorConfig, answers: Sequence[Mapping[str, Serving]]) -> str:
    lines = [
        f"/* {'A compiled model' if len(models) == 1 else 'Compiled models'}. {_GENERATED}",
        *(line for model in models for line in _about(model)),
        " */",
        "#ifndef NARROWS_MODEL_H",
        "#define NARROWS_MODEL_H",
        "",
        '#include "narrows.h"',
    ]
    for model, own_answers in zip(models, answers, strict=True):
        lines += _declared(model, config, own_answers)
    return "\n".join([*lines, "", "#endif", ""])


def _about(model: _Model) -> list[str]:
    """Lines of a comment about a model's samples."""
    graph = model.program.graph
    shape, order = "x".join(map(str, graph.input.shape)), graph.input.permutation
    which = f"{model.own}model" if model.label else "the model"
    return [" *", f" * A sample of {which} is {shape}" + (f", its axes transposed to {order}" if order else "") + "."]


def _declared(model: _Model, config: AcceleratorConfig, answers: Mapping[str, Serving]) -> list[str]:
    graph, own, macro = model.program.graph, model.own, model.macro
    lines = [
        "",
        f"extern const narrows_program {own}model;",
        f"extern const narrows_tensor {own}input; /* {in_c_comment(graph.input.tensor)} */",
        f"#define {macro}OUTPUTS {len(graph.outputs)}",
        f"extern const narrows_tensor {own}outputs[{macro}OUTPUTS];",
    ]
    for number, output in enumerate(graph.outputs):
        size = int(np.prod(graph.tensors[output.tensor].shape))
        lines.append(f"#define {macro}OUTPUT_{number}_LEVELS {size} /* {in_c_comment(_output(output))} */")
    feed = feed_of(model.program, config)
    if feed is not None:
        lines.append(f"#define {macro}INPUT_BYTES {feed.plan.frame_bytes} /* of a frame */")
    for name, serving in answers.items():
        lines.append(f"extern const uint32_t {own}answer_{name}[{len(serving.answer)}]; /* for narrows_serve */")
        lines.append(f"#define {macro}ANSWER_{name.upper()}_BYTES {serving.answer_bytes}")
    return [*lines, f"#define {macro}INPUT_LEVELS {int(np.prod(graph.tensors[graph.input.tensor].shape))}"]


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


def _source(models: Sequence[_Model], config: AcceleratorConfig, answers: Sequence[Mapping[str, Serving]]) -> str:
    images = _images(models)
    return (
        "\n\n".join(
            [
                f"/* {'A compiled model' if len(models) == 1 else 'Compiled models'}. {_GENERATED} */",
                '#include "narrows_model.h"',
                *_arrays(config, "images", images),
                *(
                    part
                    for model, own in zip(models, answers, strict=True)
                    for part in _defined(model, config, own, len(images))
                ),
            ]
        )
        + "\n"
    )


def _images(models: Sequence[_Model]) -> list[_Image]:
    """What is written once: tables that all models share, instructions of each, and what states hold at first."""
    images: list[_Image] = []
    for number, model in enumerate(models):
        program, label = model.program, model.label
        for region, words in program.memories.items():
            first = INSTRUCTION_WORDS * program.entry if region is Region.INSTRUCTIONS else 0
            if len(words) and (not number or first):
                own = label if region is Region.INSTRUCTIONS else ""
                images.append((f"{own}{region.name.lower()}", region, first, words[first:]))
        images += _states(program, label)
    return images


def _arrays(config: AcceleratorConfig, name: str, images: Sequence[_Image]) -> list[str]:
    """Definitions of images, and of a table of them."""
    table = f"static const narrows_image {name}[] = {{\n" + "".join(_image(config, *image) for image in images) + "};"
    return [*(c_array("uint32_t", own, words, "0x{:08X}u") for own, _, _, words in images), table]


def _defined(
    model: _Model, config: AcceleratorConfig, answers: Mapping[str, Serving], image_count: int
) -> Iterable[str]:
    """Definitions of a model's own."""
    program, own, label = model.program, model.own, model.label
    graph = program.graph
    tensor = graph.tensors[graph.input.tensor]
    layout = program.layouts[tensor.name]
    levels = tensor.levels
    feed = feed_of(program, config)
    memories = feed.memories if feed else {}
    chosen = [(f"{label}{region.name.lower()}", region, 0, words) for region, words in memories.items()]
    yield from _arrays(config, f"{label}feed_images", chosen) if chosen else ()
    values = [
        f"0x{config.hash32:08X}u",
        f"{survey(program).limit}u",
        *(f"{image_count}u", "images"),
        f"{program.entry}u",
        *(f"{len(chosen)}u", f"{label}feed_images" if chosen else "NULL"),
    ]
    yield f"const narrows_program {own}model = {_braced(values)};"
    for name, serving in answers.items():
        words = ", ".join(f"0x{word:08X}u" for word in serving.answer)
        yield f"const uint32_t {own}answer_{name}[] = {{{words}}};"
    names = f"{label}input_levels", f"{label}input_codes"
    yield c_array("int16_t", names[0], levels, "{}")
    yield c_array("uint8_t", names[1], config.digits.to_planes(levels, layout.planes).T, "{}")
    yield f"const narrows_tensor {own}input = {_tensor(tensor, layout, (*names, len(levels)))};"
    shown = [output.tensor for output in graph.outputs]
    outputs = ",\n    ".join(_tensor(graph.tensors[name], program.layouts[name], None) for name in shown)
    yield f"const narrows_tensor {own}outputs[{model.macro}OUTPUTS] = {{\n    {outputs}}};"


def _states(program: Program, label: str) -> list[_Image]:
    """What states hold at first, an image for each range of words."""
    config, found = program.config, []
    for number, state in enumerate(program.graph.states):
        layout = program.layouts[state.tensor]
        packed, addresses = layout.pack(state.initial, config.digits), layout.addresses() % config.act_words
        for part, (first, words) in enumerate(gathered(packed, addresses, runs(addresses), config)):
            found.append((f"{label}state{number}_{part}", Region.ACTIVATIONS, first, words))
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
