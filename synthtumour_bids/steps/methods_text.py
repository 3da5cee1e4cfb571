"""The methods text: of each run beside its log, and of the whole output folder."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.files import write_json, write_text
from synthtumour_bids.job import Job, networks_in
from synthtumour_bids.layout import Network
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.methods import corrections
from synthtumour_bids.methods.base import Method, RunFacts
from synthtumour_bids.methods.boilerplate import methods_text
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.methods.pseudo_labels import count_used
from synthtumour_bids.methods.registry import method_of_card
from synthtumour_bids.methods.witness import Witness, find_witness
from synthtumour_bids.preprocessed import Preprocessing
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.norm_file import find_norm
from synthtumour_bids.settings import STARTER, Settings, Step
from synthtumour_bids.steps.change import read_changes
from synthtumour_bids.steps.roles_today import roles_today
from synthtumour_bids.steps.t1w import in_t1w
from synthtumour_bids.versions import versions

RUN_RECORD = "run.json"


def write_methods(job: Job, method: Method) -> None:
    """Write how the results were made, ready to be copied.

    ``logs/<run>/CITATION.md`` tells of this run. ``logs/CITATION.md`` tells of how the networks of
    this output folder were trained, if they were and made masks, which network made which where
    several did, and lists all its runs; as with the tables, the last job of an array to write has
    seen what the others left.
    """
    facts = _facts(job, job.settings)
    write_text(job.log_dir / "CITATION.md", methods_text(facts, method))
    write_json(job.log_dir / RUN_RECORD, _record(job, facts))
    before = None
    while (text := of_output(job, method)) != before:
        before = text
        write_text(job.layout.methods_text, text)


def of_output(job: Job, method: Method) -> str:
    """Text on the whole output folder; of networks that are given where its own made no mask."""
    card, made = _own_senior(job), masks_by(job.ledger)
    own = card is not None and (not made or f"{Network.SENIOR} {card.fingerprint}" in made)
    if job.settings.model is not None and card is not None and own:
        method = method_of_card(card)
        settings = _as_trained(job.settings, card)
    else:
        settings = job.settings
    facts = _facts(job, settings)
    text = methods_text(facts, method) + _several(made, facts)
    lines = "\n".join(_line(record) for record in _records(job))
    return f"{text}\n## Runs of this output folder\n\n{lines}\n"


def _own_senior(job: Job) -> ModelCard | None:
    with suppress(UnavailableError):
        return ModelCard.read(job.layout.network(Network.SENIOR))
    return None


def masks_by(ledger: Ledger) -> Counter[str]:
    """Count the masks of an output folder by the network whose they are."""
    return Counter(
        " ".join(list(models.items())[-1])
        for _, stamp in ledger.of_scans(Step.SEGMENT)
        if (models := stamp.details.get("models"))
    )


def _several(made: Mapping[str, int], facts: RunFacts) -> str:
    """Say which masks are by which network, unless all are by the one that the text tells of."""
    told = [f"{name} {card.fingerprint}" for name, card in facts.cards.items()][-1:]
    if set(made) <= set(told):
        return ""
    lines = "".join(f"* {network}: {count}\n" for network, count in sorted(made.items()))
    return f"\n## Scans by the network that made their masks\n\n{lines}"


def _as_trained(settings: Settings, card: ModelCard) -> Settings:
    """Settings that the networks of the output folder were trained with, as far as told of."""
    return dataclasses.replace(
        settings,
        model=None,
        profile=PROFILES.get(card.profile, settings.profile),
        seed=card.seed,
        hold_out=card.held_out,
    )


def _facts(job: Job, settings: Settings) -> RunFacts:
    models_dir = job.layout.models if settings.model is None else Path(settings.model)
    cards = {}
    for name, model in networks_in(models_dir).items():
        with suppress(UnavailableError):
            cards[name] = model.card
    records = list(_preprocessed(job))
    n_pseudo_labels, n_relaxed = count_used(models_dir)
    return RunFacts(
        settings,
        versions(),
        Counter(record.role for record in records),
        models_dir,
        tuple(sorted({record.template for record in records if record.template})),
        cards,
        n_pseudo_labels,
        n_relaxed,
        len(in_t1w(job.ledger)),
        _witness(models_dir, cards),
        _n_corrected(job, settings, cards.get(Network.SENIOR)),
        len(read_changes(job)),
        # What a training will be is told where nothing but that is asked for.
        settings.model is None and Network.SENIOR not in cards and not settings.boilerplate_only,
        _n_norm(models_dir, settings, cards),
    )


def _n_norm(models_dir: Path, settings: Settings, cards: Mapping[str, ModelCard]) -> int:
    """People whose brightness the masks of the last network are compared with."""
    for card in list(cards.values())[-1:]:
        rules = Comparison.of(settings, card.lesion).rules
        with suppress(UnavailableError):
            norm = find_norm(models_dir, rules, card.fingerprint)
            return 0 if norm is None else norm.people
    return 0


def _witness(models_dir: Path, cards: Mapping[str, ModelCard]) -> Witness | None:
    if not {STARTER, Network.SENIOR} & cards.keys():
        return None
    with suppress(UnavailableError):
        return find_witness(models_dir, cards)
    return None


def _n_corrected(job: Job, settings: Settings, senior: ModelCard | None) -> int:
    """Corrected masks by the senior's card, or, before it is trained, those that are to teach."""
    if senior is None and settings.model is None:
        return corrections.count_to_teach(job)
    return corrections.count(senior)


def _preprocessed(job: Job) -> Iterator[Preprocessing]:
    """Records of all preprocessed scans; a job of an array knows its own scans alone."""
    settings = job.settings
    roles = roles_today(job)
    for scan, stamp in job.ledger.of_scans(Step.PREPROCESS):
        record = Preprocessing.from_details(stamp.fingerprint, stamp.details)
        if scan.subject in settings.exclude_participant_label:
            continue
        whole = job.ledger.finished(Step.PREPROCESS, scan.key) is not None
        if whole and record.resolution == settings.profile.resolution:
            yield dataclasses.replace(record, role=roles.get(scan.key, record.role))


def _record(job: Job, facts: RunFacts) -> dict[str, Any]:
    return {
        "Run": job.log_dir.name,
        "Version": __version__,
        "Steps": [step.value for step in job.steps],
        "Scans": len(job.selected()),
        "GivenModel": job.settings.model is not None,
        "Networks": {name: card.fingerprint for name, card in facts.cards.items()},
    }


def _records(job: Job) -> Iterator[Mapping[str, Any]]:
    for path in sorted(job.layout.logs.glob(f"*/{RUN_RECORD}")):
        with suppress(OSError, ValueError):
            yield json.loads(path.read_text(encoding="utf-8"))


def _line(record: Mapping[str, Any]) -> str:
    networks = ", ".join(f"{name} {value}" for name, value in record["Networks"].items())
    given = "given " if record["GivenModel"] else ""
    return (
        f"* {record['Run']}: steps {' '.join(record['Steps'])} on {record['Scans']} scans, "
        f"version {record['Version']}, {given}networks {networks or 'none yet'}."
    )
