"""The column of ``participants.tsv`` that says which group each participant is in."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.bids.tables import Table, read_table
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError

LOGGER = logging.getLogger(__name__)

TABLE = "participants.tsv"
ID = "participant_id"
# What people save a table as who meant TABLE.
_ALIKE = re.compile(r"participants\.(tsv|csv|txt|xlsx?|ods)(\.[a-z]+)?", re.IGNORECASE)


@dataclass(frozen=True)
class GroupTable:
    """The group column of a ``participants.tsv``.

    Attributes
    ----------
    path, column
        The table, and the column as it is called there.
    groups
        Value by participant label (without ``sub-``), as the table writes it.
    contested
        Labels with several rows that do not say the same, with two of their values.
    """

    path: Path
    column: str
    groups: Mapping[str, str]
    contested: Mapping[str, tuple[str, str]]

    def of(self, subjects: Iterable[str]) -> dict[str, str]:
        """Group of each participant of whom the table has a row, in lower case.

        Raises
        ------
        DataError
            When a label is only similar to several in the table, several are to one, or one has
            two groups.
        """
        subjects = list(subjects)
        folders = (path.name.removeprefix("sub-") for path in self.path.parent.glob("sub-*"))
        present = {*subjects, *folders}
        found = {}
        for subject in subjects:
            label = self._row_of(subject, present)
            if label is not None:
                found[subject] = self._group_of(label)
        return found

    def _row_of(self, subject: str, present: Collection[str]) -> str | None:
        """Label of a participant's row; spreadsheets take zeros, case and digits their own way.

        The row of somebody who is in the dataset is nobody else's.
        """
        if subject in self.groups:
            return subject
        plain = _plain(subject)
        alike = [one for one in self.groups if one not in present and _plain(one) == plain]
        rivals = [one for one in present if one not in self.groups and _plain(one) == plain]
        problem = f"several that could be meant: {listed(alike)}" if len(alike) > 1 else ""
        if alike and len(rivals) > 1:
            problem = f"one, {listed(alike)}, that could be of any of {listed(sorted(rivals))}"
        if problem:
            msg = (
                f"{self.path} has no row of participant sub-{subject}, but {problem}. Write the "
                f"labels in column {ID!r} as the folders are called."
            )
            raise DataError(msg)
        if not alike:
            return None
        LOGGER.warning(
            "%s has no row of participant sub-%s; that of %s is taken for it.",
            self.path,
            subject,
            alike[0],
        )
        return alike[0]

    def _group_of(self, label: str) -> str:
        if label in self.contested:
            one, other = self.contested[label]
            msg = (
                f"{self.path} has two values in column {self.column!r} for participant {label}: "
                f"{one!r} and {other!r}. Keep one, or leave the participant out with "
                "--exclude-participant-label."
            )
            raise DataError(msg)
        return self.groups[label].lower()


def _plain(label: str) -> str:
    """A label without what spreadsheets change: leading zeros, case, decimals of whole numbers.

    It loses ``sub_`` as well, which no label of BIDS can begin with.
    """
    text = re.sub("^sub[-_ ]", "", label.strip().lower())
    text = re.sub(r"^(\d+)\.0*$", r"\1", text)
    return re.sub(r"(?<!\d)0+(?=\d)", "", text)


def read_groups(root: Path, column: str) -> GroupTable | None:
    """Read the group of each participant.

    Parameters
    ----------
    root
        The dataset.
    column
        Name of the column; where there is none of just this name, upper and lower case are alike.

    Returns
    -------
    ``None`` where the dataset has no ``participants.tsv``, or this has no such column.

    Raises
    ------
    DataError
        When the table has another name, cannot be read, has no participants, or several columns
        that could be meant.
    """
    table = read_table(root / TABLE)
    if table is None:
        _check_names(root)
        return None
    if ID not in table.columns:
        first = table.columns[0][:60] if table.columns else ""
        msg = (
            f"{table.path} has no column {ID!r}: its first line begins with {first!r}. BIDS wants "
            "tabs between the columns, and the participants' labels in the first one."
        )
        raise DataError(msg)
    name = _column(table, column)
    if name is None:
        return None
    table.check(ID, name)
    groups: dict[str, str] = {}
    contested: dict[str, tuple[str, str]] = {}
    for row in table.rows:
        label, group = row[ID].removeprefix("sub-"), row[name]
        if groups.setdefault(label, group) != group:
            contested[label] = groups[label], group
    return GroupTable(table.path, name, groups, contested)


def _check_names(root: Path) -> None:
    """Refuse tables that were meant for ``participants.tsv``: roles would be assumed instead."""
    names = sorted(path.name for path in root.iterdir())
    if alike := [one for one in names if _ALIKE.fullmatch(one)]:
        msg = (
            f"{root} has no {TABLE} but {listed(alike)}: save that as {TABLE}, with tabs between "
            "the columns, or delete it."
        )
        raise DataError(msg)


def _column(table: Table, wanted: str) -> str | None:
    if wanted in table.columns:
        return wanted
    alike = list(dict.fromkeys(name for name in table.columns if name.lower() == wanted.lower()))
    if not alike:
        return None
    if len(alike) > 1:
        msg = (
            f"{table.path} has no column {wanted!r}, but several that could be meant: "
            f"{listed(alike)}. Name one with --group-column."
        )
        raise DataError(msg)
    LOGGER.warning("%s has no column %r; %r is taken for it.", table.path, wanted, alike[0])
    return alike[0]
