"""What a run leaves out, or does, that whoever started it may not expect: said before it begins."""

from __future__ import annotations

import logging
from collections import Counter

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.errors import DataError
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.registry import method_of_run
from synthtumour_bids.methods.words import unmeasured
from synthtumour_bids.segmentation.model_card import Model
from synthtumour_bids.settings import Method, Role, Settings, Step
from synthtumour_bids.steps import correction_cautions

LOGGER = logging.getLogger(__name__)
FEW_ANNOTATED = 10  # benchmarks/RESULTS.md, Few annotated scans


def refuse_nothing_to_segment(job: Job) -> None:
    """Refuse a run with given networks whose scans are all of people without a tumour.

    Raises
    ------
    DataError
        Saying how they are segmented all the same.
    """
    scans = job.selected()
    wanted = Step.SEGMENT in job.steps and not job.settings.boilerplate_only
    # What cannot be read is told of as a failure of its own.
    if not wanted or not scans or job.selection.refused or _to_segment(job):
        return
    people = listed(sorted({scan.subject for scan in scans}), 5)
    msg = (
        f"Nothing is to be segmented: the scans asked for ({len(scans)}) are of tumour-free "
        f"participants ({people}). {_way_out(job.settings)}"
    )
    raise DataError(msg)


def tell(job: Job) -> None:
    """Log what the user should know beforehand, as warnings."""
    for sentence in _sentences(job):
        LOGGER.warning("%s", sentence)


def _sentences(job: Job) -> list[str]:
    told = (
        *(_left_out(job), _unmeasured(job), _known_to_the_teacher(job), _taught(job)),
        *(_no_host(job), _few_annotated(job), _made_again(job)),
        *correction_cautions.sentences(job),
    )
    return list(filter(None, told))


def _left_out(job: Job) -> str:
    """Name those who were asked for and get no mask."""
    settings = job.settings
    if settings.model is None or Step.SEGMENT not in job.steps:
        return ""
    segmented = {scan.subject for scan in _to_segment(job)}
    free = {scan.subject for scan in job.selected()} - segmented
    named = [label for label in settings.participant_label if label in free]
    if not named:
        return ""
    return (
        f"Participants {listed(named)} (--participant-label) are tumour-free and left out. "
        f"{_way_out(settings)}"
    )


def _unmeasured(job: Job) -> str:
    """Tell of a given starter that nobody has tried on real scans."""
    if job.settings.model is None or Step.SEGMENT not in job.steps:
        return ""
    model = job.main_network
    if not (said := unmeasured(model.card)):
        return ""
    return (
        f"{model.folder.name} segments ({model.card.contrast}, {model.card.lesion}).{said} Look at "
        "its masks before you believe them."
    )


def _known_to_the_teacher(job: Job) -> str:
    """Name those held out whom the teacher may have learned from.

    Its card has names only, which other people in another dataset may bear: nothing is refused.
    """
    settings = job.settings
    people = job.held_out_persons()
    if settings.teacher is None or not people or Step.TRAIN not in job.steps:
        return ""
    persons = job.persons()
    taught = Model(Network.SENIOR, settings.teacher / Network.SENIOR).card.scans
    known = {
        scan.subject
        for scan in job.selection.everything
        if persons[scan.key] in people
        and any(uri.startswith(f"bids:{scan.dataset_name}:sub-{scan.subject}/") for uri in taught)
    }
    if not known:
        return ""
    return (
        f"--teacher {settings.teacher} has learned from participants of the same names as some who "
        f"are held out (--hold-out): {listed(sorted(known))}. If they are the same people, its "
        "pseudo-labels bring them into the training: train it with the same --hold-out first."
    )


def _taught(job: Job) -> str:
    """Name those whose other scans are segmented by networks that learned from one of theirs."""
    if job.settings.model is not None or Step.SEGMENT not in job.steps:
        return ""
    persons = job.persons()
    teaching = {
        persons[scan.key] for scan in job.selection.everything if scan.role is Role.ANNOTATED
    }
    known = {scan.subject for scan in _to_segment(job) if persons[scan.key] in teaching}
    if not known:
        return ""
    return (
        f"Of participants {listed(sorted(known))} one scan is learned from (--annotated-dir) and "
        "another segmented: count it with nobody whom the networks do not know. --hold-out keeps "
        "somebody out of the training."
    )


def _no_host(job: Job) -> str:
    """Tell whose labels leave out all tumour-free scans that a training could learn from."""
    settings = job.settings
    if not settings.participant_label or {Step.PREPROCESS, Step.TRAIN} - set(job.steps):
        return ""
    free = [scan for scan in job.selection.everything if scan.role is Role.TUMOURFREE]
    if not free or job.selected(Role.TUMOURFREE) or job.preprocessed(Role.TUMOURFREE):
        return ""
    if lineage.is_trained(job, method_of_run(job)):
        return ""
    return (
        f"None of the {len(free)} tumour-free scans is of a participant that --participant-label "
        "names, and none is preprocessed: nothing is learned from them. Name their participants, "
        "too, or choose with --exclude-participant-label."
    )


def _few_annotated(job: Job) -> str:
    """Tell who has few annotated scans what was found to be at least as good.

    That was measured on whole gliomas in FLAIR, with networks that learn from nothing else.
    """
    settings = job.settings
    if settings.method is not Method.FABRICATION or Step.TRAIN not in job.steps:
        return ""
    several = any(len(one.classes) > 1 for one in job.selection.annotations.values())
    measured = (settings.lesion, settings.contrast) == ("glioma", "FLAIR")
    others = settings.more_contrasts or settings.semi_supervised
    annotated = sum(scan.role is Role.ANNOTATED for scan in job.selection.everything)
    if several or others or not measured or annotated > FEW_ANNOTATED:
        return ""
    if lineage.is_trained(job, method_of_run(job)):
        return ""
    return (
        f"{annotated} scans are annotated. On real gliomas no network that learned from "
        f"{FEW_ANNOTATED} or fewer was measurably better than the label-free method, which needs "
        "none: leave out --method fabrication and --annotated-dir, and use annotations of scans of "
        "the main dataset to check its masks (--truth) or to mend them (--corrections)."
    )


def _made_again(job: Job) -> str:
    """Tell of masks by other networks, which those of this run will take the place of.

    A senior that is trained further may replace its own masks; a network that was given, or the
    first senior of a folder, those of another.
    """
    if Step.SEGMENT not in job.steps:
        return ""
    scans, given = _to_segment(job), job.settings.model is not None
    ours = {name: model.card.fingerprint if given else "" for name, model in job.networks.items()}
    others: Counter[str] = Counter()
    for scan in scans:
        stamp = job.ledger.finished(Step.SEGMENT, scan.key)
        models = dict(stamp.details.get("models", {})) if stamp else {}
        if models and (models != ours if given else models.keys() != ours.keys()):
            others[" ".join(list(models.items())[-1])] += 1
    if not others:
        return ""
    name, fingerprint = list(ours.items())[-1]
    card = job.main_network.card if given else None
    what = f" {fingerprint} (for {card.lesion} in {card.contrast} images)" if card else ""
    return (
        f"{others.total()} of {len(scans)} masks in {job.settings.output_dir} are by another "
        f"network ({listed(others)}), and are made again by the {name}{what} of this run. Choose "
        "another output folder to keep them."
    )


def _to_segment(job: Job) -> list[Scan]:
    return [scan for scan in job.selected() if scan.role.is_segmented]


def _way_out(settings: Settings) -> str:
    return (
        "--hold-out with their labels has them segmented, too. Who has a tumour is told by column "
        f"{settings.group_column!r} of participants.tsv (--group-column, --tumour-value); in a "
        "dataset of --tumourfree-dir nobody has."
    )
