"""Pages of documentation as data: their links, headings and shell commands."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / "benchmarks" / "RESULTS.md", ROOT / "brainlife" / "README.md"),
)
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_PATH = re.compile(r"(?<![\w/.-])(?:benchmarks|docs|scripts|synthtumour_bids|tests)/[\w./*-]*[\w*]")
_BENCHMARK = re.compile(r"python (benchmarks/\w+\.py)([^|`#&]*)")
_OUR_PROGRAM = re.compile(r"synthtumour-[a-z]+$")


@dataclass(frozen=True)
class Link:
    """A link to a file of the repository, whose path may be empty, and a heading in it."""

    path: str
    heading: str


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[Link]:
    """Links that do not lead out of the repository."""
    for target in _LINK.findall(prose(page)):
        if "://" not in target:
            path, _, heading = target.partition("#")
            yield Link(path, heading)


def headings(page: Path) -> set[str]:
    """Names by which a page's headings are linked to, on the site and where the code is hosted."""
    titles = (re.sub(r"[^\w\s-]", "", title.lower()) for title in _HEADING.findall(prose(page)))
    return {re.sub(r"\s", "-", title.strip()) for title in titles}


def blocks(page: Path, language: str) -> Iterator[str]:
    """Blocks of code in a language."""
    for found, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if found == language:
            yield textwrap.dedent(block)


def commands(page: Path) -> Iterator[list[str]]:
    """Command lines of our own programs, whatever starts or follows them."""
    for block in blocks(page, "bash"):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            words = shlex.split(line, comments=True)
            starts = [i for i, word in enumerate(words) if _OUR_PROGRAM.match(word)]
            for start in starts[:1]:
                end = next((i for i, word in enumerate(words) if word in (">", "|", "&&")), None)
                yield words[start:end]


def paths(page: Path) -> set[str]:
    """Patterns of files and folders of the repository that a page names, also in its code."""
    text = re.sub(r"\]\([^)\s]+\)|\w+://\S+", "", page.read_text(encoding="utf-8"))
    return set(_PATH.findall(text))


def benchmarks(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Every call of a benchmark, and the options that it is given."""
    text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
    for line in text.splitlines():
        for path, words in _BENCHMARK.findall(line):
            yield path, re.findall(r"--[a-z][\w-]*", words)
