"""Which parts of a mask stay when they are compared with the other side of the brain."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from synthtumour_bids.preprocessing.templates import standard_tissues
from synthtumour_bids.segmentation.other_side import compare, dropped_territory, keep
from synthtumour_bids.segmentation.other_side_rules import OtherSide, Reason

AFFINE = np.array([[4.0, 0, 0, -98], [0, 4, 0, -134], [0, 0, 4, -72], [0, 0, 0, 1]])
SHAPE = (50, 59, 48)
SPACING = (4.0, 4.0, 4.0)
SD = 15.0  # of the brains here, about, in their units
CENTRES = st.tuples(st.integers(-45, 45), st.integers(-70, 40), st.integers(0, 45))


@cache
def head(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """FLAIR-like scan of the symmetric template, with noise, and the brain mask."""
    tissues = standard_tissues(4.0)
    image = 100 * tissues["wm"] + 120 * tissues["gm"] + 40 * tissues["csf"]
    noise = np.random.default_rng(seed).normal(0, 3, SHAPE)
    return np.where(tissues["brain"], image + noise, 0), tissues["brain"]


def ball(x: float, y: float, z: float, radius: float) -> np.ndarray:
    """Ball around a point of the template, mm."""
    return ellipsoid((x, y, z), (radius,) * 3)


def ellipsoid(centre: tuple[float, float, float], axes: tuple[float, float, float]) -> np.ndarray:
    index = np.indices(SHAPE).reshape(3, -1)
    offset = AFFINE[:3, :3] @ index + AFFINE[:3, 3:] - np.array(centre)[:, None]
    return ((offset / np.array(axes)[:, None]) ** 2).sum(axis=0).reshape(SHAPE) <= 1


def shine(*lesions: np.ndarray, sds: float = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    image, brain = head(seed)
    lit = image.copy()
    lit[np.logical_or.reduce(lesions) & brain] = 100 + sds * SD
    return lit, brain


def reasons(image: np.ndarray, brain: np.ndarray, mask: np.ndarray) -> list[Reason]:
    return [one.reason for one in compare(image, brain, mask & brain, AFFINE)]


def test_one_side_stays_and_normal_brain_goes() -> None:
    tumour, false = ball(-35, -20, 20, 16), ball(35, -60, 10, 12)
    image, brain = shine(tumour)
    mask = (tumour | false) & brain
    verdicts = compare(image, brain, mask, AFFINE)
    assert [one.reason for one in verdicts] == [Reason.BRIGHTER, Reason.LIKE_OTHER_SIDE]
    assert np.array_equal(keep(mask, verdicts), tumour & brain)
    assert verdicts[0].centre_mm == pytest.approx((-35, -20, 20), abs=2)
    assert verdicts[1].volume_ml == pytest.approx(4 / 3 * np.pi * 1.2**3, rel=0.15)
    assert verdicts[1].difference == pytest.approx(0, abs=0.2)


def test_bands_on_both_sides_go_in_two_parts_or_in_one() -> None:
    bands = ellipsoid((-24, -15, 20), (8, 40, 20)) | ellipsoid((24, -15, 20), (8, 40, 20))
    image, brain = shine(bands, sds=4)
    assert reasons(image, brain, bands) == [Reason.LIKE_OTHER_SIDE] * 2
    joined = bands | ellipsoid((0, -15, 20), (24, 8, 4))
    assert reasons(image, brain, joined) == [Reason.LIKE_OTHER_SIDE]


def test_a_butterfly_stays() -> None:
    wings = ball(-20, 10, 25, 20) | ball(20, 10, 25, 20)
    image, brain = shine(wings)
    assert reasons(image, brain, wings) == [Reason.BRIGHT_ACROSS]


def test_a_tumour_of_the_corpus_callosum_stays() -> None:
    middle = ball(0, 0, 25, 18)
    image, brain = shine(middle)
    assert reasons(image, brain, middle) == [Reason.BRIGHT_ACROSS]


def test_a_butterfly_is_judged_by_what_is_not_on_both_sides() -> None:
    """The other side is as bright, but around it is normal brain."""
    tumour = ball(-8, 0, 25, 22)
    image, brain = shine(tumour, sds=1.8)
    (verdict,) = compare(image, brain, tumour & brain, AFFINE, OtherSide(least_difference=1.0))
    assert verdict.reason is Reason.BRIGHTER_REMAINDER


def test_a_bright_compact_pair_stays_and_a_weak_one_goes() -> None:
    """Equal balls on both sides of an else symmetric brain."""
    pair = ball(-38, -20, 20, 16) | ball(38, -20, 20, 16)
    for sds, reason in ((6, Reason.BRIGHT_PAIR), (2, Reason.LIKE_OTHER_SIDE)):
        image, brain = shine(pair, sds=sds)
        assert reasons(image, brain, pair) == [reason] * 2


def test_dark_lesions_are_dark() -> None:
    tumour = ball(-35, -20, 20, 16)
    image, brain = shine(tumour, sds=-4)
    assert reasons(image, brain, tumour) == [Reason.LIKE_OTHER_SIDE]
    (verdict,) = compare(image, brain, tumour & brain, AFFINE, OtherSide(sign=-1))
    assert verdict.reason is Reason.BRIGHTER


def test_what_cannot_be_judged_stays() -> None:
    image, brain = head()
    speck = np.zeros(SHAPE, bool)
    speck[15, 30, 25] = True
    assert reasons(image, brain, speck) == [Reason.TOO_SMALL]
    half = brain.copy()
    half[25:] = False
    part = ball(-35, -20, 20, 16)
    assert reasons(image, half, part) == [Reason.NOTHING_TO_COMPARE]
    assert reasons(np.full(SHAPE, 7.0), brain, part) == [Reason.NOTHING_TO_COMPARE]
    outside = ball(90, -130, -70, 12)
    (verdict,) = compare(image, brain, outside, AFFINE)
    assert verdict.reason is Reason.NOTHING_TO_COMPARE
    assert verdict.difference is None


def test_a_brain_that_lies_crookedly_gets_the_same_verdicts() -> None:
    """The head turned by 6 degrees about the z axis and moved by 4 mm."""
    lesions = ball(-35, -20, 20, 16), ball(35, -60, 10, 14), ellipsoid((24, -10, 20), (8, 36, 18))
    image, brain = shine(lesions[0])
    angle = np.deg2rad(6)
    world = np.eye(4)
    world[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    world[0, 3] = 4.0
    back = np.linalg.inv(AFFINE) @ np.linalg.inv(world) @ AFFINE

    def turned(values: np.ndarray) -> np.ndarray:
        return ndimage.affine_transform(values.astype(float), back, order=1)

    for lesion in lesions:
        straight = compare(image, brain, lesion & brain, AFFINE)
        crooked = compare(
            turned(image), turned(brain) >= 0.5, turned(lesion & brain) >= 0.5, AFFINE
        )
        assert [one.reason for one in crooked] == [one.reason for one in straight]
        assert crooked[0].difference == pytest.approx(straight[0].difference, rel=0.15, abs=0.2)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(CENTRES, st.integers(5, 20), st.booleans()), max_size=4))
def test_properties(lesions: list[tuple[tuple[int, int, int], int, bool]]) -> None:
    """Adds nothing, changes nothing when done again, and mirrors with its input."""
    drawn = [(ball(*centre, radius), bright) for centre, radius, bright in lesions]
    nothing = np.zeros(SHAPE, bool)
    image, brain = shine(nothing, *(one for one, bright in drawn if bright))
    mask = np.logical_or.reduce([nothing, *(one for one, _ in drawn)])
    verdicts = compare(image, brain, mask, AFFINE)
    kept = keep(mask, verdicts)
    assert not (kept & ~mask).any()
    assert np.array_equal(keep(kept, compare(image, brain, kept, AFFINE)), kept)
    mirrored = [array[::-1] for array in (image, brain, mask)]
    others = compare(*mirrored, AFFINE)
    known = [one.difference for one in (*verdicts, *others) if one.difference is not None]
    assert np.isfinite(known).all()
    limit = OtherSide().least_difference
    if all(abs(value - limit) > 0.02 for value in known):
        assert np.array_equal(keep(mirrored[2], others), kept[::-1])
    image[~brain] = 1000
    assert [one.reason for one in compare(image, brain, mask, AFFINE)] == [
        one.reason for one in verdicts
    ]


@settings(max_examples=8, deadline=None)
@given(CENTRES, st.integers(8, 25))
def test_a_bright_ball_on_one_side_stays(centre: tuple[int, int, int], radius: int) -> None:
    x, y, z = centre
    lesion = ball(np.copysign(max(abs(x), radius), x), y, z, radius)
    image, brain = shine(lesion)
    mask = lesion & brain
    assert np.array_equal(keep(mask, compare(image, brain, mask, AFFINE)), mask)


def test_nothing_comes_of_nothing_and_numbers_that_are_none_do_not_count() -> None:
    image, brain = shine(ball(-35, -20, 20, 16))
    empty = np.zeros(SHAPE, bool)
    assert compare(image, brain, empty, AFFINE) == []
    assert not keep(empty, []).any()
    image[14:16] = np.nan
    (verdict,) = compare(image, brain, ball(-35, -20, 20, 16), AFFINE)
    assert verdict.reason is Reason.BRIGHTER
    assert np.isfinite([verdict.difference, verdict.brightness]).all()


def test_what_does_not_fit_is_refused() -> None:
    image, brain = head()
    with pytest.raises(ValueError, match="one grid"):
        compare(image, brain[1:], brain, AFFINE)
    with pytest.raises(ValueError, match="0 verdicts do not fit a mask with 1 part"):
        keep(brain, [])


def test_the_territory_of_what_goes_takes_its_rim_along() -> None:
    tumour, false = ball(-35, -20, 20, 16), ball(35, -60, 10, 12)
    image, brain = shine(tumour)
    mask = (tumour | false) & brain
    verdicts = compare(image, brain, mask, AFFINE)
    territory = dropped_territory(mask, verdicts, SPACING)
    assert territory[ball(35, -60, 10, 20)].all()
    assert not territory[ball(-35, -20, 20, 24)].any()
    assert not dropped_territory(tumour & brain, verdicts[:1], SPACING).any()
    assert dropped_territory(false & brain, verdicts[1:], SPACING).all()
