from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.simulation.fields import smooth_field
from synthtumour_bids.simulation.gallery import HEIGHTS, slices_of
from synthtumour_bids.simulation.gallery import main as draw_gallery
from synthtumour_bids.simulation.head import HeadParams, StrippedHead, render, sample
from synthtumour_bids.simulation.hyperintensities import sample_hyperintensities
from synthtumour_bids.simulation.scanner import scan
from synthtumour_bids.simulation.stripping import Piece, Stripping, strip
from synthtumour_bids.simulation.subject import bent_positions, build_anatomy, give_way

GRID = standard_brain(4.0)
SHAPE, AFFINE = GRID.shape, GRID.affine
CLEAN = Stripping(0.0, 0.0, 0.3, (), (), ())


def drawn(seed: int, **changes: object) -> HeadParams:
    return replace(sample(np.random.default_rng(seed)), **changes)


def on_grid(params: HeadParams) -> StrippedHead:
    return render(params, SHAPE, AFFINE)


def volume(mask: np.ndarray) -> float:
    """mL on the 4-mm grid."""
    return float(np.count_nonzero(mask)) * 0.064


@pytest.mark.parametrize("seed", range(3))
def test_heads_are_brains_of_plausible_size(seed: int) -> None:
    head = on_grid(drawn(seed))
    assert head.image.shape == head.mask.shape == SHAPE
    assert head.image.dtype == np.float32
    assert np.isfinite(head.image).all()
    assert not head.image[~head.mask].any()
    assert (head.image >= 0).all()
    assert 1000 < volume(head.mask) < 2600
    assert 0.7 < np.median(head.image[head.mask]) < 1.5


def test_the_same_parameters_give_the_same_bytes_and_others_do_not() -> None:
    params = drawn(1)
    assert np.array_equal(on_grid(params).image, on_grid(params).image)
    assert params == drawn(1)
    other = on_grid(replace(params, textures=params.textures + 1))
    assert not np.array_equal(on_grid(params).image, other.image)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), age=st.floats(0, 1))
def test_every_degree_of_hyperintensity_can_be_drawn(seed: int, age: float) -> None:
    params = sample_hyperintensities(np.random.default_rng(seed), age)
    assert 0 <= params.burden <= 1
    assert params.signal > 1
    assert params.frontal <= 16
    assert params.occipital <= 20


def test_old_heads_reach_the_severest_degree_and_some_stay_free_of_it() -> None:
    burdens = [sample(np.random.default_rng(s)).hyperintensities.burden for s in range(200)]
    assert min(burdens) < 0.02
    assert sum(b > 0.9 for b in burdens) > 5


def test_a_greater_burden_is_brighter_and_on_both_sides() -> None:
    params = drawn(4, stripping=CLEAN)
    clean = replace(params.scanner, noise=0.0, thickness=None, shading=0.0, slice_gain=0.0)
    spots = replace(
        params.hyperintensities, burden=1.0, band=10.0, frontal=12.0, occipital=16.0, signal=1.8,
        asymmetry=0.0, dots=0, plaques=0,
    )  # fmt: skip
    params = replace(params, scanner=clean, hyperintensities=spots)
    none = replace(spots, burden=0.0, band=0.0, frontal=0.0, occipital=0.0, rim=0.0, pons=0.0)
    with_bands, without = (
        on_grid(replace(params, hyperintensities=one)).image for one in (spots, none)
    )
    brighter = with_bands > without + 0.2
    assert volume(brighter) > 15
    middle = SHAPE[0] // 2
    left, right = brighter[:middle].sum(), brighter[middle + 1 :].sum()
    assert 0.5 < left / right < 2


@given(amount=st.floats(-3, 14))
def test_nothing_folds_over_where_ventricles_widen(amount: float) -> None:
    distance = np.linspace(-20, 80, 2001)
    assert (np.diff(distance - give_way(distance, amount)) > 0).all()


def test_positions_can_be_inverted() -> None:
    params = drawn(2)
    mni = bent_positions(SHAPE, AFFINE, params.variation, np.random.default_rng(0))
    jacobian = np.stack([np.stack(np.gradient(part, 4.0)) for part in mni])
    assert (np.linalg.det(np.moveaxis(jacobian, (0, 1), (-2, -1))) > 0).all()


def test_shares_of_tissue_add_up_in_the_brain() -> None:
    params = drawn(3)
    anatomy = build_anatomy(SHAPE, AFFINE, params.variation, params.folds, np.random.default_rng(0))
    total = anatomy.wm + anatomy.gm + anatomy.csf
    assert np.allclose(total[anatomy.brain], 1, atol=1e-4)
    assert min(part.min() for part in (anatomy.wm, anatomy.gm, anatomy.csf)) > -1e-4
    other = build_anatomy(SHAPE, AFFINE, params.variation, params.folds, np.random.default_rng(1))
    agreement = np.corrcoef(anatomy.gm[anatomy.brain], other.gm[anatomy.brain])[0, 1]
    assert agreement < 0.9  # every head folds its own way


def test_stripping_leaves_and_takes_what_it_is_told_to() -> None:
    params = drawn(5)
    rng = np.random.default_rng(0)
    anatomy = build_anatomy(SHAPE, AFFINE, params.variation, params.folds, rng)
    signal = anatomy.brain.astype(np.float32)
    _, clean = strip(signal, anatomy, CLEAN, np.random.default_rng(1))
    left = replace(CLEAN, orbits=(Piece(0, 0, 20.0, 4.0),))
    fat, with_orbits = strip(signal, anatomy, left, np.random.default_rng(1))
    assert volume(with_orbits & ~clean) > 3
    assert fat[with_orbits & ~clean].max() > 3
    taken = replace(CLEAN, cuts=(Piece(1, 0, 10.0),))
    _, cut = strip(signal, anatomy, taken, np.random.default_rng(1))
    assert volume(clean & ~cut) > 3
    assert not (cut & ~clean).any()


def test_thick_slices_blur_along_their_axis_alone() -> None:
    rng = np.random.default_rng(0)
    signal = 1 + 0.2 * smooth_field(rng, SHAPE, 4.0, 6)
    base = drawn(6).scanner
    quiet = replace(
        base, noise=0.0, shading=0.0, slice_gain=0.0, sharpening=0.0, ghost=0.0, gamma=1.0,
        in_plane=0.1, axis=2,
    )  # fmt: skip
    thick = scan(signal, 4.0, replace(quiet, thickness=12.0), np.random.default_rng(1))
    assert np.diff(thick, axis=2).std() < 0.8 * np.diff(signal, axis=2).std()
    assert np.diff(thick, axis=0).std() > 0.5 * np.diff(signal, axis=0).std()


def test_gallery_draws_simulated_and_real_heads(tmp_path) -> None:
    import nibabel as nib

    head = on_grid(drawn(7))
    path = tmp_path / "sub-1_space-MNI152NLin2009aSym_desc-preproc_FLAIR.nii.gz"
    nib.save(nib.Nifti1Image(head.image, AFFINE), path)
    assert draw_gallery([str(tmp_path / "sheet"), str(path), "--count", "1"]) == 0
    assert (tmp_path / "sheet" / "gallery.png").stat().st_size > 10_000


def test_gallery_leaves_slices_outside_a_scan_blank() -> None:
    high = np.diag([4.0, 4.0, 4.0, 1.0])
    high[2, 3] = 0.0  # the lowest slice is at z = 0
    image = np.random.default_rng(0).uniform(1, 2, (10, 12, 8)).astype(np.float32)
    drawn = slices_of(image, high)
    seen = [not np.isnan(one).all() for one in np.split(drawn, len(HEIGHTS), axis=1)]
    assert seen == [0 <= round(mm / 4) < 8 for mm in HEIGHTS]


@pytest.mark.parametrize(("given_", "said"), [(["no.nii"], "there is no no.nii"), ([], "nothing")])
def test_gallery_says_what_it_cannot_draw(tmp_path, capsys, given_, said) -> None:
    with pytest.raises(SystemExit) as ended:
        draw_gallery([str(tmp_path / "sheet"), *given_, "--count", "0"])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
