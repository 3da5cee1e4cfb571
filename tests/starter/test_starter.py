from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from synthtumour_bids.errors import EXIT_STOPPED, EXIT_UNAVAILABLE, EXIT_USAGE, UsageError
from synthtumour_bids.files import TEMPORARY_PREFIX
from synthtumour_bids.segmentation.bundle import MEASURED
from synthtumour_bids.segmentation.drawn_cases import DrawnCases
from synthtumour_bids.segmentation.model_card import CARD, ModelCard
from synthtumour_bids.segmentation.presence import Controls
from synthtumour_bids.segmentation.presence_file import read_controls
from synthtumour_bids.segmentation.starters import read_starter
from synthtumour_bids.segmentation.trained_network import read_network
from synthtumour_bids.starter.__main__ import main
from synthtumour_bids.starter.bundle import bundle_starter
from synthtumour_bids.starter.calibration import likeness_of_heads
from synthtumour_bids.starter.heads import heads_folder, load_tissues, read_head, render_heads
from synthtumour_bids.starter.recipe import RESOLUTION, StarterRecipe
from synthtumour_bids.starter.samples import DrawFromHeads, stored_cases
from synthtumour_bids.starter.stamp import STAMP, claim
from synthtumour_bids.starter.train import train_starter
from synthtumour_bids.synthesis.priors import load_priors

SMALL = replace(
    StarterRecipe(),
    n_heads=2,
    n_validation_heads=1,
    n_planning=1,
    n_validation=1,
    n_negative=1,
    n_calibration=1,
    training=replace(
        StarterRecipe().training,
        epochs=2,
        iterations_per_epoch=2,
        batch_size=2,
        patch_size=(16, 16, 16),
        features=(4, 8),
    ),
)


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("heads")
    return render_heads(
        folder, 2, seed=SMALL.seed, purpose="train", resolution=RESOLUTION, nprocs=1
    )


def drawing(heads: list[Path], negatives: float) -> DrawFromHeads:
    priors = load_priors("glioma", "FLAIR")
    return DrawFromHeads(tuple(heads), load_tissues(RESOLUTION), priors, negatives)


def test_heads_are_rendered_once(heads: list[Path]) -> None:
    before = [path.stat().st_mtime_ns for path in heads]
    again = render_heads(
        heads[0].parent, 2, seed=SMALL.seed, purpose="train", resolution=RESOLUTION, nprocs=1
    )
    assert [path.stat().st_mtime_ns for path in again] == before
    host = read_head(heads[0], RESOLUTION, load_tissues(RESOLUTION))
    assert 1000 < np.count_nonzero(host.mask) * 0.008 < 2600
    assert host.image[host.mask].min() > 0


def test_samples_are_drawn_anew_and_the_same_numbers_give_the_same(heads: list[Path]) -> None:
    draw = drawing(heads, negatives=0.0)
    first, second, again = (draw(np.random.default_rng(seed)) for seed in (1, 2, 1))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[1], second[1])
    image, label = drawing(heads, negatives=1.0)(np.random.default_rng(1))
    assert not label.any()
    assert any(np.array_equal(image, np.load(path).astype(np.float32)) for path in heads)


def test_a_drawn_case_is_what_nnunet_would_have_stored(heads: list[Path]) -> None:
    np.random.seed(3)  # noqa: NPY002
    cases = DrawnCases(drawing(heads, negatives=0.0), [1])
    data, seg, _, properties = cases.load_case(cases.identifiers[0])
    assert data.shape == seg.shape
    assert set(np.unique(seg)) == {-1, 0, 1}
    inside = seg >= 0
    assert data[inside].mean() == pytest.approx(0, abs=1e-3)
    assert data[inside].std() == pytest.approx(1, abs=1e-3)
    assert not data[~inside].any()
    voxels = properties["class_locations"][1]
    assert (seg[tuple(voxels.T)] == 1).all()


def test_a_starter_is_trained_and_bundled_and_goes_on_where_it_was(tmp_path: Path) -> None:
    trained = train_starter(SMALL, tmp_path, device="cpu", nprocs=1)
    likeness = likeness_of_heads(trained.folder, SMALL, tmp_path, device="cpu", nprocs=1)
    assert list(likeness) == ["calibration-0000"]
    known = Controls(
        "simulated heads", {f"{n}": n + likeness["calibration-0000"] for n in range(19)}
    )
    bundle = bundle_starter(trained, SMALL, tmp_path, "0.1", known)
    assert read_controls(bundle, read_starter(bundle).card) == known
    assert bundle.name == "starter-flair-2mm-0.1"
    starter = read_starter(bundle)
    assert starter.card.details[MEASURED] is False
    assert starter.card.recipe
    assert "no scan of any person" in starter.about.data
    assert sum(path.stat().st_size for path in bundle.iterdir()) < 10e6
    assert read_network(bundle).weights
    assert starter.card.best_epoch == SMALL.training.epochs
    before = (bundle / CARD).read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelCard, "write", write_if(trained.folder))
        with pytest.raises(OSError, match="full"):
            bundle_starter(trained, SMALL, tmp_path, "0.1", known)
    assert read_starter(bundle).about.version == "0.1"
    assert (bundle / CARD).read_bytes() == before
    assert bundle_starter(trained, SMALL, tmp_path, "0.1") == bundle
    assert (bundle / CARD).read_bytes() != before
    assert not list(tmp_path.glob(f"{TEMPORARY_PREFIX}*"))
    weights = (trained.folder / "fold_0" / "checkpoint_best.pth").stat().st_mtime_ns
    assert train_starter(SMALL, tmp_path, device="cpu", nprocs=1) == trained
    steps = SMALL.steps + SMALL.training.iterations_per_epoch
    longer = replace(SMALL, training=SMALL.training_of(steps))
    with pytest.raises(UsageError, match=f"asks for {steps}. Give --steps {SMALL.steps}, or"):
        train_starter(longer, tmp_path, device="cpu", nprocs=1)
    assert (trained.folder / "fold_0" / "checkpoint_best.pth").stat().st_mtime_ns == weights


def write_if(folder: Path) -> Callable[[ModelCard, Path], Path]:
    """Write cards there alone, as a disk that is full meanwhile."""
    write = ModelCard.write

    def write_or_fail(card: ModelCard, where: Path) -> Path:
        if where != folder:
            raise OSError("full")
        return write(card, where)

    return write_or_fail


def test_a_schedule_has_whole_epochs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert StarterRecipe().training_of(300).epochs == 3
    with pytest.raises(UsageError, match="--steps 250"):
        StarterRecipe().training_of(250)
    assert main(["train", str(tmp_path), "--steps", "0"]) == EXIT_USAGE
    assert main(["train"]) == EXIT_USAGE
    assert "synthtumour-starter train" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--nprocs", "0"], EXIT_USAGE, "--nprocs: must be 1 or more"),
        (["--seed", "-1"], EXIT_USAGE, "--seed: expected a whole number from 0"),
        (["--seed", str(2**63)], EXIT_USAGE, "--seed: expected a whole number from 0"),
        (["--bundle-version", "1.0rc1"], EXIT_USAGE, "--bundle-version '1.0rc1' is not made"),
        (["--device", "tpu"], EXIT_USAGE, "--device: expected auto"),
        (["--device", "cuda:99"], EXIT_UNAVAILABLE, "--device cuda:99 was asked for"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    out = tmp_path / "out"
    assert main(["train", str(out), *arguments]) == code
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_that_is_a_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["train", str(tmp_path / "file")]) == EXIT_USAGE
    assert "which is a file" in capsys.readouterr().err
    assert main(["train", str(tmp_path / "file" / "out")]) == EXIT_USAGE
    assert "cannot be written to" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_stopped_it_says_how_to_go_on(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
) -> None:
    def stopped(*_: object, **__: object) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr("synthtumour_bids.starter.train.train_starter", stopped)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs ignore it
    try:
        assert main(["train", str(tmp_path)]) == EXIT_STOPPED
    finally:
        signal.signal(signal.SIGINT, before)
    assert "run the same command again" in capsys.readouterr().err


HOLD = """
import sys
from pathlib import Path
from synthtumour_bids.execution.locks import exclusive_lock
with exclusive_lock(Path(sys.argv[1]), ""):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_do_not_train_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("synthtumour_bids.starter.train.train_starter", pytest.fail)
    folder, pipe = tmp_path / "{braces}", subprocess.PIPE
    command = [sys.executable, "-c", HOLD, str(folder / ".lock")]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert main(["train", str(folder)]) == EXIT_UNAVAILABLE
    assert f"Another synthtumour-starter (process {other.pid} on" in capsys.readouterr().err


def test_a_folder_is_for_one_starter(heads: list[Path], tmp_path: Path) -> None:
    tissues = load_tissues(RESOLUTION)
    claim(SMALL, tmp_path, tissues)
    claim(SMALL, tmp_path, tissues)
    for change, words in (
        ({"seed": 1}, r"this command asks for glioma in FLAIR images with seed 1 \(seed: not"),
        ({"contrast": "T2w"}, "starter for glioma in FLAIR images with seed 527; .*T2w"),
        ({"lesion": "metastasis"}, "lesion, priors: not the same"),
        ({"n_validation_heads": 3}, "validation heads: not the same"),
    ):
        with pytest.raises(UsageError, match=words):
            claim(replace(SMALL, **change), tmp_path, tissues)
    known = json.loads((tmp_path / STAMP).read_text())
    (tmp_path / STAMP).write_text(json.dumps({**known, "noise": 2}))
    with pytest.raises(UsageError, match=r"\(noise: not the same\)"):
        claim(SMALL, tmp_path, tissues)
    (tmp_path / STAMP).write_text("{")
    with pytest.raises(UsageError, match=r"recipe\.json, .*, cannot be read"):
        claim(SMALL, tmp_path, tissues)


def test_what_a_folder_that_tells_nothing_is_for_is_seen_in_its_files(
    heads: list[Path], tmp_path: Path
) -> None:
    """As of folders that were begun when nothing was written down."""
    tissues = load_tissues(RESOLUTION)
    place = heads_folder(tmp_path)
    shutil.copytree(heads[0].parent, place)
    with pytest.raises(UsageError, match="are not those of a starter for glioma in T2w"):
        claim(replace(SMALL, contrast="T2w"), tmp_path, tissues)
    stored_cases(SMALL, heads, heads[1:], tissues, tmp_path / "cases")
    with pytest.raises(UsageError, match="Name another folder"):  # a head of theirs is missing
        claim(SMALL, tmp_path, tissues)
    shutil.rmtree(tmp_path / "cases")
    [validation] = render_heads(
        place, 1, seed=SMALL.seed, purpose="validation", resolution=RESOLUTION, nprocs=1
    )
    stored_cases(SMALL, heads, [validation], tissues, tmp_path / "cases")
    with pytest.raises(UsageError, match="metastasis"):
        claim(replace(SMALL, lesion="metastasis"), tmp_path, tissues)
    assert not (tmp_path / STAMP).exists()
    claim(SMALL, tmp_path, tissues)
    assert (tmp_path / STAMP).is_file()
