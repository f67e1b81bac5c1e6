"""Pages of the demo, the report, the search and the scoreboard: one HTML file each that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["demo_page", "report_page", "scoreboard_page", "search_page"]


def demo_page(results: Mapping[str, Any], figures: Mapping[str, str]) -> str:
    """HTML of the demo's results (the content of report.json) and figures (SVG by name)."""
    return _page("demo.html.j2", results, figures)


def report_page(results: Mapping[str, Any], figures: Mapping[str, str]) -> str:
    """HTML of what `summary.summarise` gives, and figures (SVG by name)."""
    return _page("report.html.j2", results, figures)


def search_page(results: Mapping[str, Any], figures: Mapping[str, str]) -> str:
    """HTML of a search: what `search.summary.search_summary` gives, and figures (SVG by name)."""
    return _page("search.html.j2", results, figures)


def scoreboard_page(results: Mapping[str, Any]) -> str:
    """HTML of models on boards: what `bench/mlperf_tiny.py` measures."""
    return _page("scoreboard.html.j2", results, {})


def _page(template: str, results: Mapping[str, Any], figures: Mapping[str, str]) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    from ..names import printable
    from .theme import themed

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: f"{100 * value:.1f}\u00a0%"
    environment.filters["thousands"] = lambda value: f"{value:,.0f}"
    environment.filters["rate"] = lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    drawn = {name: Markup(themed(svg, name)) for name, svg in figures.items()}
    return environment.get_template(template).render(results=results, figures=drawn)
