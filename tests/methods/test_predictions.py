"""Which maps of the work folder are taken for what a network says of a scan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from synthtumour_bids.job import Job
from synthtumour_bids.layout import Network
from synthtumour_bids.methods.predictions import predict
from synthtumour_bids.segmentation.prediction import Prediction
from tests.builders.jobs import make_job, mark_preprocessed, with_settings, write_network


def test_a_map_of_another_work_folder_is_not_that_of_the_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted: list[str] = []

    def iter_predict(
        _: Path, images: Mapping[str, Any], folder: Path, **__: Any
    ) -> Iterator[Prediction]:
        for name in images:
            predicted.append(name)
            path = folder / f"{name}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("a map")
            yield Prediction(name, path)

    monkeypatch.setattr("synthtumour_bids.segmentation.prediction.iter_predict", iter_predict)
    job = make_job(tmp_path)
    other = with_settings(job, work_dir=tmp_path / "other")
    write_network(job.layout.network(Network.JUNIOR), Network.JUNIOR)
    (scan, *_) = job.selected()

    def ask(run: Job, preprocessing: str) -> int:
        before = len(predicted)
        mark_preprocessed(run, scan, fingerprint=preprocessing)
        (result,) = predict(run, run.model(Network.JUNIOR), [scan])
        assert result.value is not None
        assert result.value.is_relative_to(run.settings.work_dir)
        return len(predicted) - before

    assert ask(job, "before") == 1
    assert ask(job, "before") == 0
    assert ask(other, "replaced") == 1
    assert ask(job, "replaced") == 1
    assert ask(job, "replaced") == 0
    assert ask(other, "replaced") == 0
