"""Turn synthetic cases into a dataset that nnU-Net can train on: plans, split, preprocessing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.errors import DataError
from synthtumour_bids.files import write_text
from synthtumour_bids.profiles import Training
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.segmentation.environment import nnunet_environment
from synthtumour_bids.segmentation.plans import PLANS_NAME, adapt_plans
from synthtumour_bids.segmentation.stored_cases import store_cases

FINGERPRINT_CASES = 32  # all cases lie on one grid, a sample of them says enough for planning
FINGERPRINT_VOXELS = 10_000  # tumour voxels sampled per case
WHOLE_TUMOUR = ("tumour",)


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset that is ready for `training.train`.

    Attributes
    ----------
    folder
        Base of nnU-Net's raw, preprocessed and results folders.
    name
        nnU-Net's name, ``DatasetNNN_<name>``.
    train, validation
        Names of the cases, sorted.
    recipe
        Hash of everything the dataset was made from.
    """

    folder: Path
    name: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    recipe: str

    @property
    def preprocessed(self) -> Path:
        """Folder of the plans, the split and the preprocessed cases."""
        return self.folder / "nnUNet_preprocessed" / self.name

    def plans(self) -> dict[str, Any]:
        """Read nnU-Net's plans."""
        values: dict[str, Any] = json.loads(
            (self.preprocessed / f"{PLANS_NAME}.json").read_text("utf-8")
        )
        return values

    def dataset_json(self) -> dict[str, Any]:
        """Read nnU-Net's description of channels and labels."""
        values: dict[str, Any] = json.loads((self.preprocessed / "dataset.json").read_text("utf-8"))
        return values


def build_dataset(
    cases: Iterable[Case],
    folder: Path,
    *,
    dataset_id: int,
    name: str,
    training: Training,
    n_processes: int,
    classes: Sequence[str] = WHOLE_TUMOUR,
) -> PreparedDataset:
    """Plan and preprocess a dataset for nnU-Net; what an earlier call finished is kept.

    Intensities are z-scored with the mean and the standard deviation of the nonzero voxels, and
    stay 0 outside them (nnU-Net's ``ZScoreNormalization`` with ``use_mask_for_norm``), whatever
    share of the grid the brain fills. The images are not copied; nnU-Net reads them in place.

    Parameters
    ----------
    cases
        Cases of one grid; at least one to train and one to validate with.
    folder
        Working folder of this dataset alone.
    dataset_id, name
        Give nnU-Net's ``DatasetNNN_<name>``.
    training
        Its ``patch_size``, ``features`` and ``batch_size`` replace what nnU-Net plans.
    n_processes
        Processes for preprocessing.
    classes
        Names of the labels 1 ...

    Raises
    ------
    DataError
        No training or no validation case, a label beyond the classes, or cases of several grids
        or with different numbers of contrasts.
    """
    ordered = sorted(cases, key=lambda case: case.name)
    _check(ordered)
    recipe = _recipe(ordered, training, classes)
    prepared = PreparedDataset(
        folder=folder,
        name=f"Dataset{dataset_id:03d}_{name}",
        train=tuple(c.name for c in ordered if not c.validation),
        validation=tuple(c.name for c in ordered if c.validation),
        recipe=recipe,
    )
    stamp = prepared.preprocessed / "recipe.txt"
    if stamp.is_file() and stamp.read_text("utf-8") == recipe:
        return prepared
    stamp.unlink(missing_ok=True)
    prepared.preprocessed.mkdir(parents=True, exist_ok=True)
    with nnunet_environment(folder, n_processes=n_processes):
        _describe(ordered, prepared, classes)
        plans = _plan(ordered, prepared, training)
        store_cases(
            {case.name: (case.images, case.label) for case in ordered},
            prepared.preprocessed,
            plans,
            prepared.dataset_json(),
            n_processes=n_processes,
        )
    # nnU-Net draws from this list, so a case that stands in it twice is drawn twice as often.
    drawn = [c.name for c in ordered if not c.validation for _ in range(c.times)]
    split = [{"train": drawn, "val": list(prepared.validation)}]
    _write_json(prepared.preprocessed / "splits_final.json", split)
    write_text(stamp, recipe)
    return prepared


def _check(cases: Sequence[Case]) -> None:
    n_validation = sum(case.validation for case in cases)
    n_train = len(cases) - n_validation
    if not n_train or not n_validation:
        raise DataError(
            f"A network needs cases to train with and shifted cases to select the epoch with, but "
            f"there are {n_train} and {n_validation}. Add tumour-free scans: they are shared out "
            "between the two (--tumourfree-dir, --tumourfree-value)."
        )
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        raise ValueError("two cases of a dataset have the same name")
    first = nib.Nifti1Image.from_filename(cases[0].image)
    for case in cases:
        if len(case.images) != len(cases[0].images):
            raise DataError(
                f"Cases to train with must have the same contrasts, but {case.name} has "
                f"{len(case.images)} and {cases[0].name} has {len(cases[0].images)}."
            )
        for path in (*case.images, case.label):
            image = nib.Nifti1Image.from_filename(path)
            if image.shape != first.shape or not np.allclose(image.affine, first.affine, atol=1e-3):
                raise DataError(
                    f"Cases to train with must lie on one grid, but {path} has shape {image.shape} "
                    f"and {cases[0].image} has {first.shape}, or their affines differ. Empty the "
                    "working folder (--work-dir) if the resolution was changed."
                )


def _recipe(cases: Sequence[Case], training: Training, classes: Sequence[str]) -> str:
    """Hash the files (by size and time of change) and the settings that shape the dataset."""
    files = [
        [c.name, c.validation, c.times, str(p), (s := p.stat()).st_size, s.st_mtime_ns]
        for c in cases
        for p in (*c.images, c.label)
    ]
    wanted = asdict(training)
    shaping = {key: wanted[key] for key in ("patch_size", "features", "batch_size")}
    named = [] if tuple(classes) == WHOLE_TUMOUR else [list(classes)]
    text = json.dumps([files, shaping, *named], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _describe(cases: Sequence[Case], prepared: PreparedDataset, classes: Sequence[str]) -> None:
    raw = prepared.folder / "nnUNet_raw" / prepared.name
    raw.mkdir(parents=True, exist_ok=True)
    description = {
        # Any name but CT and the like means z-scoring.
        "channel_names": {str(i): "MRI" for i in range(len(cases[0].images))},
        "labels": {"background": 0, **{name: k for k, name in enumerate(classes, 1)}},
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "NibabelIO",
        "dataset": {
            c.name: {
                "images": [str(path.absolute()) for path in c.images],
                "label": str(c.label.absolute()),
            }
            for c in cases
        },
    }
    for folder in (raw, prepared.preprocessed):
        _write_json(folder / "dataset.json", description)


def _plan(cases: Sequence[Case], prepared: PreparedDataset, training: Training) -> dict[str, Any]:
    """Let nnU-Net plan from a fingerprint of the cases, then apply the settings."""
    from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (
        DatasetFingerprintExtractor,
    )
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import (
        ExperimentPlanner,
    )
    from nnunetv2.imageio.nibabel_reader_writer import NibabelIO

    sample = [cases[i] for i in _spread(len(cases), FINGERPRINT_CASES)]
    analysed = [
        DatasetFingerprintExtractor.analyze_case(
            [str(path) for path in c.images],
            str(c.label),
            NibabelIO,
            num_samples=FINGERPRINT_VOXELS,
        )
        for c in sample
    ]
    channels = [
        np.concatenate([np.asarray(one[2][i], dtype=np.float64) for one in analysed])
        for i in range(len(sample[0].images))
    ]
    if not channels[0].size:
        raise DataError(
            f"None of the {len(sample)} cases looked at in {prepared.folder} has a tumour in its "
            "label: there is nothing to learn from."
        )
    fingerprint = {
        "shapes_after_crop": [[int(n) for n in one[0]] for one in analysed],
        "spacings": [[float(s) for s in one[1]] for one in analysed],
        "foreground_intensity_properties_per_channel": {
            str(i): _statistics(tumour) for i, tumour in enumerate(channels)
        },
        "median_relative_size_after_cropping": float(np.median([one[4] for one in analysed])),
    }
    _write_json(prepared.preprocessed / "dataset_fingerprint.json", fingerprint)
    ExperimentPlanner(prepared.name).plan_experiment()  # writes the plans
    plans = adapt_plans(prepared.plans(), training, len(sample[0].images))
    _write_json(prepared.preprocessed / f"{PLANS_NAME}.json", plans)
    return plans


def _statistics(values: NDArray[np.float64]) -> dict[str, float]:
    low, median, high = np.percentile(values, (0.5, 50.0, 99.5))
    return {
        "mean": float(values.mean()),
        "median": float(median),
        "std": float(values.std()),
        "min": float(values.min()),
        "max": float(values.max()),
        "percentile_99_5": float(high),
        "percentile_00_5": float(low),
    }


def _spread(n: int, wanted: int) -> list[int]:
    """At most `wanted` indices below `n`, evenly spaced."""
    return sorted(set(np.linspace(0, n - 1, min(n, wanted)).round().astype(int).tolist()))


def _write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2))
