from __future__ import annotations

import numpy as np
import pytest

from synthtumour_bids.errors import UnusableScanError
from synthtumour_bids.synthesis.fabrication.lesions import cut_out, pick_lesion
from synthtumour_bids.synthesis.fabrication.rims import distance_mm, gate_of
from synthtumour_bids.synthesis.fabrication.scans import make_scan, on_own_scale
from tests.builders.fabrication_scans import (
    SHAPE,
    SPACING,
    annotated,
    ball,
    brain_of,
    host,
    images_of,
)


def test_scans_are_normalised_on_normal_brain():
    brain = brain_of()
    images = images_of(brain, 1)
    classes = ball((15, 17, 13), 30).astype(np.uint8)  # a sixth of the brain
    tumour = images.copy()
    tumour[:, classes > 0] += 200
    scan, scale = make_scan(tumour, brain, SPACING, "s", classes)
    normal = brain & (distance_mm(classes > 0, SPACING) > 4)
    assert scan.images.dtype == np.float32
    for contrast in scan.images:
        assert np.median(contrast[normal]) == pytest.approx(0, abs=0.01)
        assert contrast[normal].std() == pytest.approx(1, rel=0.1)
        assert not contrast[~brain].any()
    np.testing.assert_allclose(scale.undo(scan.images, brain), tumour, atol=1e-3)


def test_samples_come_back_to_their_hosts_scale():
    brain = brain_of()
    raw = images_of(brain, 1)
    scan, scale = make_scan(raw, brain, SPACING, "s")
    changed = ball((15, 17, 13), 12)
    made = scan.with_voxels(np.where(changed, scan.images + 2, scan.images), scan.classes)
    own = on_own_scale(made, scan, raw, scale)
    np.testing.assert_array_equal(own[:, ~changed], raw[:, ~changed])
    spread = np.array(scale.spread)[:, None]
    np.testing.assert_allclose(
        own[:, changed] - raw[:, changed], 2 * spread + 0 * raw[:, changed], rtol=1e-3
    )


def test_annotation_beyond_the_brain_is_cut():
    brain = brain_of()
    scan, _ = make_scan(images_of(brain, 0), brain, SPACING, "s", np.ones(SHAPE))
    np.testing.assert_array_equal(scan.classes > 0, brain)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (np.zeros((3, 3, 3)), "share one 3-D grid"),
        (np.full(SHAPE, 0.4), "whole class numbers"),
        (np.full(SHAPE, 300), "whole class numbers"),
    ],
)
def test_unusable_annotations_are_named(classes, message):
    brain = brain_of()
    with pytest.raises(UnusableScanError, match=message) as caught:
        make_scan(images_of(brain, 0), brain, SPACING, "sub-7", classes)
    assert "sub-7" in str(caught.value)
    assert "--" not in str(caught.value)


def test_contrasts_must_share_the_brains_grid():
    with pytest.raises(UnusableScanError, match="share one 3-D grid"):
        make_scan(np.zeros((2, 4, 4, 4)), brain_of(), SPACING, "s")


def test_cut_out_holds_all_contrasts_classes_and_place():
    scan = annotated()
    (lesion,) = cut_out(scan, margin_mm=8)
    assert lesion.images.shape == (2, *lesion.classes.shape)
    assert lesion.images.dtype == np.float32
    assert set(np.unique(lesion.classes)) == {0, 1, 2}
    assert lesion.volume_ml == np.count_nonzero(scan.classes) * 64 / 1000
    np.testing.assert_allclose(lesion.centre_mm, np.array([11, 14, 12]) * 4.0)
    box = tuple(slice(a, a + n) for a, n in zip(lesion.start, lesion.classes.shape, strict=True))
    np.testing.assert_array_equal(lesion.classes, scan.classes[box])
    inside = scan.brain[box]
    np.testing.assert_array_equal(
        lesion.images[:, inside], scan.images[(slice(None), *box)][:, inside]
    )
    # Two voxels of 4 mm around the lesion.
    assert lesion.classes[2].any()
    assert not lesion.classes[1].any()
    assert lesion.source == "tumour0#0"


def test_what_is_unknown_repeats_its_neighbours():
    scan = annotated(centre=(4, 17, 13))
    (lesion,) = cut_out(scan)
    assert not lesion.known.all()
    # Background is 0, exactly; no voxel of a noisy brain is.
    assert (lesion.images != 0).all()


def test_distant_foci_are_lesions_of_their_own():
    brain = brain_of()
    classes = ball((9, 17, 13), 14) | ball((21, 17, 13), 10)
    speck = ball((15, 8, 13), 1)
    scan, _ = make_scan(images_of(brain, 0), brain, SPACING, "s", classes | speck)
    one, two = cut_out(scan, margin_mm=28)
    assert one.volume_ml > two.volume_ml > 1
    assert np.count_nonzero(one.classes) + np.count_nonzero(two.classes) == classes.sum()
    # The other focus is in the margin, and is not taken for normal brain.
    hidden = ~one.known & (one.classes == 0)
    second = classes & (np.arange(SHAPE[0]) > 15)[:, None, None]
    box = tuple(slice(a, a + n) for a, n in zip(one.start, one.classes.shape, strict=True))
    assert hidden[second[box]].all()
    near = cut_out(scan, gap_mm=40)
    assert len(near) == 1
    only = cut_out(make_scan(images_of(brain, 0), brain, SPACING, "s", speck)[0], min_ml=5)
    assert np.count_nonzero(only[0].classes) == 1


def test_empty_annotations_are_named():
    with pytest.raises(
        UnusableScanError, match="annotation of host0: it is empty inside the brain"
    ):
        cut_out(host())


def test_lesions_near_the_wanted_volume_are_drawn():
    small, large = (cut_out(annotated(radius_mm=r))[0] for r in (9.0, 30.0))
    rng = np.random.default_rng(0)
    drawn = [pick_lesion(rng, (small, large), small.volume_ml) is small for _ in range(20)]
    assert all(drawn)
    assert {pick_lesion(rng, (small, large)) is small for _ in range(20)} == {True, False}
    with pytest.raises(ValueError, match="no annotated lesion"):
        pick_lesion(rng, ())


def test_satellites_do_not_outnumber_the_tumours_of_other_scans():
    brain = brain_of()
    classes = ball((11, 14, 12), 26).astype(np.uint8)
    for x, y, z in ((21, 14, 12), (21, 20, 12), (21, 17, 16)):
        classes[x, y, z] = classes[x, y, z + 1] = 1
    scattered, _ = make_scan(images_of(brain, 1), brain, SPACING, "scattered", classes)
    lesions = (*cut_out(scattered), *cut_out(annotated(radius_mm=12)))
    assert [lesion.scan for lesion in lesions] == ["scattered"] * 4 + ["tumour0"]
    rng = np.random.default_rng(0)
    drawn = [pick_lesion(rng, lesions).source for _ in range(200)]
    assert drawn.count("tumour0#0") == pytest.approx(100, abs=25)
    assert drawn.count("scattered#0") > 80


def test_gates_end_at_their_reach_in_mm():
    spacing = (2.0, 3.0, 6.0)
    classes = ball((15, 17, 13), 12, spacing=spacing)
    brain = np.ones(SHAPE, dtype=bool)
    brain[:, :17] = False
    gate = gate_of(classes & brain, brain, spacing, 7.0)
    distance = distance_mm(classes & brain, spacing)
    assert (gate[classes & brain] == 1).all()
    np.testing.assert_array_equal(gate > 0, brain & (distance < 7))
    assert not gate_of(classes & False, brain, spacing).any()
