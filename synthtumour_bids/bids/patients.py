"""Who of a whole dataset may have a tumour, where a run looks at some of its participants alone."""

from __future__ import annotations

from synthtumour_bids.bids.folders import is_folder
from synthtumour_bids.bids.roles import assign_roles
from synthtumour_bids.errors import DataError
from synthtumour_bids.settings import Role, Settings


def possible_patients(settings: Settings) -> set[str]:
    """Find who may have a tumour and teach, whichever participants were asked for.

    Parameters
    ----------
    settings
        As for `collect_scans`.

    Returns
    -------
    Labels of participants of the main dataset, by the names of their folders and
    ``participants.tsv``; no image is looked for, as jobs of an array ask for each participant.
    """
    root = settings.bids_dir.absolute()
    there = {path.name.removeprefix("sub-") for path in root.glob("sub-*") if is_folder(path)}
    labels = there - {*settings.exclude_participant_label, *settings.hold_out}
    try:
        roles = assign_roles(root, labels, settings)
    except DataError:  # of others than those asked for, whom the steps that need them tell of
        return labels
    return {label for label, role in roles.items() if role is Role.TUMOUR}
