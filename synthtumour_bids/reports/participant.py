"""A participant's page, assembled by nireports of the parts in the participant's figures folder."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.index import entity_names
from synthtumour_bids.bids.names import ENTITY_ORDER, parse_name
from synthtumour_bids.files import replacing
from synthtumour_bids.reports.templates import template_folder

# Or nipype, which nireports loads, asks the network for its newest version, as from a notebook.
os.environ.setdefault("NIPYPE_NO_ET", "1")

from nireports.assembler.report import Report, SubReport
from nireports.assembler.reportlet import Reportlet

_Whose = tuple[tuple[str, ...], str]  # the values of a scan's entities, and its suffix
_OF_SCANS = tuple(key for key in ENTITY_ORDER if key not in ("sub", "desc"))
_OF_PERSON = "report"  # suffix of parts that are about no single scan


def assemble(page: Path, subject: str) -> None:
    """Write a page of the parts that are there.

    Parameters
    ----------
    page
        The file to write; the parts lie in ``sub-X/figures`` beside it.
    subject
        Label of the participant, without ``sub-``.
    """
    templates = template_folder()
    with replacing(page) as temporary:
        _Page(  # type: ignore[no-untyped-call]  # nireports has no types
            page.parent,
            None,
            bootstrap_file=templates / "bootstrap.yml",
            out_filename=str(temporary),
            reportlets_dir=page.parent / f"sub-{subject}" / "figures",
            metadata={"template": str(templates / "participant.html"), "heading": f"sub-{subject}"},
        ).generate_report()


@dataclass(frozen=True)
class _Parts:
    """The parts about one scan, or about the participant, by their desc."""

    title: str | None
    by_desc: Mapping[str, os.DirEntry[str]]

    def get(self, *, desc: str) -> list[os.DirEntry[str]]:
        """Find what nireports asks its layout for."""
        return [self.by_desc[desc]] if desc in self.by_desc else []


class _Page(Report):
    """A report that tells parts by their names alone.

    The layout of nireports looks for entities in absolute paths, where a folder above may be
    called ``anat`` or ``run-2``, and leaves out the scan whose name says least.
    """

    def index(self, config: Mapping[str, Any]) -> None:
        """Fill the sections, scan by scan."""
        whose = _find_parts(config["root"])
        for section in config["sections"]:
            found = []
            for parts in whose:
                asked = (Reportlet(parts, one, config["out_dir"]) for one in section["reportlets"])
                there = [reportlet for reportlet in asked if not reportlet.is_empty()]
                if there:
                    there[0].title = parts.title
                found += there
            if found:
                self.sections.append(
                    SubReport(section["name"], reportlets=found, title=section["title"])
                )


def _find_parts(folder: Path) -> list[_Parts]:
    """Find the parts of the participant and of each scan, in the order of the scans' entities."""
    found: dict[_Whose, dict[str, os.DirEntry[str]]] = defaultdict(dict)
    with os.scandir(folder) as entries:
        for entry in entries:
            name = parse_name(entry.name)
            if name is not None and name.extension == ".html":
                entities = dict(name.entities)
                values = tuple(entities.get(key, "") for key in _OF_SCANS)
                found[values, name.suffix][entities.get("desc", "")] = entry
    scans = [one for one in sorted(found) if one[1] != _OF_PERSON]
    titles = {one: _title(*one) for one in scans if len(scans) > 1 or any(one[0])}
    return [_Parts(titles.get(one), found[one]) for one in sorted(found)]


def _title(values: tuple[str, ...], suffix: str) -> str:
    """Say which scan it is."""
    names = entity_names()
    named = {names.get(key, key): one for key, one in zip(_OF_SCANS, values, strict=True) if one}
    told = named or {"suffix": suffix}
    words = (f'{name} <span class="bids-entity">{value}</span>' for name, value in told.items())
    return f"Reports for: {', '.join(words)}."
