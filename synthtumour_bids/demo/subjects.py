"""Who is in the demo cohort, and which scans there are of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from synthtumour_bids.demo.acquisition import Acquisition
from synthtumour_bids.settings import Role

VOLUMES = (12.0, 110.0)  # mL, of the smallest and the largest tumour

# When the sessions of those were who are seen twice; BIDS dates of nobody are before 1925.
SESSIONS = {"1": "1900-01-01T12:00:00", "2": "1900-07-02T12:00:00"}
GROWING = {"1": 20.0, "2": 40.0}  # mL then

# Scans of both groups come in these kinds, in turn.
ACQUISITIONS = (
    Acquisition(),
    Acquisition(orientation="LAS", slice_thickness=4.0),
    Acquisition(stripped=True),
    Acquisition(tilt=(12.0, 4.0, 7.0)),
    Acquisition(orientation="LAS"),
    Acquisition(slice_thickness=5.0, tilt=(-8.0, 0.0, 0.0)),
)


@dataclass(frozen=True)
class Take:
    """One scan of a subject.

    Attributes
    ----------
    tumour_volume
        mL; ``None`` for no tumour.
    session, suffix
        Of its name.
    seed
        Of pose and scanner, where it is not the first scan of the head.
    """

    tumour_volume: float | None
    session: str | None = None
    suffix: str = "FLAIR"
    seed: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Subject:
    """A simulated person: everything that all scans of one head share, and these scans."""

    label: str
    role: Role
    seed: tuple[int, ...]
    acquisition: Acquisition
    resolution: float
    age: float
    takes: tuple[Take, ...]


def draw_subjects(
    n_tumourfree: int,
    n_tumour: int,
    resolution: float,
    seed: int,
    *,
    n_followed: int,
    n_t1w: int,
) -> list[Subject]:
    """List the subjects; see :func:`synthtumour_bids.demo.phantom.write_cohort`."""
    controls = [
        Subject(
            label=f"control{index + 1:02d}",
            role=Role.TUMOURFREE,
            seed=(seed, 0, index),
            acquisition=ACQUISITIONS[index % len(ACQUISITIONS)],
            resolution=resolution,
            age=(0.2, 0.6, 0.1, 0.85)[index % 4],
            takes=(Take(None),),
        )
        for index in range(n_tumourfree)
    ]
    patients = list(_patients(n_tumour, resolution, seed))
    for index, patient in enumerate(patients[:n_t1w]):
        t1w = replace(patient.takes[0], suffix="T1w", seed=(seed, 5, index))
        patients[index] = replace(patient, takes=(*patient.takes, t1w))
    return controls + patients + list(_followed(n_followed, resolution, seed))


def _patients(count: int, resolution: float, seed: int) -> Iterator[Subject]:
    # Neighbours in the list have unlike volumes, so that every kind of scan gets both.
    volumes = np.geomspace(*VOLUMES, count) if count > 1 else np.array([40.0])
    order = np.random.default_rng([seed, 2]).permutation(count)
    for index in range(count):
        yield Subject(
            label=f"tumour{index + 1:02d}",
            role=Role.TUMOUR,
            seed=(seed, 1, index),
            acquisition=ACQUISITIONS[index % len(ACQUISITIONS)],
            resolution=resolution,
            age=(0.3, 0.2, 0.5)[index % 3],
            takes=(Take(float(volumes[order[index]])),),
        )


def _followed(count: int, resolution: float, seed: int) -> Iterator[Subject]:
    for index in range(count):
        yield Subject(
            label=f"followed{index + 1:02d}",
            role=Role.TUMOUR,
            seed=(seed, 3, index),
            acquisition=ACQUISITIONS[index % len(ACQUISITIONS)],
            resolution=resolution,
            age=0.3,
            takes=(
                Take(GROWING["1"], session="1"),
                Take(GROWING["2"], session="2", seed=(seed, 4, index)),
            ),
        )
