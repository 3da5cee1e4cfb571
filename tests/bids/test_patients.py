"""Who of a whole dataset may have a tumour, by names of folders and the table of participants."""

from __future__ import annotations

from pathlib import Path

from synthtumour_bids.bids.patients import possible_patients
from synthtumour_bids.settings import Settings
from tests.builders.datasets import make, table


def test_everyone_counts_who_is_not_known_to_be_something_else(tmp_path: Path) -> None:
    names = (f"sub-0{n}_FLAIR.nii.gz" for n in range(1, 6))
    settings = Settings(
        make(tmp_path / "bids", *names),
        tmp_path / "out",
        participant_label=("01",),
        exclude_participant_label=("04",),
        hold_out=("05",),
    )
    assert possible_patients(settings) == {"01", "02", "03"}, "whoever is asked for"
    table(settings.bids_dir, "sub-01\ttumour", "sub-02\ttumour", "sub-03\tcontrol")
    assert possible_patients(settings) == {"01", "02"}
    table(settings.bids_dir, "sub-01\ttumour", "sub-02\tunheard of")
    assert possible_patients(settings) == {"01", "02", "03"}, "what is unclear is not told here"
