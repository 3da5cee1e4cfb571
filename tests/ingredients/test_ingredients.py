from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from synthtumour_bids.errors import UsageError
from synthtumour_bids.ingredients import mass_effect, mix, oedema, solid, tumour
from synthtumour_bids.ingredients.atlas import Atlas, load_atlas
from synthtumour_bids.ingredients.flow import smallest_jacobian
from synthtumour_bids.ingredients.hyperintensities import WhiteMatter
from synthtumour_bids.simulation.hyperintensities import sample_hyperintensities
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.lesion import TumourParams
from synthtumour_bids.synthesis.priors import load_priors
from synthtumour_bids.synthesis.ranges import CoreKind, Mixture, Range
from synthtumour_bids.synthesis.stage_one import sample_tumour, synthesise
from tests.builders.ellipsoid import LEVELS, ellipsoid_brain

CENTRE_MM = (0.0, -18.0, 10.0)  # of the average brain
GLIOMA = replace(
    load_priors("glioma", "FLAIR"),
    tumour_free_fraction=0.0,
    count_probabilities=(1.0,),
    volume_ml=Mixture((Range(30, 80),), (1.0,)),
)


@pytest.fixture(scope="module")
def host() -> Brain:
    image, mask, spacing = ellipsoid_brain()
    depth = np.clip((image > 80).astype(np.float32), 0, 1)
    return Brain(image, mask, spacing, white_matter=depth, placement=depth)


@pytest.fixture(scope="module")
def atlas(host: Brain) -> Atlas:
    affine = np.diag([*host.spacing, 1.0])
    affine[:3, 3] = CENTRE_MM - (np.array(host.mask.shape) - 1) / 2 * host.spacing
    return load_atlas(host.mask.shape, affine)


def ball(host: Brain, centre: tuple[float, float, float], radius: float) -> np.ndarray:
    """Ball in the brain; centre in mm from the brain's middle."""
    index = np.indices(host.mask.shape).T - (np.array(host.mask.shape) - 1) / 2
    inside = (np.sum((index * host.spacing - centre) ** 2, axis=-1) < radius**2).T
    return (inside & host.mask).astype(np.float32)


def field_of(growth: np.ndarray, host: Brain, reach: float) -> np.ndarray:
    moved = mass_effect.displacement(growth, host, reach)
    assert moved is not None
    field = np.zeros((3, *host.mask.shape), np.float32)
    field[(slice(None), *moved[0])] = moved[1]
    return field


@settings(max_examples=5, deadline=None)
@given(
    right=st.floats(-40, 40),
    front=st.floats(-50, 50),
    radius=st.floats(8, 28),
    share=st.floats(mass_effect.SOLID.low, mass_effect.SOLID.high),
)
def test_mass_effect_can_be_undone_and_ends_at_the_skull(
    host: Brain, right: float, front: float, radius: float, share: float
) -> None:
    body = ball(host, (right, front, 10), radius)
    field = field_of(share * body, host, 60.0)
    assert smallest_jacobian(field, np.array(host.spacing)) > 0
    surface = host.mask & ~ndimage.binary_erosion(host.mask)
    assert not field[:, ~host.mask].any()
    assert np.abs(field[:, surface]).max() < 0.5  # mm


def test_ventricle_and_midline_give_way_in_proportion(host: Brain) -> None:
    body = ball(host, (34, 0, 5), 18)
    weak, strong = (field_of(share * body, host, 60.0)[0] for share in (0.2, 0.5))
    middle = tuple(np.array(host.mask.shape) // 2)
    # Tissue comes from the right: it moved to the left, as the tumour is on the right.
    assert 0.2 < weak[middle] < strong[middle]
    assert strong[middle] / weak[middle] == pytest.approx(2.5, rel=0.25)


@pytest.mark.parametrize("radius", [14, 200])
def test_what_cannot_give_way_stays_where_it_is(host: Brain, radius: float) -> None:
    """In a slice of brain as thick as one coarse block all is outermost."""
    mask = np.zeros_like(host.mask)
    thick = round(mass_effect.COARSE_MM / host.spacing[2])
    middle = host.mask.shape[2] // (2 * thick) * thick
    mask[..., middle : middle + thick] = host.mask[..., middle : middle + thick]
    params = mass_effect.MassEffect(solid=0.5, oedema=0.0, reach=60.0)
    thin = replace(host, mask=mask)
    body = ball(thin, (0, 0, 0), radius)
    label = body.astype(np.uint8)
    image, moved = mass_effect.render(host.image, label, body, thin, params)
    assert np.array_equal(image, host.image)
    assert np.array_equal(moved, label)


def test_label_moves_with_the_tissue(host: Brain) -> None:
    body = ball(host, (30, 0, 5), 16)
    image = np.where(body > 0, 400, host.image).astype(np.float32)
    params = mass_effect.MassEffect(solid=0.5, oedema=0.0, reach=60.0)
    moved, label = mass_effect.render(image, body.astype(np.uint8), body, host, params)
    grown = label.sum() / body.sum()
    assert 1.2 < grown < 2.2
    bright = moved > 250
    assert 2 * np.sum(bright & (label > 0)) / (bright.sum() + label.sum()) > 0.95
    # Noise is as strong where tissue has moved as where it has not.
    normal = ball(host, (30, 26, 5), 6) > 0
    high = [
        np.diff(one, axis=2)[normal[..., 1:] & normal[..., :-1]].std() for one in (moved, image)
    ]
    assert high[0] == pytest.approx(high[1], rel=0.2)


def drawn(host: Brain, seed: int, **priors: object) -> TumourParams:
    return sample_tumour(np.random.default_rng(seed), host, replace(GLIOMA, **priors))


def test_oedema_stays_on_its_side_unless_it_crosses_the_callosum(host: Brain, atlas: Atlas) -> None:
    right = atlas.axes(atlas.whole)[0]
    beyond = []
    for seed in range(6):
        spread = replace(oedema.sample(np.random.default_rng(seed)), crosses=False)
        params = drawn(host, seed)
        place = params.lesions[0].surfaces[0].centre_mm
        if atlas.cerebrum[tuple(np.rint(np.divide(place, host.spacing)).astype(int))] < 0.5:
            continue
        centre = atlas.origin[0] + place[0]
        _, label = tumour.render(host, atlas, params, tumour.Cues(oedema=spread))
        other = right * np.sign(centre) < -oedema.OVERLAP_MM - 2
        if label[np.abs(right) > 8].any() and abs(centre) > 8:
            beyond.append(label[other].any())
    assert beyond
    assert not any(beyond)


def test_a_body_as_bright_as_brain_can_be_told_from_it(host: Brain, atlas: Atlas) -> None:
    iso = (CoreKind(1.0, Range(0.98, 1.02), Range(0.6, 0.75), "mass"),)
    params = drawn(host, 3, cores=iso, texture_amplitude=Range(0, 0))
    plain, label = tumour.render(host, atlas, params, tumour.Cues())
    cue = replace(solid.sample(np.random.default_rng(0)), roughness=0.4)
    seen, _ = tumour.render(host, atlas, params, tumour.Cues(solid=cue))
    changed = np.abs(seen - plain)[label > 0] / LEVELS["white"]
    assert np.quantile(changed, 0.75) > 0.08


@pytest.mark.parametrize("name", mix.DISTRACTORS)
def test_distractors_are_drawn_and_not_labelled(host: Brain, atlas: Atlas, name: str) -> None:
    draw, _ = mix.DISTRACTORS[name]
    rng = np.random.default_rng(5)
    params = next(filter(None, (draw(rng) for _ in range(200))))
    mixed = mix.Mix(TumourParams("train", (), "dark"), {name: params})
    image, label = mix.render(host, atlas, mixed)
    assert not label.any()
    assert image.dtype == np.float32
    assert np.isfinite(image).all()
    assert image.min() >= 0
    assert np.count_nonzero(image != host.image) > 50


def test_hyperintensities_are_on_both_sides(host: Brain, atlas: Atlas) -> None:
    bright = replace(sample_hyperintensities(np.random.default_rng(2), 1.0), asymmetry=0.2)
    mixed = mix.Mix(TumourParams("train", (), "dark"), {"hyperintensities": WhiteMatter(bright, 7)})
    image, _ = mix.render(host, atlas, mixed)
    more = image > host.image + 0.2 * LEVELS["white"]
    right = atlas.axes(atlas.whole)[0] > 0
    sides = [np.count_nonzero(more[side]) * 0.008 for side in (right, ~right)]
    assert min(sides) > 1  # mL
    assert max(sides) / min(sides) < 3


def test_samples_are_the_same_bytes_and_ingredients_do_not_meddle(
    host: Brain, atlas: Atlas
) -> None:
    took = []
    for seed in range(4):
        rngs = [np.random.default_rng(seed) for _ in range(3)]
        once, again = (mix.sample(rng, host, GLIOMA, mix.INGREDIENTS) for rng in rngs[:2])
        assert once == again
        start = time.process_time()
        image, label = mix.render(host, atlas, once)
        took.append(time.process_time() - start)
        copy, mask = mix.render(host, atlas, again)
        assert image.tobytes() == copy.tobytes()
        assert label.tobytes() == mask.tobytes()
        assert label.any()
        alone = mix.sample(rngs[2], host, GLIOMA, ["mass-effect"])
        assert alone.tumour == once.tumour
        assert alone.parts["mass-effect"] == once.parts["mass-effect"]
    assert np.median(took) < 1.5  # s; benchmarks/ingredients.py measures it


def test_without_ingredients_a_sample_is_what_it_was(host: Brain, atlas: Atlas) -> None:
    mixed = mix.sample(np.random.default_rng(1), host, GLIOMA, ())
    image, label = mix.render(host, atlas, mixed)
    made = synthesise(np.random.default_rng(1), host, GLIOMA)
    assert image.tobytes() == made.image.tobytes()
    assert label.tobytes() == made.label.tobytes()
    with pytest.raises(UsageError, match="no ingredient salt"):
        mix.in_order(["salt"])


def test_only_upright_grids_have_an_atlas() -> None:
    affine = np.eye(4)[[1, 0, 2, 3]]
    with pytest.raises(ValueError, match="right, front and up"):
        load_atlas((4, 4, 4), affine)
