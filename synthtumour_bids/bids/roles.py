"""Which participants have a tumour and which have none."""

from __future__ import annotations

import csv
import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.errors import DataError, UnknownRoleError, UsageError
from synthtumour_bids.settings import Role, Settings

LOGGER = logging.getLogger(__name__)

# Values of the group column, in lower case.
TUMOURFREE_VALUES = (
    *("control", "controls", "healthy", "hc"),
    *("tumourfree", "tumour-free", "tumorfree", "tumor-free"),
)
TUMOUR_VALUES = ("tumour", "tumor", "patient", "patients", "glioma")
MISSING_VALUES = ("", "n/a", "na", "nan", "none")

TABLE = "participants.tsv"


@dataclass(frozen=True)
class GroupTable:
    """The group column of a ``participants.tsv``.

    Attributes
    ----------
    path
        The table.
    groups
        Value by participant label (without ``sub-``).
    """

    path: Path
    groups: Mapping[str, str]


def read_groups(root: Path, column: str) -> GroupTable | None:
    """Read the group of each participant.

    Returns
    -------
    ``None`` where the dataset has no ``participants.tsv``, or this has no such column.

    Raises
    ------
    DataError
        When the table cannot be read, or tells two groups of one participant.
    """
    path = root / TABLE
    if not path.is_file():
        return None
    groups: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t")
            fields = {(field or "").strip(): field for field in reader.fieldnames or ()}
            if column not in fields or "participant_id" not in fields:
                return None
            for row in reader:
                label = (row[fields["participant_id"]] or "").strip().removeprefix("sub-")
                group = (row[fields[column]] or "").strip()
                if groups.setdefault(label, group) != group:
                    msg = (
                        f"{path} has two values in column {column!r} for participant {label}: "
                        f"{groups[label]!r} and {group!r}. Keep one."
                    )
                    raise DataError(msg)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} cannot be read: {error}."
        raise DataError(msg) from error
    return GroupTable(path, groups)


def assign_roles(root: Path, subjects: Iterable[str], settings: Settings) -> dict[str, Role]:
    """Tell the role of each participant of the main dataset.

    With tumour-free datasets given, everyone here has a tumour but those whom the table calls
    tumour-free; else the table must tell everyone's role, unless a model is given: then whoever
    is not called tumour-free is there to be segmented.

    Parameters
    ----------
    root
        The main dataset.
    subjects
        Labels of the participants with scans.
    settings
        ``group_column``, ``tumourfree_values``, ``tumour_values``, ``tumourfree_dir``, ``model``.

    Raises
    ------
    UnknownRoleError
        When a participant's group is neither a tumour nor a tumour-free value.
    DataError
        When the table, the column, or a participant's row or value is missing.
    UsageError
        When a value is given for both roles.
    """
    subjects = sorted(set(subjects))
    tumourfree = _lower(settings.tumourfree_values or TUMOURFREE_VALUES)
    tumour = _lower(settings.tumour_values or TUMOUR_VALUES)
    if both := tumourfree & tumour:
        msg = (
            f"{', '.join(sorted(both))} cannot stand for both roles; "
            "see --tumourfree-value and --tumour-value."
        )
        raise UsageError(msg)
    table = read_groups(root, settings.group_column)
    lenient = bool(settings.tumourfree_dir) or settings.model is not None
    if table is None:
        if lenient:
            return dict.fromkeys(subjects, Role.TUMOUR)
        raise DataError(_no_table_message(root, settings.group_column))
    values = {subject: table.groups.get(subject, "").lower() for subject in subjects}
    roles = {
        subject: Role.TUMOURFREE if value in tumourfree else Role.TUMOUR
        for subject, value in values.items()
    }
    if not lenient:
        _check_values(table, values, tumourfree | tumour, settings.group_column)
    return roles


def _lower(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value.strip().lower() for value in values)


def _no_table_message(root: Path, column: str) -> str:
    path = root / TABLE
    if not path.is_file():
        problem = f"{path} does not exist"
    else:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            columns = ", ".join(file.readline().split("\t")).strip()
        problem = f"{path} has no column {column!r} beside participant_id (its columns: {columns})"
    return (
        f"It cannot be told which participants have a tumour: {problem}. Add the column with "
        f"control or tumour for each participant, name another one with --group-column, or name "
        "a dataset without tumours with --tumourfree-dir."
    )


def _check_values(
    table: GroupTable, values: Mapping[str, str], known: Collection[str], column: str
) -> None:
    without = [subject for subject, value in values.items() if value in MISSING_VALUES]
    without = [subject for subject in without if values[subject] not in known]
    if without:
        msg = (
            f"{table.path} says nothing in column {column!r} of participants {_listed(without)}. "
            "Fill it in, or leave them out with --exclude-participant-label."
        )
        raise DataError(msg)
    unknown = sorted({value for value in values.values() if value not in known})
    if unknown:
        found = sorted({table.groups[subject] for subject in values})
        msg = (
            f"Column {column!r} of {table.path} has values that name neither a tumour nor a "
            f"tumour-free group: {', '.join(unknown)} (all values found: {', '.join(found)}). "
            "Say what they mean with --tumour-value and --tumourfree-value."
        )
        raise UnknownRoleError(msg)


def _listed(labels: Collection[str], most: int = 10) -> str:
    shown = ", ".join(list(labels)[:most])
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"
