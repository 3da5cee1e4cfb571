from __future__ import annotations

import hashlib
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from synthtumour_bids.synthesis import published, stage_one
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.filters import brain_blur, gaussian
from synthtumour_bids.synthesis.geometry import Box
from synthtumour_bids.synthesis.priors import load_priors
from synthtumour_bids.synthesis.purpose import Purpose
from synthtumour_bids.synthesis.ranges import CoreKind, Mixture, Range
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.synthesis.shape import Surface
from tests.builders.ellipsoid import ellipsoid_brain

GLIOMA = load_priors("glioma", "FLAIR")
BRAIN = ellipsoid_brain()
HOST = Brain(*BRAIN)
OURS, PUBLISHED = stage_one.sample_tumour, stage_one.sample_published
COMBINATIONS = [(sampler, purpose) for sampler in (OURS, PUBLISHED) for purpose in Purpose]


def make(index, sampler=OURS, purpose=Purpose.TRAIN, brain=BRAIN, priors=GLIOMA, **known):
    rng = stream(527, "01", None, index=index, purpose=purpose)
    host = Brain(*brain, **known)
    return stage_one.synthesise(rng, host, priors, purpose=purpose, sampler=sampler)


@pytest.mark.parametrize(
    ("lesion", "contrast"), [("metastasis", "FLAIR"), ("stroke", "DWI"), ("glioma", "FLAIR")]
)
def test_the_edge_of_a_small_lesion_leaves_it_a_label(lesion, contrast):
    priors = load_priors(lesion, contrast)
    softest = replace(priors, edge_mm=replace(priors.edge_mm, low=1.8, high=1.8))
    for index in range(20):
        params = OURS(numbers(527, index), HOST, softest)
        for one in params.lesions:
            radius = (3 * one.volume_ml * 1000 / (4 * np.pi)) ** (1 / 3)
            assert one.look.edge_mm == pytest.approx(min(1.8, radius / 3))


def numbers(seed, index, purpose="t"):
    return stream(seed, "a", None, index=index, purpose=purpose)


def digest(index):
    made = make(index)
    return hashlib.sha256(made.image.tobytes() + made.label.tobytes()).hexdigest()


@pytest.mark.parametrize(("sampler", "purpose"), COMBINATIONS)
def test_samples_are_whole_and_replay_exactly(sampler, purpose):
    image, brain, spacing = BRAIN
    untouched = image.copy()
    for index in range(4):
        made = make(index, sampler, purpose)
        assert made.image.dtype == np.float32
        assert made.label.dtype == np.uint8
        assert set(np.unique(made.label)) <= {0, 1}
        assert np.isfinite(made.image).all()
        assert made.image.min() >= 0
        params = stage_one.params_from_json(json.loads(json.dumps(made.to_json())))
        assert params == made.params
        again, label = stage_one.render(Brain(image, brain, spacing), params)
        assert again.tobytes() == made.image.tobytes()
        assert label.tobytes() == made.label.tobytes()
    np.testing.assert_array_equal(image, untouched)


def test_bytes_do_not_depend_on_process_or_order():
    here = [digest(i) for i in (0, 1, 2)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(digest, (2, 1, 0))) == here[::-1]
    assert len(set(here)) == 3


def test_nothing_changes_far_from_the_lesion():
    image, _, _ = BRAIN
    for sampler, purpose in COMBINATIONS:
        made = make(5, sampler, purpose)
        label = made.label
        if sampler is OURS:  # fingers thinner than the edge is soft are too faint to be labelled
            lesions = tuple(
                replace(lesion, look=replace(lesion.look, edge_mm=0.0))
                for lesion in made.params.lesions
            )
            _, label = stage_one.render(HOST, replace(made.params, lesions=lesions))
        far = ndimage.distance_transform_edt(label == 0, sampling=BRAIN[2]) > 15
        np.testing.assert_array_equal(made.image[far], image[far])


@pytest.mark.parametrize("purpose", ["train", "shifted"])
@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (1.5, 2.0, 4.0)])
def test_default_labels_stay_in_the_brain_and_have_their_volume(purpose, spacing):
    brain = ellipsoid_brain(spacing)
    for index in range(12):
        made = make(index, purpose=purpose, brain=brain)
        assert not made.label[~brain[1]].any()
        assert not made.image[~brain[1]].any()
        lesions = made.params.lesions
        if len(lesions) == 1:
            volume = made.label.sum() * np.prod(spacing) / 1000
            assert volume == pytest.approx(lesions[0].volume_ml, rel=0.35, abs=0.3)


def test_volumes_follow_the_priors():
    # Small and large tumours both occur; the published procedure has none below about 9 mL.
    volumes = []
    for index in range(60):
        params = OURS(numbers(1, index, "train"), HOST, GLIOMA)
        volumes += [lesion.volume_ml for lesion in params.lesions[:1]]
    assert min(volumes) < 8
    assert max(volumes) > 120
    assert 60 < np.median(volumes) < 180


def test_reference_training_sample_is_the_published_formula():
    image, brain, spacing = ellipsoid_brain((1.0, 1.0, 1.0), noise=0)
    image, brain = image[:, :90], np.ascontiguousarray(brain[:, :90])
    surface = Surface((62.0, 45.0, 55.0), (17.0, 20.0, 14.0), (20.0, 40.0, 60.0), (5.0,) * 3)
    params = published.PublishedParams(Purpose.TRAIN, surface, gain=2.5)
    made, label = stage_one.render(Brain(image, brain, spacing), params)

    hard, _ = _exact(image, brain, spacing, surface)
    soft = ndimage.gaussian_filter(hard.astype(np.float64), 1, mode="constant")
    blurred = ndimage.gaussian_filter(image.astype(np.float64), 5, mode="constant")
    np.testing.assert_allclose(
        made, image * (1 - soft) + 2.5 * blurred * soft, rtol=1e-3, atol=0.05
    )
    np.testing.assert_array_equal(label, soft > 0.1)
    assert 1.1 < label.sum() / hard.sum() < 1.35  # the published dilation, kept on purpose


def _exact(image, brain, spacing, surface):
    shifted = published.PublishedParams(Purpose.SHIFTED, surface, gain=2.0)
    made, label = stage_one.render(Brain(image, brain, spacing), shifted)
    return label.astype(bool), made


def test_reference_shifted_sample_is_raw_texture_and_exact_label():
    image, brain, spacing = BRAIN
    surface = Surface((62.0, 80.0, 55.0), (17.0, 20.0, 14.0), (20.0, 40.0, 60.0), (5.0,) * 3)
    label, made = _exact(image, brain, spacing, surface)
    np.testing.assert_allclose(made[label], 2 * image[label])
    np.testing.assert_array_equal(made[~label], image[~label])
    assert not label[~brain].any()


def test_reference_two_level_lesion_nests_its_core():
    image, brain, spacing = BRAIN
    whole = Surface((62.0, 80.0, 55.0), (25.0, 25.0, 25.0), (0.0, 0.0, 0.0), (5.0,) * 3)
    core = Surface((62.0, 80.0, 55.0), (30.0, 10.0, 10.0), (0.0, 0.0, 0.0), (9.0,) * 3)
    params = published.PublishedParams(Purpose.SHIFTED, whole, 3.0, core, 0.5)
    made, label = stage_one.render(Brain(image, brain, spacing), params)
    ratio = made[label == 1] / image[label == 1]
    # The published factors multiply nothing twice: the core's replaces the rim's.
    assert set(ratio.round(3)) == {0.5, 3.0}
    drawn = [PUBLISHED(numbers(2, i), HOST, GLIOMA) for i in range(150)]
    two_level = [p for p in drawn if p.core is not None]
    assert 4 <= len(two_level) <= 30  # probability 0.1
    assert all(0.8 <= p.core_gain <= 1.2 for p in two_level)
    assert all(1.5 <= p.gain <= 5 for p in drawn)


def test_default_label_is_half_of_the_blend_and_not_dilated():
    image, brain, spacing = BRAIN
    for index in range(6):
        made = make(index)
        exact = stage_one.params_from_json({**made.to_json(), "purpose": "shifted"})
        _, hard = stage_one.render(Brain(image, brain, spacing), exact)
        if hard.sum() > 2000:
            assert 0.9 < made.label.sum() / hard.sum() < 1.1


def test_lesions_at_the_surface_of_the_brain_are_not_darkened():
    image, brain, spacing = ellipsoid_brain((1.5, 1.5, 1.5), noise=0)
    image = np.where(brain, 100, 0).astype(np.float32)
    centre = np.array(image.shape) // 2
    target = Box((0, centre[1], centre[2]), (image.shape[0], centre[1] + 1, centre[2] + 1))
    inside = brain[target.slices]
    mended = brain_blur(image, brain, target, 5.0, spacing)[inside]
    np.testing.assert_allclose(mended, 100, rtol=1e-4)
    whole = Box((0, 0, 0), image.shape)
    plain = gaussian(image, whole, target, (5 / 1.5,) * 3)[inside]
    assert plain.min() < 65  # what the mending is for


def test_interpolated_blur_equals_the_exact_one():
    image, brain, spacing = BRAIN
    target = Box((10, 12, 9), (50, 61, 40))
    weight = ndimage.gaussian_filter(brain.astype(np.float64), 2.5, mode="constant") + 1e-9
    exact = ndimage.gaussian_filter(image.astype(np.float64), 2.5, mode="constant") / weight
    here = brain[target.slices]
    mended = brain_blur(image, brain, target, 5.0, spacing)
    assert np.abs(mended - exact[target.slices])[here].max() < 0.5
    fine, fine_brain, fine_spacing = ellipsoid_brain((1.0, 1.0, 1.0))
    target = Box((40, 50, 40), (90, 101, 75))
    weight = ndimage.gaussian_filter(fine_brain.astype(np.float64), 5, mode="constant") + 1e-9
    exact = ndimage.gaussian_filter(fine.astype(np.float64), 5, mode="constant") / weight
    mended = brain_blur(fine, fine_brain, target, 5.0, fine_spacing)
    # Of every second voxel: their noise is averaged over an eighth as many.
    assert np.abs(mended - exact[target.slices]).max() < 1.5


@given(
    axis=st.integers(0, 2),
    index=st.integers(0, 50),
    sampler=st.sampled_from([OURS, PUBLISHED]),
)
@settings(max_examples=12, deadline=None)
def test_image_and_label_agree_in_every_array_orientation(axis, index, sampler):
    # A scan stored LAS, or with permuted axes: the bright region must be the labelled one.
    image, brain, spacing = ellipsoid_brain((2.0, 2.5, 3.0))
    image, brain = np.flip(image, axis), np.flip(brain, axis)
    image, brain = np.moveaxis(image, axis, 0), np.moveaxis(brain, axis, 0)
    spacing = (spacing[axis], *[s for a, s in enumerate(spacing) if a != axis])
    made = make(index, sampler, Purpose.SHIFTED, (image, brain, spacing))
    changed = made.image != image
    assert changed.any()
    assert (changed <= (made.label > 0)).all()
    assert changed[(made.label > 0) & (image > 0)].mean() > 0.9


@pytest.mark.parametrize(
    ("lesion", "contrast", "share"),
    [("glioma", "FLAIR", 0.98), ("glioma", "T1w", 0.08), ("stroke", "DWI", 0.99)],
)
def test_contrast_decides_whether_tumours_are_bright_or_dark(lesion, contrast, share):
    image = BRAIN[0]
    priors = load_priors(lesion, contrast)
    signs = []
    for index in range(120):
        made = OURS(numbers(6, index), HOST, priors, Purpose.SHIFTED)
        signs.append(made.lesions[0].look.gain > 1)
    assert np.mean(signs) == pytest.approx(share, abs=0.08)
    agreed = []
    for index in range(24):
        made = make(index, priors=priors)
        if len(made.params.lesions) == 1 and made.params.lesions[0].core is None:
            inner = ndimage.binary_erosion(made.label) & (image > 60)
            brighter = made.image[inner].mean() > image[inner].mean()
            agreed.append(brighter == (made.params.lesions[0].look.gain > 1))
    assert len(agreed) >= 3
    assert all(agreed)


def one_lesion(**changes):
    return replace(
        GLIOMA,
        volume_ml=Mixture((Range(60, 120),), (1.0,)),
        hyper_gain=Mixture((Range(1.8, 2.5),), (1.0,)),
        hyper_probability=1.0,
        count_probabilities=(1.0,),
        tumour_free_fraction=0.0,
        **changes,
    )


def test_a_mass_belongs_to_the_lesion_and_hides_the_host():
    mass = CoreKind(1.0, Range(1, 1), Range(0.4, 0.4), "mass")
    priors = one_lesion(
        cores=(mass,),
        csf_avoidance=Range(0, 0),
        core_smoothness=Range(1, 1),
        residual_texture=Range(1, 1),
        texture_amplitude=Range(0, 0),
        core_edge_mm=Range(0, 0),
    )
    normal = HOST.normal
    shares = []
    for index in range(12):
        made = make(index, priors=priors)
        (lesion,) = made.params.lesions
        assert lesion.core_form == "mass"
        flat = (made.label > 0) & (np.abs(made.image - normal) < 1e-2)
        shares.append(flat.sum() / made.label.sum())
    # The brain's surface may cut a mass; what is there takes the brightness of normal brain.
    assert max(shares) == pytest.approx(0.4, abs=0.08)
    assert np.median(shares) > 0.15


def test_lesions_follow_white_matter_where_it_is_known():
    image, _, _ = BRAIN
    white = ((image > 80) & (image < 112)).astype(np.float32)
    within = []
    for avoidance in (0.0, 2.0):
        priors = one_lesion(cores=(), grey_avoidance=Range(avoidance, avoidance))
        made = [make(index, priors=priors, white_matter=white) for index in range(6)]
        within.append(np.mean([white[one.label > 0].mean() for one in made]))
        for one in made:
            volume = one.label.sum() * 8 / 1000
            assert volume == pytest.approx(one.params.lesions[0].volume_ml, rel=0.4)
        if not avoidance:
            plain = make(0, priors=priors)
            assert plain.image.tobytes() == made[0].image.tobytes()
    assert within[1] > within[0] + 0.1


@pytest.mark.parametrize("open_core", [False, True])
def test_a_rim_closes_around_closed_cores_only(open_core):
    core = CoreKind(1.0, Range(0.2, 0.4), Range(0.2, 0.4))
    priors = replace(
        GLIOMA,
        cores=(core,),
        open_core_probability=float(open_core),
        volume_ml=Mixture((Range(30, 90),), (1.0,)),
        hyper_gain=Mixture((Range(1.8, 2.5),), (1.0,)),
        hyper_probability=1.0,
        count_probabilities=(1.0,),
    )
    at_the_border = []
    for index in range(12):
        made = make(index, purpose=Purpose.SHIFTED, priors=priors)
        (lesion,) = made.params.lesions
        label = made.label > 0
        dark = (made.image < 60) & label & (BRAIN[0] > 80)
        assert dark.sum() > 0.5 * lesion.core_fraction * label.sum()
        rim = label & ~ndimage.binary_erosion(label)
        at_the_border.append(dark[rim].mean() / dark[label].mean())
    if open_core:
        assert max(at_the_border) > 0.7
    else:
        assert max(at_the_border) < 0.5


def test_tumour_free_samples_only_for_training():
    free = {
        purpose: [
            not OURS(numbers(3, i, purpose), HOST, GLIOMA, purpose).lesions for i in range(150)
        ]
        for purpose in Purpose
    }
    assert 1 <= sum(free["train"]) <= 15  # 3 %
    assert not any(free["shifted"])
    index = free["train"].index(True)
    made = stage_one.synthesise(numbers(3, index, "train"), HOST, GLIOMA)
    assert not made.label.any()
    np.testing.assert_array_equal(made.image, BRAIN[0])


def test_centres_keep_out_of_ventricles_and_follow_placement():
    image, brain, spacing = BRAIN
    only = np.zeros(brain.shape, np.float32)
    only[:20] = brain[:20]
    for index in range(20):
        for placement in (None, only):
            host = Brain(*BRAIN, placement=placement)
            params = OURS(numbers(4, index, "shifted"), host, GLIOMA)
            for lesion in params.lesions:
                place = tuple(
                    round(c / s) for c, s in zip(lesion.surfaces[0].centre_mm, spacing, strict=True)
                )
                assert brain[place]
                if placement is None:
                    around = tuple(slice(i - 2, i + 3) for i in place)
                    assert image[around].mean() > 60
                else:
                    assert place[0] < 20


def test_several_lesions_occur():
    priors = load_priors("metastasis", "FLAIR")
    counts = [
        len(OURS(numbers(5, i, "shifted"), HOST, priors, Purpose.SHIFTED).lesions)
        for i in range(40)
    ]
    assert max(counts) >= 4
    assert min(counts) == 1


def test_tiny_brains_and_coarse_grids_still_work():
    coarse = ellipsoid_brain((4.0, 4.0, 6.0))
    for sampler, purpose in COMBINATIONS:
        for index in range(5):
            made = make(index, sampler, purpose, coarse)
            free = sampler is OURS and not made.params.lesions
            assert made.label.any() != free


def test_bad_input_is_refused():
    image, brain, spacing = BRAIN
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="mask is empty"):
        stage_one.synthesise(rng, Brain(image, np.zeros_like(brain), spacing), GLIOMA)
    for sampler in (OURS, PUBLISHED):
        with pytest.raises(ValueError, match="'best' is not a valid Purpose"):
            sampler(rng, HOST, GLIOMA, "best")
    with pytest.raises(ValueError, match="one of default, reference; found 'best'"):
        stage_one.params_from_json({"preset": "best"})
