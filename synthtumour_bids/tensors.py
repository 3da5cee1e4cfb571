"""Files of torch's that may come from anywhere: tensors and plain values alone, of bounded size."""

from __future__ import annotations

import os
import pickle
import stat
import zipfile
from pathlib import Path
from typing import IO, Any

import torch

MOST_BYTES = 4_000_000_000  # of a file of torch's; a training's state has a tenth of it

# What goes wrong with a file that torch did not write.
_BAD = (
    *(zipfile.BadZipFile, pickle.UnpicklingError, RuntimeError, LookupError),
    *(EOFError, TypeError, AttributeError, OSError),
)


def load_tensors(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Load what `torch.save` wrote; nothing in it is executed.

    Parameters
    ----------
    path
        The file.
    device
        Where the tensors are wanted.

    Raises
    ------
    FileNotFoundError
        When it is not there.
    ValueError
        In one clause: it is no regular file, too large, or holds other things than tensors and
        plain values by their names.
    """
    # A pipe would otherwise be waited for.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        try:
            _check_size(file)
            content = torch.load(file, map_location=device, weights_only=True)
        except _BAD as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{path.name} cannot be loaded ({reason[:200]})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds no values by their names")
    return content


def check_finite(name: str, tensor: torch.Tensor) -> None:
    """Raise `ValueError` where a tensor holds NaN or infinity."""
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} holds values that are not finite")


def _check_size(file: IO[bytes]) -> None:
    """Refuse what would take more memory than the file takes on the disk."""
    told = os.fstat(file.fileno())
    if not stat.S_ISREG(told.st_mode):
        raise ValueError("it is no regular file")
    if told.st_size > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES / 1e9:g} GB")
    with zipfile.ZipFile(file) as archive:
        if any(one.compress_type != zipfile.ZIP_STORED for one in archive.infolist()):
            raise ValueError("its content is compressed, which torch does not do")
    file.seek(0)
