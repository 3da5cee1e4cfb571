"""Where the norm of people without a tumour lies: beside the networks of a run."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from synthtumour_bids.errors import UnavailableError
from synthtumour_bids.files import replacing, write_json
from synthtumour_bids.safe_files import read_file, read_json
from synthtumour_bids.segmentation.checked_values import number, text, whole
from synthtumour_bids.segmentation.norm import FEWEST_PEOPLE, REACH_MM, Norm
from synthtumour_bids.segmentation.other_side_rules import OtherSide
from synthtumour_bids.volumes import HEADER_ERRORS, VOXEL_ERRORS, hash_values, template_image

NORM, ABOUT = "norm.nii", "norm.json"  # in a models folder; voxels uncompressed: of a known size
MOST_BYTES = 200_000_000
MOST_PEOPLE = 1_000_000
LONGEST_HASH = 64


@dataclass(frozen=True)
class StoredNorm:
    """A norm that can be loaded.

    Attributes
    ----------
    folder
        Of the networks that it lies beside.
    people
        How many it is made of.
    content
        Hash of its grid and voxels.
    """

    folder: Path
    people: int
    content: str

    def load(self) -> Norm:
        """Read its voxels.

        Raises
        ------
        UnavailableError
            When they cannot be read, or are not those that `find_norm` told of.
        """
        try:
            image = nib.Nifti1Image.from_bytes(read_file(self.folder, NORM, MOST_BYTES))
            values = len(image.shape) == 3 and image.get_data_dtype() == np.float32
            if not values or 4 * np.prod(image.shape, dtype=float) > MOST_BYTES:
                raise ValueError(f"{NORM} is no volume of float32 of at most {MOST_BYTES} bytes")
            if not (np.isfinite(image.affine).all() and np.linalg.det(image.affine)):
                raise ValueError(f"{NORM} lies nowhere: its affine is {image.affine.tolist()}")
            if _content(image) != self.content:
                raise ValueError(f"{NORM} is not the image that {ABOUT} tells of")
            highest = np.asanyarray(image.dataobj, dtype=np.float32)
        except (*HEADER_ERRORS, *VOXEL_ERRORS) as error:
            raise _unusable(self.folder, error) from error
        known = np.where(np.isnan(highest), -np.inf, highest).astype(np.float32)
        return Norm(known, image.affine, self.people)


def write_norm(models: Path, norm: Norm, rules: OtherSide, network: str) -> list[Path]:
    """Write a norm, with NaN where nobody has brain; return its files.

    Parameters
    ----------
    models
        Folder of the networks.
    norm
        To write.
    rules
        That its brightness was smoothed by.
    network
        Fingerprint of the senior that these people taught.
    """
    outside = np.isneginf(norm.highest)
    image = template_image(np.where(outside, np.nan, norm.highest).astype(np.float32), norm.affine)
    about = {
        "Description": "Largest brightness of people without a tumour within "
        f"{REACH_MM:g} mm of each place and of its mirrored place, over the brain's median",
        "Units": "robust standard deviations of the brain",
        "Network": network,
        "Persons": norm.people,
        "SmoothingMM": rules.smoothing_mm,
        "Sign": rules.sign,
        "Content": _content(image),
    }
    # Never gone in between: other jobs may write the same, or read it.
    with replacing(models / NORM) as temporary:
        nib.save(image, temporary)
    write_json(models / ABOUT, about)
    return [models / NORM, models / ABOUT]


def find_norm(models: Path, rules: OtherSide | None, network: str) -> StoredNorm | None:
    """Find the norm beside networks.

    Parameters
    ----------
    models
        Folder of the networks.
    rules
        By which masks are compared; ``None``: not at all.
    network
        Fingerprint of the network whose masks are compared.

    Returns
    -------
    ``None`` where there is none for these rules and this network.

    Raises
    ------
    UnavailableError
        When it cannot be used.
    """
    if rules is None or not (models / ABOUT).is_file():
        return None
    try:
        about = read_json(models, ABOUT)
        smoothing = number(about.get("SmoothingMM"), "SmoothingMM", 0, 100)
        sign = whole(about.get("Sign"), "Sign", -1, 1)
        people = whole(about.get("Persons"), "Persons", FEWEST_PEOPLE, MOST_PEOPLE)
        content = text(about.get("Content"), "Content", LONGEST_HASH)
        known = text(about.get("Network"), "Network", LONGEST_HASH)
    except ValueError as error:
        raise _unusable(models, error) from error
    if (sign, smoothing, known) != (rules.sign, rules.smoothing_mm, network):
        return None
    return StoredNorm(models, people, content)


def _content(image: nib.Nifti1Image) -> str:
    digest = hashlib.sha256(np.asarray(image.affine, np.float64).tobytes())
    digest.update(hash_values(image).encode())
    return digest.hexdigest()[:16]


def _unusable(models: Path, error: Exception) -> UnavailableError:
    reason = str(error).partition("\n")[0]
    return UnavailableError(
        f"How bright people without a tumour are cannot be told from {models / NORM} ({reason}). "
        f"Copy it and {ABOUT} again from where they came, or remove both: without them nothing is "
        "compared with such people."
    )
