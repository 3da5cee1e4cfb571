from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> Iterator[str]:
    for path in (ROOT / "synthtumour_bids").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                yield node.module.partition(".")[0]


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    names = {
        key: {normal(re.split(r"[<>=;\[ ]", text)[0]) for text in texts}
        for key, texts in {"": project["dependencies"], **extras}.items()
    }
    distributions = packages_distributions()
    foreign = set(imported()) - set(sys.stdlib_module_names) - {"synthtumour_bids"}
    used = {normal(distributions.get(name, [name])[0]) for name in foreign}
    optional = set().union(*(names[key] for key in ("dask", "dicom", "templates")))
    assert used - optional == names[""]
