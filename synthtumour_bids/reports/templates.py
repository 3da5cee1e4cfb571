"""HTML from the templates of this package; whatever is put in is escaped."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from synthtumour_bids.files import write_text


def template_folder() -> Path:
    """Folder of the templates, which nireports wants as a path."""
    return Path(str(resources.files("synthtumour_bids") / "data" / "reports"))


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(template_folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    return environment


def number(value: float) -> str:
    """Write a number with three digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write_page(path: Path, template: str, **values: Any) -> None:
    """Fill in a template and write the result."""
    write_text(path, _environment().get_template(template).render(**values))
