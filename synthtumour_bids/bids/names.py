"""File names: what a source's name says, and how everything made from it is called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from synthtumour_bids.bids.scan import Scan

# Order of the entities in a file name, from the BIDS schema (1.11); `from`, `to` and `mode` of
# transforms stand last.
ENTITY_ORDER = (
    *("sub", "tpl", "ses", "cohort", "sample", "task", "tracksys", "acq", "nuc", "voi", "ce"),
    *("trc", "stain", "rec", "dir", "run", "mod", "echo", "flip", "inv", "mt", "part", "proc"),
    *("hemi", "space", "split", "recording", "chunk", "atlas", "seg", "scale", "res", "den"),
    *("label", "desc", "from", "to", "mode"),
)

# A name with one of these was computed from a scan; it is no scan.
DERIVATIVE_ENTITIES = frozenset(
    ("space", "atlas", "seg", "scale", "res", "den", "label", "desc", "from", "to", "mode")
)

IMAGE_EXTENSIONS = (".nii.gz", ".nii")

# Suffixes of the scans of each contrast, the preferred one first.
CONTRAST_SUFFIXES = {
    "FLAIR": ("FLAIR",),
    "T1w": ("T1w",),
    "T2w": ("T2w",),
    "DWI": ("trace", "dwi"),
}
DWI_SUFFIXES = frozenset(CONTRAST_SUFFIXES["DWI"])

_ENTITY = re.compile(r"([a-z]+)-([A-Za-z0-9+]+)")
_LABEL = re.compile(r"[A-Za-z0-9+]+")
_SUFFIX = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True)
class ParsedName:
    """The parts of a BIDS file name; entities as short keys in the order they stand in."""

    entities: tuple[tuple[str, str], ...]
    suffix: str
    extension: str

    @property
    def subject(self) -> str:
        """Label of the subject, without ``sub-``."""
        return dict(self.entities)["sub"]

    @property
    def is_derivative(self) -> bool:
        """Whether an entity says that the file was computed from a scan."""
        return any(key in DERIVATIVE_ENTITIES for key, _ in self.entities)


def parse_name(name: str) -> ParsedName | None:
    """Take a file name apart.

    Parameters
    ----------
    name
        File name without folder.

    Returns
    -------
    ``None`` where the name is no BIDS name: an unknown, repeated or misplaced entity, no subject,
    or a part that is not ``key-value``.

    Examples
    --------
    >>> parse_name("sub-01_ses-2_FLAIR.nii.gz").entities
    (('sub', '01'), ('ses', '2'))
    """
    stem, dot, extension = name.partition(".")
    *parts, suffix = stem.split("_")
    if not _SUFFIX.fullmatch(suffix):
        return None
    entities = []
    for part in parts:
        match = _ENTITY.fullmatch(part)
        if match is None or match[1] not in ENTITY_ORDER:
            return None
        entities.append((match[1], match[2]))
    ranks = [ENTITY_ORDER.index(key) for key, _ in entities]
    if not entities or entities[0][0] != "sub":
        return None
    if ranks != sorted(set(ranks)):
        return None
    return ParsedName(tuple(entities), suffix, dot + extension)


def datatype(suffix: str) -> str:
    """Folder that scans with this suffix lie in: ``anat`` or ``dwi``."""
    return "dwi" if suffix in DWI_SUFFIXES else "anat"


def derivative_name(
    scan: Scan,
    *,
    space: str | None = None,
    res: str | None = None,
    label: str | None = None,
    desc: str | None = None,
    suffix: str,
    extension: str = ".nii.gz",
) -> str:
    """Name of something made from a scan.

    All entities of the scan are kept, so that two scans of one subject never share a name.

    Parameters
    ----------
    scan
        The source.
    space, res, label, desc
        Values of these entities; ``None`` leaves the entity out.
    suffix, extension
        Such as ``mask`` and ``.nii.gz``.

    Raises
    ------
    ValueError
        When a value has other characters than letters and digits, such as ``res="0.5"``.

    Examples
    --------
    >>> from synthtumour_bids.settings import Role
    >>> scan = Scan(Path(), (("sub", "01"), ("run", "2")), "FLAIR", Role.TUMOUR, Path())
    >>> derivative_name(scan, space="MNI152NLin2009aSym", res="1", label="L", suffix="mask")
    'sub-01_run-2_space-MNI152NLin2009aSym_res-1_label-L_mask.nii.gz'
    """
    added = {"space": space, "res": res, "label": label, "desc": desc}
    entities = dict(scan.entities) | {key: value for key, value in added.items() if value}
    return _join(entities, suffix, extension)


def derivative_path(
    scan: Scan,
    output_dir: Path,
    *,
    space: str | None = None,
    res: str | None = None,
    label: str | None = None,
    desc: str | None = None,
    suffix: str,
    extension: str = ".nii.gz",
) -> Path:
    """Path of something made from a scan: its name in ``derivative_folder``."""
    name = derivative_name(
        scan, space=space, res=res, label=label, desc=desc, suffix=suffix, extension=extension
    )
    return derivative_folder(scan, output_dir) / name


def derivative_folder(scan: Scan, output_dir: Path) -> Path:
    """Folder of what is made from a scan: ``sub-X[/ses-Y]/anat``, ``dwi`` for diffusion scans."""
    folder = scan.output_root(output_dir) / f"sub-{scan.subject}"
    if scan.session is not None:
        folder /= f"ses-{scan.session}"
    return folder / datatype(scan.suffix)


def transform_name(scan: Scan, *, to: str) -> str:
    """Name of the affine transform from a scan to another space.

    Examples
    --------
    >>> from synthtumour_bids.settings import Role
    >>> scan = Scan(Path(), (("sub", "01"), ("run", "2")), "FLAIR", Role.TUMOUR, Path())
    >>> transform_name(scan, to="MNI152NLin2009aSym")
    'sub-01_run-2_from-FLAIR_to-MNI152NLin2009aSym_mode-image_xfm.mat'
    """
    entities = dict(scan.entities) | {"from": scan.suffix, "to": to, "mode": "image"}
    return _join(entities, "xfm", ".mat")


def deformation_names(scan: Scan, space: str) -> tuple[str, str]:
    """Names of the deformable transforms from a scan to a standard space, and back.

    Examples
    --------
    >>> from synthtumour_bids.settings import Role
    >>> scan = Scan(Path(), (("sub", "01"),), "FLAIR", Role.TUMOUR, Path())
    >>> deformation_names(scan, "MNI152NLin6Asym")[0]
    'sub-01_desc-deformable_from-FLAIR_to-MNI152NLin6Asym_mode-image_xfm.h5'
    """
    own = dict(scan.entities) | {"desc": "deformable", "mode": "image"}
    forth, back = (
        _join(own | {"from": one, "to": other}, "xfm", ".h5")
        for one, other in ((scan.suffix, space), (space, scan.suffix))
    )
    return forth, back


def group_name(*, space: str, res: str, desc: str, suffix: str, extension: str = ".nii.gz") -> str:
    """Name of an image of the whole cohort.

    Examples
    --------
    >>> group_name(space="MNI152NLin2009aSym", res="2", desc="frequency", suffix="probseg")
    'group_space-MNI152NLin2009aSym_res-2_desc-frequency_probseg.nii.gz'
    """
    return f"group_{_join({'space': space, 'res': res, 'desc': desc}, suffix, extension)}"


def _join(entities: dict[str, str], suffix: str, extension: str) -> str:
    for key, value in entities.items():
        if not _LABEL.fullmatch(value):
            msg = f"{key}-{value} cannot be part of a BIDS name: letters and digits only."
            raise ValueError(msg)
    ordered = sorted(entities, key=ENTITY_ORDER.index)
    return "_".join([*(f"{key}-{entities[key]}" for key in ordered), suffix]) + extension
