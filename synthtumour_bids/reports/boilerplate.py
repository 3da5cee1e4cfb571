"""The methods text of a run, written from the settings that ran, with its references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.profiles import Training
from synthtumour_bids.reports.fabrication_text import fabrication_text
from synthtumour_bids.settings import TEMPLATE, Method, Settings, Step

# In the order in which they are numbered when cited.
REFERENCES = {
    "synthtumour": "Zhang X, et al. Unsupervised brain MRI tumour segmentation via two-stage "
    "image synthesis. Medical Image Analysis 102:103568, 2025.",
    "fabrication": "Dong N, et al. From healthy scans to annotated tumors: a tumor fabrication "
    "framework for 3D brain MRI synthesis. arXiv:2511.18654, 2025.",
    "bids": "Gorgolewski KJ, et al. The brain imaging data structure, a format for organizing and "
    "describing outputs of neuroimaging experiments. Scientific Data 3:160044, 2016. "
    "doi:10.1038/sdata.2016.44",
    "bidsapps": "Gorgolewski KJ, et al. BIDS apps: improving ease of use, accessibility, and "
    "reproducibility of neuroimaging data analysis methods. PLOS Computational Biology "
    "13(3):e1005209, 2017. doi:10.1371/journal.pcbi.1005209",
    "n4": "Tustison NJ, et al. N4ITK: improved N3 bias correction. IEEE Transactions on Medical "
    "Imaging 29(6):1310-1320, 2010. doi:10.1109/TMI.2010.2046908",
    "ants": "Avants BB, et al. A reproducible evaluation of ANTs similarity metric performance in "
    "brain image registration. NeuroImage 54(3):2033-2044, 2011. "
    "doi:10.1016/j.neuroimage.2010.09.025",
    "icbm": "Fonov V, et al. Unbiased average age-appropriate atlases for pediatric studies. "
    "NeuroImage 54(1):313-327, 2011. doi:10.1016/j.neuroimage.2010.07.033",
    "nilearn": "Abraham A, et al. Machine learning for neuroimaging with scikit-learn. Frontiers "
    "in Neuroinformatics 8:14, 2014. doi:10.3389/fninf.2014.00014",
    "nnunet": "Isensee F, et al. nnU-Net: a self-configuring method for deep learning-based "
    "biomedical image segmentation. Nature Methods 18:203-211, 2021. "
    "doi:10.1038/s41592-020-01008-z",
    "monai": "Cardoso MJ, et al. MONAI: an open-source framework for deep learning in healthcare. "
    "arXiv:2211.02701, 2022.",
}

_INTRODUCTION = """\
# Methods

*The text below was written from the settings of this run. It is released under the
[CC0 licence](https://creativecommons.org/publicdomain/zero/1.0/): copy it into your paper,
unchanged or not.*
"""


class _Bibliography:
    """Numbers references in the order in which the text cites them."""

    def __init__(self) -> None:
        self._cited: list[str] = []

    def cite(self, *keys: str) -> str:
        for key in keys:
            if key not in self._cited:
                self._cited.append(key)
        return "[" + ", ".join(str(self._cited.index(key) + 1) for key in keys) + "]"

    def text(self) -> str:
        lines = [f"{n}. {REFERENCES[key]}" for n, key in enumerate(self._cited, 1)]
        return "## References\n\n" + "\n".join(lines) + "\n"


def methods_text(
    settings: Settings,
    *,
    n_tumourfree: int,
    n_tumour: int,
    versions: Mapping[str, str],
    head_templates: Sequence[str] = (),
    models: Mapping[str, Mapping[str, Any]] | None = None,
    n_pseudo_labels: int | None = None,
    n_relaxed: int = 0,
    n_annotated: int = 0,
    quality: Mapping[str, Any] | None = None,
) -> str:
    """Write the methods section.

    Parameters
    ----------
    settings
        Of the run.
    n_tumourfree, n_tumour
        Scans of each role.
    versions
        Of the packages that computed the results, by name.
    head_templates
        Names of the templates that brains were extracted with; empty where every scan came
        stripped or with a mask.
    models
        Content of ``model.json`` by name (``junior``, ``senior``), where trained or given.
    n_pseudo_labels
        Tumour scans whose pseudo-labels were learned from; ``None`` where unknown.
    n_relaxed
        How many of these did not pass quality control, but were the best of the rest.
    n_annotated, quality
        Annotated scans, and the rates of the quality control of samples made from them.

    Returns
    -------
    Markdown, with the references that the text cites. It tells of the whole procedure whichever
    steps one run covers, apart from training where a model was given.
    """
    bibliography = _Bibliography()
    pseudo_labels = _count(n_pseudo_labels, n_relaxed)
    method = settings.method
    if settings.model is not None:
        method = Method((models or {}).get("senior", {}).get("Method", method))
    paragraphs = [
        _overview(settings, method, n_tumourfree, n_tumour, versions, bibliography),
        _preprocessing(settings, head_templates, versions, bibliography),
    ]
    if settings.model is None and settings.method is Method.FABRICATION:
        known, profile = models or {}, settings.profile
        described = known.get("senior", {})
        nnunet = f", nnU-Net{_version(versions, 'nnunetv2')} {bibliography.cite('nnunet')}, "
        start = ", started from the junior's weights, " if profile.senior.from_junior else " "
        paragraphs.append(
            fabrication_text(
                settings,
                n_annotated=n_annotated,
                quality=quality,
                classes=tuple(one["name"] for one in described.get("Classes", [])),
                junior=f"{nnunet}{_training(profile.junior)}{_best(known, 'junior')}",
                senior=f"{start}{_training(profile.senior)}{_best(known, 'senior')}",
                semi_supervised=described.get("SemiSupervised", settings.semi_supervised),
                teacher=described.get("Teacher", {}).get("Method"),
                pseudo_labels=pseudo_labels,
                cited=bibliography.cite("fabrication"),
            )
        )
    elif settings.model is None:
        paragraphs += [
            _stage_one(settings, models or {}, versions, bibliography),
            _stage_two(settings, models or {}, pseudo_labels),
        ]
    else:
        paragraphs.append(_given_model(models or {}))
    preset = (models or {}).get("senior", {}).get("Preset", settings.preset)
    paragraphs.append(_segmentation(method is Method.SYNTHTUMOUR and preset == "default"))
    if settings.truth is not None and Step.REPORT in settings.steps:
        paragraphs.append(_evaluation(versions, bibliography))
    return "\n".join([_INTRODUCTION, *[f"{p}\n" for p in paragraphs], bibliography.text()])


def _version(versions: Mapping[str, str], package: str) -> str:
    return f" {versions[package]}" if package in versions else ""


def _overview(
    settings: Settings,
    method: Method,
    n_tumourfree: int,
    n_tumour: int,
    versions: Mapping[str, str],
    bibliography: _Bibliography,
) -> str:
    torch = _version(versions, "torch")
    bidsapps = bibliography.cite("bids", "bidsapps")
    if method is Method.FABRICATION:
        how = (
            "was trained with a few annotated scans and samples made from them, following Tumor "
            f"Fabrication {bibliography.cite('fabrication')}; "
        )
    else:
        how = (
            "trains without manual annotations, following the two-stage image synthesis of "
            f"SynthTumour {bibliography.cite('synthtumour')}; "
        )
    return (
        f"Tumours ({settings.lesion}) were segmented in {n_tumour} {settings.contrast} scans with "
        f"synthtumour_bids {__version__}, a BIDS App {bidsapps} that {how}"
        + (
            f"{n_tumourfree} tumour-free scans were hosts of synthetic tumours. "
            if n_tumourfree
            else ""
        )
        + f"Settings: profile `{settings.profile.name}`, preset `{settings.preset}`, seed "
        f"{settings.seed}, PyTorch{torch}."
    )


def _preprocessing(
    settings: Settings,
    head_templates: Sequence[str],
    versions: Mapping[str, str],
    bibliography: _Bibliography,
) -> str:
    sentences = [
        f"**Preprocessing.** Intensity non-uniformity was corrected (N4 {bibliography.cite('n4')})."
    ]
    ants = f"ANTs (antspyx{_version(versions, 'antspyx')}) {bibliography.cite('ants')}"
    if head_templates:
        names = " and ".join(head_templates)
        sentences.append(
            f"Brains were extracted by registering a head template ({names}) to each scan with "
            f"{ants} and carrying its brain over; scans that came without skull were left as "
            "they were."
        )
    else:
        sentences.append(
            "Brain masks were those of the scans, which came without skull or with "
            "a precomputed mask."
        )
    sentences.append(
        f"Brains were aligned by an affine transform ({ants}) to the ICBM 152 non-linear 2009 "
        f"template {bibliography.cite('icbm')} ({TEMPLATE}, as distributed with nilearn"
        f"{_version(versions, 'nilearn')} {bibliography.cite('nilearn')}) and resampled once, to "
        f"{settings.profile.resolution:g} mm isotropic voxels."
    )
    return " ".join(sentences)


def _stage_one(
    settings: Settings,
    models: Mapping[str, Mapping[str, Any]],
    versions: Mapping[str, str],
    bibliography: _Bibliography,
) -> str:
    profile = settings.profile
    synthesis = {
        "reference": "with the published shape and intensity parameters",
        "default": "whose shape, size, border, texture, halo and core were drawn from priors"
        + (" given by the user" if settings.priors is not None else ""),
    }[settings.preset]
    return (
        f"**Stage 1.** Synthetic tumours {synthesis} were drawn into tumour-free brains: "
        f"{profile.n_train} training samples and, in brains of other persons and with another "
        f"intensity model (distribution shift), {profile.n_shifted} validation samples. "
        f"A junior network, nnU-Net{_version(versions, 'nnunetv2')} "
        f"{bibliography.cite('nnunet')}, {_training(profile.junior)} and the checkpoint with the "
        f"best Dice on the shifted validation samples was kept{_best(models, 'junior')}."
    )


def _stage_two(
    settings: Settings, models: Mapping[str, Mapping[str, Any]], pseudo_labels: str
) -> str:
    profile = settings.profile
    start = "started from the junior's weights, " if profile.senior.from_junior else ""
    held_out = ""
    if settings.hold_out:
        held_out = f" Participants kept out of all training: {', '.join(settings.hold_out)}."
    halves, learned_from = "", "on the mixes and on the pseudo-labelled scans"
    if settings.preset == "default":
        halves = (
            "Where the junior found a tumour on one side only, the other half of the brain and its "
            "mirror image made a further tumour-free brain, with the scanner's own look; synthetic "
            "tumours were drawn into these as in stage 1. "
        )
        learned_from = "on the mixes, the pseudo-labelled scans and all synthetic tumours"
    return (
        "**Stage 2.** The junior segmented the tumour scans"
        + (", and the scans refined the borders, as below" if settings.preset == "default" else "")
        + ". Pseudo-labels chosen by a quality control made without any manual label"
        f"{pseudo_labels} were used to cut tumours out and to mix them into tumour-free brains "
        f"({profile.n_mixed} mixes). {halves}A senior network, {start}{_training(profile.senior)} "
        f"{learned_from}{_best(models, 'senior')}.{held_out}"
    )


def _count(n_pseudo_labels: int | None, n_relaxed: int) -> str:
    """How many pseudo-labels were learned from, in brackets; nothing where that is unknown."""
    if n_pseudo_labels is None:
        return ""
    relaxed = (
        f"; {n_relaxed} of them did not pass all of its rules, but were the best of the rest"
        if n_relaxed
        else ""
    )
    return f" ({n_pseudo_labels} scans{relaxed})"


def _training(training: Training) -> str:
    return (
        f"was trained for at most {training.epochs} epochs of {training.iterations_per_epoch} "
        f"iterations ({training.optimiser}, learning rate {training.learning_rate:g}, stopped "
        f"after {training.patience} epochs without improvement)"
    )


def _best(models: Mapping[str, Mapping[str, Any]], name: str) -> str:
    epoch = models.get(name, {}).get("BestEpoch")
    return "" if epoch is None else f" (epoch {epoch})"


def _given_model(models: Mapping[str, Mapping[str, Any]]) -> str:
    senior = models.get("senior", {})
    known = [
        f"{word} {senior[key]}"
        for word, key in (("profile", "Profile"), ("preset", "Preset"), ("seed", "Seed"))
        if key in senior
    ]
    scans = f", trained on {len(senior['Scans'])} other scans" if "Scans" in senior else ""
    return (
        "**Model.** Nothing was trained in this run: an existing senior network"
        f"{' (' + ', '.join(known) + ')' if known else ''}{scans}, was applied."
    )


def _segmentation(refined: bool) -> str:
    border = ""
    if refined:
        border = (
            "put together with the likelihood ratio of tumour and normal brain, whose brightness "
            "was estimated in the scan on either side of the predicted border, "
        )
    return (
        "**Segmentation.** The senior's tumour probability was predicted on the template grid, "
        f"{border}carried back to each scan's own grid by the inverse transform, and thresholded "
        "at 0.5 inside the brain; specks were removed. The entropy of the probability and the "
        "agreement of junior and senior are reported as measures of uncertainty."
    )


def _evaluation(versions: Mapping[str, str], bibliography: _Bibliography) -> str:
    return (
        "**Evaluation.** Masks were compared with manual ones, which nothing but this comparison "
        f"read, by Dice and the 95th percentile of the surface distance (MONAI"
        f"{_version(versions, 'monai')} {bibliography.cite('monai')}) and by volume."
    )
