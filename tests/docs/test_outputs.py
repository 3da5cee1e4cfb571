"""The pages on outputs and reports name what is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
import yaml

from synthtumour_bids.reports.templates import template_folder
from tests.docs.markdown import ROOT

OUTPUTS = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
MAKERS = {"sidecar", "_fields"}  # functions whose keywords are fields of sidecars


def fields() -> Iterator[str]:
    """Fields that are given by name where sidecars are made."""
    for path in (ROOT / "synthtumour_bids").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MAKERS:
                yield from (one.arg for one in node.keywords if one.arg and one.arg[0].isupper())


def test_every_field_of_a_sidecar_is_in_the_table() -> None:
    written = set(fields())
    assert len(written) > 10
    section = OUTPUTS.partition("### Sidecars")[2].partition("\n###")[0]
    told = {
        name
        for row in re.findall(r"^\| (`[A-Z].*?) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert written - told == set()
    (images,) = re.findall(r"^\| `Description` \| (.*?) \|", section, re.MULTILINE)
    assert {"desc-change_dseg", "desc-corrected_mask"} < set(re.findall(r"`(.*?)`", images))
    assert "frequency map" in images
    assert "lesion ROI" in images
    assert re.search(r"`SpatialReference`.*`space-halfway_desc-preproc`", section)


@pytest.mark.parametrize("name", ["recipe.txt", "output_id", "failures/*.json", "README"])
def test_small_files_are_named(name: str) -> None:
    assert f"`{name}`" in OUTPUTS


def test_every_part_of_a_page_is_in_the_table() -> None:
    page = (ROOT / "docs" / "reading.md").read_text(encoding="utf-8")
    section = page.partition("## The page of a participant")[2].partition("\n## ")[0]
    told = set(re.findall(r"^\| (.*?) \|", section, re.MULTILINE)) - {"part"}
    made = yaml.safe_load((template_folder() / "bootstrap.yml").read_text(encoding="utf-8"))
    titles = [one["title"] for one in made["sections"] if one["title"] != "Scans"]
    titles += [
        part["subtitle"]
        for section in made["sections"]
        for part in section["reportlets"]
        if "subtitle" in part
    ]
    short = {re.sub(r"^(Bent into) .*", r"\1 …", title) for title in titles}
    assert told == short - {"Healthy twin of the T1w image"}  # told of with the scan's
