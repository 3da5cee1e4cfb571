"""What each further round of seniors gains, on a cohort with known truth (see ``cohort.py``).

One folder is taken from round to round: the app trains the next senior and segments with it, and
what its masks score is noted before the next round replaces them.

    export SYNTHTUMOUR_COHORT=/data/cohort
    python benchmarks/rounds.py run OUT --rounds 3 --profile fast    # resumes where it stopped
    python benchmarks/rounds.py table OUT

The scores of all rounds are in ``OUT/rounds.json``: of each scan by its label, and of the junior.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

import cohort

Scores = dict[str, dict[str, float]]  # Dice of each scan, by round; "0" is the junior


def read_scores(out: Path) -> Scores:
    path = out / "rounds.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def run(out: Path, rounds: int, more: list[str]) -> int:
    for number in range(1, rounds + 1):
        scores = read_scores(out)
        if str(number) in scores:
            continue
        if code := cohort.run(out, [*more, "--rounds", str(number)]):
            return code
        scores.setdefault("0", cohort.scores(out, "label-L_desc-junior_mask"))
        scores[str(number)] = cohort.scores(out, "label-L_mask")
        (out / "rounds.json").write_text(json.dumps(scores, indent=1))
    return table(out)


def table(out: Path) -> int:
    held = set(cohort.held_out(cohort.cohort_folder()))
    print("| senior of round | all: mean | median | held out: mean | median | lowest three |")
    print("|---|---|---|---|---|---|")
    for number, scores in read_scores(out).items():
        columns = []
        for chosen in (list(scores.values()), [v for k, v in scores.items() if k in held]):
            columns += [f"{statistics.mean(chosen):.3f}", f"{statistics.median(chosen):.3f}"]
        worst = sorted(scores.items(), key=lambda item: item[1])[:3]
        columns.append(", ".join(f"{label} {value:.2f}" for label, value in worst))
        print(f"| {'junior' if number == '0' else number} | {' | '.join(columns)} |")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options, more = parser.parse_known_args()
    out = options.out.absolute()
    return table(out) if options.what == "table" else run(out, options.rounds, more)


if __name__ == "__main__":
    sys.exit(main())
