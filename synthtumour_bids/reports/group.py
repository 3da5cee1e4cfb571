"""Tables over all scans: volumes, quality figures, agreement with the truth where there is one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from synthtumour_bids.files import read_records, write_json, write_tsv
from synthtumour_bids.measures import columns
from synthtumour_bids.reports.summary import Summary, finite, numbers, summarise

RESULTS = "logs/results"
SCAN_TABLE = "group_desc-tumour_volumes.tsv"
PARTICIPANT_TABLE = "participants.tsv"
SUMMARY = "logs/group_summary.json"
MAIN = "raw"  # the dataset whose participants the participants' table lists

_COLUMNS: dict[str, dict[str, Any]] = {
    "participant_id": {"Description": "Participant"},
    "session_id": {"Description": "Session; n/a where the dataset has none"},
    "scan": {"Description": "File name of the scan, without its extension"},
    "dataset": {
        "Description": "Dataset of the scan: raw for the main one, tumourfree, tumourfree2, ... "
        "for those of --tumourfree-dir"
    },
    "role": {
        "Description": "What the scans of the participant were used for",
        "Levels": {
            "tumour": "Segmented",
            "tumourfree": "Host of synthetic and mixed tumours; not segmented",
            "annotated": "Learned from by its annotation; not segmented",
            "heldout": "Tumour-free and kept out of all training (--hold-out); segmented, so that "
            "what is marked there can be counted",
        },
    },
    "status": {
        "Description": "What became of the participant's scans",
        "Levels": {
            "segmented": "A tumour mask of at least one scan was written",
            "preprocessed": "Preprocessed, and not or not yet segmented",
            "failed": "A step failed for at least one scan; see failure",
            "not preprocessed": "Nothing was made of the participant's scans yet",
        },
    },
    "failure": {"Description": "Which step failed, and why; n/a where none did"},
    "n_scans": {"Description": "Preprocessed scans of the participant"},
    "tumour_present": {
        "Description": "Whether there is a tumour, by the networks and by what scans without one "
        "look like to them",
        "Levels": {
            "yes": "presence_p is at most 0.05",
            "no": "Nothing is left of the mask, or presence_p is above 0.2",
            "unsure": "Neither, or there is no presence_p",
        },
    },
    "presence_p": {
        "Description": "Share of tumour-free persons, the scan's own among them, that look at "
        "least as much like a tumour, or of simulated heads where fewer than 19 were free to "
        "tell; n/a without either"
    },
    "volume_mL": {"Description": "Volume of the segmented tumour", "Units": "mL"},
    "n_components": {"Description": "Separate parts of the segmented tumour (26-connected)"},
    **columns.SIZE,
    **columns.LOCATION,
    "brain_volume_mL": {"Description": "Volume of the brain mask", "Units": "mL"},
    "junior_volume_mL": {"Description": "Tumour volume by the junior network", "Units": "mL"},
    "junior_senior_dice": {
        "Description": "Dice of the junior's and the senior's mask; low values ask for a look"
    },
    **columns.EXPECTED,
    "mean_probability": {
        "Description": "Mean probability of tumour in what the network marked itself"
    },
    "mean_entropy": {
        "Description": "Mean entropy of the tumour probability in what the network marked itself",
        "Units": "bit",
    },
    "qc_flags": {
        "Description": "What a person should look at, separated by semicolons; n/a for nothing"
    },
    "dice": {"Description": "Dice of the mask and the manual one given with --truth"},
    "hd95_mm": {
        "Description": "95th percentile of the distance between the surfaces of both masks",
        "Units": "mm",
    },
    "volume_error_mL": {"Description": "Volume of the mask minus the manual one", "Units": "mL"},
    "volume_error_percent": {
        "Description": "The same relative to the manual volume",
        "Units": "%",
    },
    "junior_dice": {"Description": "Dice of the junior's mask and the manual one"},
}

_OF_PARTICIPANTS = ("n_scans", "status", "failure")
FURTHER = ("dataset",)  # left out where all scans are of the main dataset
SCAN_COLUMNS = tuple(name for name in _COLUMNS if name not in _OF_PARTICIPANTS)
WITH_TRUTH = (
    *("dice", "hd95_mm", "volume_error_mL", "volume_error_percent"),
    "junior_dice",
)
# How the figures of several scans of one participant become one: the largest tumour counts, the
# worst quality, and the mean agreement with the truth.
_LARGEST = (
    *("tumour_present", "presence_p"),
    *("volume_mL", "n_components", *columns.SIZE, *columns.LOCATION),
    *("brain_volume_mL", "junior_volume_mL"),
)
_PARTICIPANT_RULES = {
    **dict.fromkeys(_LARGEST, "of the scan with the largest tumour"),
    "brain_volume_mL": "of the scan with the largest tumour; largest where none is segmented",
    "junior_senior_dice": "lowest of the participant's scans",
    **dict.fromkeys(columns.EXPECTED, "of the scan that it is lowest for"),
    "qc_flags": "of any of the participant's scans",
    "dice": "mean of the participant's scans",
}
PARTICIPANT_COLUMNS = (
    "participant_id",
    "role",
    "status",
    "n_scans",
    *_PARTICIPANT_RULES,
    "failure",
)


@dataclass(frozen=True)
class Participant:
    """What is known of a participant besides the segmented scans.

    Attributes
    ----------
    participant_id
        With ``sub-``.
    role
        What the scans are good for.
    n_preprocessed
        Scans whose preprocessing is finished.
    brain_volume_ml
        Largest brain of these scans, mL; ``None`` where it was not recorded.
    flags
        Of the preprocessing of any of these scans.
    failures
        Which steps failed, and why.
    """

    participant_id: str
    role: str
    n_preprocessed: int = 0
    brain_volume_ml: float | None = None
    flags: frozenset[str] = frozenset()
    failures: tuple[str, ...] = ()

    def with_scan(self, measurements: Mapping[str, Any], flags: Iterable[str]) -> Participant:
        """Add a preprocessed scan."""
        volumes = [self.brain_volume_ml, measurements.get("brain_volume_mL")]
        return replace(
            self,
            n_preprocessed=self.n_preprocessed + 1,
            brain_volume_ml=max((one for one in volumes if one is not None), default=None),
            flags=self.flags | set(flags),
        )

    def with_failure(self, step: str, message: str) -> Participant:
        """Add a scan that a step failed for."""
        return replace(self, failures=(*self.failures, f"{step}: {message}"))

    def row(self, scans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Make the participant's row from these facts and the figures of the segmented scans."""
        if self.failures:
            status = "failed"
        elif scans:
            status = "segmented"
        else:
            status = "preprocessed" if self.n_preprocessed else "not preprocessed"
        segmented = _of_participant(scans)
        return {
            "participant_id": self.participant_id,
            "role": self.role,
            "status": status,
            "n_scans": max(self.n_preprocessed, len(scans)),
            "failure": "; ".join(self.failures) or None,
            **segmented,
            "brain_volume_mL": segmented.get("brain_volume_mL", self.brain_volume_ml),
            "qc_flags": sorted(self.flags | set(segmented.get("qc_flags", ()))),
        }


def read_results(output_dir: Path) -> list[dict[str, Any]]:
    """Read the figures that the segment step left of each scan."""
    return [{"dataset": MAIN, **record} for record in read_records(output_dir / RESULTS)]


def scan_rows(results: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Make one table row per scan, in the order of participant, session and name."""
    rows = [{name: result.get(name) for name in SCAN_COLUMNS} for result in results]
    return sorted(
        rows,
        key=lambda row: (row["participant_id"], row["session_id"] or "", row["scan"] or ""),
    )


def participant_rows(
    results: Iterable[Mapping[str, Any]], participants: Iterable[Participant]
) -> list[dict[str, Any]]:
    """Make one table row per participant.

    Parameters
    ----------
    results
        Figures of the segmented scans.
    participants
        Everyone with a folder in the output dataset, whom BIDS wants to be listed, and those for
        whom a step failed.
    """
    known = {one.participant_id: one for one in participants}
    by_participant: dict[str, list[Mapping[str, Any]]] = {name: [] for name in known}
    for result in results:
        name = result["participant_id"]
        by_participant.setdefault(name, []).append(result)
        known.setdefault(name, Participant(name, result.get("role") or "tumour"))
    return [known[name].row(scans) for name, scans in sorted(by_participant.items())]


def by_dataset(results: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Tell figures of segmented scans apart by their datasets; the main one is always there."""
    found: dict[str, list[Mapping[str, Any]]] = {MAIN: []}
    for result in results:
        found.setdefault(result.get("dataset") or MAIN, []).append(result)
    return found


def _of_participant(scans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not scans:
        return {}
    largest = max(scans, key=lambda scan: scan.get("volume_mL") or 0)
    agreement = numbers(scans, "junior_senior_dice")
    dice = numbers(scans, "dice")
    tested = [scan for scan in scans if finite(scan.get("expected_dice"))]
    least = min(tested, key=lambda scan: float(scan["expected_dice"]), default={})
    return {
        **{name: largest.get(name) for name in _LARGEST},
        "junior_senior_dice": min(agreement) if agreement else None,
        **{name: least.get(name) for name in columns.EXPECTED},
        "qc_flags": sorted({flag for scan in scans for flag in scan.get("qc_flags") or ()}),
        "dice": fmean(dice) if dice else None,
    }


def dictionary(names: Iterable[str], *, of_participants: bool = False) -> dict[str, Any]:
    """Describe columns as BIDS wants it: the JSON file beside a table."""
    described = {name: dict(_COLUMNS[name]) for name in names}
    if of_participants:
        for name in described.keys() & _PARTICIPANT_RULES.keys():
            described[name]["Description"] += f" ({_PARTICIPANT_RULES[name]})"
    return described


def write_tables(
    output_dir: Path,
    results: Sequence[Mapping[str, Any]],
    participants: Sequence[Participant],
    learned: Collection[str] = (),
) -> Summary:
    """Write the scans' table, the participants' table, their dictionaries and the summary.

    Columns about the truth are left out where no scan has one, and the datasets' names where there
    is but one. The participants are those of the main dataset. Of scans that were learned from with
    their corrected masks, the summary tells no agreement with the truth.
    """
    rows, own = scan_rows(results), by_dataset(results)
    left_out = {name for name in WITH_TRUTH if not numbers(rows, name)}
    left_out |= set(FURTHER) if len(own) == 1 else set()
    tables = (
        (SCAN_TABLE, rows, SCAN_COLUMNS, False),
        (PARTICIPANT_TABLE, participant_rows(own[MAIN], participants), PARTICIPANT_COLUMNS, True),
    )
    for name, table, all_columns, of_participants in tables:
        shown = [column for column in all_columns if column not in left_out]
        path = output_dir / name
        write_tsv(path, table, shown)
        write_json(path.with_suffix(".json"), dictionary(shown, of_participants=of_participants))
    summary = summarise(rows, learned)
    write_json(output_dir / SUMMARY, asdict(summary))
    return summary
