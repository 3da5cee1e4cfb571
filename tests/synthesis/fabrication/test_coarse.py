from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from synthtumour_bids.synthesis.fabrication.coarse import CoarseParams, render, sample
from synthtumour_bids.synthesis.fabrication.coarse_ranges import DEFAULT_RANGES
from synthtumour_bids.synthesis.fabrication.lesions import cut_out
from synthtumour_bids.synthesis.fabrication.looks import Jitter
from synthtumour_bids.synthesis.fabrication.rims import distance_mm
from synthtumour_bids.synthesis.fabrication.warp import Warp, origins
from synthtumour_bids.synthesis.geometry import Box
from synthtumour_bids.synthesis.ranges import Range
from synthtumour_bids.synthesis.seeds import stream
from tests.builders.fabrication_scans import SHAPE, annotated, host

HOST = host()
SCAN = annotated()
(LESION,) = cut_out(SCAN, margin_mm=16)
STILL = Warp(LESION.centre_mm, (False,) * 3, (0.0,) * 3, (1.0,) * 3, (0.0,) * 3, 0.0, 30.0, 0)
PLAIN = Jitter((1.0, 1.0), (1.0, 1.0), (0.0, 0.0), 0.0, 30.0, 0)
PARAMS = CoarseParams(LESION.source, STILL, PLAIN, match=0.0, margin_mm=2.0, rim_mm=6.0)


def drawn(index, lesion=LESION, scan=HOST, **wanted):
    return sample(stream(1, "s", None, index=index, purpose="coarse"), scan, lesion, **wanted)


def test_without_changes_the_lesion_comes_as_it_was():
    made = render(HOST, LESION, PARAMS)
    np.testing.assert_array_equal(made.classes, SCAN.classes)
    inside = SCAN.classes > 0
    np.testing.assert_allclose(made.images[:, inside], SCAN.images[:, inside], atol=1e-3)
    far = distance_mm(inside, HOST.spacing) >= 8
    np.testing.assert_array_equal(made.images[:, far], HOST.images[:, far])


@pytest.mark.parametrize("index", range(6))
def test_nothing_changes_beyond_the_rim_or_outside_the_brain(index):
    params = drawn(index)
    made = render(HOST, LESION, params)
    assert made.classes.any()
    assert not made.classes[~HOST.brain].any()
    reach = params.margin_mm + params.rim_mm
    far = distance_mm(made.classes > 0, HOST.spacing) >= reach
    assert made.images[:, far].tobytes() == HOST.images[:, far].tobytes()
    outside = ~HOST.brain
    assert made.images[:, outside].tobytes() == HOST.images[:, outside].tobytes()
    assert np.isfinite(made.images).all()


def test_samples_replay_from_json_and_leave_their_inputs():
    before = HOST.images.copy(), LESION.images.copy(), LESION.classes.copy()
    for index in range(3):
        params = drawn(index)
        assert params == drawn(index)
        again = CoarseParams.from_json(json.loads(json.dumps(params.to_json())))
        assert again == params
        one, two = render(HOST, LESION, params), render(HOST, LESION, again)
        assert one.images.tobytes() == two.images.tobytes()
        assert one.classes.tobytes() == two.classes.tobytes()
    assert drawn(0) != drawn(1)
    for now, then in zip((HOST.images, LESION.images, LESION.classes), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_all_contrasts_and_classes_move_together():
    # Both contrasts show the lesion's own class map; wherever it lands, they must still agree.
    twin = replace(LESION, images=np.stack([LESION.classes * 10.0] * 2).astype(np.float32))
    empty = HOST.with_voxels(np.zeros_like(HOST.images), HOST.classes)
    for index in range(4):
        params = replace(drawn(index, twin), jitter=PLAIN, match=0.0)
        made = render(empty, twin, params)
        np.testing.assert_array_equal(made.images[0], made.images[1])
        core = ndimage.binary_erosion(made.classes == 2)
        rim = made.classes == 1
        if core.any():
            assert made.images[0][core].mean() == pytest.approx(20, abs=2)
        assert 5 < made.images[0][rim].mean() < 15


@pytest.mark.parametrize("spacing", [(4.0, 4.0, 4.0), (2.5, 4.0, 6.0)])
@pytest.mark.parametrize("angles", [(0.0, 0.0, 0.0), (25.0, -40.0, 70.0)])
def test_shape_is_kept_in_mm_whatever_the_grid(spacing, angles):
    shape = tuple(round(120 / s) for s in spacing)
    centre = tuple(n // 2 for n in shape)
    scan = annotated(shape=shape, spacing=spacing, centre=centre, radius_mm=20.0)
    (lesion,) = cut_out(scan)
    scale = (1.0, 1.0, 1.0)
    warp = Warp(lesion.centre_mm, (True, False, True), angles, scale, (0.0,) * 3, 0.0, 30.0, 0)
    target = host(shape=shape, spacing=spacing)
    made = render(target, lesion, replace(PARAMS, lesion=lesion.source, warp=warp))
    # A ball stays a ball, about the same number of voxels.
    got, had = (np.count_nonzero(s.classes) for s in (made, scan))
    assert got == pytest.approx(had, rel=0.12)
    both = np.count_nonzero((made.classes > 0) & (scan.classes > 0))
    assert 2 * both / (got + had) > 0.85


def test_a_wanted_volume_and_place_are_reached():
    middle = (56.0, 64.0, 48.0)
    still = replace(DEFAULT_RANGES, elastic_mm=Range(0, 0))
    for wanted in (10.0, 40.0):
        params = drawn(0, volume_ml=wanted, place_mm=middle, ranges=still)
        made = render(HOST, LESION, params)
        assert np.count_nonzero(made.classes) * 0.064 == pytest.approx(wanted, rel=0.12)
        centre = np.argwhere(made.classes > 0).mean(axis=0) * 4.0
        np.testing.assert_allclose(centre, middle, atol=3)
    with pytest.raises(ValueError, match="above 0 mL"):
        drawn(0, volume_ml=0)


def test_lesions_fit_into_the_brain_and_follow_placement_weights():
    away = replace(DEFAULT_RANGES, home=0.0)
    weights = np.zeros(SHAPE, dtype=np.float32)
    weights[:, 20:25, 12:15] = HOST.brain[:, 20:25, 12:15]
    for index in range(10):
        params = drawn(index, ranges=away, placement=weights)
        i, j, k = (round(p / 4) for p in params.warp.place_mm)
        assert weights[i, j, k] > 0
        free = drawn(index, ranges=away)
        unclipped = np.count_nonzero(LESION.classes) * np.prod(free.warp.scale)
        made = render(HOST, LESION, free)
        assert np.count_nonzero(made.classes) > 0.7 * unclipped


def test_a_small_place_is_kept_to():
    away = replace(DEFAULT_RANGES, home=0.0)
    brain = np.argwhere(HOST.brain)
    where = tuple(brain[len(brain) // 2])
    weights = np.zeros(SHAPE, dtype=np.float32)
    weights[where] = 0.3
    for index in range(5):
        place = drawn(index, ranges=away, placement=weights).warp.place_mm
        assert tuple(round(p / 4) for p in place) == where
    outside = tuple(np.argwhere(~HOST.brain)[0])
    weights[where], weights[outside] = 0, 1
    with pytest.raises(ValueError, match=r"No place .* lies inside the brain"):
        drawn(0, ranges=away, placement=weights)


def test_at_home_lesions_stay_near_or_mirror():
    home = replace(DEFAULT_RANGES, home=1.0, home_jitter_mm=2.0)
    for index in range(10):
        warp = drawn(index, ranges=home).warp
        expected = np.array(LESION.centre_mm)
        if warp.flip[0]:
            expected[0] = (SHAPE[0] - 1) * 4.0 - expected[0]
        assert np.linalg.norm(warp.place_mm - expected) < 10


def test_brightness_follows_the_surroundings():
    darker = HOST.with_voxels(np.where(HOST.brain, HOST.images - 0.8, 0), HOST.classes)
    inside = SCAN.classes > 0
    for strength, shift in ((0.0, 0.0), (1.0, -0.8)):
        one = render(HOST, LESION, replace(PARAMS, match=strength))
        two = render(darker, LESION, replace(PARAMS, match=strength))
        difference = two.images[:, inside].mean() - one.images[:, inside].mean()
        assert difference == pytest.approx(shift, abs=0.05)


def test_jitter_changes_brightness_only():
    bright = replace(PLAIN, brightness=(0.5, -0.5))
    strong = replace(PLAIN, contrast=(1.5, 1.0))
    bent = replace(PLAIN, gamma=(0.8, 1.25))
    biased = replace(PLAIN, bias=0.5)
    inside = SCAN.classes > 0
    plain = render(HOST, LESION, PARAMS).images[:, inside]
    for jitter in (bright, strong, bent, biased):
        made = render(HOST, LESION, replace(PARAMS, jitter=jitter))
        np.testing.assert_array_equal(made.classes, SCAN.classes)
        assert not np.allclose(made.images[:, inside], plain, atol=0.05)
    made = render(HOST, LESION, replace(PARAMS, jitter=bright)).images[:, inside]
    np.testing.assert_allclose(made - plain, [[0.5], [-0.5]] + 0 * plain, atol=1e-4)


def test_the_strongest_elastic_field_does_not_fold():
    ranges = DEFAULT_RANGES
    fine = np.arange(0, 60, 1.0)
    for seed in range(5):
        warp = replace(
            STILL,
            elastic_mm=ranges.elastic_mm.high,
            elastic_scale_mm=ranges.elastic_scale_mm.low,
            elastic_seed=seed,
        )
        one_mm = replace(LESION, spacing=(1.0, 1.0, 1.0), start=(0, 0, 0))
        points = origins(warp, one_mm, Box((0, 0, 0), (len(fine),) * 3))
        jacobian = np.stack([np.stack(np.gradient(p), axis=-1) for p in points], axis=-2)
        assert np.linalg.det(jacobian).min() > 0


def test_lesions_that_land_outside_leave_the_host():
    for place in ((-500.0, 0.0, 0.0), (2.0, 2.0, 2.0)):
        made = render(HOST, LESION, replace(PARAMS, warp=replace(STILL, place_mm=place)))
        if not made.classes.any():
            np.testing.assert_array_equal(made.images, HOST.images)
        assert not made.classes[~HOST.brain].any()


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="template grid"):
        drawn(0, scan=host(shape=(20, 20, 20)))
    with pytest.raises(ValueError, match="template grid"):
        render(host(spacing=(3.0, 3.0, 3.0)), LESION, PARAMS)
    with pytest.raises(ValueError, match="contrast"):
        drawn(0, scan=host(contrasts=1))
    with pytest.raises(ValueError, match="not for tumour0#0"):
        render(HOST, LESION, replace(PARAMS, lesion="another"))


def test_a_host_keeps_the_tumour_it_has():
    """Its classes hold up to where the new lesion's scan makes up half of what is shown."""
    other = annotated(seed=7, centre=(17, 18, 13))
    own = other.classes > 0
    for index in range(6):
        params = drawn(index, scan=other)
        made, alone = render(other, LESION, params), render(HOST, LESION, params)
        new = alone.classes > 0
        np.testing.assert_array_equal(made.classes[new], alone.classes[new])
        distance = distance_mm(new, HOST.spacing)
        far = distance >= params.margin_mm + params.rim_mm
        np.testing.assert_array_equal(made.classes[far], other.classes[far])
        assert made.images[:, far].tobytes() == other.images[:, far].tobytes()
        # What is shown of the lesion's own surroundings is no tumour, whatever lay there.
        shown = ~new & (distance <= params.margin_mm) & (made.images != other.images).any(axis=0)
        assert not made.classes[shown].any()
        assert (made.classes[~new] <= other.classes[~new]).all()
    home = render(other, LESION, replace(PARAMS, match=1.0))
    assert (home.classes[own & (distance_mm(SCAN.classes > 0, HOST.spacing) > 12)] > 0).all()
