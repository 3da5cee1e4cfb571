"""The replant test of a run's scans; what it is, `synthesis.replanting` tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import SynthTumourError
from synthtumour_bids.execution.progress import Progress
from synthtumour_bids.execution.threads import side_by_side
from synthtumour_bids.files import fingerprint
from synthtumour_bids.job import Job
from synthtumour_bids.methods.border_refinement import refined
from synthtumour_bids.methods.comparison import Compared, Comparison, compared
from synthtumour_bids.methods.network_grid import NetworkGrid
from synthtumour_bids.methods.segmenter import Segmenter
from synthtumour_bids.segmentation.model_card import Model
from synthtumour_bids.segmentation.other_side_rules import Reason
from synthtumour_bids.settings import Role
from synthtumour_bids.synthesis.borders import Evidence
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.geometry import Mask
from synthtumour_bids.synthesis.replanting import (
    Ground,
    Overlaps,
    can_hold,
    own_half,
    replant,
    whole_brain,
)
from synthtumour_bids.volumes import load_volume

Hosts = Iterator[tuple[str, tuple[Brain, ...]]]  # names, and brains of one a contrast
REPLANTING_VERSION = "2"  # changes when the same masks give other overlaps
HEALTHY_HALF = "the healthy half and its mirror image"
BETTER_HALF = "the half with less tumour and its mirror image, where they are free of it"
OTHER_BRAIN = "the tumour-free brain of {}"
LITTLE_CHANGED = 0.1  # of a mask, after the test
EMPTY = "no tumour was found"
NO_GROUND = "both sides may be ill where the tumour lies, and there is no tumour-free scan"
UNCALIBRATED = "the network has no expected Dice: it was not measured on known tumours"
NO_SAY = "the expected Dice of this network goes by how sure it is alone"
OTHER_MASK = "much of the mask was dropped or kept after it, for what the {} found"
EMPTIED = "nothing was kept of what was found"
FAILED = "the network could not segment the planted tumour ({})"


@dataclass(frozen=True)
class Replanted:
    """What the replant test gave for one scan.

    Attributes
    ----------
    overlaps
        ``None`` where it could not be done.
    ground
        Where the tumour was planted, in words.
    skipped
        Why it could not be done; else empty.
    """

    overlaps: Overlaps | None = None
    ground: str = ""
    skipped: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Replanted:
        """Rebuild from what :meth:`to_json` gave."""
        overlaps = content["overlaps"]
        return cls(
            Overlaps(**overlaps) if overlaps else None, content["ground"], content["skipped"]
        )


def replant_all(
    job: Job,
    model: Model,
    predicted: Mapping[Scan, Path],
    evidence: Evidence | None,
    comparison: Comparison,
    enclosed: float,
) -> dict[str, Replanted]:
    """Do the replant test for the masks of a network; what an earlier run did is kept.

    Parameters
    ----------
    job
        The run.
    model
        The network.
    predicted
        Its probabilities on the run's template grid, by scan.
    evidence
        How the scan refines its borders.
    comparison
        How its masks are compared with the other side of the brain.
    enclosed
        What is added to its masks; see :func:`.enclosure.add_enclosed`.

    Returns
    -------
    By the scans' keys.
    """
    card, step = model.card, f"replant-{model.name}"
    line = card.calibration.expected_dice if card.calibration else None
    if line is None or not line.replants:
        skipped = Replanted(skipped=UNCALIBRATED if line is None else NO_SAY)
        return dict.fromkeys((scan.key for scan in predicted), skipped)
    preprocessed = job.preprocessing_fingerprints(predicted)
    current = {
        scan.key: fingerprint(
            version=REPLANTING_VERSION,
            weights=card.fingerprint,
            evidence=evidence and asdict(evidence),
            other_side=comparison.to_json(),
            scan=preprocessed.get(scan.key),
            **({"enclosed": enclosed} if enclosed < 1 else {}),
        )
        for scan in predicted
    }
    stamps = {scan.key: job.ledger.read(step, scan.key) for scan in predicted}
    found = {
        key: Replanted.from_json(stamp.details["replanted"])
        for key, stamp in stamps.items()
        if stamp is not None and stamp.fingerprint == current[key]
    }
    todo = [scan for scan in predicted if scan.key not in found]
    if not todo:  # no network has to be loaded
        return found
    settings = job.settings
    segmenter = Segmenter(
        model.folder,
        evidence,
        card.lesion,
        enclosed,
        NetworkGrid.of(job, card.resolution),
        device=settings.device,
        mirroring=False,  # three passes a scan are enough
        nprocs=settings.nprocs,
        mem_gb=settings.mem_gb,
    )

    def test(scan: Scan) -> Replanted:
        brains = _brains(job, scan, 1 + len(card.more_contrasts))
        first, path = brains[0], job.layout.standard_image(scan)
        volume = load_volume(predicted[scan])
        volume = replace(volume, data=refined(volume, path, first.mask, evidence))
        left = compared(volume, path, first.mask, card.lesion, comparison)
        mask = segmenter.mask(left.without(volume.data), first, never=left.territory)
        hosts = tumour_free(job, frozenset((scan.person,)), len(brains))
        return replanted(segmenter, brains, volume.data, mask, hosts)

    with (
        Progress("Replanting", len(todo)) as progress,
        closing(side_by_side(test, todo, segmenter.at_once)) as tested,
    ):
        for scan, one in zip(todo, tested, strict=True):
            job.ledger.mark(step, scan.key, current[scan.key], replanted=one.to_json())
            found[scan.key] = one
            progress.advance(scan.key)
    return found


def still_holds(test: Replanted, mask: Compared, judge: str) -> Replanted:
    """Give up a test of a mask that what another network found has changed since.

    Parameters
    ----------
    test
        Done before.
    mask
        What has become of it.
    judge
        Name of that network.
    """
    if mask.dropped and not mask.kept:
        return Replanted(skipped=EMPTIED)
    changed = (Reason.CONFIRMED, Reason.UNCONFIRMED)
    other = sum(part.volume_ml for part in mask.verdicts if part.reason in changed)
    if other > LITTLE_CHANGED * sum(part.volume_ml for part in mask.kept):
        return Replanted(skipped=OTHER_MASK.format(judge))
    return test


def replanted(
    segmenter: Segmenter,
    brains: Sequence[Brain],
    probability: NDArray[np.float32],
    mask: Mask,
    hosts: Hosts,
) -> Replanted:
    """Do the replant test for one mask.

    Parameters
    ----------
    segmenter
        The network, which is not asked about mirror images.
    brains
        The scan, one a contrast, on the run's template grid.
    probability, mask
        Of tumour there, (X, Y, Z).
    hosts
        Tumour-free brains by their names, for tumours without a healthy side.
    """
    if not mask.any():
        return Replanted(skipped=EMPTY)
    chosen = _ground(brains, probability, mask, hosts)
    if chosen is None:
        return Replanted(skipped=NO_GROUND)
    words, ground = chosen

    def find(images: NDArray[np.float32]) -> Mask:
        there = ground.brains[0]
        planted = [Brain(image, there.mask, there.spacing) for image in images]
        return segmenter.mask(segmenter.probability(planted), planted[0])

    try:
        return Replanted(replant(brains, mask, ground, find), words)
    except SynthTumourError as error:  # the mask itself is good, whatever comes of its test
        return Replanted(skipped=FAILED.format(error))


def _ground(
    brains: Sequence[Brain],
    probability: NDArray[np.float32],
    mask: Mask,
    hosts: Hosts,
) -> tuple[str, Ground] | None:
    """Choose where to plant: in the scan's own look if that can be."""
    half = own_half(brains, probability)
    if half.healthy and can_hold(half, mask):
        return HEALTHY_HALF, half
    for name, host in hosts:
        if can_hold(ground := whole_brain(host), mask):
            return OTHER_BRAIN.format(name), ground
    return (BETTER_HALF, half) if can_hold(half, mask) else None


def _brains(job: Job, scan: Scan, contrasts: int) -> tuple[Brain, ...]:
    mask = load_volume(job.layout.standard_brain(scan)).mask
    volumes = map(load_volume, job.layout.standard_images(scan)[:contrasts])
    return tuple(Brain(one.data, mask, one.spacing) for one in volumes)


def tumour_free(job: Job, persons: frozenset[str], contrasts: int) -> Hosts:
    """Tumour-free brains of a run but those of some persons, read when they are asked for."""
    for host in job.preprocessed(Role.TUMOURFREE):
        if host.person not in persons and len(host.contrasts) + 1 >= contrasts:
            yield host.uri, _brains(job, host, contrasts)
