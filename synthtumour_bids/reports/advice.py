"""What the quality flags mean, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_OTHER_BRAIN = (
    "Look at the contours of the brain mask. If they are wrong, try --skull-strip force or another "
    "--skull-strip-template, or give a mask with --derivatives."
)


@dataclass(frozen=True)
class Advice:
    """A flag in words."""

    flag: str
    meaning: str
    remedy: str


_ADVICE = {
    one.flag: one
    for one in (
        Advice("brain_volume_low", "The brain mask is smaller than a brain.", _OTHER_BRAIN),
        Advice("brain_volume_high", "The brain mask is larger than a brain.", _OTHER_BRAIN),
        Advice("brain_shape_unlikely", "The brain mask is not shaped like a brain.", _OTHER_BRAIN),
        Advice(
            "registration_poor",
            "Scan and template have little in common after the alignment.",
            "Look at the registration. If it is wrong, check the scan's orientation in another "
            "viewer, and that its contrast is what its name says.",
        ),
        Advice(
            "outside_brain",
            "More than a tenth of the segmented volume lay outside the brain mask and was cut off.",
            "Look whether the brain mask leaves out a part of the tumour.",
        ),
        Advice(
            "empty",
            "No tumour was found, or nothing was kept of what was found.",
            "Look at the scan and at the map of probability. If there is a tumour, the networks "
            "have missed it: outline it by hand, and tell how often this happens. --keep-mask "
            "keeps what was dropped.",
        ),
        Advice(
            "false_positive",
            "More than 1 mL is marked in a scan that is held out as tumour-free.",
            "Look what it is: the networks will take the like for a tumour elsewhere, too.",
        ),
        Advice(
            "tumour_unsure",
            "Whether there is a tumour is not sure: more than 5 % of the people without one have "
            "scans that look at least as much like it, or there may be one and the mask is empty.",
            "Look at the scan. Use the mask only if you see the tumour.",
        ),
        Advice(
            "tumour_unlikely",
            "The mask is probably of something else than a tumour: more than 20 % of the people "
            "without one have scans that look at least as much like it.",
            "Look at the scan. Unless you see a tumour there, do not use the mask.",
        ),
        Advice(
            "over_30_percent_of_brain",
            "The mask takes more than 30 % of the brain.",
            "Look at the mask; it holds more than the tumour unless the tumour is huge.",
        ),
        Advice(
            "low_agreement",
            "Junior and senior agree little (Dice below 0.5).",
            "Look at both contours. Leave the scan out, or correct its mask by hand.",
        ),
        Advice(
            "uncertain",
            "The probability is far from 0 and from 1 in much of the mask.",
            "Look at the map of entropy, and at the mask's border there.",
        ),
        Advice(
            "low_expected_dice",
            "The network is sure of little in the mask: its expected Dice is below 0.6, even at "
            "the upper end of its interval.",
            "Look at the mask: does it hold normal brain, or a tumour that the networks hardly "
            "see? Correct it by hand.",
        ),
        Advice(
            "t1w_unlike",
            "Scan and T1w image have far less in common than those of the other scans: they may be "
            "of different heads, or the alignment failed.",
            "Look at both in turn. If they do not fit, choose another image with a query t1w in "
            "the file of --bids-filter-file, and do not use the mask on its grid.",
        ),
        Advice(
            "sessions_unlike",
            "The aligned brains of two sessions have little in common.",
            "See whether both are of this person, and in the picture of the change whether they "
            "are aligned; do not use the change between them if not.",
        ),
        Advice(
            "t1w_cuts_tumour",
            "A part of the tumour lies outside the T1w image.",
            "Look whether the image covers the brain, and whether the alignment is right.",
        ),
    )
}


def advice(flags: Iterable[str], findings: Mapping[str, str]) -> list[Advice]:
    """Put flags into words.

    Parameters
    ----------
    flags
        Of preprocessing and segmentation.
    findings
        Sentences of the preflight by their flags; these tell what to do themselves.
    """
    return [_ADVICE.get(flag) or _of_file(flag, findings) for flag in dict.fromkeys(flags)]


def _of_file(flag: str, findings: Mapping[str, str]) -> Advice:
    sentence = findings.get(flag, "Something is odd about the scan's file; the log says what.")
    return Advice(flag, sentence, "")
