"""The priors of a run."""

from __future__ import annotations

from synthtumour_bids.errors import advice
from synthtumour_bids.settings import Settings
from synthtumour_bids.synthesis.priors import Priors, load_priors


def priors_of(settings: Settings) -> Priors:
    """Load what tumours look like.

    Raises
    ------
    PriorsError
        When the priors cannot be used.
    """
    with advice("The file of priors is given with --priors; without it the packaged ones serve."):
        return load_priors(settings.lesion, settings.contrast, settings.priors)
