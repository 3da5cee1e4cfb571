from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from synthtumour_bids.errors import DataError, StoppedError
from synthtumour_bids.synthesis.fabrication import gan_training, quality
from synthtumour_bids.synthesis.fabrication.coarse import render, sample
from synthtumour_bids.synthesis.fabrication.fabricator import Fabricator
from synthtumour_bids.synthesis.fabrication.gan_curve import CURVE, losses_of, plot_curve
from synthtumour_bids.synthesis.fabrication.gan_settings import SLOPPY
from synthtumour_bids.synthesis.fabrication.gan_state import GanState, best_of
from synthtumour_bids.synthesis.fabrication.gan_training import TrainingData, train
from synthtumour_bids.synthesis.fabrication.lesions import cut_out
from synthtumour_bids.synthesis.fabrication.quality import Scores, judge, report, thresholds_from
from synthtumour_bids.synthesis.seeds import stream
from tests.builders.fabrication_scans import annotated, host


@pytest.fixture(scope="module")
def data() -> TrainingData:
    real = [annotated(i) for i in range(2)]
    hosts = [host(i) for i in range(2)]
    lesions = [cut_out(scan)[0] for scan in real]
    coarse = []
    for index in range(4):
        lesion, scan = lesions[index % 2], hosts[index // 2]
        params = sample(stream(0, "s", None, index=index, purpose="coarse"), scan, lesion)
        coarse.append(render(scan, lesion, params))
    held_out = [annotated(i) for i in (7, 8, 9)]
    return TrainingData(real, held_out, hosts, coarse[:2], coarse[2:], classes=2)


def weights_of(result: Fabricator) -> dict[str, torch.Tensor]:
    networks = (result.generator, result.discriminator, result.segmenter)
    return {f"{n}.{k}": v for n, net in enumerate(networks) for k, v in net.state_dict().items()}


def assert_equal(one: Fabricator, two: Fabricator) -> None:
    assert one.history == two.history
    assert one.best_step == two.best_step
    assert one.thresholds == two.thresholds
    first, second = weights_of(one), weights_of(two)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Fabricator:
    return train(data, SLOPPY, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("after", [1, 3, 4, 6])
def test_a_stopped_training_resumes_to_the_same_result(data, whole, tmp_path, after):
    asked = iter(range(100))
    with pytest.raises(StoppedError, match=f"after step {after}"):
        train(data, SLOPPY, tmp_path, should_stop=lambda: next(asked) == after)
    drawn = [CURVE] if after > 3 else []
    assert sorted(p.name for p in tmp_path.iterdir()) == [gan_training.LATEST, *drawn]
    assert_equal(train(data, SLOPPY, tmp_path), whole)


def test_the_record_is_json_and_the_first_entry_is_the_coarse_samples(data, whole):
    assert json.loads(json.dumps(whole.history)) == list(whole.history)
    steps = [entry["step"] for entry in whole.history]
    assert steps == [3, 5, 7]
    assert all(np.isfinite(entry["distance"]) for entry in whole.history)
    assert {"warm_up"} < set(whole.history[0])
    later = {"adversarial", "segmentation", "perceptual", "identity", "variation"}
    assert later | {"judge_real", "judge_fake", "judge_kinds"} < set(whole.history[1])
    assert len(whole.history[0]["distances"]) == 3
    assert whole.helps == (whole.best_step > 3)


def test_a_training_is_pictured_after_each_evaluation(data, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        gan_training, "plot_curve", lambda history, best, path: drawn.append((len(history), path))
    )
    train(data, SLOPPY, tmp_path)
    assert drawn == [(count, tmp_path / CURVE) for count in (1, 2, 3)]


def test_the_picture_has_every_loss_and_is_whole(whole, tmp_path):
    losses = losses_of(whole.history)
    assert [step for step, _ in losses["warm_up"]] == [3]
    assert [step for step, _ in losses["perceptual"]] == [5, 7]
    assert not {"step", "distance", "distances"} & set(losses)
    for count in (1, 3):
        plot_curve(whole.history[:count], 3, tmp_path / CURVE)
        assert (tmp_path / CURVE).read_bytes().startswith(b"\x89PNG")
        assert [path.name for path in tmp_path.iterdir()] == [CURVE]


def test_a_finished_training_is_read_again(data, whole, tmp_path):
    whole.save(tmp_path / "f.pt", "recipe")
    again = Fabricator.load(tmp_path / "f.pt")
    assert again is not None
    assert_equal(again, whole)
    assert Fabricator.load(tmp_path / "f.pt", recipe="another") is None
    first = train(data, replace(SLOPPY, steps=2), tmp_path)
    stamp = (tmp_path / gan_training.FINAL).stat().st_mtime_ns
    assert_equal(train(data, replace(SLOPPY, steps=2), tmp_path), first)
    assert (tmp_path / gan_training.FINAL).stat().st_mtime_ns == stamp
    # Other settings train anew.
    assert len(train(data, SLOPPY, tmp_path).history) == 3


def test_workers_change_nothing(data, whole, tmp_path):
    state = torch.random.get_rng_state()
    made = train(data, replace(SLOPPY, workers=1), tmp_path)
    assert torch.equal(torch.random.get_rng_state(), state)
    for name, value in weights_of(made).items():
        assert torch.equal(value, weights_of(whole)[name])


def test_another_seed_trains_another_network(data, whole, tmp_path):
    made = train(data, replace(SLOPPY, seed=1), tmp_path)
    assert made.history != whole.history


def test_training_changes_every_network_and_freezes_the_segmenter(data, tmp_path):
    state = GanState(2, 2, SLOPPY, torch.device("cpu"))
    before = {n: [p.clone() for p in net.parameters()] for n, net in state.networks.items()}
    settings = replace(SLOPPY, steps=1, evaluate_every=1)
    train(data, settings, tmp_path)
    saved = torch.load(tmp_path / gan_training.LATEST, weights_only=True)
    after = GanState(2, 2, settings, torch.device("cpu"))
    assert after.load(tmp_path / gan_training.LATEST, saved["recipe"])
    for name, network in after.networks.items():
        changed = [
            not torch.equal(a, b) for a, b in zip(before[name], network.parameters(), strict=True)
        ]
        assert any(changed), name
    long = tmp_path / "long"
    train(data, replace(SLOPPY, steps=4), long)
    later = torch.load(long / gan_training.LATEST, weights_only=True)
    for name, value in saved["networks"]["segmenter"].items():
        assert torch.equal(value, later["networks"]["segmenter"][name])


def test_patience_ends_a_training_and_the_best_is_kept(data, tmp_path, monkeypatch):
    distances = iter([1.0, 0.5, 0.8, 0.7, 0.1])
    every, told = (len(data.coarse_held_out), len(data.real_held_out)), [0.0]

    def distance(reference, samples):
        if (len(samples), len(reference.lesions)) == every:  # and not with one left out
            told[0] = next(distances)
        return told[0], (None, None, None)

    monkeypatch.setattr(gan_training.Reference, "distance", distance)
    settings = replace(SLOPPY, steps=50, evaluate_every=1, patience=2)
    made = train(data, settings, tmp_path)
    assert [entry["distance"] for entry in made.history] == [1.0, 0.5, 0.8, 0.7]
    assert made.best_step == 4
    assert made.helps


@pytest.mark.parametrize("left_out", ["without_one", "without_lesion"])
def test_refinement_must_come_nearer_by_more_than_chance(left_out):
    """Among the samples that are refined, and among the real lesions they are compared with."""
    coarse = {"step": 0, "distance": 1.0, left_out: [0.9, 1.0, 1.1, 1.0]}
    alike = {"step": 1, "distance": 0.9, left_out: [0.8, 0.9, 1.0, 0.9]}
    by_one = {"step": 1, "distance": 0.9, left_out: [0.9, 1.0, 1.1, 0.6]}
    assert best_of([coarse, alike]) == 1, "all come nearer alike"
    assert best_of([coarse, by_one]) == 0, "without one of them nothing is gained"
    assert best_of([coarse, by_one, {**alike, "step": 2, "distance": 0.95}]) == 2
    before = {"step": 1, "distance": 0.99}
    assert best_of([{"step": 0, "distance": 1.0}, before]) == 1, "as it was before"


def test_by_one_real_lesion_nothing_can_be_told(data, tmp_path):
    alone = replace(data, real_held_out=data.real_held_out[:1])
    made = train(alone, SLOPPY, tmp_path)
    assert [entry["without_lesion"] for entry in made.history] == [[], [], []]
    nearer = [{**entry, "distance": -entry["step"]} for entry in made.history]
    assert best_of(nearer) == made.best_step == SLOPPY.warm_up
    assert not made.helps


def test_evaluations_of_before_are_not_mixed_with_those_of_today(data, tmp_path, caplog):
    asked = iter(range(100))
    with pytest.raises(StoppedError):
        train(data, SLOPPY, tmp_path, should_stop=lambda: next(asked) == 4)
    latest = tmp_path / gan_training.LATEST
    saved = torch.load(latest, weights_only=True)
    torch.save({**saved, "recipe": json.loads(saved["recipe"])[0]}, latest)
    train(data, SLOPPY, tmp_path)
    assert "of other data or settings: training starts anew" in caplog.text


def test_distances_that_are_not_known_tell_nothing():
    coarse = {"step": 0, "distance": np.inf, "without_lesion": [np.inf, 1.0, 1.0]}
    refined = {"step": 1, "distance": 0.5, "without_lesion": [0.5, 0.5, 0.5]}
    assert best_of([coarse, refined]) == 0


def test_what_a_gan_of_before_kept_stays_kept(whole, tmp_path):
    """However its evaluations would be judged today."""
    step = whole.history[-1]["step"]
    replace(whole, best_step=step).save(tmp_path / "f.pt")
    again = Fabricator.load(tmp_path / "f.pt")
    assert again is not None
    assert again.best_step == step != whole.best_step
    replace(whole, best_step=step + 1).save(tmp_path / "f.pt")
    assert Fabricator.load(tmp_path / "f.pt") is None


def test_missing_data_and_unknown_classes_are_named(data, tmp_path):
    for name in ("real", "real_held_out", "coarse", "coarse_held_out"):
        with pytest.raises(DataError, match=r"TF-GAN needs at least one .* found none"):
            train(replace(data, **{name: []}), SLOPPY, tmp_path)
    with pytest.raises(DataError, match="holds class 2"):
        train(replace(data, classes=1), SLOPPY, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_generator_learns_to_brighten_pale_lesions(data, tmp_path):
    """Coarse lesions that are too pale come nearer to real ones; the criterion sees it."""
    pale = [
        scan.with_voxels(
            np.where(scan.classes > 0, 0.3 * scan.images, scan.images).astype(np.float32),
            scan.classes,
        )
        for scan in data.real
    ]
    settings = replace(
        SLOPPY,
        warm_up=20,
        steps=40,
        evaluate_every=20,
        generator_rate=5e-3,
        discriminator_rate=1e-3,
        segmenter_rate=5e-3,
        average=0.8,
    )
    made = train(replace(data, coarse=pale, coarse_held_out=pale), settings, tmp_path)
    assert made.helps
    first, best = made.history[0]["distance"], min(e["distance"] for e in made.history)
    assert best < 0.9 * first
    refined = made.refine(pale[0])
    rim = pale[0].classes == 1
    assert refined.images[:, rim].mean() > pale[0].images[:, rim].mean() + 0.3
    # The discriminator never saw a coarse sample: refined ones are held against refined ones.
    realness = [made.judge(made.refine(scan)).scores.realness for scan in pale]
    assert made.thresholds.realness <= np.quantile(realness, 0.25) + 1e-6


# ------------------------------------------------------------------------------ quality


@given(values=st.lists(st.integers(-50, 50), min_size=2, max_size=60))
def test_of_real_lesions_few_fall_below_what_the_others_ask_for(values: list[int]) -> None:
    """Each in turn is the new one; as they are exchangeable, this is the chance of the next."""
    scores = [Scores(v, v / 10, v / 100) for v in values]
    below = sum(
        not judge(one, thresholds_from([*scores[:index], *scores[index + 1 :]])).accepted
        for index, one in enumerate(scores)
    )
    assert below <= max(0.05 * len(scores), 1)


def test_thresholds_are_low_scores_of_real_lesions():
    real = [Scores(v, v / 10, v / 100) for v in range(100)]
    assert thresholds_from(real, 0.05) == Scores(4, 0.4, 0.04)
    assert thresholds_from(real[:18]) == thresholds_from(real[:2]) == Scores(0, 0, 0)
    for wrong, level in (([], 0.05), (real, 2.0), (real, 1.0)):
        with pytest.raises(ValueError, match="Thresholds need"):
            thresholds_from(wrong, level)


def test_where_few_lesions_are_held_out_most_refined_samples_pass():
    refined = [Scores(v, 0.8, 0.5) for v in (-5.0, -4.0, -3.0, -2.0, -1.0)]
    found = thresholds_from([Scores(1.0, 0.7, 0.9)], refined=refined)
    assert found == Scores(-4.0, 0.7, 0.5)


def test_verdicts_name_their_reasons_and_add_up():
    least = Scores(0.0, 0.5, 0.5)
    verdicts = [
        judge(scores, least)
        for scores in (
            Scores(1.0, 0.9, 0.9),
            Scores(-1.0, 0.9, 0.4),
            Scores(1.0, 0.9, 0.4),
            Scores(float("nan"), 0.9, 0.9),
        )
    ]
    assert [v.accepted for v in verdicts] == [True, False, False, False]
    assert verdicts[1].reasons == ("realness", "segmentation")
    total = report(verdicts, least)
    assert (total.judged, total.dropped, total.rate) == (4, 3, 0.75)
    assert total.reasons == {"realness": 2, "segmentation": 2}
    assert total.thresholds == least
    assert report([], least).rate == 0
    assert judge(Scores(-9.0, 0.0, 0.0), quality.ACCEPT_ALL).accepted


def test_real_lesions_of_the_thresholds_pass(data, whole):
    verdict = whole.judge(data.real_held_out[0])
    assert verdict.accepted
    again = whole.judge(data.real_held_out[0])
    assert again == verdict
    with pytest.raises(ValueError, match="no lesion to score"):
        whole.score(data.hosts[0])
    with pytest.raises(ValueError, match="trained on 2"):
        whole.refine(annotated(contrasts=1))
