"""One scan to work on: where it is, what its name says, what it is good for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from synthtumour_bids.settings import Role


def record_name(dataset: str, scan: str) -> str:
    """Name the records of a scan's masks; scans of further datasets may have the same names.

    Parameters
    ----------
    dataset, scan
        Names of both; see the attributes of :class:`Scan`.
    """
    return scan if dataset == "raw" else f"{dataset}__{scan}"


@dataclass(frozen=True)
class Scan:
    """A FLAIR (or other contrast) image of one subject, session, acquisition and run.

    Attributes
    ----------
    path
        The NIfTI file, as found (symbolic links are not resolved).
    entities
        BIDS entities of the name in their order, short keys: ``(("sub", "01"), ("ses", "2"))``.
    suffix
        BIDS suffix, e.g. ``FLAIR``.
    role
        Tumour, tumour-free, annotated or held out.
    dataset
        Root of the dataset the scan comes from.
    dataset_name
        Its name in BIDS URIs and ``DatasetLinks``: ``raw`` for the main dataset, ``tumourfree``,
        ``tumourfree2``, ... and ``annotated`` for the others.
    contrasts
        Images of further contrasts of the same session.
    contrast
        Which one of these it is, e.g. ``ceT1w``; empty for the scan itself.
    same_as
        Person of another scan that holds the very same image; empty where there is none.
    """

    path: Path
    entities: tuple[tuple[str, str], ...]
    suffix: str
    role: Role
    dataset: Path
    dataset_name: str = "raw"
    contrasts: tuple[Scan, ...] = ()
    contrast: str = ""
    same_as: str = field(default="", compare=False)

    @property
    def subject(self) -> str:
        """Label of the subject, without ``sub-``."""
        return dict(self.entities)["sub"]

    @property
    def session(self) -> str | None:
        """Label of the session, without ``ses-``; ``None`` where there is none."""
        return dict(self.entities).get("ses")

    @property
    def stem(self) -> str:
        """File name without suffix and extension: ``sub-01_ses-2_acq-x``."""
        return "_".join(f"{key}-{value}" for key, value in self.entities)

    @property
    def name(self) -> str:
        """File name without extension: ``sub-01_ses-2_acq-x_FLAIR``."""
        return f"{self.stem}_{self.suffix}"

    @property
    def key(self) -> str:
        """Identifier that is unique over all datasets: ``raw/sub-01_ses-2_acq-x_FLAIR``."""
        return f"{self.dataset_name}/{self.name}"

    @property
    def slug(self) -> str:
        """The key as part of a file name: ``raw__sub-01_ses-2_acq-x_FLAIR``."""
        return f"{self.dataset_name}__{self.name}"

    @property
    def record(self) -> str:
        """What records of its masks are called."""
        return record_name(self.dataset_name, self.name)

    @property
    def person(self) -> str:
        """Who was scanned: two datasets may have a sub-01 each, and one person two labels."""
        return self.same_as or f"{self.dataset_name}/{self.subject}"

    @property
    def uri(self) -> str:
        """BIDS URI of the scan, e.g. ``bids:raw:sub-01/anat/sub-01_FLAIR.nii.gz``."""
        return f"bids:{self.dataset_name}:{self.path.relative_to(self.dataset).as_posix()}"

    def output_root(self, output_dir: Path) -> Path:
        """Root of the derivative dataset that holds what is made of this scan.

        Scans of the main dataset go to ``output_dir`` itself; those of further datasets, whose
        subject labels may be the same, to a nested one.
        """
        if self.dataset_name == "raw":
            return output_dir
        return output_dir / "derivatives" / self.dataset_name
