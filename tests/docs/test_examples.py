"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import synthtumour_bids

ROOT = Path(synthtumour_bids.__file__).parent
SHOWN = sorted(p for p in ROOT.rglob("*.py") if ">>> " in p.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_examples_hold(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    result = doctest.testmod(import_module(".".join(parts).removesuffix(".__init__")))
    assert result.attempted
    assert not result.failed
