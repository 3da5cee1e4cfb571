"""``--junior``: the settings of a run say where its junior comes from, once its scans are known."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path

from synthtumour_bids.bids.inputs import is_narrow
from synthtumour_bids.bids.patients import possible_patients
from synthtumour_bids.errors import DataError, UnavailableError, advice
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import lineage
from synthtumour_bids.methods.base import STARTED_FROM
from synthtumour_bids.methods.label_free.junior_source import (
    TRAIN,
    Asked,
    There,
    choose,
)
from synthtumour_bids.methods.registry import method_of_run
from synthtumour_bids.segmentation.model_card import is_bundle
from synthtumour_bids.segmentation.starters import (
    Starter,
    find_starter,
    read_starter,
    starter_for,
)
from synthtumour_bids.settings import STARTER, JuniorSource, Method, Role, Settings, Step
from synthtumour_bids.steps.given_networks import with_networks

WITHOUT = "choose --junior train to train a junior on synthetic tumours"
ADVICE = "Without a starter, --junior train trains a junior."
ADVICE_STARTED = (
    "The junior of this output folder started from the weights of a starter, and stays: --junior "
    "train has no effect without --retrain."
)
ADVICE_OWN = "It is the junior of this output folder; --retrain takes or trains another one."


def with_junior(job: Job) -> tuple[Job, str]:
    """Settle where the junior comes from.

    Parameters
    ----------
    job
        Whose scans are known.

    Returns
    -------
    job : Job
        In whose settings ``junior`` is the folder of a bundle, or ``"train"``; or, where the cohort
        is too small to learn from, in which ``model`` is the bundle that segments. A junior of
        fabrication is always trained, from the weights of the bundle.
    why : str
        A sentence; empty where there is nothing to choose.

    Raises
    ------
    UnavailableError
        When ``--junior starter`` finds none, or the one it finds cannot be used.
    DataError
        When a cohort is too small, and the run only trains.
    """
    settings = job.settings
    if settings.model is not None:
        return job, ""
    if settings.method is Method.FABRICATION:
        return _with_start(job)
    own = None if _asks_for_training(settings) else _own_starter(job)
    begun = _begun(job, own)
    starter = own or _starter(job, begun)
    asked = Asked(
        None if isinstance(settings.junior, Path) else settings.junior,
        _own_tumours(settings),
        Step.SYNTHESISE in job.steps and Step.TRAIN not in job.steps,
    )
    called = _name(starter) if starter else ""
    there = There(called, begun, _persons(job))
    choice = choose(asked, there)
    if starter is None or choice.source == TRAIN:
        return _with(job, junior=TRAIN), choice.why
    if choice.source == STARTER:
        return _with(job, junior=starter.folder), choice.why
    if Step.TRAIN in job.steps and Step.SEGMENT not in job.steps:
        msg = f"{choice.why} To segment with the starter: level participant, --model starter."
        raise DataError(msg)
    why = choice.why
    if settings.rounds is not None:
        why = f"{why} There are no --rounds then."
    if settings.retrain:
        why = f"{why} There is nothing to --retrain then."
    alone = with_networks(dataclasses.replace(settings, model=starter.folder, junior=None))
    return dataclasses.replace(job, settings=alone), why


def _with_start(job: Job) -> tuple[Job, str]:
    """Settle what the training of fabrication's junior starts from.

    A finished one has a start as well: it is trained anew where a scan turns out to have changed.
    """
    settings, starter = job.settings, None
    if Step.TRAIN not in job.steps:
        return _with(job, junior=TRAIN), ""
    several = any(len(one.classes) > 1 for one in job.selection.annotations.values())
    trained = lineage.is_finished(job, method_of_run(job), Network.JUNIOR)
    if settings.junior is None and not (several or settings.more_contrasts):
        said = advice("--junior train starts from random weights.")
        with suppress(UnavailableError) if trained else said:
            starter = starter_for(settings.contrast, settings.lesion)
    if starter is None or starter.card.resolution != settings.profile.resolution:
        return _with(job, junior=TRAIN), ADVICE_STARTED if trained and _has_started(job) else ""
    if trained:
        return _with(job, junior=starter.folder), ""
    why = (
        f"The junior's training starts from the weights of {_name(starter)}; --junior train starts "
        "from random ones."
    )
    return _with(job, junior=starter.folder), why


def _has_started(job: Job) -> bool:
    """Whether the junior is to be trained from random weights, and the finished one was not."""
    return job.settings.junior == TRAIN and STARTED_FROM in job.model(Network.JUNIOR).card.details


def _name(starter: Starter) -> str:
    known = "" if starter.about.measured else " (not measured on real scans)"
    return f"the starter {starter.about.version}{known}"


def _with(job: Job, *, junior: Path | JuniorSource) -> Job:
    return dataclasses.replace(job, settings=dataclasses.replace(job.settings, junior=junior))


def _begun(job: Job, own: Starter | None) -> JuniorSource | None:
    """Where the junior that the output folder has for this run comes from, finished or not."""
    if own is not None:
        return STARTER
    begun = (job.layout.network(Network.JUNIOR) / "fold_0").is_dir()
    return TRAIN if begun and not lineage.starts_anew(job) else None


def _asks_for_training(settings: Settings) -> bool:
    tumours_of_its_own = settings.junior is None and bool(_own_tumours(settings))
    return settings.junior == TRAIN or tumours_of_its_own


def _own_starter(job: Job) -> Starter | None:
    """The starter that is the output folder's junior, where it is for these scans."""
    folder = job.layout.network(Network.JUNIOR)
    if lineage.starts_anew(job) or not is_bundle(folder):
        return None
    with advice(ADVICE_OWN):
        starter = read_starter(folder)
    return starter if starter.fits(job.settings.contrast, job.settings.lesion) else None


def _starter(job: Job, begun: JuniorSource | None) -> Starter | None:
    """The newest starter there is, if one may be needed."""
    settings = job.settings
    if _asks_for_training(settings):
        return None
    wanted = settings.contrast, settings.lesion
    if begun == TRAIN and settings.junior is None:  # it would only be mentioned
        with suppress(UnavailableError):
            return starter_for(*wanted)
        return None
    if settings.junior == STARTER and starter_for(*wanted) is None:
        return find_starter(*wanted, flag="--junior starter", otherwise=WITHOUT)
    with advice(ADVICE):
        return starter_for(*wanted)


def _own_tumours(settings: Settings) -> str:
    """The flag that asks for tumours which a starter does not know."""
    if settings.preset == "reference":
        return "--preset reference"
    return "--priors" if settings.priors is not None else ""


def _persons(job: Job) -> int:
    """Persons with a tumour who may teach, by the names of folders where scans were not read."""
    if is_narrow(job.settings):
        return len(possible_patients(job.settings))
    tumours = (scan for scan in job.selection.everything if scan.role is Role.TUMOUR)
    return len({scan.person for scan in tumours if not job.is_held_out(scan)})
