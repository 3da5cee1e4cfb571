"""Both methods one after the other: first without annotations, then with a few and a teacher."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.errors import EXIT_SOME_FAILED
from tests.builders.finished import Finished
from tests.builders.short import SHORTEST, short_trainings

pytestmark = pytest.mark.slow


def test_three_annotated_scans_and_one_that_the_first_run_labels(
    finished: Finished, tmp_path: Path
) -> None:
    drawn = tmp_path / "drawn"
    shutil.copytree(finished.truth, drawn)
    subjects = sorted(path.name for path in drawn.glob("sub-*"))
    unlabelled = subjects[-1]
    shutil.rmtree(drawn / unlabelled)
    out = tmp_path / "out"
    command = [
        *(str(finished.bids), str(out), "participant", "--profile", "sloppy", "--nprocs", "1"),
        *("--work-dir", str(tmp_path / "work"), "--method", "fabrication"),
        *("--annotated-dir", str(finished.bids), "--derivatives", str(drawn)),
        *("--semi-supervised", "--teacher", str(finished.out)),
    ]
    with short_trainings(SHORTEST):
        assert main(command) == EXIT_SOME_FAILED  # the scan that cannot be read
    senior = json.loads((out / "models" / "senior" / "model.json").read_text())
    first = json.loads((finished.out / "models" / "senior" / "model.json").read_text())
    assert senior["Teacher"]["Method"] == "synthtumour"
    assert senior["Teacher"]["Fingerprint"] == first["Fingerprint"]
    with (out / "models" / "pseudo_labels.tsv").open() as table:
        (row,) = csv.DictReader(table, delimiter="\t")
    assert unlabelled in row["scan"]
    pseudo = [case for case in senior["TrainingCases"] if case.startswith("pseudo-")]
    assert len(pseudo) == (row["used"] == "true")
    made = out / unlabelled / "anat" / f"{unlabelled}_label-L_mask.nii.gz"
    assert made.is_file()
    assert "without any annotation" in (out / "logs" / "CITATION.md").read_text()
