"""Whether a cohort can be learned from without annotations."""

from __future__ import annotations

from synthtumour_bids.errors import DataError
from synthtumour_bids.job import Job
from synthtumour_bids.methods.label_free import simulated_hosts
from synthtumour_bids.segmentation.starters import way_out
from synthtumour_bids.settings import Role, Step


def check_numbers(job: Job) -> None:
    """Count who is there to learn from, preprocessed or not.

    Raises
    ------
    DataError
        When they are too few.
    """
    scans, fewest = job.selection.everything, simulated_hosts.FEWEST_PERSONS
    hosts = {scan.person for scan in scans if scan.role is Role.TUMOURFREE}
    lacks_hosts = len(hosts) < fewest and not simulated_hosts.possible(job.settings)
    tumours = [scan for scan in scans if scan.role is Role.TUMOUR]
    n_held_out = sum(map(job.is_held_out, tumours))
    # Synthetic tumours alone can be made, and looked at, without any real one.
    lacks_tumours = Step.TRAIN in job.steps and n_held_out == len(tumours)
    if lacks_hosts or lacks_tumours:
        further = {scan.person for scan in scans if scan.role is Role.HELD_OUT}
        aside = f" (and {len(further)} held out)" if further else ""
        heads = ", ".join(simulated_hosts.CONTRASTS)
        msg = (
            f"Training needs at least {fewest} tumour-free participants (none for {heads} images, "
            "for which heads are simulated) and 1 tumour scan "
            f"outside --hold-out; found {len(hosts)} tumour-free participants{aside} and "
            f"{len(tumours)} tumour scans, {n_held_out} of them held out. Name tumour-free scans "
            "with --tumourfree-dir, or mark them in participants.tsv (--group-column)."
        )
        if tumours:
            msg += way_out(job.settings.contrast, job.settings.lesion)
        raise DataError(msg)
