"""``python -m tests.system.faults FOLDER``: many faults at drawn moments, one after the other.

The demo cohort is segmented once undisturbed, and then once for each fault, which is followed by
the same command again. What was tried is kept in ``FOLDER/faults.json``: given again, the command
goes on where it stopped. It ends with 0 where all were survived.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from synthtumour_bids.demo.phantom import write_cohort
from synthtumour_bids.errors import EXIT_DONE
from tests.system.faults.harness import (
    FAULTS,
    NEED_A_MOUNT,
    Fault,
    Run,
    finish,
    left_over,
    may_mount,
    own_disk,
    results,
    semaphores,
    suffer,
    wait_for,
)

# Words of the log, from the first step to the last.
MOMENTS = (
    *("Head template", "Preprocessing 1/", "Preprocessing 3/", "Stage 1 1/", "Stage 1 3/"),
    *("Junior: ", "Junior epoch 1/", "Junior epoch 3/", "Segmenting (junior) 1/"),
    *("Stage 2 2/", "Senior: ", "Senior epoch 1/", "Senior epoch 2/"),
    *("Segmenting (senior) 2/", "Writing segmentations 1/"),
)


def plan(count: int, seed: int) -> list[Fault]:
    """Draw faults: every kind and every moment at least once where there are enough."""
    kinds = [kind for kind in FAULTS if may_mount() or kind not in NEED_A_MOUNT]
    rng = random.Random(seed)
    drawn = [_shuffled(kinds, count, rng), _shuffled(MOMENTS, count, rng)]
    return [Fault(kind, moment) for kind, moment in zip(*drawn, strict=True)]


def _shuffled(words: Any, count: int, rng: random.Random) -> list[str]:
    return [word for _ in range(-(-count // len(words))) for word in rng.sample(words, len(words))][
        :count
    ]


def new_run(root: Path, place: Path, nprocs: int) -> Run:
    """The command of one run, in a place of its own."""
    bids, out, work = root / "bids", place / "out", place / "work"
    command = [
        *(str(bids), str(out), "participant", "--profile", "sloppy", "--keep-work"),
        *("--work-dir", str(work), "--nprocs", str(nprocs), "--skip-bids-validation"),
    ]
    return Run(command, out, work, min(bids.glob("sub-tumour*/anat/*_FLAIR.nii.gz")))


@contextmanager
def _disk(run: Run, fault: Fault) -> Iterator[None]:
    with own_disk(run.out) if fault.kind in NEED_A_MOUNT else nullcontext():
        yield


def survive(run: Run, fault: Fault, wanted: dict[str, str]) -> dict[str, Any]:
    """Inflict a fault, finish, and tell what was wrong then."""
    before = semaphores()
    with _disk(run, fault):
        try:
            ended = suffer(run, fault)
        except AssertionError as error:
            return {"survived": False, "wrong": [str(error).splitlines()[0]]}
        code = finish(run)
        made = results(run.out)
        wrong = [
            *([f"rerun ended with {code}"] if code != EXIT_DONE else []),
            *(["a traceback"] if "Traceback" in ended.words else []),
            *([f"orphans {ended.orphans}"] if ended.orphans else []),
            *(["semaphores"] if not wait_for(lambda: semaphores() <= before) else []),
            *(f"left {path}" for path in left_over(run)),
            *(f"differs: {name}" for name in wanted if made.get(name) != wanted[name]),
        ]
    return {"survived": not wrong, "code": ended.code, "wrong": wrong}


def main() -> int:
    """Run what is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nprocs", type=int, default=2)
    options = parser.parse_args()
    root: Path = options.folder.absolute()
    write_cohort(root, n_tumourfree=3, n_tumour=3, resolution=4.0, seed=options.seed)
    undisturbed = new_run(root, root / "undisturbed", options.nprocs)
    if finish(undisturbed) != EXIT_DONE:
        print("The undisturbed run did not end well.", file=sys.stderr)
        return 1
    wanted = results(undisturbed.out)
    state = root / "faults.json"
    done: list[dict[str, Any]] = json.loads(state.read_text()) if state.is_file() else []
    for number, fault in enumerate(plan(options.count, options.seed)):
        if number < len(done):
            continue
        place = root / f"{number:02d}"
        shutil.rmtree(place, ignore_errors=True)
        run = new_run(root, place, options.nprocs)
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
