"""``synthtumour-starter``: make a starter again, from simulation to the bundle that is shipped."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from synthtumour_bids import __version__
from synthtumour_bids.cli import types
from synthtumour_bids.cli.completion import add_completion
from synthtumour_bids.cli.parser import Parser
from synthtumour_bids.errors import EXIT_DONE, UsageError
from synthtumour_bids.execution.ending import exit_code
from synthtumour_bids.execution.locks import exclusive_lock
from synthtumour_bids.execution.logs import start_logging
from synthtumour_bids.execution.resources import available_cores
from synthtumour_bids.execution.streams import say
from synthtumour_bids.settings import CONTRASTS, LESIONS
from synthtumour_bids.starter.recipe import StarterRecipe

BUSY = (
    "Another synthtumour-starter ({{holder}}) is at work in {folder}. Wait until it has ended, or "
    "name another folder."
)


def build_parser() -> Parser:
    """Make the parser of ``synthtumour-starter``."""
    parser = Parser(
        prog="synthtumour-starter",
        description=(
            "Trains a starter, a network that learns from simulated heads alone, and writes the "
            "bundle that --model starter uses. Stopped, it goes on where it was when the same "
            "command is given again."
        ),
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    add_completion(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train a starter")
    default = StarterRecipe()
    # As it is given: what training goes on with is told by the paths of its files.
    train.add_argument("folder", type=Path, metavar="OUT", help="folder for everything")
    train.add_argument("--lesion", choices=LESIONS, default=default.lesion, help="what to look for")
    train.add_argument(
        "--contrast", choices=CONTRASTS, default=default.contrast, help="images to look at"
    )
    train.add_argument(
        "--seed", type=types.seed, default=default.seed, metavar="S", help="of everything"
    )
    train.add_argument(
        "--steps",
        type=types.positive,
        default=default.steps,
        metavar="N",
        help="training steps, in hundreds",
    )
    train.add_argument("--bundle-version", default="0.1", metavar="V", help="of the bundle")
    train.add_argument(
        "--device", type=types.device, default="auto", help="auto, cuda, cuda:N, mps or cpu"
    )
    train.add_argument(
        "--nprocs", type=types.positive, default=available_cores(), metavar="N", help="cores to use"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv
        Arguments; those of the process if left out.

    Returns
    -------
    int
        The exit code; see docs/outputs.md.
    """
    os.environ["MPLBACKEND"] = "Agg"  # with Jupyter's, Matplotlib cannot be imported elsewhere
    return exit_code("synthtumour-starter", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    recipe = StarterRecipe(lesion=args.lesion, contrast=args.contrast, seed=args.seed)
    recipe = replace(recipe, training=recipe.training_of(args.steps))
    _check(args.folder, args.bundle_version)
    from synthtumour_bids.segmentation.environment import resolve_device
    from synthtumour_bids.starter.bundle import bundle_starter
    from synthtumour_bids.starter.calibration import calibrate_starter
    from synthtumour_bids.starter.known_tumours import calibration_by_tumours
    from synthtumour_bids.starter.train import train_starter

    resolve_device(args.device)
    start_logging()
    with exclusive_lock(args.folder / ".lock", BUSY.format(folder=args.folder)):
        trained = train_starter(recipe, args.folder, device=args.device, nprocs=args.nprocs)
        where = {"device": args.device, "nprocs": args.nprocs}
        controls = calibrate_starter(trained.folder, recipe, args.folder, **where)
        known = calibration_by_tumours(trained.folder, recipe, args.folder, controls, **where)
        version = args.bundle_version
        folder = bundle_starter(trained, recipe, args.folder, version, controls, known)
    say(str(folder))
    return EXIT_DONE


def _check(out: Path, version: str) -> None:
    """Refuse what would come to light after hours.

    Raises
    ------
    UsageError
        The folder cannot be written to, or no bundle has such a version.
    """
    from synthtumour_bids.bids.description import check_writable
    from synthtumour_bids.segmentation.bundle import VERSION

    if out.exists() and not out.is_dir():
        raise UsageError(f"OUT is {out}, which is a file; name a folder.")
    check_writable(out, out)
    if not re.fullmatch(VERSION, version):
        raise UsageError(
            f"--bundle-version {version!r} is not made of numbers with points between them, as "
            "1.0 is."
        )


if __name__ == "__main__":
    raise SystemExit(main())
