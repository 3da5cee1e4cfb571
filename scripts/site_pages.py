"""Hooks of mkdocs: files beside ``docs/`` become pages, and links lead to where they are then.

On the site ``docs/`` is the top folder and ``README.md`` its first page; all else keeps its place.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
BESIDE = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff", "boutiques.json"),
    *("benchmarks/RESULTS.md", "brainlife/README.md"),
)
_LINK = re.compile(r"(\]\()([^)\s#:]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take in what lies beside ``docs/``."""
    for name in BESIDE:
        files.append(File.generated(config, place(name), abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between pages."""
    here = page.file.src_uri
    origin = next((name for name in BESIDE if place(name) == here), f"docs/{here}")

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link[2]))
        if not (ROOT / target).exists():
            return link[0]
        return link[1] + posixpath.relpath(place(target), posixpath.dirname(here) or ".")

    return _LINK.sub(moved, markdown)


def place(name: str) -> str:
    """Where a file of the repository is on the site."""
    return "index.md" if name == "README.md" else name.removeprefix("docs/")
