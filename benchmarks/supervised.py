"""What annotations would have given: the network of profile ``fast``, trained on real ones.

Two networks, each on half of the scans with truth (10 of the development cohort's 20), each tested
on the other half: all scans are tested, none by a network that has seen it. As many steps as the
junior takes, the last averaged weights, no choice of epoch; segmented and scored as the app does.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/cohort.py run OUT --profile fast         # its preprocessing is needed
    python benchmarks/supervised.py OUT RESULTS                # resumes where it stopped
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from cohort import cohort_folder, held_out, truths
from fabrication_cohort import SPLIT_SEED, Member, on_grid, score

from synthtumour_bids.files import write_json
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.dataset import build_dataset
from synthtumour_bids.segmentation.prediction import predict
from synthtumour_bids.segmentation.training import train

PROFILE = PROFILES["fast"]
SEED = 527
# One long epoch: its last, averaged weights are kept, so that nothing selects.
SCHEDULE = replace(
    PROFILE.junior,
    epochs=1,
    iterations_per_epoch=PROFILE.junior.epochs * PROFILE.junior.iterations_per_epoch,
    patience=1,
    min_epochs=1,
)


def run(learnt: list[Member], tested: list[Member], folder: Path) -> dict[str, dict[str, float]]:
    """Train on some scans, test on the others, unless that is done."""
    path = folder / "scores.json"
    if not path.is_file():
        cases = [Case(m.label, m.image, m.truth, validation=False) for m in learnt if m.truth]
        prepared = build_dataset(
            [*cases, replace(cases[0], name="unused", validation=True)],
            folder / "dataset",
            dataset_id=703,
            name="supervised",
            training=SCHEDULE,
            n_processes=2,
        )
        model = folder / "model"
        train(prepared, model, training=SCHEDULE, device="cpu", seed=SEED, nprocs=2)
        images = {member.label: member.image for member in tested}
        maps = dict(predict(model, images, folder / "maps", device="cpu", mirroring=True, nprocs=2))
        write_json(path, {m.label: asdict(score(m, maps[m.label])) for m in tested})
    return json.loads(path.read_text())


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="OUT of cohort.py, preprocessed")
    parser.add_argument("results", type=Path)
    options = parser.parse_args()
    out, results = options.out.absolute(), options.results.absolute()
    masks = truths(cohort_folder())
    order = np.random.default_rng(SPLIT_SEED).permutation(sorted(masks)).tolist()
    members = [
        on_grid(out / "derivatives" / f"sub-{label}" / "anat", results / "scans", masks[label])
        for label in order
    ]
    halves = members[: len(members) // 2], members[len(members) // 2 :]
    scores = {}
    for number, (learnt, tested) in enumerate((halves, halves[::-1])):
        scores |= run(learnt, tested, results / f"fold-{number}")
        print(f"fold {number}: {len(tested)} scans tested", flush=True)
    held = held_out(cohort_folder())
    for title, labels in ((f"all {len(order)}", order), (f"held-out {len(held)}", held)):
        dice = {label: scores[label]["dice"] for label in labels}
        worst = sorted(dice, key=dice.__getitem__)[:3]
        print(
            f"{title}: mean {statistics.mean(dice.values()):.3f}, "
            f"median {statistics.median(dice.values()):.3f}, "
            f"worst {', '.join(f'{label} {dice[label]:.2f}' for label in worst)}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
