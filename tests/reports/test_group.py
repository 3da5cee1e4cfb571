"""Group tables."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from synthtumour_bids.files import write_json
from synthtumour_bids.reports import group
from synthtumour_bids.reports.corrections import most_instructive
from synthtumour_bids.reports.summary import summarise


def result(participant: str = "sub-01", session: str = "n/a", **more: object) -> dict:
    stem = participant if session == "n/a" else f"{participant}_{session}"
    return {
        "participant_id": participant,
        "session_id": session,
        "scan": f"{stem}_FLAIR",
        "role": "tumour",
        "brain_volume_mL": 1400.0,
        "volume_mL": 40.0,
        "n_components": 1,
        "junior_volume_mL": 35.0,
        "junior_senior_dice": 0.9,
        "mean_entropy": 0.2,
        "mean_probability": 0.9,
        "qc_flags": [],
        **more,
    }


def scored(participant: str, dice: float, **more: object) -> dict:
    figures = {"hd95_mm": 5.0, "volume_error_mL": -3.0, "volume_error_percent": -8.0}
    return result(participant, dice=dice, **{**figures, **more})


# ---------------------------------------------------------------------- tables


def test_scan_rows_are_sorted_and_complete() -> None:
    rows = group.scan_rows([result("sub-02"), result("sub-01", "ses-2"), result("sub-01", "ses-1")])
    assert [row["scan"] for row in rows] == [
        "sub-01_ses-1_FLAIR",
        "sub-01_ses-2_FLAIR",
        "sub-02_FLAIR",
    ]
    assert all(set(row) == set(group.SCAN_COLUMNS) for row in rows)
    assert rows[0]["dice"] is None


def test_participants_are_unique_and_everyone_is_listed() -> None:
    scans = [
        result("sub-01", "ses-1", volume_mL=10, junior_senior_dice=0.9, qc_flags=["empty"], dice=1)
        | {"expected_dice": 0.7, "expected_dice_low": 0.6, "expected_dice_high": 0.8},
        result("sub-01", "ses-2", volume_mL=30, junior_senior_dice=0.4, n_components=3, dice=0.5)
        | {"expected_dice": 0.8, "expected_dice_low": 0.7, "expected_dice_high": 0.9},
        result("sub-02"),
    ]
    free = group.Participant("sub-09", "tumourfree").with_scan({"brain_volume_mL": 1300.0}, ["low"])
    rows = group.participant_rows(scans, [group.Participant("sub-02", "tumour"), free])
    assert [row["participant_id"] for row in rows] == ["sub-01", "sub-02", "sub-09"]
    first, second, third = rows
    assert first["n_scans"] == 2
    assert (first["volume_mL"], first["n_components"]) == (30, 3)  # the largest tumour's
    assert first["junior_senior_dice"] == 0.4
    assert first["qc_flags"] == ["empty"]
    assert first["dice"] == 0.75
    assert (first["expected_dice"], first["expected_dice_high"]) == (0.7, 0.8)  # the lowest's
    assert second["expected_dice"] is None
    assert second["dice"] is None
    assert third["role"] == "tumourfree"
    assert (third["status"], third["n_scans"]) == ("preprocessed", 1)
    assert (third["brain_volume_mL"], third["qc_flags"]) == (1300.0, ["low"])


def test_those_who_failed_are_listed_with_the_reason() -> None:
    one = group.Participant("sub-01", "tumour").with_failure("preprocess", "it is empty")
    (row,) = group.participant_rows([], [one])
    assert (row["status"], row["n_scans"]) == ("failed", 0)
    assert row["failure"] == "preprocess: it is empty"


def test_every_column_has_a_description() -> None:
    for columns, flag in ((group.SCAN_COLUMNS, False), (group.PARTICIPANT_COLUMNS, True)):
        described = group.dictionary(columns, of_participants=flag)
        assert tuple(described) == columns
        assert all(entry["Description"] for entry in described.values())
    brain = group.dictionary(["brain_volume_mL"], of_participants=True)["brain_volume_mL"]
    assert brain["Description"].endswith("largest tumour; largest where none is segmented)")
    # Describing participants does not change the scans' dictionary.
    assert "participant's" not in group.dictionary(["dice"])["dice"]["Description"]


def test_summary_without_truth() -> None:
    summary = summarise(group.scan_rows([result(), result("sub-02")]))
    assert (summary.n_scans, summary.n_truth) == (2, 0)
    assert math.isnan(summary.mean_dice)
    assert "no truth" in summary.text()


def test_summary_names_the_worst_three() -> None:
    dice = {"sub-01": 0.9, "sub-02": 0.1, "sub-03": 0.7, "sub-04": 0.5}
    results = [scored(name, value, junior_dice=0.3) for name, value in dice.items()]
    results[1]["hd95_mm"] = math.nan
    summary = summarise(group.scan_rows([*results, result("sub-05")]))
    assert (summary.n_scans, summary.n_truth) == (5, 4)
    assert summary.mean_dice == pytest.approx(0.55)
    assert summary.median_dice == pytest.approx(0.6)
    assert summary.median_hd95_mm == 5
    assert summary.median_volume_error_percent == 8
    assert [scan for scan, _ in summary.worst] == ["sub-02_FLAIR", "sub-04_FLAIR", "sub-03_FLAIR"]
    assert "0.550" in summary.text()
    assert "junior: 0.300" in summary.text()
    assert "Otsu" not in summary.text()


def test_scans_that_a_person_corrected_for_the_senior_are_not_in_the_mean(tmp_path: Path) -> None:
    results = [scored("sub-01", 1.0), scored("sub-02", 0.4), result("sub-03")]
    results.append(scored("sub-01", 0.6, role="heldout", dataset="tumourfree"))
    summary = group.write_tables(tmp_path, results, [], {"sub-01_FLAIR", "sub-03_FLAIR"})
    assert (summary.n_truth, summary.n_learned) == (2, 1)
    assert summary.mean_dice == pytest.approx(0.5)
    assert "corrected masks the senior learned from (1)." in summary.text()
    alone = summarise(group.scan_rows(results[:1]), {"sub-01_FLAIR"})
    assert "no truth to compare with.\nLeft out" in alone.text()
    assert "Left out" not in summarise(group.scan_rows(results)).text()


def test_what_is_marked_in_held_out_scans_is_counted(tmp_path: Path) -> None:
    free = {"role": "heldout", "dataset": "tumourfree"}
    results = [
        result(volume_mL=20.0),
        *(result(f"sub-{n}", volume_mL=volume, **free) for n, volume in enumerate((0.0, 1.0, 1.2))),
    ]
    summary = group.write_tables(tmp_path, results, [])
    assert "1 of 3 held-out tumour-free scans with more than 1 mL marked." in summary.text()
    scans, participants = (
        (tmp_path / name).read_text() for name in (group.SCAN_TABLE, group.PARTICIPANT_TABLE)
    )
    assert scans.count("tumourfree") == 3
    assert participants.count("sub-") == 1  # those of further datasets are not of this table


@pytest.mark.parametrize("with_truth", [True, False])
def test_tables_are_written_with_their_dictionaries(tmp_path: Path, with_truth: bool) -> None:
    for name in ("sub-01", "sub-02"):
        figures = scored(name, 0.8) if with_truth else result(name)
        write_json(tmp_path / group.RESULTS / f"{name}_FLAIR.json", figures)
    (tmp_path / group.RESULTS / "sub-04_FLAIR.json").touch()  # another job is at it
    results = group.read_results(tmp_path)
    assert len(results) == 2
    summary = group.write_tables(tmp_path, results, [group.Participant("sub-03", "tumourfree")])
    assert summary.n_truth == (2 if with_truth else 0)
    for name, n_rows in ((group.SCAN_TABLE, 2), (group.PARTICIPANT_TABLE, 3)):
        header, *rows = (tmp_path / name).read_text().splitlines()
        assert len(rows) == n_rows
        columns = header.split("\t")
        assert ("dice" in columns) == with_truth
        assert all(len(row.split("\t")) == len(columns) for row in rows)
        described = json.loads((tmp_path / name).with_suffix(".json").read_text())
        assert list(described) == columns
    written = json.loads((tmp_path / group.SUMMARY).read_text())
    assert written["n_scans"] == 2
    assert written["mean_dice"] == (pytest.approx(0.8) if with_truth else None)


def test_the_most_disputed_masks_are_worth_correcting() -> None:
    rows = [
        result("sub-01", junior_senior_dice=0.9),
        result("sub-02", junior_senior_dice=0.2, volume_mL=3.0, junior_volume_mL=2.0),
        result("sub-03", junior_senior_dice=0.5),
        result("sub-04", junior_senior_dice=1.0),
        result("sub-05", junior_senior_dice=0.1),
        result("sub-06", junior_senior_dice=None),
    ]
    names = {row["scan"] for row in rows} - {"sub-05_FLAIR"}
    found = most_instructive(rows, names, {"sub-03": "sub-03.html"})
    assert [one.scan[:6] for one in found] == ["sub-03", "sub-01", "sub-02"]
    assert found[0].disputed_ml == pytest.approx(0.5 * (40 + 35))
    assert found[0].link == "sub-03.html"
