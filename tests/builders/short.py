"""The app with an eighth of the training of profile sloppy; as a module, the command with it.

What the tests of the whole command look at hangs little on how much a network has learned. No
starter is shipped with this app, so that runs train a junior unless they are told of a starter.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from synthtumour_bids.__main__ import main
from synthtumour_bids.profiles import PROFILES, Profile
from synthtumour_bids.segmentation import starters

NO_STARTERS = Path(__file__).parent / "no_starters"  # is not there
SLOPPY = PROFILES["sloppy"]
SHORT = replace(
    SLOPPY,
    junior=replace(SLOPPY.junior, epochs=3, iterations_per_epoch=10),
    senior=replace(SLOPPY.senior, epochs=2, iterations_per_epoch=10),
    n_train=12,
    n_shifted=4,
    n_mixed=8,
)
# Where nothing hangs on that at all, pseudo-labels that pass quality control included.
SHORTEST = replace(
    SHORT,
    junior=replace(SHORT.junior, epochs=2, iterations_per_epoch=2),
    senior=replace(SHORT.senior, epochs=2, iterations_per_epoch=2),
)


@contextmanager
def short_trainings(profile: Profile = SHORT) -> Iterator[None]:
    """Profile sloppy is short as long as this lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROFILES, "sloppy", profile)
        patch.setattr(starters, "SHIPPED", NO_STARTERS)
        yield


if __name__ == "__main__":
    with short_trainings():
        sys.exit(main())
