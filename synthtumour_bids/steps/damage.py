"""Outputs of a scan that cannot be read any more: named, and made again by the next run."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from synthtumour_bids.bids.derivatives import sidecar_path
from synthtumour_bids.bids.names import IMAGE_EXTENSIONS
from synthtumour_bids.errors import DataError
from synthtumour_bids.files import read_json
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.preprocessing.reading import NotFetchedError, UnreadableError, read_volume
from synthtumour_bids.volumes import HEADER_ERRORS

TRANSFORM_EXTENSIONS = (".mat", ".h5")
DAMAGED = (
    "The output {path} cannot be read any more. {reason} What made it counts as not done now: a "
    "run of its participant with all steps (without --steps and --reports-only) makes it again."
)


@contextmanager
def naming_damage(ledger: Ledger, key: str, paths: Iterable[Path] = ()) -> Iterator[None]:
    """Tell which output of a scan is damaged, where the block fails at reading one.

    The stamps of all steps that made such an output are cleared, so that it is made again.

    Parameters
    ----------
    ledger
        Of the output folder.
    key
        Of the scan.
    paths
        Outputs that the block reads, whether they have a stamp or not.

    Raises
    ------
    DataError
        Naming the first of them. Where there is none, or the disk has failed, the block's own
        exception goes on.
    """
    try:
        yield
    except (*HEADER_ERRORS, RuntimeError, zlib.error) as error:
        if _is_of_machine(error):
            raise
        damaged = _damaged(paths)
        for step in ledger.steps_of(key):
            stamp = ledger.read(step, key)
            outputs = stamp.outputs if stamp else ()
            if found := _damaged(ledger.output_dir / name for name in outputs):
                ledger.clear(step, key)
                damaged |= found
        if not damaged:
            raise
        path, reason = next(iter(damaged.items()))
        raise DataError(DAMAGED.format(path=path, reason=reason)) from error


def _damaged(paths: Iterable[Path]) -> dict[Path, str]:
    """Files that cannot be read, sidecars among them, with a sentence on each."""
    files = [path for path in paths if path.is_file()]
    images = [path for path in files if path.name.endswith(IMAGE_EXTENSIONS)]
    sidecars = [path for path in map(sidecar_path, images) if path.is_file()]
    problems = {path: _problem(path) for path in [*files, *sidecars]}
    return {path: problem for path, problem in problems.items() if problem}


def _problem(path: Path) -> str:
    try:
        path.read_bytes()
    except (OSError, MemoryError):
        return ""  # disk or memory failed, which says nothing of what the file holds
    if path.suffix == ".json":
        return "" if read_json(path) is not None else "It holds no JSON object."
    if path.suffix in TRANSFORM_EXTENSIONS:
        import SimpleITK as sitk

        try:
            sitk.ReadTransform(str(path))
        except RuntimeError:
            return "It holds no transform."
    if path.name.endswith(IMAGE_EXTENSIONS):
        try:
            read_volume(path)
        except (NotFetchedError, MemoryError):
            return ""
        except UnreadableError as error:
            return "" if _is_of_machine(error.__cause__) else "It holds no whole image."
    return ""


def _is_of_machine(error: BaseException | None) -> bool:
    """Whether disk or memory failed, which says nothing of what a file holds."""
    of_disk = isinstance(error, OSError) and error.errno is not None
    return of_disk or isinstance(error, MemoryError)
