from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from synthtumour_bids.synthesis.pseudo_labels import Criteria, assess, select
from tests.builders.ellipsoid import ellipsoid_brain

_, BRAIN, SPACING = ellipsoid_brain((3.0, 3.0, 3.0))
MIDDLE = np.array(BRAIN.shape) // 2


def ball(radius_mm, offset_mm=(30, 0, 0), softness_mm=1.0):
    """Probability of a ball with a soft border."""
    centre = MIDDLE + np.array(offset_mm) / SPACING
    grid = np.indices(BRAIN.shape).reshape(3, -1).T
    distance = np.linalg.norm((grid - centre) * SPACING, axis=1).reshape(BRAIN.shape)
    exponent = np.clip((distance - radius_mm) / softness_mm, -60, 60)
    return (1 / (1 + np.exp(exponent))).astype(np.float32)


def test_a_clear_tumour_is_accepted():
    verdict = assess(ball(20), BRAIN, SPACING, reference_probability=ball(19))
    assert verdict.accepted
    assert verdict.reasons == ()
    assert verdict.stats["volume_mL"] == pytest.approx(33.5, rel=0.05)
    assert verdict.stats["components"] == 1
    assert verdict.stats["agreement"] > 0.85
    assert verdict.stats["confidence"] > 0.9


@pytest.mark.parametrize(
    ("probability", "word"),
    [
        (np.zeros(BRAIN.shape, np.float32), "nothing was labelled"),
        (ball(5), "volume .* is below 1 mL"),
        (ball(56, (0, 0, 0)), "of the brain, above"),
        (0.6 * ball(20), "mean probability"),
        (ball(20, softness_mm=14), "undecided volume"),
        (np.maximum(ball(15, (30, 0, 0)), ball(15, (-30, 0, 0))), "mirror image"),
    ],
)
def test_each_fault_is_named(probability, word):
    verdict = assess(probability, BRAIN, SPACING, criteria=Criteria(min_volume_ml=1.0))
    assert not verdict.accepted
    text = "; ".join(verdict.reasons)
    assert re.search(word, text), text


def test_an_unstable_or_scattered_or_stray_prediction_is_refused():
    other = ball(20, (30, 25, 0))
    text = assess(ball(20), BRAIN, SPACING, reference_probability=other).reasons
    assert any("second opinion" in r for r in text)
    scattered = np.max([ball(7, (25, y, z)) for y in (-45, -15, 15, 45) for z in (-20, 20)], axis=0)
    assert any("components" in r for r in assess(scattered, BRAIN, SPACING).reasons)
    stray = assess(ball(25, (60, 0, 0)), BRAIN, SPACING)
    assert any("outside the brain" in r for r in stray.reasons)
    assert not stray.mask[~BRAIN].any()


def test_specks_go_and_real_satellites_stay():
    probability = np.max([ball(18), ball(9, (-30, 30, 0)), ball(3.5, (-30, -30, 0))], axis=0)
    verdict = assess(probability, BRAIN, SPACING)
    assert verdict.stats["components"] == 2
    assert verdict.stats["specks_mL"] > 0
    satellite = tuple((MIDDLE + np.array([-10, 10, 0])).tolist())
    speck = tuple((MIDDLE + np.array([-10, -10, 0])).tolist())
    assert verdict.mask[satellite]
    assert not verdict.mask[speck]


def test_an_enclosed_cavity_belongs_to_the_whole_tumour():
    ring = np.minimum(ball(20), 1 - ball(9))
    verdict = assess(ring, BRAIN, SPACING)
    centre = tuple((MIDDLE + np.array([10, 0, 0])).tolist())
    assert verdict.mask[centre]
    assert verdict.stats["filled_mL"] > 1
    assert not assess(ring, BRAIN, SPACING, criteria=Criteria(fill_holes=False)).mask[centre]


@given(seed=st.integers(0, 1000), smooth=st.floats(0.5, 4))
@settings(max_examples=25, deadline=None)
def test_any_probability_gives_a_verdict(seed, smooth):
    field = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=BRAIN.shape), smooth)
    probability = (1 / (1 + np.exp(-4 * field / field.std()))).astype(np.float32)
    verdict = assess(probability, BRAIN, SPACING)
    assert verdict.accepted == (not verdict.reasons)
    assert not verdict.mask[~BRAIN].any()
    assert not np.isnan(list(verdict.stats.values())).any()


def test_bad_arrays_are_refused():
    with pytest.raises(ValueError, match="differ in grid"):
        assess(ball(20)[1:], BRAIN, SPACING)
    with pytest.raises(ValueError, match="mask is empty"):
        assess(ball(20), np.zeros_like(BRAIN), SPACING)


def cohort(good, weak, empty):
    accepted = assess(ball(20), BRAIN, SPACING)
    refused = assess(0.6 * ball(20), BRAIN, SPACING)
    labels = {f"good{i}": accepted for i in range(good)}
    labels |= {
        f"weak{i}": replace(refused, stats={**refused.stats, "confidence": 0.3 + 0.01 * i})
        for i in range(weak)
    }
    nothing = assess(np.zeros(BRAIN.shape, np.float32), BRAIN, SPACING)
    return labels | {f"empty{i}": nothing for i in range(empty)}


def test_enough_good_labels_need_no_others():
    chosen = select(cohort(good=6, weak=3, empty=1), minimum=4, share=0.5)
    assert len(chosen.accepted) == 6
    assert chosen.relaxed == ()
    assert chosen.note == ""


def test_too_few_good_labels_are_filled_up_with_the_surest():
    chosen = select(cohort(good=1, weak=6, empty=2), minimum=4, share=0.0)
    assert chosen.accepted == ("good0",)
    assert chosen.relaxed == ("weak3", "weak4", "weak5")
    assert chosen.names == ("good0", "weak3", "weak4", "weak5")
    assert "1 of 9 pseudo-labels passed" in chosen.note
    assert "weak5" in chosen.note


def test_only_an_implausible_size_ranks_behind_a_less_sure_label():
    unsure = replace(assess(0.6 * ball(20), BRAIN, SPACING), accepted=False)
    blurred = assess(ball(20, softness_mm=9), BRAIN, SPACING)
    assert any("undecided volume" in reason for reason in blurred.reasons)
    tiny = assess(ball(20), BRAIN, SPACING, criteria=Criteria(min_volume_ml=1000))
    assert any("is below 1000 mL" in reason for reason in tiny.reasons)
    assert blurred.stats["confidence"] > unsure.stats["confidence"]
    assert select({"a": unsure, "b": blurred}, minimum=1, share=0).names == ("b",)
    assert tiny.stats["confidence"] > unsure.stats["confidence"]
    assert select({"a": unsure, "b": tiny}, minimum=1, share=0).names == ("a",)


def test_without_a_least_size_nothing_is_a_speck():
    rules = Criteria(min_component_ml=0, min_component_share=0)
    label = assess(np.maximum(ball(18), ball(3.5, (-30, 0, 0))), BRAIN, SPACING, criteria=rules)
    assert label.stats["components"] == 2
    assert label.stats["specks_mL"] == 0
    assert label.mask.sum() < BRAIN.sum() / 10


def test_never_zero_unless_nothing_was_found_at_all():
    assert select(cohort(0, 2, 0)).names == ("weak0", "weak1")
    assert select(cohort(0, 0, 3)).names == ()
    assert select({}).names == ()


def test_labels_of_most_of_the_brain_are_never_learned_from():
    everything = assess(np.ones(BRAIN.shape, np.float32), BRAIN, SPACING)
    assert any("of the brain, above" in reason for reason in everything.reasons)
    assert select({"all": everything}).names == ()
    assert select({"all": everything, **cohort(0, 1, 0)}).names == ("weak0",)
