"""Opening a scan's file, with a sentence for each way in which that can fail."""

from __future__ import annotations

import gzip
import logging
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from synthtumour_bids.volumes import HEADER_ERRORS, VOXEL_ERRORS, like_native

GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1 << 20
_LEAST_EXTENSION = 16  # bytes
MAX_BYTES = 16 * 2**30  # far above any head scan, below what a broken header asks for
MOST_CONTENT = 2 * MAX_BYTES  # of a compressed file: an image, and what may stand around it

# Wording of the sentences; tests refer to these.
MISSING = "There is no such file."
BROKEN_LINK = (
    "It is a link to {target}, which is not there. In a DataLad or git-annex dataset, fetch the "
    "content with: datalad get {path}. In a container, the folder the link points into must be "
    "mounted, too."
)
NOT_FETCHED = (
    "It holds not the image but a pointer to its content. Fetch it with: {command} {path}."
)
NOT_A_FILE = "It is no file."
NO_ACCESS = "It cannot be read: {reason}."
EMPTY_FILE = "The file is empty (0 bytes)."
TRUNCATED = "The file is damaged or incomplete ({reason}); copy or convert it again."
NOT_GZIP = "It is named .gz but is not compressed; rename it to .nii, or compress it with gzip."
NOT_NIFTI = "It is not a NIfTI image."
NOT_3D = "It should be 3-D, but has shape {shape}."
NOT_REAL = "Its values are colours or complex numbers; one real number per voxel is needed."
BAD_HEADER = "Its NIfTI header is broken: {reason}."
TOO_LARGE = "Its header asks for {gigabytes:.0f} GB (shape {shape}); the header must be broken."
BOMB = f"It grows beyond {MOST_CONTENT / 2**30:.0f} GB when it is decompressed; it must be broken."


EXTENSION = "a header extension of {size} bytes does not fit into the {room:.0f} before the voxels"
EXTENSION_WITHOUT_ROOM = "it has header extensions, but vox_offset is 0 and leaves no room for them"


class UnreadableError(Exception):
    """A scan's file cannot be read; the message is a sentence for the user."""


class NotFetchedError(UnreadableError):
    """A file stands for content that lies elsewhere."""


@dataclass(frozen=True)
class OpenedScan:
    """A NIfTI file whose voxels are read when they are asked for.

    Attributes
    ----------
    image
        As nibabel understands it.
    zooms
        The three voxel sizes as they stand in the file: nibabel mends those that are not positive.
    """

    image: nib.Nifti1Image
    zooms: tuple[float, float, float]


class _Passed(nib.nifti1.Nifti1Extensions):
    """Header extensions, which nobody here reads; zeros may stand between them and the voxels."""

    @classmethod
    def from_fileobj(cls, fileobj: Any, size: int, byteswap: bool) -> _Passed:
        """Go past extensions of so many bytes in all."""
        if size < 0:
            raise HeaderDataError(EXTENSION_WITHOUT_ROOM)
        kind = np.dtype(np.int32).newbyteorder("S" if byteswap else "=")
        while size >= _LEAST_EXTENSION:
            start = fileobj.read(8)
            if len(start) < 8:  # the file ends: what it lacks is told later
                break
            length = int(np.frombuffer(start, kind)[0])
            if length == 0:
                break
            if not len(start) <= length <= size:
                raise HeaderDataError(EXTENSION.format(size=length, room=size))
            fileobj.read(length - 8)
            size -= length
        return cls()


class _Header1(nib.Nifti1Header):
    """A header without extensions, whose voxels never begin within it."""

    exts_klass = _Passed

    @classmethod
    def from_fileobj(cls, fileobj: Any, endianness: str | None = None, check: bool = True) -> Any:
        """Read it; where it leaves the voxels' place out, they follow it, as NIfTI has it."""
        header: Any = super().from_fileobj(fileobj, endianness, check)  # type: ignore[no-untyped-call]
        if header.get_data_offset() == 0:
            header.set_data_offset(cls.single_vox_offset)
        return header


class _Header2(_Header1, nib.Nifti2Header):
    """The same of NIfTI-2."""


class _Image1(nib.Nifti1Image):
    header_class = _Header1


class _Image2(nib.Nifti2Image):
    header_class = _Header2


def open_scan(path: Path) -> OpenedScan:
    """Open a NIfTI file.

    Parameters
    ----------
    path
        ``.nii`` or ``.nii.gz``, NIfTI-1 or NIfTI-2.

    Raises
    ------
    UnreadableError
        When it is missing, a dangling link, empty, truncated, or no NIfTI image.
    """
    start = _first_bytes(path)
    kinds: tuple[Any, ...] = (_Image1, _Image2)
    kind = next((kind for kind in kinds if kind.header_class.may_contain_header(start)), None)
    if kind is None:
        raise UnreadableError(NOT_NIFTI)
    try:
        with _quiet_nibabel():
            image = kind.from_filename(path)
            raw = kind.header_class(start[: kind.header_class.sizeof_hdr], check=False)
        _settle(image.header)
        proxy: Any = image.dataobj
        offset = int(proxy.offset)
    except HEADER_ERRORS as error:
        raise UnreadableError(BAD_HEADER.format(reason=str(error).rstrip("."))) from error
    size = math.prod(map(float, image.shape)) * image.get_data_dtype().itemsize
    if size > MAX_BYTES:
        shape = "×".join(map(str, image.shape))
        raise UnreadableError(TOO_LARGE.format(gigabytes=size / 2**30, shape=shape))
    content = _check_gzip(path) if path.name.endswith(".gz") else path.stat().st_size
    if content < offset + size:  # before memory is asked for that nothing would fill
        reason = f"it holds {content} of {offset + size:.0f} bytes"
        raise UnreadableError(TRUNCATED.format(reason=reason))
    first, second, third = (float(size) for size in raw["pixdim"][1:4])
    return OpenedScan(image, (first, second, third))


def open_header(path: Path) -> nib.Nifti1Header:
    """Read the header alone.

    Raises
    ------
    UnreadableError
        When there is none.
    """
    start = _first_bytes(path)
    for kind in (nib.Nifti1Image, nib.Nifti2Image):
        if kind.header_class.may_contain_header(start):
            try:
                header = kind.header_class(start[: kind.header_class.sizeof_hdr], check=False)
                header.get_data_shape()  # which a broken one does not have
            except HEADER_ERRORS as error:
                raise UnreadableError(BAD_HEADER.format(reason=error)) from error
            return header
    raise UnreadableError(NOT_NIFTI)


def read_volume(path: Path) -> nib.Nifti1Image:
    """Read a file that was given beside the scans, such as a mask: 3-D, finite, float32.

    Parameters
    ----------
    path
        NIfTI-1 or NIfTI-2; further axes of length 1 are dropped, and what is not finite is 0.

    Raises
    ------
    UnreadableError
        When it cannot be read as a whole, or is no 3-D image of numbers.
    """
    image = open_scan(path).image
    shape = image.shape
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3 or 0 in shape:
        raise UnreadableError(NOT_3D.format(shape="×".join(map(str, image.shape))))
    if image.get_data_dtype().fields is not None or image.get_data_dtype().kind == "c":
        raise UnreadableError(NOT_REAL)
    try:
        values = np.asanyarray(image.dataobj, dtype=np.float32).reshape(shape)
    except VOXEL_ERRORS as error:
        raise UnreadableError(TRUNCATED.format(reason=error)) from error
    try:
        return like_native(np.where(np.isfinite(values), values, 0), image, np.float32)
    except HEADER_ERRORS as error:  # an affine of no numbers
        raise UnreadableError(BAD_HEADER.format(reason=str(error).rstrip("."))) from error


def _settle(header: nib.Nifti1Header) -> None:
    """See to it that whatever is asked of a header later can be answered.

    Raises
    ------
    ValueError
        When it has no such rotation.
    """
    header.get_qform(coded=True)
    try:
        header.get_xyzt_units()
    except KeyError:  # a code that stands for nothing
        header["xyzt_units"] = 0


def _check_gzip(path: Path) -> int:
    """Read to the end: only there stand length and checksum, which image readers never reach.

    Returns
    -------
    Number of bytes it holds.
    """
    content = 0
    try:
        with gzip.open(path) as file:
            while chunk := file.read(_CHUNK):
                content += len(chunk)
                if content > MOST_CONTENT:
                    raise UnreadableError(BOMB)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableError(TRUNCATED.format(reason=error)) from error
    return content


@contextmanager
def _quiet_nibabel() -> Iterator[None]:
    """Silence nibabel's notes of what it mends in a header; the preflight says it in full."""
    logger = logging.getLogger("nibabel.global")
    before = logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _first_bytes(path: Path, n: int = 1024) -> bytes:
    """Read the start of the (uncompressed) content."""
    if path.is_symlink() and not path.exists():
        raise UnreadableError(BROKEN_LINK.format(target=path.readlink(), path=path))
    if not path.exists():
        raise UnreadableError(MISSING)
    if not path.is_file():
        raise UnreadableError(NOT_A_FILE)
    try:
        with path.open("rb") as file:
            start = file.read(n)
    except OSError as error:
        raise UnreadableError(NO_ACCESS.format(reason=error.strerror)) from error
    if not start:
        raise UnreadableError(EMPTY_FILE)
    if start.startswith(b"/annex/objects/"):
        raise NotFetchedError(NOT_FETCHED.format(command="datalad get", path=path))
    if start.startswith(b"version https://git-lfs"):
        raise NotFetchedError(NOT_FETCHED.format(command="git lfs pull --include", path=path))
    if not path.name.endswith(".gz"):
        return start
    if not start.startswith(GZIP_MAGIC):
        raise UnreadableError(NOT_GZIP)
    try:
        with gzip.open(path) as file:
            return file.read(n)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableError(TRUNCATED.format(reason=error)) from error
