"""The methods text of a run, written from the settings that ran, with its references."""

from __future__ import annotations

from collections.abc import Sequence

from synthtumour_bids import __version__
from synthtumour_bids.bids.wording import listed
from synthtumour_bids.layout import Network
from synthtumour_bids.methods import control_heads, rounds
from synthtumour_bids.methods.base import Cite, Method, RunFacts
from synthtumour_bids.methods.comparison import Comparison
from synthtumour_bids.methods.references import REFERENCES
from synthtumour_bids.methods.trust_words import calibration_words, presence_words
from synthtumour_bids.methods.words import unmeasured
from synthtumour_bids.segmentation.model_card import ModelCard
from synthtumour_bids.segmentation.other_side_rules import OtherSide
from synthtumour_bids.settings import STARTER, TEMPLATE, Role, Step
from synthtumour_bids.spaces.references import references_of

_INTRODUCTION = """\
# Methods

*The text below was written from the settings of this run. It is released under the
[CC0 licence](https://creativecommons.org/publicdomain/zero/1.0/): copy it into your paper,
unchanged or not.*
"""

_UNTRAINED = (
    "**Model.** There is no trained senior network in the output folder yet. This text tells of "
    "training and segmentation once there is one."
)


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


def methods_text(facts: RunFacts, method: Method) -> str:
    """Write the methods section.

    Parameters
    ----------
    facts
        What is known of the run.
    method
        That the networks were, or are to be, trained by.

    Returns
    -------
    Markdown, with the references that the text cites. It tells of the whole procedure whichever
    steps one run covers, apart from training where a model was given or nothing is trained yet.
    """
    bibliography = _Bibliography()
    cite, settings = bibliography.cite, facts.settings
    paragraphs = [_overview(facts, method, cite), _preprocessing(facts, cite)]
    if facts.untrained:
        paragraphs.append(_UNTRAINED)
    elif settings.model is None:
        paragraphs += method.paragraphs(facts, cite)
    else:
        paragraphs.append(_given_model(facts, cite))
    main = facts.cards.get(STARTER if STARTER in facts.cards else Network.SENIOR)
    lesion = main.lesion if main else settings.lesion
    comparison = Comparison.of(settings, lesion)
    if not facts.untrained:
        paragraphs.append(_segmentation(facts, method, comparison, cite))
    if facts.n_t1w:
        paragraphs.append(_t1w(facts, cite))
    if spaces := _standard_spaces(settings.output_spaces):
        paragraphs.append(_bent(spaces, facts, cite))
    if facts.n_compared:
        paragraphs.append(_change(facts, cite))
    if settings.healthy_twin:
        paragraphs.append(_twin(cite))
    if settings.truth is not None and Step.REPORT in settings.steps:
        paragraphs.append(_evaluation(facts))
    return "\n".join([_INTRODUCTION, *[f"{p}\n" for p in paragraphs], bibliography.text()])


def _overview(facts: RunFacts, method: Method, cite: Cite) -> str:
    settings = facts.settings
    n_tumour, n_tumourfree = (facts.counts.get(role, 0) for role in (Role.TUMOUR, Role.TUMOURFREE))
    bidsapps = cite("bids", "bidsapps")
    summary = method.summary(facts, cite)
    hosts = ""
    if n_tumourfree and settings.model is None:
        controls = facts.witness.controls if facts.witness else None
        told = controls is not None and controls.source != control_heads.SOURCE
        others = " or told what brains without a tumour look like" if told else ""
        were = "were prepared as" if facts.untrained else "were"
        hosts = f"{n_tumourfree} tumour-free scans {were} hosts of synthetic tumours{others}. "
    if n_held_out := facts.counts.get(Role.HELD_OUT, 0):
        hosts += (
            f"{n_held_out} further tumour-free scans taught nothing and were segmented as well, to "
            "count false positives. "
        )
    done = "were prepared to be segmented" if facts.untrained else "were segmented"
    return (
        f"Tumours ({settings.lesion}) {done} in {n_tumour} {settings.contrast} scans with "
        f"synthtumour_bids {__version__}, a BIDS App {bidsapps} that {summary}; "
        f"{hosts}Settings: profile `{settings.profile.name}`, preset `{settings.preset}`, seed "
        f"{settings.seed}, PyTorch{facts.version('torch')}."
    )


def _preprocessing(facts: RunFacts, cite: Cite) -> str:
    sentences = [f"**Preprocessing.** Intensity non-uniformity was corrected (N4 {cite('n4')})."]
    ants = f"ANTs (antspyx{facts.version('antspyx')}) {cite('ants')}"
    if facts.head_templates:
        names = " and ".join(facts.head_templates)
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
        f"template {cite('icbm')} ({TEMPLATE}, as distributed with nilearn"
        f"{facts.version('nilearn')} {cite('nilearn')}) and resampled once, to "
        f"{facts.settings.profile.resolution:g} mm isotropic voxels."
    )
    return " ".join(sentences)


def _given_model(facts: RunFacts, cite: Cite) -> str:
    if (starter := facts.cards.get(STARTER)) is not None:
        return _starter(facts, starter, cite)
    senior = facts.cards.get(Network.SENIOR)
    if senior is None:
        return "**Model.** An existing senior network was applied."
    return (
        "**Model.** Nothing was trained in this run: an existing senior network (profile "
        f"{senior.profile}, preset {senior.preset}, seed {senior.seed}{_round(senior)}), trained "
        f"on {len(senior.scans)} other scans, was applied."
    )


def _round(senior: ModelCard) -> str:
    number = rounds.of_card(senior)
    return f", round {number} of {number}" if number > 1 else ""


def _starter(facts: RunFacts, card: ModelCard, cite: Cite) -> str:
    version = card.details.get("Version", "not recorded")
    return (
        "**Model.** Nothing was trained in this run: the scans were segmented by the starter, a "
        f"network of nnU-Net{facts.version('nnunetv2')} {cite('nnunet')} that was trained "
        f"beforehand (version {version}, weights {card.fingerprint}, seed {card.seed}, on the "
        f"template {cite('icbm')} at {card.resolution:g} mm). {card.details.get('Data', '')}"
        f"{unmeasured(card)} No scan of this cohort taught it."
    )


def _enclosed(card: ModelCard | None, method: Method) -> str:
    share = 1.0 if card is None else method.enclosed(card)
    if card is None or share == 1:
        return ""
    return (
        f"Voxels of the brain from which the mask lay in at least {share:.0%} of 26 directions "
        "were added, apart from fluid, as solid and necrotic parts may be as grey as normal "
        "brain. "
    )


def _segmentation(facts: RunFacts, method: Method, comparison: Comparison, cite: Cite) -> str:
    main = STARTER if STARTER in facts.cards else Network.SENIOR
    border = ""
    if method.border_evidence(facts.cards.get(main)):
        border = (
            "put together with the likelihood ratio of tumour and normal brain, whose brightness "
            "was estimated in the scan on either side of the predicted border, "
        )
    measures = (
        "The entropy of the probability and the agreement of junior and senior are reported as "
        "measures of uncertainty."
    )
    if main == STARTER:
        measures = "The entropy of the probability is reported as a measure of uncertainty."
    return (
        f"**Segmentation.** The {main}'s tumour probability was predicted on the template grid, "
        f"{border}carried back to each scan's own grid by the inverse transform, and thresholded "
        f"at 0.5 inside the brain; specks were removed{_other_side(comparison.rules)}. "
        f"{_enclosed(facts.cards.get(main), method)}{measures}"
        f"{calibration_words(facts.cards.get(main), cite)}"
        f"{presence_words(facts.witness, comparison, facts.n_norm)}"
    )


def _t1w(facts: RunFacts, cite: Cite) -> str:
    return (
        f"**T1w images.** The masks of {facts.n_t1w} scans were carried to T1w images of the same "
        f"persons by a rigid registration (ANTs{facts.version('antspyx')} {cite('ants')}, mutual "
        "information inside the brain) from which the tumour was left out."
    )


def _standard_spaces(words: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(one.space for one in references_of(words) if one.is_standard))


def _bent(spaces: Sequence[str], facts: RunFacts, cite: Cite) -> str:
    return (
        f"**Standard spaces.** Brains were bent into {listed(spaces)} by a deformable registration "
        f"(ANTs{facts.version('antspyx')}, SyN {cite('ants')}, mutual information) in which the "
        f"tumour had no say {cite('masking')}; masks were resampled once from the scans' own grids."
    )


def _twin(cite: Cite) -> str:
    return (
        "**Artificial images.** For use by other tools, tumours and 3 mm around them were replaced "
        "by the mirrored other side of the brain or, where that was ill, too, by tissue of a "
        f"tumour-free scan, blended in the gradient domain {cite('poisson')}. Nothing was measured "
        "in these images."
    )


def _change(facts: RunFacts, cite: Cite) -> str:
    n = facts.n_compared
    return (
        f"**Change between sessions.** Sessions of {n} participant{'s' if n > 1 else ''} were "
        "compared, each with the one before. Scans were aligned rigidly (ANTs"
        f"{facts.version('antspyx')} {cite('ants')}, mutual information inside the brain, without "
        "the tumour) and resampled once into a space half-way between the sessions, so that none "
        f"was favoured {cite('halfway')}. Volumes are those of the masks on the scans' own grids; "
        "a difference below what a repeated scan of the same tumour would show was not called a "
        "change."
    )


def _other_side(rules: OtherSide | None) -> str:
    if rules is None:
        return ""
    return (
        ", and so were parts that were on average less than "
        f"{rules.least_difference:g} robust standard deviations "
        f"{'brighter' if rules.sign > 0 else 'darker'} than the place that mirrors them, apart "
        "from compact ones that crossed the midline or stood out from normal brain, and from large "
        "ones most of which the network was sure of and that stood out there"
    )


def _evaluation(facts: RunFacts) -> str:
    learned = facts.settings.model is None and facts.n_corrected > 0
    alone = "" if learned else ", which nothing but this comparison read,"
    without = (
        " Scans whose corrected masks the senior learned from are left out of means and medians."
    )
    return (
        f"**Evaluation.** Masks were compared with manual ones{alone} by Dice, by volume and by "
        "the larger of the 95th percentiles of the distances from either surface to the other."
        f"{without if learned else ''}"
    )
