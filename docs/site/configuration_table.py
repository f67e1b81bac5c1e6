"""Directives of the site that the code fills: ``configuration``, every parameter of a core, and ``presets``."""

from __future__ import annotations

import dataclasses
import re
import textwrap

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from narrows.hw.spec.config import PRESETS, AcceleratorConfig
from sphinx.application import Sphinx

__all__ = ["parameters", "preset_rows", "setup"]

_ENTRY = re.compile(r"^(\w[\w, ]*) : (\w+)\n((?:    .*\n|\n)+)", re.MULTILINE)


def parameters() -> dict[str, tuple[str, str]]:
    """Kind and meaning of each parameter, from the docstring of `AcceleratorConfig`.

    Raises
    ------
    ValueError
        If a field is missing there, or something there is no field.
    """
    doc = textwrap.dedent("    " + (AcceleratorConfig.__doc__ or ""))
    found = {
        name: (kind, " ".join(meaning.split()))
        for names, kind, meaning in _ENTRY.findall(doc.partition("Parameters\n")[2].partition("Raises\n")[0])
        for name in names.split(", ")
    }
    fields = {field.name for field in dataclasses.fields(AcceleratorConfig)}
    if odd := fields ^ set(found):
        raise ValueError(f"the docstring of AcceleratorConfig and its fields differ in {', '.join(sorted(odd))}")
    return found


def preset_rows() -> list[list[str]]:
    """A line for each parameter in which presets differ, below their names."""
    values = {name: config.to_dict() for name, config in PRESETS.items()}
    names = [name for name in parameters() if len({str(config[name]) for config in values.values()}) > 1]
    return [["", *values], *([name, *(str(config[name]) for config in values.values())] for name in names)]


class _Filled(Directive):
    """A directive whose content is Markdown that the code writes."""

    def text(self) -> list[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        place = nodes.container()
        self.state.nested_parse(StringList(self.text(), source=type(self).__name__), self.content_offset, place)
        return place.children


class Configuration(_Filled):
    """Every parameter: name, kind, what it is where nothing is said, meaning."""

    def text(self) -> list[str]:
        lines: list[str] = []
        defaults = {field.name: field.default for field in dataclasses.fields(AcceleratorConfig)}
        for name, (kind, meaning) in parameters().items():
            shown = '""' if defaults[name] == "" else str(defaults[name])
            lines += [f"`{name}` ({kind}, `{shown}`)", f": {meaning}", ""]
        return lines


class Presets(_Filled):
    """The named configurations side by side."""

    def text(self) -> list[str]:
        head, *rows = ([f"`{cell}`" if cell else "" for cell in row] for row in preset_rows())
        return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("configuration", Configuration)
    app.add_directive("presets", Presets)
    return {"parallel_read_safe": True}
