"""Pages of documentation as programs: their Python blocks, run one after another.

    python -m tests.docs.pages docs/usage/python.md docs/usage/images

makes the pictures anew that a page shows.
"""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_page(page: Path, folder: Path) -> dict[str, Any]:
    """Run a page's blocks in one namespace and in a folder; errors name the page's own lines."""
    text = page.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": page.stem}
    with contextlib.chdir(folder):
        for block in _BLOCK.finditer(text):
            lines_before = text.count("\n", 0, block.start(1))
            code = compile("\n" * lines_before + block[1], str(page), "exec")
            exec(code, names)
    return names


if __name__ == "__main__":
    run_page(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
