"""``synthtumour-demo``: simulate a small cohort, segment a scan at once, then learn from all."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from synthtumour_bids import __version__
from synthtumour_bids.cli.completion import add_completion
from synthtumour_bids.demo.words import closing_words
from synthtumour_bids.errors import EXIT_STOPPED, UsageError
from synthtumour_bids.execution.ending import exit_code
from synthtumour_bids.execution.resources import available_cores
from synthtumour_bids.execution.streams import say
from synthtumour_bids.profiles import PROFILES

SEED = 20  # not that of the starters, which would know the heads
FOLLOWED = 1  # more people with a tumour, who come back when it has grown
WITH_T1W = 2  # of those with a tumour


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of ``synthtumour-demo``."""
    parser = argparse.ArgumentParser(
        prog="synthtumour-demo",
        description=(
            "Simulates FLAIR scans of heads with and without tumours as a BIDS dataset, segments "
            "one of them at once with the starter, runs the whole method of synthtumour-bids on "
            "all, and tells where the masks are and how well they agree with the simulated truth. "
            "Needs neither data nor network nor GPU."
        ),
        epilog="What follows -- is handed to the run on all, e.g. -- --device cpu -v.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="OUT", help="folder for everything")
    parser.add_argument(
        "--profile", choices=tuple(PROFILES), default="sloppy", help="accuracy or time"
    )
    parser.add_argument(
        "--n-tumourfree", type=_count, default=8, metavar="N", help="heads without tumour"
    )
    parser.add_argument(
        "--n-tumour", type=_count, default=5, metavar="N", help="heads with a tumour"
    )
    parser.add_argument("--seed", type=int, default=SEED, metavar="S", help="seed of everything")
    parser.add_argument(
        "--resolution", type=_size, default=2.0, metavar="MM", help="voxel size of the scans"
    )
    parser.add_argument(
        "--nprocs", type=_count, default=available_cores(), metavar="N", help="cores to use"
    )
    parser.add_argument(
        "--cohort-only", action="store_true", help="write the cohort and segment nothing"
    )
    parser.add_argument("--version", action="version", version=f"synthtumour-demo {__version__}")
    add_completion(parser)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        msg = f"must be 1 or more, found {number}"
        raise argparse.ArgumentTypeError(msg)
    return number


def _size(text: str) -> float:
    number = float(text)
    if not 1 <= number <= 6:
        msg = f"must be between 1 and 6 mm, found {text}"
        raise argparse.ArgumentTypeError(msg)
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo.

    Parameters
    ----------
    argv
        Arguments without the program's name; those of the process where left out.

    Returns
    -------
    Exit code of the app; see :mod:`synthtumour_bids.errors`.
    """
    return exit_code("synthtumour-demo", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    arguments = list(sys.argv[1:] if argv is None else argv)
    more: list[str] = []
    if "--" in arguments:
        more = arguments[arguments.index("--") + 1 :]
        arguments = arguments[: arguments.index("--")]
    options = build_parser().parse_args(arguments)
    from synthtumour_bids.demo.first_mask import segment_at_once, stripped_patient
    from synthtumour_bids.demo.phantom import write_cohort
    from synthtumour_bids.execution.logs import end_logging, start_logging
    from synthtumour_bids.segmentation.starters import starter_for

    if options.folder.exists() and not options.folder.is_dir():
        raise UsageError(f"FOLDER is {options.folder}, which is a file; name a folder.")
    start_logging()
    cohort = write_cohort(
        options.folder,
        n_tumourfree=options.n_tumourfree,
        n_tumour=options.n_tumour,
        resolution=options.resolution,
        seed=options.seed,
        nprocs=options.nprocs,
        n_followed=FOLLOWED,
        n_t1w=WITH_T1W,
    )
    starter = None if options.cohort_only else starter_for("FLAIR", "glioma")
    end_logging()
    say(f"Cohort:       {cohort.bids_dir}  (truth: {cohort.truth_dir})")
    if options.cohort_only:
        return 0

    first = 0
    label = stripped_patient(cohort.bids_dir)
    if label is not None and starter is not None:
        first = segment_at_once(cohort, label, options.folder, options.nprocs)
    if first == EXIT_STOPPED:
        return first

    from synthtumour_bids.__main__ import main as app

    output = options.folder / "segmentations"
    command = [
        *(str(cohort.bids_dir), str(output), "participant"),
        *("--truth", str(cohort.truth_dir), "--work-dir", str(options.folder / "work")),
        *("--profile", options.profile, "--seed", str(options.seed)),
        *(() if "--model" in more else ("--junior", "train")),  # both stages are to be seen
        *("--nprocs", str(options.nprocs), *more),
    ]
    say(f"Running:      synthtumour-bids {' '.join(command)}")
    code = app(command)
    without = build_parser().parse_args([str(options.folder), "--nprocs", str(options.nprocs)])
    say(closing_words(output, usual=options == without and not more))
    return code or first


if __name__ == "__main__":
    sys.exit(main())
