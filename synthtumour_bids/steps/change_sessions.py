"""Which scans of a participant are compared: one a session."""

from __future__ import annotations

import logging
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.images import MAIN
from synthtumour_bids.bids.names import parse_name
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.settings import Role, Step

LOGGER = logging.getLogger(__name__)


def one_a_session(scans: Collection[Scan]) -> tuple[Scan, ...]:
    """Choose a participant's scans to compare: those that are named alike in most sessions.

    Scans without a session are left out.

    Returns
    -------
    One scan a session, in the order of the sessions' labels, numbers as numbers.
    """
    kinds = Counter(_kind(scan) for scan in scans)
    by_session: dict[str, list[Scan]] = defaultdict(list)
    for scan in scans:
        if scan.session is not None:
            by_session[scan.session].append(scan)
    return tuple(
        min(by_session[session], key=lambda scan: (-kinds[_kind(scan)], scan.name))
        for session in sorted(by_session, key=_as_counted)
    )


def _kind(scan: Scan) -> tuple[Any, ...]:
    return (scan.suffix, *(entity for entity in scan.entities if entity[0] != "ses"))


def _as_counted(label: str) -> list[tuple[int, str]]:
    """Key that sorts 2 before 10."""
    parts = re.split(r"(\d+)", label)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def segmented_scans(ledger: Ledger, people: Collection[str]) -> list[list[Scan]]:
    """Segmented scans of each of these people, of the main dataset, whichever job made them."""
    found: dict[str, list[Scan]] = defaultdict(list)
    for who, _ in ledger.of_scans(Step.SEGMENT):
        parsed = parse_name(f"{who.name}.nii.gz")
        if who.dataset != MAIN or who.subject not in people or parsed is None:
            continue
        if ledger.finished(Step.SEGMENT, who.key) is not None:
            scan = Scan(Path(), parsed.entities, parsed.suffix, Role.TUMOUR, Path())
            found[who.subject].append(scan)
    return [found[subject] for subject in sorted(found)]


def warn_of_others(selected: Collection[Scan], compared: Mapping[str, Sequence[Scan]]) -> None:
    """Say which sessions of the selected scans cannot be compared, and which scans serve.

    Parameters
    ----------
    selected
        All that were to be segmented, of the main dataset.
    compared
        By participant's label.
    """
    sessions: dict[str, set[str]] = defaultdict(set)
    for scan in selected:
        if scan.session is not None:
            sessions[scan.subject].add(scan.session)
    for subject, labels in sorted(sessions.items()):
        scans = compared.get(subject, ())
        missing = sorted(labels - {str(scan.session) for scan in scans}, key=_as_counted)
        if len(labels) > 1 and missing:
            LOGGER.warning(
                "sub-%s: %s segmented; change is told between %s.",
                subject,
                _none_of([f"ses-{one}" for one in missing]),
                "the other sessions" if scans else "no sessions",
            )
        several = Counter(scan.session for scan in selected if scan.subject == subject)
        if scans and max(several.values()) > 1:
            names = ", ".join(scan.name for scan in scans)
            LOGGER.info("sub-%s: of several scans in a session, compared are %s.", subject, names)


def _none_of(names: Sequence[str]) -> str:
    """Begin a sentence that denies something of all of these."""
    *others, last = names
    if not others:
        return f"{last} is not"
    if len(others) == 1:
        return f"neither {others[0]} nor {last} is"
    return f"none of {', '.join(others)} and {last} is"
