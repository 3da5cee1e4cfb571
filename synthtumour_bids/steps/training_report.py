"""The report of the training, made of what lies with the networks, whichever run put it there."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.execution.progress import describe_seconds
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Layout, Network, pseudo_label_table
from synthtumour_bids.methods import rounds
from synthtumour_bids.methods.fabrication.refined_samples import TRAINED, read_quality
from synthtumour_bids.methods.pseudo_labels import PICTURES
from synthtumour_bids.reports.facts import Fact
from synthtumour_bids.reports.line_chart import Chart, Mark
from synthtumour_bids.reports.training_page import (
    NetworkPart,
    Sheet,
    ShownPseudoLabel,
    ShownSample,
    TrainingPage,
    flat,
)
from synthtumour_bids.segmentation.curve import SelectionCurve, read_curve
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.settings import STARTER
from synthtumour_bids.steps.calibration_report import calibration_facts, reliability_chart

_OLD_SHEETS = {  # pictures of trainings that version 0.1.0 finished
    "stage_one": "Stage 1: synthetic tumours in tumour-free brains",
    "stage_two": "Stage 2: real tumours mixed into tumour-free brains",
    "fabrication": "Fabricated samples",
}
_FIGURES = {  # of pseudo-labels: what each is called, and how it is written
    "volume_mL": ("volume", "{:.1f} mL"),
    "confidence": ("mean probability", "{:.2f}"),
    "agreement": ("Dice with the mirrored scan's", "{:.2f}"),
    "undecided_ratio": ("undecided per labelled volume", "{:.2f}"),
    "symmetry": ("repeated by its mirror image", "{:.2f}"),
    "components": ("parts", "{:.0f}"),
    "dropped_mL": ("dropped as like the other side", "{:.1f} mL"),
}


def write_training_page(job: Job) -> None:
    """Write ``models/report.html``, unless nothing was trained, or tried, in this output folder."""
    layout = job.layout
    networks = [part for name, folder in _folders(layout) if (part := _network(name, folder))]
    fabricator = _fabricator(layout)
    page = TrainingPage(
        [*([fabricator] if fabricator else []), *networks],
        list(_sheets(layout)),
        list(_pseudo_labels(layout)),
        job.ledger.stops(),
    )
    if page.networks or page.sheets or page.pseudo_labels:
        page.write(layout.training_page)


# ---------------------------------------------------------------------- networks


def _folders(layout: Layout) -> Iterator[tuple[str, Path]]:
    """Names and folders of the networks, in the order of their trainings."""
    yield Network.JUNIOR, layout.network(Network.JUNIOR)
    last, folder = Network.SENIOR.value, layout.network(Network.SENIOR)
    number, further = rounds.of_card(_card(folder)), rounds.rooms(layout)
    yield from ((rounds.called(n), layout.round(n)) for n in further if n < number)
    yield rounds.called(number) if further else last, folder
    yield from ((rounds.called(n), layout.round(n)) for n in further if n > number)


def _card(folder: Path) -> ModelCard | None:
    with suppress(UnavailableError):
        return ModelCard.read(folder)
    return None


def _network(network: str, folder: Path) -> NetworkPart | None:
    """A network as far as it was trained; ``None`` where nothing of it is there."""
    card, curve = _card(folder), None
    with suppress(OSError, ValueError, TypeError, KeyError):
        curve = read_curve(folder)
    if card is not None and card.name == STARTER:
        return NetworkPart(network, list(_starter_facts(card)))
    if card is None and curve is None:
        return None
    facts = [*_card_facts(card), *(_curve_facts(card, curve) if curve else [])]
    charts = _charts(card, curve) if curve else []
    calibration = card.calibration if card else None
    if calibration is not None:
        facts += calibration_facts(calibration)
        charts.append(reliability_chart(calibration))
    return NetworkPart(network, facts, charts)


def _starter_facts(card: ModelCard) -> Iterator[Fact]:
    version = card.details.get("Version", "n/a")
    yield "What it is", f"a starter, version {version}, trained beforehand and not here"
    yield "Learned from", str(card.details.get("Data", "n/a"))
    yield "Fingerprint", card.fingerprint


def _card_facts(card: ModelCard | None) -> Iterator[Fact]:
    if card is None:
        yield "State", "not finished: the same command goes on with it"
        return
    yield "Fingerprint", card.fingerprint
    yield "Method", f"{card.method}, preset {card.preset}, profile {card.profile}"
    yield "Grid", f"{card.resolution:g} mm, {' and '.join((card.contrast, *card.more_contrasts))}"
    yield "Learned from", f"{len(card.training_cases)} cases{_kinds(card, 'Training')}"
    yield "Validated by", f"{len(card.validation_cases)} cases{_kinds(card, 'Validation')}"
    if teacher := rounds.teacher_of(card):
        yield "Pseudo-labels", f"of the {teacher}"
    if card.held_out:
        yield "Held out", ", ".join(card.held_out)


def _kinds(card: ModelCard, side: str) -> str:
    """What the cases of one side are, as far as the card tells."""
    counts = card.details.get("Cases", {}).get(side, {})
    return ": " + ", ".join(f"{kind} ({n})" for kind, n in counts.items()) if counts else ""


def _curve_facts(card: ModelCard | None, curve: SelectionCurve) -> Iterator[Fact]:
    planned = card.training.get("epochs") if card else None
    chosen = f"{curve.best_epoch} of {len(curve.epochs)}"
    if planned and len(curve.epochs) < int(planned):
        chosen += f" ({planned} planned)"
    yield "Chosen epoch", f"{chosen}, with a Dice of {curve.best_dice:.3f} on the validation cases"
    ended = "no better epoch for long enough" if curve.stopped_early else "the planned epochs"
    if card is not None:
        yield "Ended by", ended
    yield "Time", describe_seconds(curve.seconds)


def _charts(card: ModelCard | None, curve: SelectionCurve) -> list[Chart]:
    if not curve.epochs:
        return []
    n = len(card.validation_cases) if card else 0
    marks = (Mark(f"chosen: epoch {curve.best_epoch}", curve.best_epoch),)
    cases = f"{n} validation cases" if n else "the validation cases"
    return [
        Chart(
            f"Dice on {cases}",
            "epoch",
            "mean Dice",
            curve.epochs,
            {"validation cases": curve.shifted_dice},
            marks,
            (0.0, 1.0),
        ),
        Chart(
            "Losses of two kinds: their shapes can be compared, their values cannot",
            "epoch",
            "loss",
            curve.epochs,
            {
                "training (Dice + cross-entropy)": curve.train_loss,
                "validation (cross-entropy)": curve.shifted_loss,
            },
            marks,
        ),
    ]


def _fabricator(layout: Layout) -> NetworkPart | None:
    """The GAN of fabrication, with the verdicts on what it refined."""
    quality = read_quality(layout.models)
    if quality is None:
        return None
    what = "the GAN that refines coarse samples" if quality.get(TRAINED, True) else "no network"
    facts = [("What it is", what), *_refinement(quality)]
    picture = layout.fabricator / "curve.png"
    described = (
        "Energy distance of refined samples to real lesions by step, the step that was kept, and "
        "the losses"
    )
    source = _from_page(layout, picture)
    return NetworkPart("fabricator", facts, (), [(source, described)] if picture.is_file() else ())


def _refinement(quality: Mapping[str, Any]) -> Iterator[Fact]:
    if not quality.get(TRAINED, True):
        yield "Refinement", "left out: too few annotated persons were held out to judge it"
        return
    if not quality["RefinementHelps"]:
        yield "Refinement", "did not bring samples nearer to real lesions: none was refined"
        return
    yield "Chosen step", str(quality["BestStep"])
    yield "Refined samples", f"{quality['Judged']} judged, {quality['Dropped']} of them dropped"
    reasons = [f"{name} too low ({count})" for name, count in (quality["Reasons"] or {}).items()]
    yield "Dropped because", ", ".join(reasons) or "n/a"


# ---------------------------------------------------------------------- what was learned from


def _sheets(layout: Layout) -> Iterator[Sheet]:
    for record in sorted(layout.training_record("x").parent.glob("[!.]*.json")):
        if record.stem != PICTURES:
            yield _sheet(layout, record)
    for stage, title in _OLD_SHEETS.items():
        picture = layout.models / f"{stage}.png"
        if picture.is_file() and not layout.training_record(stage).is_file():
            yield Sheet(stage, title, 0, {}, picture.name)


def _sheet(layout: Layout, record: Path) -> Sheet:
    content = json.loads(record.read_text(encoding="utf-8"))
    groups: dict[str, list[ShownSample]] = {}
    for one in content["Samples"]:
        volume = f"{one['VolumeML']:.1f} mL"
        shown = ShownSample(
            one["Name"],
            _from_page(layout, record.with_name(one["Picture"])),
            one["Description"],
            [("volume", volume), *one["Facts"].items()],
            list(flat(one["Parameters"])),
        )
        groups.setdefault(one["Group"], []).append(shown)
    return Sheet(record.stem, content["Title"], content["Count"], groups)


def _pseudo_labels(layout: Layout) -> Iterator[ShownPseudoLabel]:
    """All pseudo-labels, those that were not learned from first."""
    table, record = pseudo_label_table(layout.models), layout.training_record(PICTURES)
    if not table.is_file():
        return
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    pictures = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    for row in sorted(rows, key=lambda row: (row["used"] == "true", row["accepted"] == "true")):
        grade, verdict = _verdict(row)
        picture = pictures.get(row["scan"], {})
        source = record.with_name(picture["Picture"]) if picture else None
        yield ShownPseudoLabel(
            row["scan"],
            grade,
            verdict,
            _figures(row),
            _from_page(layout, source) if source else "",
            picture.get("Description", ""),
        )


def _verdict(row: Mapping[str, str]) -> tuple[str, str]:
    if row.get("corrected") == "true":
        return "good", "a person's corrected mask took its place."
    if row["accepted"] == "true":
        return "good", "passed."
    if row["used"] == "true":
        why = f"{row['reasons']}. Too few others passed, so it was learned from all the same."
        return "look", f"did not pass: {why}"
    return "failed", f"rejected: {row['reasons']}."


def _figures(row: Mapping[str, str]) -> Sequence[Fact]:
    """The figures that the quality control goes by, those that the table has."""
    return [
        (name, form.format(float(row[key])))
        for key, (name, form) in _FIGURES.items()
        if row.get(key) not in (None, "n/a")
    ]


def _from_page(layout: Layout, path: Path) -> str:
    """Link from the page, which lies in the folder of the networks."""
    return path.relative_to(layout.models).as_posix()
