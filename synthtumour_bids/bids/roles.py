"""Which participants have a tumour and which have none."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.bids.groups import ID, TABLE, GroupTable, read_groups
from synthtumour_bids.bids.tables import read_table
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError, NoRolesError, UnknownRoleError, UsageError
from synthtumour_bids.settings import Role, Settings

LOGGER = logging.getLogger(__name__)

# Values of the group column, in lower case.
TUMOURFREE_VALUES = (
    *("control", "controls", "healthy", "hc"),
    *("healthy control", "healthy controls", "healthy_control", "healthycontrol"),
    *("tumourfree", "tumour-free", "tumorfree", "tumor-free"),
)
TUMOUR_VALUES = (
    *("tumour", "tumor", "patient", "patients"),
    *("glioma", "glioblastoma", "gbm", "lgg", "hgg"),
)
MISSING_VALUES = ("", "n/a", "na", "nan", "none")


@dataclass(frozen=True)
class _Values:
    """What the values of the group column mean, in lower case."""

    tumourfree: frozenset[str]
    tumour: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> _Values:
        tumourfree = _lower(settings.tumourfree_values or TUMOURFREE_VALUES)
        tumour = _lower(settings.tumour_values or TUMOUR_VALUES)
        if both := tumourfree & tumour:
            msg = (
                f"{', '.join(sorted(both))} cannot stand for both roles; "
                "see --tumourfree-value and --tumour-value."
            )
            raise UsageError(msg)
        return cls(tumourfree, tumour)


def assign_roles(root: Path, subjects: Iterable[str], settings: Settings) -> dict[str, Role]:
    """Tell the role of each participant of the main dataset.

    The group column decides. Only where the dataset has none, and nobody spoke of it, everyone has
    a tumour if tumour-free datasets or networks are given, or ``--junior``, with which no
    tumour-free scan is needed.

    Parameters
    ----------
    root
        The main dataset.
    subjects
        Labels of the participants with scans.
    settings
        ``group_column``, ``tumourfree_values``, ``tumour_values``, ``tumourfree_dir``, ``model``,
        ``junior``.

    Raises
    ------
    UnknownRoleError
        When a participant's group is neither a tumour nor a tumour-free value.
    DataError
        When the table, the column (`NoRolesError` where nobody spoke of it), or a participant's
        row or value is missing.
    UsageError
        When a value is given for both roles.
    """
    subjects = sorted(set(subjects))
    values = _Values.of(settings)
    table = read_groups(root, settings.group_column)
    if table is None:
        if _can_do_without(settings):
            return dict.fromkeys(subjects, Role.TUMOUR)
        message = _no_table_message(root, settings.group_column)
        raise DataError(message) if _is_spoken_of(settings) else NoRolesError(message)
    found = table.of(subjects)
    groups = dict.fromkeys(subjects, "") | found
    _check_values(table, groups, found, values.tumourfree | values.tumour)
    return {
        subject: Role.TUMOURFREE if group in values.tumourfree else Role.TUMOUR
        for subject, group in groups.items()
    }


def tumourfree_subjects(
    root: Path, subjects: Iterable[str], settings: Settings, *, everybody: bool = True
) -> set[str]:
    """Tell which participants of a dataset of ``--tumourfree-dir`` may be hosts.

    All of them, where it has no group column; else those whom this calls tumour-free: an epilepsy
    dataset has patients, too.

    Parameters
    ----------
    root
        The dataset.
    subjects
        Labels of participants with scans.
    settings
        ``group_column``, ``tumourfree_values``, ``tumour_values``.
    everybody
        Whether these are all it has, so that one of them has to be tumour-free; else anybody in
        its table.

    Raises
    ------
    UnknownRoleError
        When the column calls nobody tumour-free.
    DataError
        When the table cannot be read, or the column was named and is not there.
    """
    subjects = sorted(set(subjects))
    table = read_groups(root, settings.group_column)
    if table is None:
        if settings.group_column != _default("group_column"):
            LOGGER.info(
                "%s has no column %r in a %s: all of its participants are taken for tumour-free.",
                root,
                settings.group_column,
                TABLE,
            )
        return set(subjects)
    values, groups = _Values.of(settings), dict.fromkeys(subjects, "") | table.of(subjects)
    free = {subject for subject, group in groups.items() if group in values.tumourfree}
    others = [subject for subject in subjects if subject not in free]
    among = tuple((groups if everybody else table.groups).values())
    if subjects and values.tumourfree.isdisjoint(group.lower() for group in among):
        msg = (
            f"Column {table.column!r} of {table.path} calls none of its {len(among)} participants "
            f"tumour-free (values found: {_found(among)}), though the dataset is given with "
            "--tumourfree-dir. Say which values mean tumour-free with --tumourfree-value."
        )
        raise UnknownRoleError(msg)
    if others:
        LOGGER.warning(
            "Column %r of %s calls %d participants something else than tumour-free (%s): %s are "
            "left out. Values that mean tumour-free are named with --tumourfree-value.",
            table.column,
            table.path,
            len(others),
            _found(groups[subject] for subject in others),
            listed(others),
        )
    return free


def _found(groups: Iterable[str]) -> str:
    return ", ".join(sorted({group.lower() or "nothing" for group in groups}))


def _default(name: str) -> object:
    return Settings.__dataclass_fields__[name].default


def _can_do_without(settings: Settings) -> bool:
    """Whether a dataset without group column is one of tumours.

    It is, if nobody spoke of the column, or another dataset has it.
    """
    if _is_spoken_of(settings):
        column = settings.group_column
        return any(read_groups(root, column) is not None for root in settings.tumourfree_dir)
    networks = settings.model is not None or settings.junior is not None
    return bool(settings.tumourfree_dir) or networks


def _is_spoken_of(settings: Settings) -> bool:
    """Whether the user said something of the group column."""
    values = settings.tumourfree_values or settings.tumour_values
    return bool(settings.group_column != _default("group_column") or values)


def _lower(values: Iterable[str]) -> frozenset[str]:
    return frozenset(value.strip().lower() for value in values)


def _no_table_message(root: Path, column: str) -> str:
    path = root / TABLE
    table = read_table(path)
    if table is None:
        problem = f"{path} does not exist"
    else:
        columns = ", ".join(table.columns)
        problem = f"{path} has no column {column!r} beside {ID} (its columns: {columns})"
    return (
        f"It cannot be told which participants have a tumour: {problem}. Add the column with "
        f"control or tumour for each participant, name another one with --group-column, name "
        "a dataset without tumours with --tumourfree-dir, or say with --junior that all of them "
        "have one."
    )


def _check_values(
    table: GroupTable, groups: Mapping[str, str], found: Collection[str], known: Collection[str]
) -> None:
    """Make sure that everyone is in a known group; those found have a row in the table."""
    without = [
        subject
        for subject, group in groups.items()
        if group in MISSING_VALUES and group not in known
    ]
    if absent := [subject for subject in without if subject not in found]:
        msg = (
            f"{table.path} has no row of participants {listed(absent)}; its labels are "
            f"{listed(table.groups, 5) or 'none'}. Add their rows, with labels in column {ID!r} as "
            "the folders are called, or leave them out with --exclude-participant-label."
        )
        raise DataError(msg)
    if without:
        msg = (
            f"{table.path} says nothing in column {table.column!r} of participants "
            f"{listed(without)}. Fill it in, or leave them out with --exclude-participant-label."
        )
        raise DataError(msg)
    unknown = sorted({group for group in groups.values() if group not in known})
    if unknown:
        found = ", ".join(sorted(set(table.groups.values())))
        msg = (
            f"Column {table.column!r} of {table.path} has values that name neither a tumour nor a "
            f"tumour-free group: {', '.join(unknown)} (all values found: {found}). Say what they "
            "mean with --tumour-value and --tumourfree-value."
        )
        raise UnknownRoleError(msg)
