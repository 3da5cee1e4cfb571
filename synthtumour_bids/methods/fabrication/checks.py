"""Whether a cohort, and what is asked for, can be learned from with a few annotations."""

from __future__ import annotations

from collections.abc import Iterable

from synthtumour_bids.bids.annotations import FEWEST_PERSONS, FEWEST_SCANS
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.job import Job
from synthtumour_bids.methods.fabrication.coarse_samples import load_place
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.settings import Role, Step

FEWEST_HOSTS = 2


def check_cohort(job: Job) -> None:
    """Count who is there to learn from, preprocessed or not, and look at where lesions may lie.

    Raises
    ------
    DataError
        When they are too few, or lesions can lie nowhere.
    """
    settings, scans = job.settings, job.selection.everything
    held_out = {scan.person for scan in scans if job.is_held_out(scan)}
    learnable = [scan for scan in scans if scan.person not in held_out]
    aside = " outside --hold-out" if settings.hold_out else ""
    check_numbers(learnable, f"found{aside}")
    wanted = settings.semi_supervised and Step.TRAIN in job.steps
    if wanted and not any(scan.role is Role.TUMOUR for scan in learnable):
        msg = (
            "--semi-supervised learns from tumour scans without an annotation, too, but "
            f"{settings.bids_dir} has none{aside}. Leave --semi-supervised out."
        )
        raise DataError(msg)
    if settings.lesion_place is not None:
        load_place(settings.lesion_place, standard_brain(settings.profile.resolution))


def check_numbers(scans: Iterable[Scan], found: str) -> None:
    """Refuse too few tumour-free participants or annotated scans.

    Parameters
    ----------
    scans
        Of all roles.
    found
        What they are, for the message: ``"preprocessed under /out"``.

    Raises
    ------
    DataError
        Saying how many there are and how many there must be.
    """
    scans = list(scans)
    hosts = {scan.person for scan in scans if scan.role is Role.TUMOURFREE}
    annotated = [scan for scan in scans if scan.role is Role.ANNOTATED]
    persons = {scan.person for scan in annotated}
    if len(hosts) < FEWEST_HOSTS:
        msg = (
            f"Fabrication needs at least {FEWEST_HOSTS} tumour-free participants, one to train on "
            f"and one to validate on; {len(hosts)} {found}. Name more with --tumourfree-dir, or "
            "mark them in participants.tsv (--group-column)."
        )
        raise DataError(msg)
    if len(annotated) < FEWEST_SCANS or len(persons) < FEWEST_PERSONS:
        msg = (
            f"Fabrication needs at least {FEWEST_SCANS} annotated scans of at least "
            f"{FEWEST_PERSONS} persons; {len(annotated)} of {len(persons)} {found} with their "
            "annotations (--annotated-dir)."
        )
        raise DataError(msg)
