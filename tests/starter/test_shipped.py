"""The starters that the package has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

import synthtumour_bids
from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.segmentation.bundle import MEASURED, NOT_MEASURED
from synthtumour_bids.segmentation.bundle_writing import bundle_name
from synthtumour_bids.segmentation.model_card import CARD
from synthtumour_bids.segmentation.prediction import predict
from synthtumour_bids.segmentation.presence import FEWEST_PERSONS
from synthtumour_bids.segmentation.presence_file import read_controls
from synthtumour_bids.segmentation.starters import read_starter
from synthtumour_bids.segmentation.trained_network import read_network
from synthtumour_bids.starter.heads import load_tissues, read_head, render_heads
from synthtumour_bids.starter.recipe import RESOLUTION
from synthtumour_bids.synthesis.geometry import Mask
from synthtumour_bids.volumes import template_image

SHIPPED = Path(synthtumour_bids.__file__).parent / "starters"
BUNDLES = sorted(path for path in SHIPPED.iterdir() if path.is_dir())


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_a_shipped_starter_is_whole(bundle: Path) -> None:
    starter = read_starter(bundle)
    assert bundle.name == bundle_name(starter.card, starter.about.version)
    assert sum(path.stat().st_size for path in bundle.iterdir()) < 10e6
    assert all(torch.isfinite(weight).all() for weight in read_network(bundle).weights.values())
    controls = read_controls(bundle, starter.card)
    assert controls is not None
    assert len(controls.likeness) >= FEWEST_PERSONS
    assert all(figure.command.startswith("synthtumour-starter") for figure in starter.about.figures)


def test_what_was_measured_on_real_scans_says_so(tmp_path: Path) -> None:
    measured = [bundle.name for bundle in BUNDLES if read_starter(bundle).about.measured]
    assert measured == ["starter-flair-2mm-0.1"]
    for bundle in BUNDLES:
        content = json.loads((bundle / CARD).read_text())
        assert content[MEASURED] is (NOT_MEASURED not in content["Limits"])
        # Output folders have copies of the card from before it said so.
        copy = shutil.copytree(bundle, tmp_path / bundle.name)
        del content[MEASURED]
        (copy / CARD).write_text(json.dumps(content))
        assert read_starter(copy).about.measured is (bundle.name in measured)
        (copy / CARD).write_text(json.dumps({**content, MEASURED: "yes"}))
        with pytest.raises(UnavailableError, match="MeasuredOnRealScans is 'yes', neither true"):
            read_starter(copy)


def test_there_is_one_for_glioma_in_flair() -> None:
    assert any(starter.fits("FLAIR", "glioma") for starter in map(read_starter, BUNDLES))


def test_it_finds_bright_tumours_in_heads_that_it_has_not_seen(tmp_path: Path) -> None:
    """A seed of its own: not the starter's, nor the demo's."""
    tissues, grid = load_tissues(RESOLUTION), standard_brain(RESOLUTION)
    heads = render_heads(tmp_path, 2, seed=11, purpose="unseen", resolution=RESOLUTION, nprocs=1)
    images, truth = {}, {}
    for head in heads:
        host = read_head(head, RESOLUTION, tissues)
        ball = bright_ball(host.mask, (-30.0, 0.0, 20.0), 18.0)
        image = host.image + np.where(ball, np.float32(1.2) * np.float32(host.normal), 0)
        images[head.stem] = tmp_path / f"{head.stem}.nii"
        write_image(images[head.stem], template_image(image.astype(np.float32), grid.affine), {})
        truth[head.stem] = ball
    fitting = [path for path in BUNDLES if read_starter(path).fits("FLAIR", "glioma")]
    bundle = max(fitting, key=lambda path: read_starter(path).about.order)
    found = predict(bundle, images, tmp_path / "found", device="cpu", mirroring=True, nprocs=1)
    for name, path in found.items():
        mask = nib.load(path).get_fdata() > 0.5
        overlap = 2 * np.count_nonzero(mask & truth[name])
        assert overlap / (np.count_nonzero(mask) + np.count_nonzero(truth[name])) > 0.5


def bright_ball(mask: Mask, centre: tuple[float, float, float], radius: float) -> Mask:
    """Voxels of the brain in a ball around a point of the template, mm."""
    affine = standard_brain(RESOLUTION).affine
    grid = np.indices(mask.shape).reshape(3, -1)
    away = np.linalg.norm(nib.affines.apply_affine(affine, grid.T) - np.array(centre), axis=1)
    return mask & (away.reshape(mask.shape) < radius)
