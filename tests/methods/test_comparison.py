"""Which runs compare masks with the other side of the brain, and what becomes of pseudo-labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.job import Job
from synthtumour_bids.methods.candidates import Candidate, assess_candidate
from synthtumour_bids.methods.comparison import KEPT, Compared, Comparison, compared
from synthtumour_bids.methods.judging import Seen, likeness_of
from synthtumour_bids.segmentation.norm import Norm
from synthtumour_bids.segmentation.other_side import brightness_of
from synthtumour_bids.segmentation.other_side_rules import OtherSide, Reason
from synthtumour_bids.settings import LESIONS
from synthtumour_bids.volumes import load_volume
from tests.builders.jobs import make_job, with_settings

SHAPE = (40, 44, 36)
LESION = (slice(6, 14), slice(16, 24), slice(14, 22))  # 4 mL
FALSE = (slice(24, 34), slice(26, 36), slice(12, 22))  # 8 mL of normal brain

KEEPS = OtherSide(least_difference=-100)  # whatever the other side is like


@pytest.mark.parametrize("lesion", LESIONS)
@pytest.mark.parametrize("contrast", ["FLAIR", "T2w"])
def test_bright_lesions_are_compared(tmp_path: Path, lesion: str, contrast: str) -> None:
    settings = make_job(tmp_path, contrast=contrast).settings
    assert Comparison.of(settings, lesion) == Comparison(OtherSide(sign=1))


def test_where_the_sign_is_not_known_nothing_is_compared(tmp_path: Path) -> None:
    settings = make_job(tmp_path, contrast="T1w").settings
    assert Comparison.of(settings, "glioma") == Comparison(OtherSide(sign=-1, least_difference=0.3))
    unsure = Comparison.of(settings, "metastasis")
    assert unsure.rules is None
    assert unsure.to_json() == {
        "Skipped": "a metastasis may be brighter or darker than normal brain in T1w images"
    }
    assert Comparison.of(settings, "abscess").skipped.startswith("nothing is known")


def test_the_flag_keeps_all(tmp_path: Path) -> None:
    assert Comparison.of(make_job(tmp_path, keep_mask=True).settings, "glioma") == Comparison(
        None, KEPT
    )


def write_case(job: Job) -> Path:
    """A bright lesion on one side, normal brain taken for one on the other; the probability."""
    scan, affine = job.selection.everything[0], np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 3] = -(SHAPE[0] - 1.0)
    brain = np.zeros(SHAPE, np.uint8)
    brain[2:-2, 2:-2, 2:-2] = 1
    image = np.where(brain, np.random.default_rng(0).normal(100, 5, SHAPE), 0).astype(np.float32)
    image[LESION] += 50
    probability = np.zeros(SHAPE, np.float32)
    probability[tuple(slice(s.start - 2, s.stop + 2) for s in FALSE)] = 0.4
    probability[LESION] = probability[FALSE] = 0.9
    path = job.settings.work_dir / "probability.nii.gz"
    for where, values in (
        (job.layout.standard_brain(scan), brain),
        (job.layout.standard_image(scan), image),
        (path, probability),
    ):
        write_image(where, nib.Nifti1Image(values, affine), {})
    return path


def test_pseudo_labels_lose_what_is_like_the_other_side_before_they_are_judged(
    tmp_path: Path,
) -> None:
    job = make_job(tmp_path)
    path = write_case(job)
    scan = job.selection.everything[0]
    one = Candidate(
        scan=scan,
        averaged=path,
        plain=path,
        image=job.layout.standard_image(scan),
        brain=job.layout.standard_brain(scan),
        label=tmp_path / "label.nii",
        lesion="glioma",
        evidence=None,
        comparison=Comparison.of(job.settings, "glioma"),
    )
    found = assess_candidate(one)
    assert load_volume(found.label).mask[LESION].all()
    assert not load_volume(found.label).mask[FALSE].any()
    assert found.dropped_ml == pytest.approx(8)
    assert found.pseudo.stats["undecided_ratio"] == 0, "the rim is gone, too"
    assert found.pseudo.stats["agreement"] == 1
    assert found.pseudo.accepted
    keeping = Comparison.of(with_settings(job, keep_mask=True).settings, "glioma")
    kept = assess_candidate(replace(one, comparison=keeping))
    assert load_volume(kept.label).mask[FALSE].all()
    assert kept.dropped_ml == 0


def test_an_empty_mask_is_no_matter(tmp_path: Path) -> None:
    probability = load_volume(write_case(make_job(tmp_path)))
    nothing = probability.with_data(np.zeros(SHAPE, np.float32))
    brain = np.ones(SHAPE, bool)
    rules = Comparison(OtherSide())
    found = compared(type(probability).of(nothing), tmp_path / "not read", brain, "glioma", rules)
    assert found.verdicts == ()
    everywhere = np.ones(SHAPE, np.float32)
    assert not found.without(everywhere).any(), "specks here are specks on the scan's grid, too"
    kept = compared(type(probability).of(nothing), tmp_path, brain, "glioma", Comparison(None))
    assert kept.without(everywhere).all()


def test_parts_go_that_are_mostly_as_bright_as_people_without_a_tumour(tmp_path: Path) -> None:
    job = make_job(tmp_path, tumours=1)
    probability, scan = load_volume(write_case(job)), job.selection.everything[0]
    brain, image = (
        load_volume(path)
        for path in (job.layout.standard_brain(scan), job.layout.standard_image(scan))
    )
    found = compared(
        probability, job.layout.standard_image(scan), brain.mask, "glioma", Comparison(KEEPS)
    )
    brightness = brightness_of(image.data, brain.mask, image.affine, KEEPS)
    assert brightness is not None
    assert [one.kept for one in found.verdicts] == [True, True]
    nobody_has_it = Norm(np.full(SHAPE, -np.inf, np.float32), image.affine, 12)
    assert not found.beyond(nobody_has_it, brightness).dropped
    # Half of the one part is as bright in others, and a voxel less than half of the other.
    highest = nobody_has_it.highest.copy()
    for place, usual in ((FALSE, 0.5), (LESION, 0.49)):
        inside = np.full(highest[place].size, -np.inf, np.float32)
        inside[: int(usual * inside.size)] = np.inf
        highest[place] = inside.reshape(highest[place].shape)
    left = found.beyond(replace(nobody_has_it, highest=highest), brightness)
    assert [one.reason for one in left.dropped] == [Reason.USUAL_HERE]
    assert left.without(probability.data)[LESION].all()
    assert not left.without(probability.data)[FALSE].any()
    assert left.likeness == found.likeness, "that is calibrated without it"
    kept = replace(found, all_stay=True)
    assert kept.beyond(replace(nobody_has_it, highest=highest), brightness) is kept


def test_parts_that_another_network_does_not_find_go(tmp_path: Path) -> None:
    job = make_job(tmp_path, tumours=1)
    path, scan = write_case(job), job.selection.everything[0]
    image, brain = job.layout.standard_image(scan), job.layout.standard_brain(scan)

    def found(places: tuple[tuple[slice, ...], ...], rules: OtherSide | None = KEEPS) -> Compared:
        volume = load_volume(path)
        values = np.zeros(SHAPE, np.float32)
        for place in places:
            values[place] = 0.9
        return compared(
            replace(volume, data=values), image, load_volume(brain).mask, "glioma",
            Comparison(rules),
        )  # fmt: skip

    both, nothing = found((LESION, FALSE)), found(())
    assert not both.dropped
    corner = tuple(slice(s.start, s.start + 4) for s in LESION)
    left = both.confirmed_by(found((corner,)))
    assert [one.reason for one in left.dropped] == [Reason.UNCONFIRMED]
    assert left.without(both.probability.data)[LESION].all()
    assert not left.without(both.probability.data)[FALSE].any()
    assert len(both.confirmed_by(nothing).dropped) == 2
    assert not nothing.confirmed_by(both).dropped
    # Of what most people without a tumour have the like of, nothing stays.
    assert [one.reason for one in left.emptied().dropped] == [Reason.USUAL, Reason.UNCONFIRMED]
    assert not left.emptied().without(both.probability.data).any()
    # With --keep-mask all stays.
    kept = found((LESION, FALSE), None)
    assert kept.confirmed_by(nothing) is kept.emptied() is kept
    # What another network found, and holds for a tumour, stays where it is most of a part.
    gone = found((LESION, FALSE), OtherSide(least_difference=100, compact=2))
    assert len(gone.dropped) == 2
    inner = tuple(slice(s.start, s.stop - 1) for s in LESION)
    upheld = gone.upheld_by(found((inner,)))
    assert [one.reason for one in upheld.verdicts if one.kept] == [Reason.CONFIRMED]
    assert upheld.without(gone.probability.data)[LESION].all()
    assert not upheld.without(gone.probability.data)[FALSE].any()
    assert len(gone.upheld_by(found((corner,))).dropped) == 2
    assert upheld.likeness > gone.likeness == 0
    assert len(gone.upheld_by(gone).dropped) == 2, "what is dropped there, too, upholds nothing"
    assert kept.upheld_by(both) is kept
    # Where all stays, parts count as they would if some went.
    staying = replace(gone, all_stay=True).upheld_by(replace(found((inner,)), all_stay=True))
    assert staying.likeness == upheld.likeness
    assert not staying.dropped
    assert not staying.territory.any()
    doubted = replace(gone, all_stay=True)
    assert gone.upheld_by(doubted).likeness == 0, "of what is doubted there, too, none counts"


def test_people_without_a_tumour_are_judged_as_patients_are(tmp_path: Path) -> None:
    job = make_job(tmp_path, tumours=1)
    path, scan = write_case(job), job.selection.everything[0]
    files = path, job.layout.standard_image(scan), job.layout.standard_brain(scan)
    drops = Comparison(OtherSide(least_difference=100, compact=2))
    seen = Seen(*files, "glioma", None, drops)
    assert likeness_of(seen) == 0
    assert likeness_of(replace(seen, upheld_by=replace(seen, comparison=Comparison(KEEPS)))) > 0


def ball_of_65_ml(x: float, contrast: float) -> tuple[nib.Nifti1Image, np.ndarray, np.ndarray]:
    """A ball in noise of 10; the image, its brain, and how far voxels are from the middle."""
    shape, affine = (70, 80, 70), np.diag([2.0, 2.0, 2.0, 1.0])
    affine[0, 3] = -(shape[0] - 1.0)
    brain = np.zeros(shape, bool)
    brain[2:-2, 2:-2, 2:-2] = True
    place = np.indices(shape) - np.array([x, 40, 35])[:, None, None, None]
    distance = np.sqrt((place**2).sum(0))
    image = np.where(brain, np.random.default_rng(0).normal(100, 10, shape), 0).astype(np.float32)
    image[distance < 12.5] += contrast
    return nib.Nifti1Image(image, affine), brain, distance


def test_a_large_part_across_the_midline_counts_as_its_core(tmp_path: Path) -> None:
    """A ball of 65 mL, alike on both sides, in a mask that reaches beyond it."""
    image, brain, distance = ball_of_65_ml(34.5, 27)
    probability = np.where(distance < 15, 0.6, 0)
    probability[distance < 12.5] = 0.95
    path = tmp_path / "image.nii.gz"
    write_image(path, image, {})
    volume = replace(load_volume(path), data=probability.astype(np.float32))
    found = compared(volume, path, brain, "glioma", Comparison(OtherSide()))
    (whole,) = found.verdicts
    assert whole.reason is Reason.BRIGHT_CORE
    assert whole.brightness is not None
    assert whole.brightness > OtherSide().bright_across
    weighted = float(probability.sum()) * 8 / 1000
    assert found.likeness == pytest.approx(weighted * whole.brightness, rel=0.01)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("margin", "sure", "contrast", "kept"),
    [
        (2.5, 12.5, 7, True),  # most of it is sure, and stands out
        (2.5, 12.5, 0, False),  # sure, but like the other side
        (2.5, 6, 7, False),  # hardly any of it is sure
        (2.5, 0, 7, False),  # none of it is
        (1.5, 12.5, 6.5, False),  # below 100 mL it is judged as it is
    ],
)
def test_a_large_part_is_judged_by_where_the_network_is_sure(
    tmp_path: Path, sign: int, margin: float, sure: float, contrast: float, kept: bool
) -> None:
    """A ball of 65 mL in a mask that reaches beyond it, and a small part that comes first."""
    image, brain, distance = ball_of_65_ml(20, sign * contrast)
    probability = np.where(distance < 12.5 + margin, 0.6, 0)
    probability[distance < sure] = 0.95
    probability[4:9, 10:15, 10:15] = 0.95
    path = tmp_path / "image.nii.gz"
    write_image(path, image, {})
    volume = replace(load_volume(path), data=probability.astype(np.float32))
    rules = Comparison(OtherSide(sign=sign))
    small, large = compared(volume, path, brain, "glioma", rules).verdicts
    assert small.reason is Reason.LIKE_OTHER_SIDE
    assert large.reason is (Reason.BRIGHTER_CORE if kept else Reason.LIKE_OTHER_SIDE)
    assert (large.volume_ml > 100) is (margin > 2)
    assert large.difference is not None
    assert (large.difference > 0.5) is kept
