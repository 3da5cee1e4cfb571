from __future__ import annotations

import numpy as np
import pytest
import torch

from synthtumour_bids.synthesis.fabrication import losses
from synthtumour_bids.synthesis.fabrication.blocks import ResidualUNet, one_hot
from synthtumour_bids.synthesis.fabrication.discriminator import Discriminator
from synthtumour_bids.synthesis.fabrication.gan_settings import SLOPPY, GanSettings
from synthtumour_bids.synthesis.fabrication.generator import MOST, Generator
from synthtumour_bids.synthesis.fabrication.patches import StepPatches, draw_patch, step_bytes
from synthtumour_bids.synthesis.fabrication.perceptual import Bank, Pooled, Segmenter, pooled
from synthtumour_bids.synthesis.fabrication.realism import Reference, describe, energy_distance
from synthtumour_bids.synthesis.fabrication.refinement import refine
from synthtumour_bids.synthesis.fabrication.rims import distance_mm
from tests.builders.fabrication_scans import annotated, host

PATCH = (16, 16, 16)


def lively_generator(contrasts=2, classes=2) -> Generator:
    """A generator that changes things; a new one is the identity."""
    torch.manual_seed(0)
    generator = Generator(contrasts, classes, (4, 8))
    torch.nn.init.normal_(generator.network.last.weight, std=50)
    return generator


def batch_of(n=2):
    rng = np.random.default_rng(0)
    patches = [draw_patch(rng, annotated(i), PATCH, 6.0) for i in range(n)]
    return {name: torch.stack([p[name] for p in patches]) for name in patches[0]}


def test_a_new_generator_is_the_identity():
    batch = batch_of()
    made = Generator(2, 2, (4, 8))(batch["images"], batch["classes"], batch["gate"])
    assert torch.equal(made, batch["images"])


@pytest.mark.parametrize("half", [False, True])
def test_nothing_changes_where_the_gate_is_closed(half):
    batch = batch_of()
    generator = lively_generator()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        made = generator(batch["images"], batch["classes"], batch["gate"])
    assert made.dtype == torch.float32
    closed = (batch["gate"] == 0)[:, None].expand_as(made)
    assert torch.equal(made[closed], batch["images"][closed])
    change = (made - batch["images"]).abs()
    assert change.max() > 0.5
    assert change.max() <= MOST + 1e-4


@pytest.mark.parametrize("spacing", [(4.0, 4.0, 4.0), (3.0, 4.0, 7.0)])
def test_refined_scans_are_the_coarse_ones_beyond_the_reach(spacing):
    scan = annotated(spacing=spacing)
    made = refine(lively_generator(), scan, PATCH, 6.0)
    far = (distance_mm(scan.classes > 0, spacing) >= 6) | ~scan.brain
    assert made.images[:, far].tobytes() == scan.images[:, far].tobytes()
    assert (made.images != scan.images)[:, scan.classes > 0].mean() > 0.9
    np.testing.assert_array_equal(made.classes, scan.classes)
    empty = host()
    assert refine(lively_generator(), empty, PATCH, 6.0) is empty


def test_windows_may_reach_the_grids_end_and_exceed_it():
    scan = annotated(shape=(15, 17, 13), centre=(4, 8, 6), radius_mm=14)
    made = refine(lively_generator(), scan, (32, 16, 16), 6.0)
    assert made.images.shape == scan.images.shape
    assert (made.images != scan.images).any()


def test_both_heads_have_their_shapes():
    discriminator = Discriminator(3, 4, (4, 8, 8))
    realness, kinds = discriminator(torch.zeros(2, 3, 16, 24, 32))
    assert realness.shape == (2, 1, 4, 6, 8)
    assert kinds.shape == (2, 5, 16, 24, 32)


def test_the_unet_gives_what_it_promises():
    network = ResidualUNet(3, 5, (4, 8, 16))
    features = network.encode(torch.randn(1, 3, 16, 8, 12))
    assert [f.shape[1:] for f in features] == [(4, 16, 8, 12), (8, 8, 4, 6), (16, 4, 2, 3)]
    assert network.decode(features).shape == (1, 5, 16, 8, 12)


def test_one_hot_leaves_the_background_out():
    classes = torch.tensor([[[[0, 1, 2]]]])
    hot = one_hot(classes, 3)
    assert hot.shape == (1, 3, 1, 1, 3)
    assert hot[0, :, 0, 0].T.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


# ------------------------------------------------------------------------------ losses


def test_hinges_count_only_what_is_in_focus():
    realness = torch.zeros(1, 1, 2, 2, 2)
    realness[..., 0] = 5.0
    focus = torch.zeros(1, 4, 4, 4)
    focus[..., :2] = 1
    assert losses.hinge_real(realness, focus) == 0
    assert losses.hinge_fake(realness, focus) == 6
    assert losses.hinge_generator(realness, focus) == -5
    assert losses.hinge_real(realness, torch.ones(1, 4, 4, 4)) == pytest.approx(0.5)
    assert losses.hinge_generator(realness, torch.zeros(1, 4, 4, 4)) == 0


def test_segmentation_loss_falls_with_agreement():
    classes = torch.zeros(1, 4, 4, 4, dtype=torch.long)
    classes[0, :2] = 1
    right = 9 * torch.nn.functional.one_hot(classes, 3).movedim(-1, 1).float()
    assert losses.segmentation_loss(right, classes) < 0.01
    assert losses.segmentation_loss(-right, classes) > 5
    nothing = torch.zeros(1, 4, 4, 4, dtype=torch.long)
    background = torch.tensor([9.0, 0, 0]).view(1, 3, 1, 1, 1).expand(1, 3, 4, 4, 4)
    assert losses.segmentation_loss(background, nothing) < 0.01


def test_identity_and_variation_look_inside_the_gate():
    coarse = torch.randn(1, 2, 4, 4, 4)
    gate = torch.zeros(1, 4, 4, 4)
    gate[:, :2] = 1
    refined = coarse + 0.5 * gate[:, None]
    assert losses.identity_loss(refined, coarse, gate) == pytest.approx(0.5**0.5 - 0.5)
    assert losses.identity_loss(coarse, coarse, gate) == 0
    for loss in (losses.identity_loss, losses.variation_loss):  # neither pins it to the identity
        change = (1e-4 * torch.randn_like(coarse)).requires_grad_()
        loss(coarse + change, coarse, gate).backward()
        assert change.grad is not None
        assert change.grad.abs().max() < 1e-3
    smooth = losses.variation_loss(coarse + 0.5, coarse, gate)
    speckle = losses.variation_loss(coarse + 0.5 * torch.randn_like(coarse), coarse, gate)
    assert smooth == pytest.approx(0, abs=1e-6)
    assert speckle > 0.1


# ------------------------------------------------------------- class-wise perceptual guidance


def test_pooling_takes_mean_and_spread_of_each_class():
    classes = torch.zeros(1, 8, 8, 8, dtype=torch.long)
    classes[:, :4], classes[:, 4:6] = 1, 2
    level = torch.zeros(1, 1, 8, 8, 8)
    level[:, :, :4] = 3.0
    level[:, :, 4] = 1.0
    level[:, :, 5] = -1.0
    seen = pooled([level], classes, 3)
    assert seen.values.shape == (1, 3, 2)
    torch.testing.assert_close(
        seen.values[0, :2], torch.tensor([[3.0, 0.01], [0.0, 1.0]]), atol=1e-3, rtol=0
    )
    assert seen.present.tolist() == [[True, True, False]]


def test_the_bank_draws_to_the_nearest_real_lesion_of_the_class():
    here = torch.tensor([True])
    real = [
        Pooled(torch.tensor([[[v, 0.0], [9.0, 9.0]]]), torch.tensor([[True, False]]))
        for v in (0.0, 10.0)
    ]
    bank = Bank.of(real)
    assert [len(v) for v in bank.values] == [2, 0]

    def distance(value):
        return float(
            bank.distance(
                Pooled(torch.tensor([[[value, 0.0], [0.0, 0.0]]]), here[:, None].expand(1, 2))
            )
        )

    # At either real lesion it is least; in between, where their mean lies, it is not.
    assert distance(0.0) == pytest.approx(distance(10.0), abs=1e-3)
    assert distance(5.0) > distance(0.0) + 0.1
    assert distance(30.0) > distance(5.0)
    absent = Pooled(torch.zeros(1, 2, 2), torch.zeros(1, 2, dtype=torch.bool))
    assert bank.distance(absent) == 0


def test_guidance_reaches_the_generator():
    torch.manual_seed(0)
    segmenter = Segmenter(2, 2, (4, 8)).requires_grad_(False)
    batch = batch_of()
    bank = Bank.of([pooled(segmenter.encode(batch["images"]), batch["classes"], 2)])
    generator = Generator(2, 2, (4, 8))
    made = generator(batch["images"] * 0.5, batch["classes"], batch["gate"])
    bank.distance(pooled(segmenter.encode(made), batch["classes"], 2)).backward()
    gradient = generator.network.last.weight.grad
    assert gradient is not None
    assert gradient.abs().max() > 0


# ------------------------------------------------------------------------------ patches


def test_patches_are_centred_on_lesions_and_padded():
    scan = annotated()
    patch = draw_patch(np.random.default_rng(0), scan, (40, 16, 16), 6.0)
    assert patch["images"].shape == (2, 40, 16, 16)
    assert patch["classes"].shape == patch["gate"].shape == (40, 16, 16)
    assert patch["classes"].dtype == torch.int64
    assert (patch["classes"] > 0).any()
    assert (patch["gate"][patch["classes"] > 0] == 1).all()
    assert torch.equal(patch["focus"], patch["gate"])
    assert not patch["images"][:, :5].any()
    free = draw_patch(np.random.default_rng(0), host(), PATCH, 6.0)
    assert not free["gate"].any()
    assert set(free["focus"].unique().tolist()) <= {0.0, 1.0}
    assert free["focus"].any()


def test_every_class_is_met_equally_often():
    scan = annotated(radius_mm=24)
    met = [
        int(draw_patch(np.random.default_rng(i), scan, (1, 1, 1), 6.0)["classes"])
        for i in range(80)
    ]
    assert 25 < met.count(2) < 55  # an eighth of the lesion's voxels


def test_a_steps_patches_follow_from_its_number():
    patches = StepPatches([annotated(0)], [host(1)], [annotated(2)], SLOPPY)
    assert len(patches) == SLOPPY.warm_up + SLOPPY.steps
    one, two = patches[SLOPPY.warm_up], patches[SLOPPY.warm_up]
    assert set(one) == {
        f"{k}_{n}" for k in ("real", "coarse") for n in ("images", "classes", "gate", "focus")
    }
    for name, value in one.items():
        assert torch.equal(value, two[name])
        assert len(value) == SLOPPY.batch * SLOPPY.accumulate
    assert not torch.equal(one["real_images"], patches[SLOPPY.warm_up + 1]["real_images"])
    assert not any(name.startswith("coarse") for name in patches[0])


# ------------------------------------------------------------------------------ realism


def test_descriptions_have_a_row_per_class_and_the_rim():
    rows = describe(annotated(radius_mm=24), 3, 6.0)
    assert rows.shape == (4, 2 * 15)
    assert np.isnan(rows).all(axis=1).tolist() == [False, False, True, False]
    assert rows[0, 2] > rows[3, 2] > rows[1, 2]  # medians: bright, normal, dark
    assert np.isnan(describe(host(), 2, 6.0)).all()


def test_energy_distance_sees_shift_and_collapse():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60, 5))
    same = energy_distance(a, b)
    assert energy_distance(a, a) == pytest.approx(0, abs=1e-12)
    assert energy_distance(a, b + 1) > 5 * same
    assert energy_distance(a, np.repeat(b[:1] * 0, 60, axis=0)) > 5 * same


def test_unbiased_energy_distance_hardly_knows_how_many_there_are():
    rng = np.random.default_rng(0)
    for unbiased, lowest, highest in ((True, -0.05, 0.05), (False, 0.3, np.inf)):
        draws = [rng.normal(size=(n, 5)) for n in (4, 10) * 300]
        pairs = zip(draws[::2], draws[1::2], strict=True)
        mean = np.mean([energy_distance(a, b, unbiased=unbiased) for a, b in pairs])
        assert lowest < mean < highest
    a = rng.normal(size=(1, 5))
    assert energy_distance(a, a + 3, unbiased=True) == pytest.approx(6)


def test_the_distance_prefers_lesions_like_the_real_ones():
    real = [annotated(i, radius_mm=24) for i in range(4)]
    reference = Reference.of(real, real[:1], 2, 6.0)
    near = np.stack([describe(annotated(i, radius_mm=24), 2, 6.0) for i in range(10, 14)])
    pale = [s.with_voxels(s.images * 0.6, s.classes) for s in real]
    far = np.stack([describe(s, 2, 6.0) for s in pale])
    (good, each), (bad, _) = reference.distance(near), reference.distance(far)
    assert good < 0.5 * bad
    assert len(each) == 3
    nothing, parts = reference.distance(np.full_like(near, np.nan))
    assert nothing == float("inf")
    assert parts == (None, None, None)


def test_settings_survive_json():
    import json

    assert GanSettings.from_json(json.loads(json.dumps(SLOPPY.to_json()))) == SLOPPY


@pytest.mark.parametrize("contrasts", [1, 3])
def test_bytes_of_a_step_are_those_of_its_tensors(contrasts):
    settings = GanSettings(patch=(16, 8, 12), batch=2, accumulate=3, warm_up=0, steps=1)
    scans = [annotated(contrasts=contrasts)]
    made = StepPatches(scans, [host(contrasts=contrasts)], scans, settings)[0]
    assert step_bytes(settings, contrasts) == sum(tensor.nbytes for tensor in made.values())
