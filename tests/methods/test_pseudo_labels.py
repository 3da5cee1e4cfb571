"""The table of pseudo-labels, and what is read of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from synthtumour_bids.execution.attempt import Result
from synthtumour_bids.files import write_tsv
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network, pseudo_label_table
from synthtumour_bids.methods import pseudo_labels
from synthtumour_bids.methods.candidates import Assessed
from synthtumour_bids.settings import Role
from synthtumour_bids.synthesis.pseudo_labels import PseudoLabel, assess
from tests.builders.jobs import make_job, make_scan

BRAIN = np.ones((20, 20, 20), bool)


def test_every_column_has_a_description(tmp_path: Path) -> None:
    probability = np.zeros(BRAIN.shape, np.float32)
    probability[5:12, 5:12, 5:12] = 0.9
    probability[15, 15, 15] = 0.9  # a speck
    pseudo = assess(probability, BRAIN, (2.0, 2.0, 2.0), reference_probability=probability)
    one = Assessed(make_scan(tmp_path, "01"), tmp_path / "label.nii", pseudo)
    pseudo_labels.write_table(tmp_path, [one], {one.scan.key})
    table = pseudo_label_table(tmp_path)
    with table.open(newline="") as stream:
        (row,) = csv.DictReader(stream, delimiter="\t")
    described = json.loads(table.with_suffix(".json").read_text())
    assert row.keys() == described.keys()
    assert row["used"] == "true"
    assert (float(row["components"]), float(row["specks_mL"])) == (1, 0.008)
    assert "without the specks" in described["components"]["Description"]
    assert pseudo_labels.count_used(tmp_path) == (1, int(not pseudo.accepted))


def test_what_did_not_pass_is_counted(tmp_path: Path) -> None:
    assert pseudo_labels.count_used(tmp_path) == (None, 0)
    verdicts = [(True, True)] * 3 + [(True, False)] * 2 + [(False, False)]
    rows = [{"scan": n, "used": used, "accepted": ok} for n, (used, ok) in enumerate(verdicts)]
    write_tsv(pseudo_label_table(tmp_path), rows, list(rows[0]))
    assert pseudo_labels.count_used(tmp_path) == (5, 2)


WEAK = {"volume_mL": 9.0, "brain_fraction": 0.1, "confidence": 0.6}


@pytest.mark.parametrize("passed", [0, 1])
def test_only_what_passed_joins_annotations(
    passed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job, recorded = make_job(tmp_path, tumours=3), []
    tumours = [scan for scan in job.selection.everything if scan.role is Role.TUMOUR]
    good = {scan.key for scan in tumours[:passed]}

    def assessed(self: Job, function: object, items: list, **more: object) -> list[Result]:
        verdicts = (PseudoLabel(BRAIN, one.scan.key in good, (), WEAK) for one in items)
        pairs = zip(items, verdicts, strict=True)
        return [Result(one, Assessed(one.scan, one.label, verdict)) for one, verdict in pairs]

    def predicted(job: Job, model: object, scans: list, **more: object) -> list[Result]:
        return [Result(scan, tmp_path) for scan in scans]

    monkeypatch.setattr(Job, "map", assessed)
    monkeypatch.setattr(pseudo_labels, "predict", predicted)
    monkeypatch.setattr(
        pseudo_labels, "record_pseudo_labels", lambda *given: recorded.append(given[2])
    )
    model = SimpleNamespace(name=Network.JUNIOR)
    found = pseudo_labels.pseudo_labelled(job, model, None, tumours)
    assert {one.scan.key for one in found} == good
    assert recorded == [good]
    assert ("No pseudo-label of 3 scans passed" in caplog.text) == (not passed)
    _, filled = pseudo_labels.judge(job, model, None, tumours)
    assert len(filled) == 3
