"""A training starts from a bundle, where that is of its grid and architecture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from synthtumour_bids.segmentation.dataset import build_dataset
from synthtumour_bids.segmentation.initial_weights import can_start_from
from synthtumour_bids.segmentation.trained_network import read_network
from synthtumour_bids.segmentation.training import train
from tests.builders.blob_cases import write_cases
from tests.builders.networks import SHAPE, TRAINING, VOXEL
from tests.builders.starters import write_starter


def test_a_bundle_of_the_same_grid_and_network_is_where_training_starts(
    model: Path, tmp_path: Path
) -> None:
    bundle = write_starter(tmp_path / "more", model)
    cases = write_cases(tmp_path / "cases", 2, 1, shape=SHAPE, voxel=VOXEL)
    still = replace(TRAINING, epochs=1, iterations_per_epoch=1, learning_rate=0.0)
    prepared = build_dataset(
        cases, tmp_path / "work", dataset_id=1, name="same", training=still, n_processes=1
    )
    assert can_start_from(model, prepared)
    assert can_start_from(bundle, prepared)
    train(
        prepared,
        tmp_path / "trained",
        training=still,
        device="cpu",
        seed=1,
        nprocs=1,
        initial_weights=bundle,
    )
    wanted, found = (read_network(folder).weights for folder in (bundle, tmp_path / "trained"))
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)

    wider = replace(still, features=(8, 16, 32))
    other = build_dataset(
        cases, tmp_path / "other", dataset_id=2, name="wider", training=wider, n_processes=1
    )
    assert not can_start_from(bundle, other)
