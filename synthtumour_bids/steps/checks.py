"""What a run is refused for before anything is computed, beyond single flags."""

from __future__ import annotations

from synthtumour_bids.bids.filters import read_filters
from synthtumour_bids.bids.validation import warn_of_input_errors
from synthtumour_bids.errors import UsageError
from synthtumour_bids.job import Job
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.learners import held_out_among
from synthtumour_bids.preprocessing.template_files import find_standard, find_template
from synthtumour_bids.settings import TEMPLATE, Role, Settings, Step
from synthtumour_bids.spaces.references import references_of
from synthtumour_bids.steps.atlas import load_atlas


def refuse(job: Job, method: Method) -> None:
    """Refuse a run that cannot end well.

    Raises
    ------
    SynthTumourError
        A head template, a standard space or a GPU that is not there, an output folder of another
        contrast, people who are held out and have taught, batches that the GPUs cannot share, what
        the method cannot learn from.
    """
    settings = job.settings
    _check_contrast(job)
    _check_held_out(job)
    if settings.boilerplate_only:
        return
    if Step.PREPROCESS in job.steps:
        find_template(settings.skull_strip_template)
    if Step.SEGMENT in job.steps:
        for reference in references_of(settings.output_spaces):
            if reference.is_standard and reference.space != TEMPLATE:
                find_standard(reference.space, reference.resolution)
    if Step.TRAIN in job.steps and not lineage.is_trained(job, method):
        _check_batches(settings)
        if not settings.dry_run:
            _check_devices(settings)
    if not {Step.SYNTHESISE, Step.TRAIN}.isdisjoint(job.steps):
        method.refuse(job)


def look_around(job: Job) -> None:
    """Look at what only a run that computes needs: cluster, atlas, and whether the input is valid.

    Raises
    ------
    UnavailableError
        When the cluster is not there.
    """
    if job.cluster is not None:
        job.cluster.check()
    if Step.REPORT in job.steps:
        load_atlas(job.settings.atlas)  # says early what is wrong with it
    # In whole runs, not in each job of an array.
    whole = not job.settings.participant_label and Step.PREPROCESS in job.steps
    if whole and not job.settings.skip_bids_validation:
        warn_of_input_errors(job.settings.bids_dir)


def _check_devices(settings: Settings) -> None:
    n, device = settings.num_gpus, settings.device
    always_there = n == 1 and device in ("auto", "cpu")
    if always_there:
        return
    from synthtumour_bids.segmentation.environment import training_devices

    training_devices(device, n)


def _check_batches(settings: Settings) -> None:
    """Refuse a number of GPUs that cannot share a batch out; torch is imported to say so only.

    Raises
    ------
    UsageError
        Naming the size of a batch.
    """
    n, profile = settings.num_gpus, settings.profile
    for training in (profile.junior, profile.senior):
        size = training.batch_size  # None: nnU-Net plans it later
        if size is not None and size % n:
            from synthtumour_bids.segmentation.distributed import check_batch

            check_batch(size, n)


def _check_held_out(job: Job) -> None:
    """Refuse to call people held out who taught the networks of this output folder.

    Raises
    ------
    UsageError
        Naming them, where nothing is trained anew without them.
    """
    if job.settings.model is not None or Step.TRAIN in job.steps or Step.SEGMENT not in job.steps:
        return
    keys = lineage.learned_from(job)
    known = [scan for scan in job.selection.everything if scan.key in keys]
    if taught := held_out_among(job, known):
        labels = ", ".join(sorted({scan.subject for scan in taught}))
        msg = (
            f"--hold-out: the networks in {job.layout.models} have learned from participants that "
            f"are held out, or from scans of theirs by another name: {labels}. Train "
            "without them (--steps synthesise train, level group) before they are segmented, or "
            "leave the flag out."
        )
        raise UsageError(msg)


def _check_contrast(job: Job) -> None:
    """Refuse an output folder that holds results of another contrast: mask names would collide."""
    contrast, output_dir = job.settings.contrast, job.settings.output_dir
    filters = read_filters(job.settings.bids_filter_file)
    ours = {suffix for role in Role for suffix in filters.suffixes(role, contrast)}
    others = {scan.suffix for scan, _ in Ledger(output_dir).of_scans(Step.PREPROCESS)} - ours
    if others:
        msg = (
            f"{output_dir} holds results of {', '.join(sorted(others))} scans, and masks "
            f"of {contrast} scans would have the same names; choose another output "
            f"folder for --contrast {contrast}."
        )
        raise UsageError(msg)
