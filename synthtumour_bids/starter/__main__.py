"""``synthtumour-starter``: make a starter again, from simulation to the bundle that is shipped."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from synthtumour_bids import __version__
from synthtumour_bids.cli.completion import add_completion
from synthtumour_bids.cli.parser import Parser
from synthtumour_bids.errors import StoppedError, SynthTumourError
from synthtumour_bids.execution.resources import available_cores
from synthtumour_bids.ingredients.mix import INGREDIENTS, in_order
from synthtumour_bids.settings import CONTRASTS, LESIONS
from synthtumour_bids.starter.recipe import StarterRecipe


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
    train.add_argument("folder", type=Path, metavar="OUT", help="folder for everything")
    train.add_argument("--lesion", choices=LESIONS, default=default.lesion, help="what to look for")
    train.add_argument(
        "--contrast", choices=CONTRASTS, default=default.contrast, help="images to look at"
    )
    train.add_argument("--seed", type=int, default=default.seed, metavar="S", help="of everything")
    train.add_argument(
        "--steps", type=int, default=default.steps, metavar="N", help="training steps, in hundreds"
    )
    train.add_argument(
        "--ingredients",
        nargs="+",
        choices=INGREDIENTS,
        default=list(default.ingredients),
        metavar="NAME",
        help=f"what samples have beside a tumour (default: nothing): {', '.join(INGREDIENTS)}",
    )
    train.add_argument("--bundle-version", default="0.1", metavar="V", help="of the bundle")
    train.add_argument("--device", default="auto", help="auto, cuda, cuda:N, mps or cpu")
    train.add_argument(
        "--nprocs", type=int, default=available_cores(), metavar="N", help="cores to use"
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
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    try:
        args = build_parser().parse_args(argv)
        recipe = StarterRecipe(
            lesion=args.lesion,
            contrast=args.contrast,
            seed=args.seed,
            ingredients=in_order(args.ingredients),
        )
        recipe = replace(recipe, training=recipe.training_of(args.steps))
        from synthtumour_bids.starter.bundle import bundle_starter
        from synthtumour_bids.starter.calibration import calibrate_starter
        from synthtumour_bids.starter.train import train_starter

        trained = train_starter(recipe, args.folder, device=args.device, nprocs=args.nprocs)
        calibration = calibrate_starter(
            trained.folder, recipe, args.folder, device=args.device, nprocs=args.nprocs
        )
        bundle = bundle_starter(trained, recipe, args.folder, args.bundle_version, calibration)
    except (SynthTumourError, StoppedError) as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(bundle)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
