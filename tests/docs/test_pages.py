"""Pages hold together, and the commands in them are commands of this version."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from synthtumour_bids import synthesis
from synthtumour_bids.cli.fetch import build_parser as fetch_parser
from synthtumour_bids.cli.parser import build_parser
from synthtumour_bids.demo.__main__ import build_parser as demo_parser
from synthtumour_bids.starter.__main__ import build_parser as starter_parser
from tests.docs import markdown
from tests.docs.markdown import PAGES, ROOT

PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "synthtumour-bids": build_parser,
    "synthtumour-demo": demo_parser,
    "synthtumour-fetch": fetch_parser,
    "synthtumour-starter": starter_parser,
}
COMMANDS = [(page, command) for page in PAGES for command in markdown.commands(page)]


def name_of(value: object) -> str:
    return value.relative_to(ROOT).as_posix() if isinstance(value, Path) else ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in markdown.links(page):
        target = (page.parent / link.path).resolve() if link.path else page
        assert target.exists(), link.path
        if link.heading:
            assert link.heading in markdown.headings(target), f"{link.path}#{link.heading}"


def test_every_page_is_in_the_menu() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"([\w/]+\.md)$", text, re.MULTILINE))
    there = {page.relative_to(ROOT).as_posix().removeprefix("docs/") for page in PAGES}
    assert listed == there - {"README.md"} | {"index.md"}
    assert yaml.safe_load(text)["strict"]


def test_the_reference_has_every_public_name() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    names = re.findall(r"^ +- (\w+)$", text, re.MULTILINE)
    assert sorted(names) == sorted({*synthesis.__all__} - {"fabrication"})


def test_commands_are_found() -> None:
    assert len(COMMANDS) > 20
    assert {command[0] for _, command in COMMANDS} == set(PARSERS)


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=name_of)
def test_commands_are_understood(page: Path, command: list[str]) -> None:
    program, *words = command
    parser = PARSERS[program]()
    for action in parser._actions:  # their folders are not here
        if action.type is not None and re.match("existing|atlas|deriv|model", action.type.__name__):
            action.type = Path
    if "--" in words:
        words = words[: words.index("--")]
    try:
        parser.parse_args(words)
    except SystemExit as end:
        assert end.code == 0  # --help, --print-completion


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_line_is_too_long_to_read(page: Path) -> None:
    long = [line for line in markdown.prose(page).splitlines() if len(line) > 100]
    assert not [line for line in long if not line.startswith("|") and " " in line[:90]]
