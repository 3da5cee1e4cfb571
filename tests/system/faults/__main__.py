"""``python -m tests.system.faults FOLDER``: many faults at drawn moments, one after the other.

The demo cohort is segmented once undisturbed, and then once for each fault, which is followed by
the same command again. What was tried is kept in ``FOLDER/faults.json``: given again, the command
goes on where it stopped. It ends with 0 where all were survived. Further arguments are the app's:
with ``--steps preprocess`` it takes minutes. ``--moments`` chooses among the words of the log.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synthtumour_bids.demo.phantom import write_cohort
from synthtumour_bids.errors import EXIT_DONE, EXIT_SOME_FAILED
from tests.system.faults.harness import (
    Fault,
    finish,
    left_over,
    results,
    suffer,
)
from tests.system.faults.kinds import KINDS, Run

# Words of the log, from the first step to the last.
MOMENTS = (
    *("Head template", "Preprocessing 1/", "Preprocessing 3/", "Stage 1 1/", "Stage 1 3/"),
    *("Junior: ", "Junior epoch 1/", "Junior epoch 3/", "Segmenting (junior) 1/"),
    *("Stage 2 2/", "Senior: ", "Senior epoch 1/", "Senior epoch 2/"),
    *("Segmenting (senior) 2/", "Writing segmentations 1/"),
    *("Reporting 2/", "Writing pages 1/"),
)


def plan(count: int, seed: int, moments: Sequence[str]) -> list[Fault]:
    """Draw faults: every kind and every moment at least once where there are enough."""
    kinds = [name for name, kind in KINDS.items() if kind.possible()]
    rng = random.Random(seed)
    drawn = [_shuffled(kinds, count, rng), _shuffled(moments, count, rng)]
    return [Fault(kind, moment) for kind, moment in zip(*drawn, strict=True)]


def _shuffled(words: Sequence[str], count: int, rng: random.Random) -> list[str]:
    return [word for _ in range(-(-count // len(words))) for word in rng.sample(words, len(words))][
        :count
    ]


def new_run(root: Path, place: Path, more: Sequence[str]) -> Run:
    """The command of one run, in a place of its own."""
    bids, out, work = root / "bids", place / "out", place / "work"
    command = [
        *(str(bids), str(out), "participant", "--profile", "sloppy", "--keep-work"),
        *("--work-dir", str(work), "--nprocs", "2", "--skip-bids-validation", *more),
    ]
    return Run(command, out, work, min(bids.glob("sub-tumour*/anat/*_FLAIR.nii.gz")))


def survive(run: Run, fault: Fault, wanted: dict[str, str]) -> dict[str, Any]:
    """Inflict a fault, finish, and tell what was wrong then.

    Networks that learned while a scan was missing stay, as all do when scans come later: with
    ``--retrain`` they are those of the undisturbed run.
    """
    with KINDS[fault.kind].around(run) as prepared:
        try:
            ended = suffer(prepared, fault)
        except AssertionError as error:
            return {"survived": False, "wrong": [str(error).splitlines()[0]]}
        learns = ended.code == EXIT_SOME_FAILED and "--model" not in run.command
        more = ["--retrain"] if learns else []
        code = finish(prepared, *more).code
        made = results(run.out)
        wrong = [
            *([f"rerun ended with {code}"] if code != EXIT_DONE else []),
            *traceback_in(ended.words),
            *([f"orphans {ended.orphans}"] if ended.orphans else []),
            *(f"left {one}" for one in ended.semaphores),
            *(f"left {path}" for path in left_over(run)),
            *(f"differs: {name}" for name in wanted if made.get(name) != wanted[name]),
        ]
    return {"survived": not wrong, "code": ended.code, "wrong": wrong}


def traceback_in(words: str) -> list[str]:
    """The end of a traceback in what a run said, where there is one."""
    _, found, after = words.partition("Traceback")
    return [f"a traceback: {after[-300:]}"] if found else []


def main() -> int:
    """Run what is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--moments", nargs="+", default=MOMENTS, metavar="WORDS")
    options, more = parser.parse_known_args()
    root: Path = options.folder.absolute()
    write_cohort(root, n_tumourfree=3, n_tumour=3, resolution=4.0, seed=options.seed)
    undisturbed = new_run(root, root / "undisturbed", more)
    words = root / "undisturbed.log"
    if not words.is_file():
        shutil.rmtree(root / "undisturbed", ignore_errors=True)
        ended = finish(undisturbed)
        if ended.code != EXIT_DONE:
            print(f"The undisturbed run did not end well.\n{ended.words}", file=sys.stderr)
            return 1
        words.write_text(ended.words)
    wanted = results(undisturbed.out)
    moments = [moment for moment in options.moments if moment in words.read_text()]
    state = root / "faults.json"
    done: list[dict[str, Any]] = json.loads(state.read_text()) if state.is_file() else []
    for number, fault in enumerate(plan(options.count, options.seed, moments)):
        if number < len(done):
            continue
        place = root / f"{number:02d}"
        shutil.rmtree(place, ignore_errors=True)
        run = new_run(root, place, more)
        told = {"kind": fault.kind, "moment": fault.moment, **survive(run, fault, wanted)}
        done.append(told)
        state.write_text(json.dumps(done, indent=2))
        shutil.rmtree(place, ignore_errors=True)
        print(told, flush=True)
    survived = sum(one["survived"] for one in done)
    print(f"{survived} of {len(done)} survived")
    return int(survived < len(done))


if __name__ == "__main__":
    sys.exit(main())
