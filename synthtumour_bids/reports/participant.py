"""A participant's page, assembled by nireports of the parts in the participant's figures folder."""

from __future__ import annotations

from pathlib import Path

from synthtumour_bids.files import replacing
from synthtumour_bids.reports.templates import template_folder


def assemble(page: Path, subject: str) -> None:
    """Write a page of the parts that are there.

    Parameters
    ----------
    page
        The file to write; the parts lie in ``sub-X/figures`` beside it.
    subject
        Label of the participant, without ``sub-``.
    """
    from nireports.assembler.report import Report

    templates = template_folder()
    with replacing(page) as temporary:
        Report(
            page.parent,
            None,
            bootstrap_file=templates / "bootstrap.yml",
            out_filename=str(temporary),
            # Only this participant's: looking through the whole output takes seconds a page.
            reportlets_dir=page.parent / f"sub-{subject}",
            metadata={"template": str(templates / "participant.html"), "heading": f"sub-{subject}"},
            subject=subject,
        ).generate_report()
