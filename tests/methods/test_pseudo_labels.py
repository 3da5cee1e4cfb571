"""The table of pseudo-labels, and what is read of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from synthtumour_bids.files import write_tsv
from synthtumour_bids.layout import pseudo_label_table
from synthtumour_bids.methods import pseudo_labels
from synthtumour_bids.methods.candidates import Assessed
from synthtumour_bids.synthesis.pseudo_labels import assess
from tests.builders.jobs import make_scan

BRAIN = np.ones((20, 20, 20), bool)


def test_every_column_has_a_description(tmp_path: Path) -> None:
    probability = np.zeros(BRAIN.shape, np.float32)
    probability[5:12, 5:12, 5:12] = 0.9
    pseudo = assess(probability, BRAIN, (2.0, 2.0, 2.0), reference_probability=probability)
    one = Assessed(make_scan(tmp_path, "01"), tmp_path / "label.nii", pseudo)
    pseudo_labels.write_table(tmp_path, [one], {one.scan.key})
    table = pseudo_label_table(tmp_path)
    with table.open(newline="") as stream:
        (row,) = csv.DictReader(stream, delimiter="\t")
    described = json.loads(table.with_suffix(".json").read_text())
    assert row.keys() == described.keys()
    assert row["used"] == "true"
    assert pseudo_labels.count_used(tmp_path) == (1, int(not pseudo.accepted))


def test_what_did_not_pass_is_counted(tmp_path: Path) -> None:
    assert pseudo_labels.count_used(tmp_path) == (None, 0)
    verdicts = [(True, True)] * 3 + [(True, False)] * 2 + [(False, False)]
    rows = [{"scan": n, "used": used, "accepted": ok} for n, (used, ok) in enumerate(verdicts)]
    write_tsv(pseudo_label_table(tmp_path), rows, list(rows[0]))
    assert pseudo_labels.count_used(tmp_path) == (5, 2)
