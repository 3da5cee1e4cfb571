"""What a finished run's senior marks in the tumour-free scans of its cohort, and how it is judged.

The scans were hosts, so this is the best that can be hoped for: those that stay aside
(``--hold-out`` of the app) tell what happens to others. Volumes are on the template grid, after the
comparison with the other side.

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

from synthtumour_bids.cli.parser import parse_settings
from synthtumour_bids.methods.comparison import final_criteria
from synthtumour_bids.methods.judging import judged
from synthtumour_bids.methods.predictions import predict
from synthtumour_bids.methods.registry import method_of_run
from synthtumour_bids.settings import Role
from synthtumour_bids.steps.networks import Networks
from synthtumour_bids.steps.prepare import prepare
from synthtumour_bids.steps.presence import controls_of
from synthtumour_bids.steps.scratch import with_own_work_dir
from synthtumour_bids.synthesis.pseudo_labels import assess
from synthtumour_bids.volumes import load_volume


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    options, more = parser.parse_known_args()
    job = prepare(parse_settings(arguments(options.out, ["--profile", "fast", *more])))
    job = dataclasses.replace(job, settings=with_own_work_dir(job.settings))
    cards = {name: model.card for name, model in job.networks.items()}
    networks = Networks.of(cards, method_of_run(job), job.settings, controls_of(job))
    volumes, verdicts = [], []
    for result in predict(job, job.main_network, job.preprocessed(Role.TUMOURFREE)):
        if result.value is None:
            continue
        image, brain = (
            getattr(job.layout, name)(result.item) for name in ("standard_image", "standard_brain")
        )
        inside, evidence = load_volume(brain).mask, networks.evidence[networks.main]
        found = judged(result.value, image, inside, networks.lesion, evidence, networks.comparison)
        spacing = found.probability.spacing
        criteria = final_criteria(networks.lesion)
        left = assess(
            found.without(found.probability.data), inside, spacing, criteria=criteria
        ).mask
        volumes.append(float(np.count_nonzero(left) * np.prod(spacing)) / 1000)
        verdict = networks.judge(volumes[-1], found.likeness, result.item.person)
        verdicts.append(verdict.present)
        print(f"{result.item.key}: {volumes[-1]:.1f} mL, {verdict.present} (p {verdict.p})")
    few = sum(volume < 1 for volume in volumes)
    print(f"{few} of {len(volumes)} with less than 1 mL, {volumes.count(0.0)} with nothing")
    print(", ".join(f"{verdict} {count}" for verdict, count in Counter(verdicts).items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
