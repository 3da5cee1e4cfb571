"""Pseudo-labels: a network's segmentations of real tumours, with quality control."""

from __future__ import annotations

import csv
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.errors import DataError
from synthtumour_bids.files import write_json, write_tsv
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch, pseudo_label_table
from synthtumour_bids.methods.candidates import Assessed, Candidate, assess_candidate
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.methods.learners import learnable
from synthtumour_bids.methods.predictions import predict
from synthtumour_bids.reports.pictures import pseudo_label_picture
from synthtumour_bids.reports.slices import upright
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.model_card import Model
from synthtumour_bids.settings import Role
from synthtumour_bids.synthesis.borders import Evidence
from synthtumour_bids.synthesis.pseudo_labels import select
from synthtumour_bids.volumes import load_volume

LOGGER = logging.getLogger(__name__)
PICTURES = "pseudo_labels"  # and their record
KIND = "pseudo-labelled scans"  # of the cases made from them
MEMORY_GB = 2.0  # of one process at 1 mm

_COLUMNS: dict[str, dict[str, Any]] = {
    "scan": {"Description": "Dataset and file name of the scan, without its extension"},
    "used": {"Description": "Whether the senior learned from this pseudo-label"},
    "accepted": {"Description": "Whether it passed quality control"},
    "corrected": {"Description": "Whether a person's corrected mask took its place"},
    "reasons": {"Description": "Criteria that it failed, separated by commas; n/a for none"},
    "volume_mL": {"Description": "Volume of the pseudo-label", "Units": "mL"},
    "brain_fraction": {"Description": "Volume of the pseudo-label over that of the brain"},
    "confidence": {"Description": "Mean tumour probability inside the pseudo-label"},
    "undecided_ratio": {
        "Description": "Brain voxels with a probability between .2 and .8, over those of the "
        "pseudo-label"
    },
    "entropy_mL": {"Description": "Binary entropy summed over these voxels", "Units": "mL"},
    "components": {"Description": "Separate parts (26-connected) without the specks"},
    "specks_mL": {"Description": "Volume of the specks that were removed", "Units": "mL"},
    "filled_mL": {"Description": "Volume of the holes that were filled", "Units": "mL"},
    "outside": {"Description": "Share of the thresholded map that lies outside the brain"},
    "symmetry": {"Description": "Share of the pseudo-label that overlaps its mirror image"},
    "agreement": {"Description": "Dice with what the network finds in the mirrored scan"},
    "dropped_mL": {
        "Description": "Volume of the parts dropped because they are like the other side of the "
        "brain, before all else",
        "Units": "mL",
    },
}


@dataclass(frozen=True)
class Labelled:
    """A tumour scan whose pseudo-label is good enough to learn from, or was corrected.

    Attributes
    ----------
    scan
        Which one.
    label
        On the template grid.
    corrected
        Whether a person has drawn it.
    """

    scan: Scan
    label: Path
    corrected: bool = False


def unlabelled(job: Job) -> list[Scan]:
    """Tumour scans that may be learned from by their pseudo-labels.

    Raises
    ------
    DataError
        When there is none.
    """
    tumours = learnable(job, Role.TUMOUR)
    if not tumours:
        msg = (
            "The senior learns from real tumour scans, but none is preprocessed under "
            f"{job.settings.output_dir}"
            + (" apart from those of --hold-out." if job.settings.hold_out else ".")
        )
        raise DataError(msg)
    return tumours


def pseudo_labelled(
    job: Job, model: Model, evidence: Evidence | None, tumours: Sequence[Scan]
) -> list[Labelled]:
    """Segment tumour scans with a network, keep labels that pass quality control, and record all.

    There may be none. See ``judge`` and ``record_pseudo_labels``.
    """
    assessed, found = judge(job, model, evidence, tumours, fill_up=False)
    record_pseudo_labels(job, assessed, {one.scan.key for one in found})
    if not found:
        LOGGER.warning(
            "No pseudo-label of %d scans passed the quality control, so none is learned from; why "
            "is in %s.",
            len(tumours),
            pseudo_label_table(job.layout.models),
        )
    return found


def judge(
    job: Job,
    model: Model,
    evidence: Evidence | None,
    tumours: Sequence[Scan],
    *,
    fill_up: bool = True,
) -> tuple[list[Assessed], list[Labelled]]:
    """Segment tumour scans with a network and tell which labels pass quality control.

    Parts of a label that are like the other side of the brain are dropped before. What the network
    says about the mirrored scan counts as the second opinion.

    Parameters
    ----------
    job
        The run.
    model
        The network.
    evidence
        How the scan refines the borders that it draws; ``None``: not at all.
    tumours
        Preprocessed scans.
    fill_up
        Whether the best of the others join those that passed, where too few did.

    Returns
    -------
    All pseudo-labels, and those that may be learned from, by their scans' keys.
    """
    mirrored = predict(job, model, tumours)
    plain = predict(job, model, tumours, mirroring=False)
    layout, lesion = job.layout, job.settings.lesion
    candidates = [
        Candidate(
            scan=averaged.item,
            averaged=averaged.value,
            plain=single.value,
            image=layout.standard_image(averaged.item),
            brain=layout.standard_brain(averaged.item),
            label=layout.scratch(Scratch.PSEUDO_LABELS) / f"{averaged.item.slug}_label.nii",
            lesion=lesion,
            evidence=evidence,
            comparison=Comparison.of(job.settings, lesion),
        )
        for averaged, single in zip(mirrored, plain, strict=True)
        if averaged.value is not None and single.value is not None
    ]
    results = job.map(
        assess_candidate,
        candidates,
        label="Judging pseudo-labels",
        describe=lambda one: one.scan.key,
        memory_gb=MEMORY_GB,
        stoppable=False,
    )
    for result in results:
        if result.failed:
            LOGGER.warning("%s: no pseudo-label (%s)", result.item.scan.key, result.error)
    assessed = [result.value for result in results if result.value is not None]
    verdicts = {one.scan.key: one.pseudo for one in assessed}
    selection = select(verdicts) if fill_up else select(verdicts, minimum=0, share=0.0)
    if selection.note:
        LOGGER.warning("%s", selection.note)
    n_good, n_all = len(selection.names), len(tumours)
    LOGGER.info("Pseudo-labels: those of %d of %d scans are good enough.", n_good, n_all)
    by_key = {one.scan.key: one for one in assessed}
    found = [Labelled(by_key[key].scan, by_key[key].label) for key in sorted(selection.names)]
    return assessed, found


def record_pseudo_labels(
    job: Job, assessed: Sequence[Assessed], used: Collection[str], corrected: Collection[str] = ()
) -> None:
    """Write ``models/pseudo_labels.tsv`` and picture each pseudo-label; pictures of others go.

    Parameters
    ----------
    job
        The run.
    assessed
        All, whatever the quality control said.
    used, corrected
        Keys of the scans whose pseudo-labels, and whose corrected masks, are learned from.
    """
    forget_pseudo_labels(job)
    write_table(job.layout.models, assessed, used, corrected)
    record = job.layout.training_record(PICTURES)
    shown = {}
    for one in assessed:
        picture = job.layout.training_figure(f"{PICTURES}_{one.scan.slug}")
        image, label = (
            upright(load_volume(path)) for path in (job.layout.standard_image(one.scan), one.label)
        )
        description = pseudo_label_picture(image, label, picture)
        shown[one.scan.key] = {"Picture": picture.name, "Description": description}
    write_json(record, shown)


def forget_pseudo_labels(job: Job) -> None:
    """Remove table, record and pictures: the senior to be trained learns from none of these."""
    table, record = pseudo_label_table(job.layout.models), job.layout.training_record(PICTURES)
    pictures = record.parent.glob(f"{PICTURES}_*.svg")
    for path in (table, table.with_suffix(".json"), record, *pictures):
        path.unlink(missing_ok=True)


def write_table(
    models: Path,
    assessed: Sequence[Assessed],
    used: Collection[str],
    corrected: Collection[str] = (),
) -> None:
    """Write the table of all pseudo-labels with its dictionary into a models folder."""
    rows = [
        {
            "scan": one.scan.key,
            "used": one.scan.key in used,
            "accepted": one.pseudo.accepted,
            "corrected": one.scan.key in corrected,
            "reasons": ", ".join(one.pseudo.reasons) or "n/a",
            **one.pseudo.stats,
            "dropped_mL": one.dropped_ml,
        }
        for one in assessed
    ]
    if not rows:
        return
    path = pseudo_label_table(models)
    write_tsv(path, rows, list(rows[0]))
    write_json(path.with_suffix(".json"), {name: _COLUMNS[name] for name in rows[0]})


def as_cases(job: Job, found: Sequence[Labelled], *, prefix: str) -> list[Case]:
    """Pseudo-labelled scans as training cases, named after the prefix and the scan."""
    return [
        Case(
            f"{prefix}-{one.scan.dataset_name}-{one.scan.name}",
            job.layout.standard_image(one.scan),
            one.label,
            validation=False,
            more=job.layout.standard_images(one.scan)[1:],
            persons=frozenset((one.scan.person,)),
            kind=KIND,
        )
        for one in found
    ]


def count_used(models: Path) -> tuple[int | None, int]:
    """Scans whose pseudo-labels were learned from, and how many of these did not pass.

    The first is ``None`` where that is not recorded.
    """
    table = pseudo_label_table(models)
    if not table.is_file():
        return None, 0
    with table.open(encoding="utf-8", newline="") as stream:
        used = [row for row in csv.DictReader(stream, delimiter="\t") if row["used"] == "true"]
    return len(used), sum(row["accepted"] != "true" for row in used)
