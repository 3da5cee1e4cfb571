"""What a finished run's senior marks in the tumour-free scans of its cohort, and all verdicts.

The tumour-free scans were hosts, so this is the best that can be hoped for: those that stay aside
(``--hold-out`` of the app) tell what happens to others. Volumes are on the template grid, after the
comparison with the other side. The verdict is by the network that the run judges by.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast
    python benchmarks/tumour_free.py OUT
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from cohort import arguments

from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.cli.parser import parse_settings
from synthtumour_bids.job import Job
from synthtumour_bids.methods.comparison import final_criteria
from synthtumour_bids.methods.predictions import predict
from synthtumour_bids.methods.registry import method_of_run
from synthtumour_bids.settings import Role
from synthtumour_bids.steps.networks import Networks
from synthtumour_bids.steps.prepare import prepare
from synthtumour_bids.steps.presence import witness_of
from synthtumour_bids.steps.scratch import with_own_work_dir
from synthtumour_bids.steps.segment import SegmentTask, left_on_template
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.enclosure import add_enclosed
from synthtumour_bids.synthesis.pseudo_labels import assess
from synthtumour_bids.volumes import load_volume


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    options, more = parser.parse_known_args()
    job = prepare(parse_settings(arguments(options.out, ["--profile", "fast", *more])))
    job = dataclasses.replace(job, settings=with_own_work_dir(job.settings))
    cards = {name: model.card for name, model in job.networks.items()}
    networks = Networks.of(cards, method_of_run(job), job.settings, witness_of(job))
    print(f"judged by the {networks.judged}")
    for role in (Role.TUMOURFREE, Role.TUMOUR):
        scans = job.preprocessed(role)
        volumes, verdicts = [], []
        main = predict(job, job.main_network, scans)
        seen = predict(job, job.networks[networks.judged], scans)
        for result, other in zip(main, seen, strict=True):
            if result.value is None or other.value is None:
                continue
            paths = {networks.judged: other.value, networks.main: result.value}
            volume, likeness = marked(job, networks, result.item, paths)
            verdict = networks.judge(volume, likeness, result.item.person)
            volumes.append(volume)
            verdicts.append(verdict.present)
            print(f"{result.item.key}: {volume:.1f} mL, {verdict.present} (p {verdict.p})")
        few = sum(volume < 1 for volume in volumes)
        print(
            f"{role}: {few} of {len(volumes)} with less than 1 mL, {volumes.count(0.0)} with none"
        )
        print(", ".join(f"{verdict} {count}" for verdict, count in Counter(verdicts).items()))
    return 0


def marked(
    job: Job, networks: Networks, scan: Scan, predictions: dict[str, Path]
) -> tuple[float, float]:
    """Volume of the senior's mask, mL, and how much like a tumour the judged one is, mL · SD."""
    record = job.preprocessing(scan)
    assert record is not None
    brain = load_volume(job.layout.standard_brain(scan)).mask
    found = left_on_template(SegmentTask(scan, predictions, record, networks, job.layout), brain)
    main, criteria = found[networks.main], final_criteria(networks.lesion)
    grid = main.probability
    left = assess(main.without(grid.data), brain, grid.spacing, criteria=criteria).mask
    image = Brain(load_volume(job.layout.standard_image(scan)).data, brain, grid.spacing)
    left = add_enclosed(left, image, networks.enclosed, main.territory)
    return float(np.count_nonzero(left) * np.prod(grid.spacing)) / 1000, found[
        networks.judged
    ].likeness


if __name__ == "__main__":
    sys.exit(main())
