from __future__ import annotations

import ast
import importlib
from importlib.util import find_spec
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parents[2] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_what_benchmarks_import_is_there(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("synthtumour_bids"):
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                own = hasattr(module, alias.name)
                assert own or find_spec(f"{node.module}.{alias.name}"), (
                    f"{node.module} {alias.name}"
                )
