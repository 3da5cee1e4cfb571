"""What every stage-1 sample can be made from again; it stays with the models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job
from synthtumour_bids.methods.label_free.stage_one_samples import SHIFTED, Sample


def keep_parameters(job: Job, samples: Sequence[Sample]) -> None:
    """Keep the samples' parameters; scratch data are removed."""
    sidecars = {s.name: s.image.with_suffix(".json").read_text(encoding="utf-8") for s in samples}
    content = {name: json.loads(text) for name, text in sorted(sidecars.items())}
    write_json(_file(job), content)


def shifted_hosts(job: Job) -> set[str]:
    """Whose brains the shifted-validation samples were drawn into, as their sidecars tell."""
    path = _file(job)
    drawn = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {one["Host"] for name, one in drawn.items() if name.startswith(SHIFTED)}


def _file(job: Job) -> Path:
    return job.layout.models / "stage_one.json"
