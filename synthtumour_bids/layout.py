"""Where everything lies: every path of the output folder and of the work folder, by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from synthtumour_bids.bids.names import (
    deformation_names,
    derivative_folder,
    derivative_path,
    group_name,
    transform_name,
)
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.settings import TEMPLATE

T1W_SPACE = "T1w"  # the grid of the T1w image that goes with a scan
HALFWAY = "halfway"  # the space between a participant's sessions


class Network(StrEnum):
    """The networks that a run trains, in their order."""

    JUNIOR = "junior"
    SENIOR = "senior"


class Scratch(StrEnum):
    """Folders of the work folder; whatever the app leaves there lies in one of them."""

    SIMULATED = "simulated"
    STAGE_ONE = "stage_one"
    STAGE_TWO = "stage_two"
    FABRICATION = "fabrication"
    PSEUDO_LABELS = "pseudo_labels"
    HEALTHY_HALVES = "healthy_halves"
    NNUNET = "nnunet"
    PREDICTIONS = "predictions"
    STAMPS = "logs/stamps"  # what of the others is done


@dataclass(frozen=True)
class Layout:
    """The folders of one run.

    Attributes
    ----------
    output_dir
        The derivative dataset.
    work_dir
        Scratch data of this output alone.
    resolution
        Voxel size of the template grid, mm.
    """

    output_dir: Path
    work_dir: Path
    resolution: float

    # ------------------------------------------------------------------ images of a scan

    @property
    def template_entities(self) -> dict[str, str]:
        """Entities of images on the template grid."""
        return {"space": TEMPLATE, "res": f"{self.resolution:g}"}

    def native(self, scan: Scan, **names: str) -> Path:
        """Path of a derivative on the scan's own grid."""
        return derivative_path(scan, self.output_dir, **names)

    def standard(self, scan: Scan, **names: str) -> Path:
        """Path of a derivative on the template grid."""
        return derivative_path(scan, self.output_dir, **self.template_entities, **names)

    def native_image(self, scan: Scan) -> Path:
        """Bias-corrected scan on its own grid."""
        return self.native(scan, desc="preproc", suffix=scan.suffix)

    def native_brain(self, scan: Scan) -> Path:
        """Brain mask on the scan's own grid."""
        return self.native(scan, desc="brain", suffix="mask")

    def standard_image(self, scan: Scan) -> Path:
        """Skull-stripped image on the template grid."""
        return self.standard(scan, desc="preproc", suffix=scan.suffix)

    def standard_contrast(self, scan: Scan, other: Scan) -> Path:
        """Path of a further contrast on the template grid, named after the scan it goes with."""
        return self.standard(scan, desc=f"preproc{other.contrast}", suffix=other.suffix)

    def standard_images(self, scan: Scan) -> tuple[Path, ...]:
        """The image and its further contrasts on the template grid."""
        others = (self.standard_contrast(scan, other) for other in scan.contrasts)
        return (self.standard_image(scan), *others)

    def standard_brain(self, scan: Scan) -> Path:
        """Brain mask on the template grid."""
        return self.standard(scan, desc="brain", suffix="mask")

    def standard_annotation(self, scan: Scan) -> Path:
        """Class image of an annotated scan on the template grid, with the annotation's values."""
        return self.standard(scan, desc="annotation", suffix="dseg")

    def correction(self, scan: Scan) -> Path:
        """Tumour mask that a person has corrected, on the template grid."""
        return self.standard(scan, label="L", desc="corrected", suffix="mask")

    def halfway_image(self, scan: Scan) -> Path:
        """The scan half-way between its participant's sessions."""
        return self.native(scan, space=HALFWAY, desc="preproc", suffix=scan.suffix)

    def halfway_change(self, scan: Scan) -> Path:
        """What became of the tumour since the session before."""
        return self.native(scan, space=HALFWAY, desc="change", suffix="dseg")

    def in_t1w(self, scan: Scan, **names: str) -> Path:
        """Path of a derivative on the grid of the T1w image that goes with the scan."""
        return derivative_path(scan, self.output_dir, space=T1W_SPACE, **names)

    def twin(self, scan: Scan) -> Path:
        """The scan with its tumour replaced by tissue that could have been there."""
        return self.native(scan, desc="filled", suffix=scan.suffix)

    def twin_in_t1w(self, scan: Scan) -> Path:
        """The T1w image that goes with the scan, likewise."""
        return self.in_t1w(scan, desc="filled", suffix="T1w")

    def in_standard(self, scan: Scan, space: str, resolution: float, suffix: str) -> Path:
        """Path of a tumour mask or probability in a standard space that the brain was bent for.

        In the networks' own space the plain name is that of the affine result.
        """
        names = {"desc": "deformable"} if space == TEMPLATE else {}
        return derivative_path(
            scan,
            self.output_dir,
            space=space,
            res=f"{resolution:g}",
            label="L",
            suffix=suffix,
            **names,
        )

    def deformation(self, scan: Scan, space: str) -> tuple[Path, Path]:
        """Transforms that bend the scan's brain into a standard space, and back."""
        folder = derivative_folder(scan, self.output_dir)
        forth, back = deformation_names(scan, space)
        return folder / forth, folder / back

    def transform(self, scan: Scan, to: str = TEMPLATE) -> Path:
        """Affine transform from the scan to the template, or to another space."""
        folder = derivative_folder(scan, self.output_dir)
        return folder / transform_name(scan, to=to)

    # ------------------------------------------------------------------ reports

    def dataset_root(self, dataset_name: str) -> Path:
        """Root of the derivative dataset of a source dataset, by the name of the latter."""
        if dataset_name == "raw":
            return self.output_dir
        return self.output_dir / "derivatives" / dataset_name

    def page(self, dataset_name: str, subject: str) -> Path:
        """Report of a participant."""
        return self.dataset_root(dataset_name) / f"sub-{subject}.html"

    def page_part(self, dataset_name: str, subject: str, desc: str) -> Path:
        """Part of a participant's report that is about no single scan."""
        folder = self.dataset_root(dataset_name) / f"sub-{subject}" / "figures"
        return folder / f"sub-{subject}_desc-{desc}_report.html"

    def figure(self, scan: Scan, desc: str, extension: str = ".html") -> Path:
        """Part of a participant's report that is about a scan; pictures are ``.svg``."""
        folder = self.dataset_root(scan.dataset_name) / f"sub-{scan.subject}" / "figures"
        return folder / f"{scan.stem}_desc-{desc}_{scan.suffix}{extension}"

    @property
    def viewer_library(self) -> Path:
        """The script that draws the interactive views of all scans."""
        return self.output_dir / "figures" / "niivue.umd.js"

    @property
    def lesion_roi_dir(self) -> Path:
        """Dataset of lesion masks for other tools, unless the user names another place."""
        return self.output_dir / "derivatives" / "lesion-roi"

    @property
    def group_page(self) -> Path:
        """Report of all participants."""
        return self.output_dir / "group.html"

    def group_image(self, **names: str) -> Path:
        """Path of an image of the cohort on the template grid."""
        return self.output_dir / group_name(**self.template_entities, **names)

    # ------------------------------------------------------------------ records

    @property
    def logs(self) -> Path:
        """Logs of all runs, and the records that runs leave for one another."""
        return self.output_dir / "logs"

    @property
    def methods_text(self) -> Path:
        """How the results were made, ready to be copied into a paper."""
        return self.logs / "CITATION.md"

    def result(self, scan: Scan) -> Path:
        """Measurements of a scan's segmentation."""
        return self.logs / "results" / f"{scan.record}.json"

    def scores(self, record: str) -> Path:
        """Agreement of a scan's segmentation with its truth; goes with the segmentation."""
        return self.logs / "scores" / f"{record}.json"

    def location(self, record: str) -> Path:
        """Size and place of a scan's lesion; goes with the segmentation."""
        return self.logs / "locations" / f"{record}.json"

    @property
    def changes(self) -> Path:
        """Folder of the records of change between sessions."""
        return self.logs / "changes"

    def change(self, subject: str) -> Path:
        """Change of a participant's tumour between sessions; goes with any of the masks."""
        return self.changes / f"sub-{subject}.json"

    # ------------------------------------------------------------------ networks

    @property
    def models(self) -> Path:
        """The networks trained in this output folder."""
        return self.output_dir / "models"

    def network(self, network: Network) -> Path:
        """Folder of a network trained in this output folder."""
        return self.models / network

    @property
    def rounds(self) -> Path:
        """Rooms of the rounds after the first, and of the seniors that a later one has replaced."""
        return self.models / "rounds"

    def round(self, number: int) -> Path:
        """Where a round's senior lies unless it is the last one that is finished."""
        return self.rounds / str(number)

    @property
    def fabricator(self) -> Path:
        """The GAN of fabrication, and the record of all its samples."""
        return self.models / "fabricator"

    @property
    def training_page(self) -> Path:
        """Report of the networks and of what they learned from."""
        return self.models / "report.html"

    def training_figure(self, name: str) -> Path:
        """Picture of that report."""
        return self.models / "figures" / f"{name}.svg"

    def training_record(self, name: str) -> Path:
        """What that report says of the pictures of one kind."""
        return self.models / "figures" / f"{name}.json"

    # ------------------------------------------------------------------ scratch data

    def scratch(self, folder: Scratch, *more: str) -> Path:
        """Folder for scratch data; whoever writes there makes it."""
        return self.work_dir.joinpath(folder, *more)


def pseudo_label_table(models: Path) -> Path:
    """Table of all pseudo-labels and what their quality control said, in a models folder."""
    return models / "pseudo_labels.tsv"


def class_table(image: Path) -> Path:
    """Table of the classes of a class image, beside it."""
    return image.with_name(image.name.partition(".")[0] + ".tsv")
