"""Step 3: junior and senior, each on the material that the method hands over."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from synthtumour_bids.bids.classes import WHOLE_TUMOUR, TumourClass
from synthtumour_bids.execution.locks import exclusive_lock
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.progress import Progress, describe_seconds
from synthtumour_bids.files import copy_file
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network, Scratch
from synthtumour_bids.ledger import COHORT
from synthtumour_bids.methods import lineage, rounds
from synthtumour_bids.methods.base import STARTED_FROM, Material, Method
from synthtumour_bids.methods.calibration import calibrate
from synthtumour_bids.profiles import Training
from synthtumour_bids.segmentation.cases import count_kinds
from synthtumour_bids.segmentation.curve import SelectionCurve
from synthtumour_bids.segmentation.model_card import (
    BUNDLED,
    CARD,
    CHECKPOINT,
    ModelCard,
    checksums,
    is_bundle,
    weights_fingerprint,
)
from synthtumour_bids.settings import Step
from synthtumour_bids.steps import presence
from synthtumour_bids.versions import versions

LOGGER = logging.getLogger(__name__)
DATASET_IDS = {Network.JUNIOR: 501, Network.SENIOR: 502}
BUSY = (
    "Another run ({{holder}}) is training in {models}. Wait until it has ended, then run the same "
    "command again. Jobs that share one output folder take the steps apart: --steps preprocess for "
    "each participant, level group once, then --steps segment report."
)


@contextmanager
def alone(job: Job, method: Method) -> Iterator[None]:
    """Keep other runs from training in the same output folder during the block.

    Raises
    ------
    UnavailableError
        When another run does so; not where this one has nothing to train.
    """
    trains = not {Step.SYNTHESISE, Step.TRAIN}.isdisjoint(job.steps)
    if trains:
        rounds.note(job)
    if not trains or (lineage.is_trained(job, method) and presence.is_done(job)):
        yield
        return
    models = job.layout.models
    with exclusive_lock(models / ".lock", BUSY.format(models=models)):
        job.ledger.forget()  # another run may have finished it meanwhile
        yield


def run(job: Job, method: Method, network: Network) -> list[ScanOutcome]:
    """Train a network on its material, unless it is trained and still good, or was given."""
    if job.settings.model is not None:
        LOGGER.info("Using the %s of %s; it is not trained.", network, job.settings.model)
        return []
    if lineage.starts_anew(job):
        _remove_networks(job, method)
    if lineage.is_finished(job, method, network):
        LOGGER.info("Using the trained %s of %s (--retrain trains anew).", network, job.models_dir)
        status = Status.SKIPPED
    else:
        material = method.material(job, network)
        if material.bundle is not None:
            _take(job, method, network, material, material.bundle)
        else:
            trained = _train(job, network, material, method.classes(job))
            _finish(job, method, network, material, trained)
        status = Status.DONE
    return [ScanOutcome(rounds.title(job, network), Step.TRAIN, status, of_scan=False)]


def conclude(job: Job, method: Method) -> list[ScanOutcome]:
    """Calibrate the last senior, unless it was or is a given one; ``--retrain`` is fulfilled."""
    if job.settings.model is None:
        calibrate(job, method, job.model(Network.SENIOR))
        job.ledger.clear(COHORT, lineage.RETRAINING)
    return []


def _remove_networks(job: Job, method: Method) -> None:
    """Begin what ``--retrain`` asks for, once it is sure that there is something to learn from."""
    method.check_material(job)
    for network in Network:
        job.ledger.clear(COHORT, network)
        shutil.rmtree(job.layout.network(network), ignore_errors=True)
    rounds.forget_after(job, 0)
    job.ledger.mark(COHORT, lineage.RETRAINING, "")


def _take(job: Job, method: Method, network: Network, material: Material, bundle: Path) -> None:
    """Copy a network that is trained already to where it would have been trained.

    So the output folder stays whole, whatever starters a later version brings.
    """
    _clear_from(job, network)
    folder = job.layout.network(network)
    if folder != bundle:
        partial = folder.with_name(f".{network}-partial")
        shutil.rmtree(partial, ignore_errors=True)
        for file in (*BUNDLED, CARD):
            copy_file(bundle / file, partial / file)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
    LOGGER.info("The %s is the network of %s; it is not trained.", network, bundle)
    job.ledger.mark(
        COHORT,
        network,
        method.fingerprint(job, network),
        [folder / file for file in (*BUNDLED, CARD)],
        members={},
        **material.details,
    )


def _clear_from(job: Job, network: Network) -> None:
    """Forget a network and those after it: the senior is made with its junior.

    A senior that another is to follow counts until that one is finished.
    """
    if network is Network.SENIOR and job.round > 1:
        rounds.forget_after(job, job.round)
        return
    for later in list(Network)[list(Network).index(network) :]:
        job.ledger.clear(COHORT, later)
    rounds.forget_after(job, 0)


@dataclasses.dataclass(frozen=True)
class _Trained:
    """How a training went, how it was set, and what network it started from, if any."""

    curve: SelectionCurve
    training: Training
    start: Path | None

    def told(self, network: Network) -> dict[str, str]:
        """What the card tells of a junior that did not start from random weights."""
        if self.start is None or network is not Network.JUNIOR:
            return {}
        return {STARTED_FROM: ModelCard.read(self.start).fingerprint}


def _train(
    job: Job, network: Network, material: Material, classes: Sequence[TumourClass]
) -> _Trained:
    """Train one network in its room; a training that was interrupted goes on."""
    from synthtumour_bids.segmentation.dataset import build_dataset
    from synthtumour_bids.segmentation.initial_weights import can_start_from
    from synthtumour_bids.segmentation.training import train

    settings, training = job.settings, _training(job, network)
    folder = rounds.room(job, network)
    _clear_from(job, network)
    if is_bundle(folder):  # taken before; a trained one has other files
        shutil.rmtree(folder)
    LOGGER.info(
        "%s: %d training cases, %d validation cases.",
        rounds.title(job, network).capitalize(),
        sum(not case.validation for case in material.cases),
        sum(case.validation for case in material.cases),
    )
    job.rest()
    prepared = build_dataset(
        material.cases,
        job.layout.scratch(Scratch.NNUNET, network),
        dataset_id=DATASET_IDS[network],
        name=network,
        training=training,
        n_processes=settings.nprocs,
        classes=_class_names(classes),
    )
    start = material.start
    if network is Network.SENIOR and training.from_junior:
        start = rounds.teacher(job).folder
    if start is not None and not can_start_from(start, prepared):
        LOGGER.info("The %s starts from random weights: its grid or network is another.", network)
        start, training = None, dataclasses.replace(training, from_junior=False)
    if start is not None and network is Network.JUNIOR:  # as a senior's
        LOGGER.info("The junior starts from the weights in %s.", start)
        rate = settings.profile.senior.learning_rate
        training = dataclasses.replace(training, learning_rate=rate)
    with Progress(f"{rounds.title(job, network).capitalize()} epoch", training.epochs) as bar:

        def progress(epoch: int, _: int, loss: float, score: float, seconds_left: float) -> None:
            left = describe_seconds(seconds_left)
            bar.reach(epoch, f"loss {loss:.3f}, validation Dice {score:.3f}, at most {left} left")

        curve = train(
            prepared,
            folder,
            training=training,
            device=settings.device,
            num_gpus=settings.num_gpus,
            seed=settings.seed,
            nprocs=settings.nprocs,
            progress=progress,
            initial_weights=start,
        )
    return _Trained(curve, training, start)


def _training(job: Job, network: Network) -> Training:
    """How a network is trained; a senior after the first goes on from the one before."""
    profile = job.settings.profile
    if network is Network.JUNIOR:
        return profile.junior
    if job.round == 1:
        return profile.senior
    return dataclasses.replace(profile.senior, from_junior=True)


def _class_names(classes: Sequence[TumourClass]) -> tuple[str, ...]:
    """Names of the labels 1, 2, ... for nnU-Net; with their index, as two may have one name."""
    if len(classes) == 1:
        return (WHOLE_TUMOUR[0].name,)
    return tuple(f"{one.index}-{one.name}" for one in classes)


def _finish(
    job: Job,
    method: Method,
    network: Network,
    material: Material,
    trained: _Trained,
) -> None:
    """Write the model card, and record the network as finished, in the place of its teacher's."""
    settings, folder = job.settings, rounds.room(job, network)
    recipe = method.fingerprint(job, network)
    ModelCard(
        name=network,
        fingerprint=weights_fingerprint(folder),
        recipe=recipe,
        method=method.name,
        preset=method.preset,
        contrast=settings.contrast,
        more_contrasts=settings.more_contrasts,
        lesion=settings.lesion,
        classes=method.classes(job),
        profile=settings.profile.name,
        resolution=settings.profile.resolution,
        seed=settings.seed,
        training=dataclasses.asdict(trained.training),
        training_cases=tuple(case.name for case in material.cases if not case.validation),
        validation_cases=tuple(case.name for case in material.cases if case.validation),
        scans=tuple(scan.uri for scan in material.scans),
        held_out=settings.hold_out,
        best_epoch=trained.curve.best_epoch,
        stopped_early=trained.curve.stopped_early,
        training_seconds=round(trained.curve.seconds, 1),
        versions=versions(),
        files=checksums(folder),
        details={"Cases": count_kinds(material.cases), **trained.told(network), **material.card},
    ).write(folder)
    members = rounds.members(job, network) | job.preprocessing_fingerprints(material.scans)
    place = job.layout.network(network)

    def stamp_it() -> None:
        outputs = [place / CARD, place / CHECKPOINT]
        job.ledger.mark(COHORT, network, recipe, outputs, members=members, **material.details)

    if folder == place:
        stamp_it()
    else:
        rounds.take_place(job, stamp_it)
