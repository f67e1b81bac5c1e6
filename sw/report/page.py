"""demo_page: the demo's results as one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["demo_page"]


def demo_page(results: Mapping[str, Any], figures: Mapping[str, str]) -> str:
    """HTML of the demo's results (the content of report.json) and figures (SVG by name)."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda value: f"{100 * value:.1f} %"
    environment.filters["thousands"] = lambda value: f"{value:,.0f}"
    template = environment.from_string((Path(__file__).parent / "demo.html.j2").read_text(encoding="utf-8"))
    return template.render(results=results, figures={name: Markup(svg) for name, svg in figures.items()})
