"""Entry point of ``synthtumour-fetch``: gets head templates beforehand, for runs without network.

TemplateFlow's own library finds and downloads the files. It writes them where they shall stay, so
that a download which breaks off leaves half a file that counts as whole the next time; here they
arrive in a folder beside, are read, and are moved when both are whole.
"""

from __future__ import annotations

import difflib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.cli.completion import add_completion
from synthtumour_bids.cli.parser import Parser
from synthtumour_bids.errors import SynthTumourError, UnavailableError, UsageError
from synthtumour_bids.execution.home import settle_home
from synthtumour_bids.files import hash_file
from synthtumour_bids.preprocessing.template_files import (
    HOME_VARIABLE,
    TEMPLATEFLOW_NAMES,
    TemplateFiles,
    find_pair,
    templateflow_home,
)

TIMEOUT_SECONDS = 30


def build_parser() -> Parser:
    """Make the parser of ``synthtumour-fetch``."""
    parser = Parser(
        prog="synthtumour-fetch",
        description=(
            "Downloads head templates from TemplateFlow, so that synthtumour-bids finds them "
            "without a network. Templates that are there already are checked and kept."
        ),
    )
    parser.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help=f"templates, for instance {' '.join(TEMPLATEFLOW_NAMES)}",
    )
    parser.add_argument(
        "--home",
        type=Path,
        default=templateflow_home(),
        metavar="DIR",
        help=f"folder to put them in (default: ${HOME_VARIABLE}, else %(default)s)",
    )
    parser.add_argument(
        "--source",
        metavar="URL",
        help="mirror with TemplateFlow's folders to download from, instead of TemplateFlow's own",
    )
    parser.add_argument("--version", action="version", version=f"synthtumour-fetch {__version__}")
    add_completion(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Fetch templates.

    Returns
    -------
    Exit code: 0 all there, 2 for an unknown name, 69 when one could not be fetched.
    """
    settle_home()
    try:
        options = build_parser().parse_args(argv)
    except UsageError as error:
        print(f"synthtumour-fetch: error: {error}", file=sys.stderr)
        return error.exit_code
    home = options.home.expanduser().absolute()
    worst = 0
    for name in options.names:
        try:
            files = fetch(name.removeprefix("tpl-"), home, options.source)
        except SynthTumourError as error:
            print(f"synthtumour-fetch: error: {error}", file=sys.stderr)
            worst = max(worst, error.exit_code)
            continue
        print(f"{files.name}: whole, in {files.head.parent}")
        for path in (files.head, files.brain):
            print(f"  sha256 {hash_file(path)}  {path.name}")
    if worst == 0 and Path(os.environ.get(HOME_VARIABLE, "")).absolute() != home:
        print(f"Tell synthtumour-bids where they are: export {HOME_VARIABLE}={home}")
    return worst


def fetch(name: str, home: Path, source: str | None = None) -> TemplateFiles:
    """Get the two images of a template, unless they are there and can be read.

    Parameters
    ----------
    name
        TemplateFlow's, without ``tpl-``.
    home
        Folder for ``tpl-<name>/``.
    source
        Base address of a mirror.

    Raises
    ------
    UsageError
        TemplateFlow has no such template, or one without a head and its brain.
    UnavailableError
        The files could not be downloaded, or cannot be read.
    """
    from synthtumour_bids.preprocessing.templates import load_files

    there = _pair_that_is_there(name, home)
    if there is not None:
        load_files(there)
        return there
    try:
        home.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=".tmp-fetch-", dir=home)
    except OSError as error:
        msg = f"The folder {home} (--home) cannot be written to: {error.strerror}."
        raise UnavailableError(msg) from error
    with scratch as folder:
        arrived = _download(name, Path(folder) / "templateflow", source)
        load_files(arrived)
        final = home / f"tpl-{name}"
        final.mkdir(exist_ok=True)
        # The brain last: a template counts as there when both are.
        for path in (arrived.head, arrived.brain):
            path.replace(final / path.name)
        return TemplateFiles(name, final / arrived.head.name, final / arrived.brain.name)


def _pair_that_is_there(name: str, home: Path) -> TemplateFiles | None:
    from synthtumour_bids.preprocessing.template_files import images

    folder = home / f"tpl-{name}"
    pair = find_pair(images(folder)) if folder.is_dir() else None
    return None if pair is None else TemplateFiles(name, *pair)


def _download(name: str, root: Path, source: str | None) -> TemplateFiles:
    """Let TemplateFlow's library fill ``root`` with the two images of a template."""
    with _client(root, source) as client:
        client.cache.ensure()  # its skeleton: an empty file for all that can be fetched
        folder = root / f"tpl-{name}"
        if not folder.is_dir():
            raise UsageError(_unknown(name, root))
        pair = find_pair(sorted(folder.glob("*.nii.gz")))
        if pair is None:
            msg = f"TemplateFlow's {name} has no head with a brain probability or mask."
            raise UsageError(msg)
        for path in root.iterdir():  # the library would list thousands of files
            if path != folder and path.is_dir():
                shutil.rmtree(path)
        for path in folder.iterdir():
            if path.is_file() and path not in pair:
                path.unlink()
        try:
            client.get(name, raise_empty=True)
        except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
            msg = (
                f"{name} could not be downloaded from {client.cache.config.s3_root}: {error}\n"
                "Without a network here, run synthtumour-fetch on a machine that has one, and copy "
                f"its folder tpl-{name} into the folder that {HOME_VARIABLE} names here."
            )
            raise UnavailableError(msg) from error
    return TemplateFiles(name, *pair)


@contextmanager
def _client(root: Path, source: str | None) -> Iterator[Any]:
    before = os.environ.get(HOME_VARIABLE)
    # The library fills the folder of this variable when it is imported.
    os.environ[HOME_VARIABLE] = str(root)
    try:
        from templateflow import TemplateFlowClient

        mirror = {} if source is None else {"s3_root": source.rstrip("/")}
        yield TemplateFlowClient(root, use_datalad=False, timeout=TIMEOUT_SECONDS, **mirror)
    except ImportError as error:
        msg = (
            "synthtumour-fetch needs TemplateFlow: run pip install '.[templates]' in a clone of "
            "the repository, or use the container image."
        )
        raise UnavailableError(msg) from error
    finally:
        if before is None:
            del os.environ[HOME_VARIABLE]
        else:
            os.environ[HOME_VARIABLE] = before


def _unknown(name: str, root: Path) -> str:
    known = sorted(path.name.removeprefix("tpl-") for path in root.glob("tpl-*"))
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    return f"TemplateFlow has no template {name!r}.{meant} It has {', '.join(known)}."


if __name__ == "__main__":
    sys.exit(main())
