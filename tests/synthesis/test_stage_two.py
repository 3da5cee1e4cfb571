from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.pairs import plan_pairs
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.synthesis.stage_two import (
    PUBLISHED_MIX,
    MixParams,
    mix,
    sample_mix,
)
from tests.builders.ellipsoid import ellipsoid_brain

HOST, HOST_BRAIN, SPACING = ellipsoid_brain((2.0, 2.0, 2.0), seed=1)
HOST_SCAN = Brain(HOST, HOST_BRAIN, SPACING)
PLAIN = MixParams(False, (0.0, 0.0, 0.0), 0.0, 3.0, 1.0, 0.0)
PUBLISHED = sample_mix(np.random.default_rng(0), PUBLISHED_MIX)


def mixed_into_host(image, label, brain, params):
    return mix(Brain(image, brain, SPACING), label, HOST_SCAN, params)


def tumour_scan(scale=3.0, offset=50.0, brain=HOST_BRAIN, radius=9, centre=(45, 50, 32)):
    """Another brain on another intensity scale, with a bright ball and its exact label."""
    image, _, _ = ellipsoid_brain(SPACING, seed=2)
    grid = np.indices(brain.shape)
    distance = np.sqrt(sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)))
    label = (distance < radius) & brain
    image = np.where(label, 200.0, image)
    return np.where(brain, scale * image + offset, 0).astype(np.float32), label, brain


def test_brightness_is_matched_on_normal_brain():
    image, label, brain = tumour_scan()
    mixed, mask = mixed_into_host(image, label, brain, PLAIN)
    assert mixed.dtype == np.float32
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, label)
    # 200 on the tumour's own scale is 200 on the host's: background took no part.
    assert mixed[mask > 0].mean() == pytest.approx(200, rel=0.03)
    rim = ndimage.binary_dilation(label, iterations=2) & ~label
    normal = rim & (HOST > 80) & (image > 3 * 80 + 50)
    assert np.abs(mixed[normal] - HOST[normal]).mean() < 10


def test_a_large_tumour_does_not_shift_the_scale():
    image, label, brain = tumour_scan(radius=17)
    params = MixParams(**{**PLAIN.to_json(), "shift_mm": (0.0, 0.0, 0.0)})
    mixed, mask = mixed_into_host(image, label, brain, params)
    assert mixed[mask > 0].mean() == pytest.approx(200, rel=0.05)
    published, mask = mixed_into_host(image, label, brain, PUBLISHED)
    assert published[mask > 0].mean() < mixed[mask > 0].mean()  # the published statistics


@pytest.mark.parametrize("params", [PLAIN, PUBLISHED])
def test_neither_label_nor_tumour_leaves_the_host(params):
    small = np.array(HOST_BRAIN)
    small[40:] = False
    host = np.where(small, HOST, 0)
    image, label, brain = tumour_scan(centre=(41, 45, 30))
    mixed, mask = mix(Brain(image, brain, SPACING), label, Brain(host, small, SPACING), params)
    assert mask.any()
    assert not mask[~small].any()
    assert not mixed[~small].any()
    assert (mask[small] <= label[small]).all()


def test_reference_pastes_hard_along_the_label():
    image, label, brain = tumour_scan()
    mixed, mask = mixed_into_host(image, label, brain, PUBLISHED)
    np.testing.assert_array_equal(mixed[~label], HOST[~label])
    z = (image[label] - image[brain].mean()) / image[brain].std()
    expected = z * HOST[HOST_BRAIN].std() + HOST[HOST_BRAIN].mean()
    np.testing.assert_allclose(mixed[label], expected, rtol=1e-3)
    np.testing.assert_array_equal(mask, label)


def test_image_and_label_agree_even_where_the_pseudo_label_is_wrong():
    # The pseudo-label misses the outer 4 mm of the tumour: they must not come along unlabelled.
    image, label, brain = tumour_scan()
    smaller = ndimage.binary_erosion(label, iterations=2)
    mixed, mask = mixed_into_host(image, smaller, brain, PLAIN)
    unlabelled = HOST_BRAIN & (mask == 0)
    beyond = ndimage.distance_transform_edt(mask == 0, sampling=SPACING) > 3
    np.testing.assert_array_equal(mixed[beyond], HOST[beyond])
    assert (mixed - HOST)[unlabelled].max() < 0.6 * (200 - 100)
    assert mixed[mask > 0].mean() > 170


@pytest.mark.parametrize("offset_mm", [-3.0, 0.0, 3.0])
def test_the_label_follows_the_cut(offset_mm):
    image, label, brain = tumour_scan()
    params = MixParams(False, (0.0, 0.0, 0.0), offset_mm, 3.0, 1.0, 0.0)
    _, mask = mixed_into_host(image, label, brain, params)
    radius = (3 * mask.sum() * np.prod(SPACING) / (4 * np.pi)) ** (1 / 3)
    assert radius == pytest.approx(18 + offset_mm, abs=0.6)


def test_the_blend_makes_no_step_at_its_end():
    image, label, brain = tumour_scan(offset=400)
    image = image + np.where(brain, 100, 0)
    mixed, _ = mixed_into_host(image, label, brain, PLAIN)
    outside = ndimage.distance_transform_edt(~label, sampling=SPACING) > 5.01
    np.testing.assert_array_equal(mixed[outside], HOST[outside])


@pytest.mark.parametrize("flip", [False, True])
def test_flip_and_shift_move_image_and_label_together(flip):
    image, label, brain = tumour_scan()
    params = MixParams(flip, (6.0, -4.0, 2.0), 0.0, 3.0, 1.0, 0.0)
    mixed, mask = mixed_into_host(image, label, brain, params)
    expected = label[::-1] if flip else label
    expected = np.roll(expected, (3, -2, 1), axis=(0, 1, 2)) & HOST_BRAIN
    np.testing.assert_array_equal(mask, expected)
    assert (mixed[mask > 0] > 150).all()


def test_shifts_beyond_the_array_are_cut():
    image, label, brain = tumour_scan()
    for shift in [(500.0, 0.0, 0.0), (0.0, -60.0, 0.0), (60.0, 60.0, 60.0)]:
        params = MixParams(False, shift, 0.0, 3.0, 1.0, 0.0)
        mixed, mask = mixed_into_host(image, label, brain, params)
        assert not mask[~HOST_BRAIN].any()
        assert mixed.shape == HOST.shape


def test_empty_labels_and_wrong_grids():
    image, label, brain = tumour_scan()
    mixed, mask = mixed_into_host(image, label & False, brain, PLAIN)
    np.testing.assert_array_equal(mixed, HOST)
    assert not mask.any()
    with pytest.raises(ValueError, match="share one 3-D grid"):
        mixed_into_host(image[1:], label[1:], brain[1:], PLAIN)


def test_inputs_stay_and_mixes_replay():
    image, label, brain = tumour_scan()
    copies = [a.copy() for a in (image, label, brain, HOST)]
    for index in range(5):
        params = sample_mix(stream(1, "a+b", index=index, purpose="mix"))
        again = MixParams.from_json(json.loads(json.dumps(params.to_json())))
        assert again == params
        one = mixed_into_host(image, label, brain, params)
        two = mixed_into_host(image, label, brain, again)
        assert one[0].tobytes() == two[0].tobytes()
        assert one[1].tobytes() == two[1].tobytes()
    for now, before in zip((image, label, brain, HOST), copies, strict=True):
        np.testing.assert_array_equal(now, before)


@given(
    radius=st.floats(0.6, 5),
    offset_mm=st.floats(-4, 0),
    rim_mm=st.floats(1, 5),
    satellite=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_what_is_seen_of_a_small_tumour_bears_a_label(radius, offset_mm, rim_mm, satellite):
    parts = [tumour_scan(radius=radius)[1]]
    if satellite:
        parts.append(tumour_scan(radius=12, centre=(45, 50, 55))[1])
    label = np.logical_or.reduce(parts)
    image, _, brain = tumour_scan()
    image = np.where(label, 3 * 200.0 + 50, np.where(brain, 3 * 100.0 + 50, 0)).astype(np.float32)
    params = MixParams(False, (0.0, 0.0, 0.0), offset_mm, rim_mm, 1.0, 0.0)
    _, mask = mixed_into_host(image, label, brain, params)
    for part in parts:
        assert mask[part].any()


# ------------------------------------------------------------------------------ pairs


@given(
    tumours=st.integers(1, 30),
    hosts=st.integers(1, 30),
    n=st.integers(0, 80),
    seed=st.integers(0, 9),
)
@settings(deadline=None)
def test_pairs_are_balanced_for_any_numbers(tumours, hosts, n, seed):
    t = [f"t{i:02}" for i in range(tumours)]
    h = [f"h{i:02}" for i in range(hosts)]
    pairs = plan_pairs(t, h, n, seed)
    assert [p.index for p in pairs] == list(range(n))
    for keys, used in ((t, [p.tumour for p in pairs]), (h, [p.host for p in pairs])):
        counts = Counter(used)
        full = [counts[k] for k in keys]
        assert max(full) - min(full) <= 1
    assert plan_pairs(t[::-1], h[::-1], n, seed) == pairs


def test_the_published_plan():
    t = [f"t{i}" for i in range(100)]
    h = [f"h{i}" for i in range(200)]
    pairs = plan_pairs(t, h, 200, 527)
    assert set(Counter(p.tumour for p in pairs).values()) == {2}
    assert set(Counter(p.host for p in pairs).values()) == {1}
    assert plan_pairs(t, h, 200, 528) != pairs


@given(tumours=st.integers(1, 8), hosts=st.integers(1, 8), seed=st.integers(0, 9))
@settings(deadline=None)
def test_no_pair_is_repeated_while_there_are_others(tumours, hosts, seed):
    t, h = [f"t{i}" for i in range(tumours)], [f"h{i}" for i in range(hosts)]
    every = tumours * hosts
    pairs = [(p.tumour, p.host) for p in plan_pairs(t, h, 2 * every, seed)]
    assert len(set(pairs[:every])) == every
    assert set(Counter(pairs).values()) == {2}


def test_pairs_need_both_sides():
    assert len(plan_pairs(["a"], ["x"], 5, 0)) == 5
    with pytest.raises(ValueError, match="found 0 and 2"):
        plan_pairs([], ["x", "y"], 3, 0)
