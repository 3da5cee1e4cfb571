"""``synthtumour-dicomseg``: write a mask as a DICOM segmentation object."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from synthtumour_bids import __version__
from synthtumour_bids.cli.completion import add_completion
from synthtumour_bids.cli.parser import Parser
from synthtumour_bids.errors import EXIT_DONE, UnavailableError, UsageError
from synthtumour_bids.execution.ending import exit_code
from synthtumour_bids.execution.streams import say


def build_parser() -> Parser:
    """Make the parser of ``synthtumour-dicomseg``."""
    parser = Parser(
        prog="synthtumour-dicomseg",
        description=(
            "Writes a tumour mask as a DICOM segmentation of the series that its scan was "
            "converted from, coded as a neoplasm of the brain. Nothing is resampled: the mask must "
            "lie on the series' own grid, in any order of the axes."
        ),
    )
    parser.add_argument("mask", type=Path, metavar="MASK", help="NIfTI mask, *_label-L_mask.nii.gz")
    parser.add_argument(
        "series", type=Path, metavar="SERIES_DIR", help="folder of one DICOM series"
    )
    parser.add_argument("output", type=Path, metavar="OUT.dcm", help="DICOM file to write")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    add_completion(parser)
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
    return exit_code("synthtumour-dicomseg", lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    args = build_parser().parse_args(argv)
    _refuse(args.output)
    from synthtumour_bids.dicom.segmentation import write_segmentation

    write_segmentation(args.mask, args.series, args.output)
    say(str(args.output))
    return EXIT_DONE


def _refuse(output: Path) -> None:
    """Raise what would stop the command, before anything is read."""
    if find_spec("highdicom") is None:
        msg = (
            "synthtumour-dicomseg needs highdicom, which is not installed: run pip install "
            "'.[dicom]' in a clone of the repository, or use the container image."
        )
        raise UnavailableError(msg)
    if output.is_dir():
        msg = f"OUT.dcm must be a file; {output} is a folder."
        raise UsageError(msg)


if __name__ == "__main__":
    raise SystemExit(main())
