"""Step 4: the senior's segmentations, carried back to each scan's own grid, as derivatives."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from synthtumour_bids import __version__
from synthtumour_bids.bids.classes import TumourClass
from synthtumour_bids.bids.names import derivative_path, transform_name
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.outcome import ScanOutcome, Status
from synthtumour_bids.execution.pool import Result, map_items
from synthtumour_bids.execution.resources import processes_that_fit
from synthtumour_bids.execution.stamps import Stamps, fingerprint
from synthtumour_bids.settings import TEMPLATE, Role, Settings, Step
from synthtumour_bids.steps import plan
from synthtumour_bids.steps.class_images import model_classes, write_class_images
from synthtumour_bids.steps.job import Job, skipped
from synthtumour_bids.steps.predictions import model_print, predict
from synthtumour_bids.steps.refining import evidence_of, refined
from synthtumour_bids.steps.tables import scores_file

LOGGER = logging.getLogger(__name__)
STEP = "segment"
MEMORY_GB = 2.0  # of one process at 1 mm; 1.3 at 2 mm, most of it the libraries
THRESHOLD = 0.5


@dataclass(frozen=True)
class Task:
    """One scan to write the segmentation of."""

    scan: Scan
    probabilities: Mapping[str, Path]  # of junior and senior, on the template grid
    fingerprint: str
    preprocessing: Mapping[str, Any]  # quality figures and flags
    models: Mapping[str, str]  # fingerprints of the networks
    evidence: Mapping[str, Any]  # how the scan refines what each says, or None
    classes: tuple[TumourClass, ...]  # that the senior tells
    settings: Settings


def results_file(output_dir: Path, scan: Scan) -> Path:
    """Figures of one scan's segmentation, read by the report."""
    return output_dir / "logs" / "results" / f"{scan.stem}_{scan.suffix}.json"


def run(job: Job) -> list[ScanOutcome]:
    """Segment the selected tumour scans that are preprocessed."""
    settings = job.settings
    models = {name: model_print(job.models_dir / name) for name in ("junior", "senior")}
    classes = model_classes(job.models_dir / "senior")
    evidence = {name: evidence_of(job.models_dir / name) for name in models}
    how = {name: one and asdict(one) for name, one in evidence.items()}
    selected = job.selected(Role.TUMOUR)
    scans = [scan for scan in selected if job.preprocessing_print(scan)]
    prints = {
        scan.key: fingerprint(
            version=__version__,
            models=models,
            evidence=how,
            scan=job.preprocessing_print(scan),
        )
        for scan in scans
    }
    done = [scan for scan in scans if job.stamps.is_done(STEP, scan.key, prints[scan.key])]
    todo = [scan for scan in scans if scan not in done]
    predicted = {name: predict(job, name, todo) for name in models} if todo else {}
    tasks: list[Task] = []
    failures: list[Result[Scan, None]] = []
    for index, scan in enumerate(todo):
        maps = {name: results[index] for name, results in predicted.items()}
        errors = [result.error for result in maps.values() if result.failed]
        if errors:
            failures.append(Result(scan, error=errors[0]))
            continue
        stamp = job.stamps.read("preprocess", scan.key) or {}
        tasks.append(
            Task(
                scan,
                {name: result.value for name, result in maps.items() if result.value},
                prints[scan.key],
                {"qc": stamp.get("qc", {}), "flags": stamp.get("flags", [])},
                models,
                evidence,
                classes,
                settings,
            )
        )
    results = map_items(
        segment_scan,
        tasks,
        nprocs=processes_that_fit(
            settings.nprocs, settings.mem_gb, MEMORY_GB, settings.omp_nthreads
        ),
        cluster=job.cluster,
        label="Writing segmentations",
        describe=lambda task: task.scan.key,
        stop_on_failure=settings.stop_on_first_crash,
    )
    missing = [] if Step.PREPROCESS in plan.steps(settings) else selected  # else told by that step
    return (
        skipped(STEP, done)
        + [
            ScanOutcome(scan.key, STEP, Status.FAILED, _not_preprocessed(job))
            for scan in missing
            if scan not in scans
        ]
        + job.record(STEP, failures, lambda scan: scan.key)
        + job.record(STEP, results, lambda task: task.scan.key)
    )


def _not_preprocessed(job: Job) -> str:
    settings = job.settings
    return (
        f"Not preprocessed at {settings.profile.resolution:g} mm (profile {settings.profile.name}) "
        f"in {settings.output_dir}. Run --steps preprocess first, with the same --profile."
    )


def segment_scan(task: Task) -> None:
    """Write masks, probabilities and uncertainty of one scan, and its figures."""
    import numpy as np

    from synthtumour_bids.bids.files import write_json
    from synthtumour_bids.preprocessing.registration import carry_to_native
    from synthtumour_bids.segmentation.uncertainty import dice, entropy
    from synthtumour_bids.steps.figures import describe, flags_of
    from synthtumour_bids.steps.volumes import load_nifti, load_volume
    from synthtumour_bids.synthesis.pseudo_labels import assess, final_criteria

    criteria = final_criteria(task.settings.lesion)
    scan, output_dir = task.scan, task.settings.output_dir
    stamps = Stamps(output_dir)
    preprocessed = derivative_path(scan, output_dir, desc="preproc", suffix=scan.suffix)
    reference = load_nifti(preprocessed)
    brain, standard_brain = (
        load_volume(derivative_path(scan, output_dir, desc="brain", suffix="mask", **names))
        for names in ({}, _template_grid(task.settings))
    )
    transform = find_transform(preprocessed.parent, scan)
    image = derivative_path(
        scan, output_dir, desc="preproc", suffix=scan.suffix, **_template_grid(task.settings)
    )
    standard = {name: load_volume(path) for name, path in task.probabilities.items()}
    standard = {
        name: replace(volume, data=refined(volume, image, standard_brain.mask, task.evidence[name]))
        for name, volume in standard.items()
    }
    native = {
        name: carry_to_native(volume.with_data(volume.data), transform, reference).clip(0, 1)
        for name, volume in standard.items()
    }
    assessed = {
        name: assess(probability, brain.mask, brain.spacing, criteria=criteria)
        for name, probability in native.items()
    }
    masks = {name: verdict.mask for name, verdict in assessed.items()}
    senior = standard["senior"]
    standard_mask = assess(senior.data, standard_brain.mask, senior.spacing, criteria=criteria).mask
    native = {name: probability * brain.mask for name, probability in native.items()}
    agreement = dice(masks["senior"], masks["junior"])
    uncertainty = entropy(native["senior"])
    figures = describe(masks, native, brain.mask, brain.spacing, agreement, uncertainty)
    outside = assessed["senior"].stats["outside"]
    flags = [*task.preprocessing["flags"], *flags_of(figures, outside)]
    stamps.clear(STEP, scan.key)  # a mixture of old and new outputs is not done
    # Scores are of a segmentation that is no more.
    scores_file(output_dir, f"{scan.stem}_{scan.suffix}").unlink(missing_ok=True)
    on_template = [senior.with_data(data) for data in (standard_mask.astype(np.uint8), senior.data)]
    outputs = _write(task, reference, native, masks, uncertainty, on_template, figures, flags)
    if len(task.classes) > 1:
        outputs += write_class_images(
            scan, task.settings, task.classes, task.probabilities["senior"], transform
        )
    result = results_file(output_dir, scan)
    write_json(
        result,
        {
            "participant_id": f"sub-{scan.subject}",
            "session_id": f"ses-{scan.session}" if scan.session else "n/a",
            "scan": f"{scan.stem}_{scan.suffix}",
            "role": scan.role.value,
            **figures,
            "qc_flags": flags,
        },
    )
    stamps.mark(
        STEP,
        scan.key,
        task.fingerprint,
        [*outputs, result],
        models=dict(task.models),
    )


def _template_grid(settings: Settings) -> dict[str, str]:
    """Entities of images on the template grid."""
    return {"space": TEMPLATE, "res": f"{settings.profile.resolution:g}"}


def find_transform(folder: Path, scan: Scan) -> Path:
    """Affine from the scan to the template, as the preprocess step left it."""
    for extension in (".h5", ".mat"):
        path = folder / transform_name(scan, to=TEMPLATE, extension=extension)
        if path.is_file():
            return path
    msg = f"No transform of {scan.key} in {folder}; run the preprocess step again."
    raise FileNotFoundError(msg)


def _write(
    task: Task,
    reference: Any,
    native: Mapping[str, Any],
    masks: Mapping[str, Any],
    uncertainty: Any,
    on_template: Sequence[Any],  # mask and probability
    figures: Mapping[str, Any],
    flags: Sequence[str],
) -> list[Path]:
    import numpy as np

    from synthtumour_bids.bids.derivatives import like_native, write_image
    from synthtumour_bids.bids.sidecars import sidecar
    from synthtumour_bids.synthesis.pseudo_labels import final_criteria

    scan, settings = task.scan, task.settings
    resolution = settings.profile.resolution
    space = _template_grid(settings)
    lesion = {
        "Type": "Lesion",
        "Threshold": THRESHOLD,
        "SmallestComponentML": final_criteria(settings.lesion).min_component_ml,
    }
    refined_by = {
        name: {"Refinement": asdict(evidence)} if evidence else {}
        for name, evidence in task.evidence.items()
    }
    made = {
        "Models": dict(task.models),
        "QualityControl": dict(figures),
        "Flags": list(flags),
    }
    images: list[tuple[dict[str, str], Any, dict[str, Any]]] = [
        (
            {"label": "L", "suffix": "mask"},
            like_native(masks["senior"], reference, np.uint8),
            {**lesion, **refined_by["senior"], **made},
        ),
        (
            {"label": "L", "suffix": "probseg"},
            like_native(native["senior"], reference, np.float32),
            refined_by["senior"],
        ),
        (
            {"label": "L", "desc": "junior", "suffix": "mask"},
            like_native(masks["junior"], reference, np.uint8),
            {**lesion, **refined_by["junior"]},
        ),
        (
            {"desc": "uncertainty", "suffix": "probseg"},
            like_native(uncertainty, reference, np.float32),
            {"Description": "Entropy of the senior's tumour probability", "Units": "bit"},
        ),
        (
            {**space, "label": "L", "suffix": "mask"},
            on_template[0],
            {**lesion, **refined_by["senior"]},
        ),
        ({**space, "label": "L", "suffix": "probseg"}, on_template[1], refined_by["senior"]),
    ]
    written = []
    for names, image, more in images:
        path = derivative_path(scan, settings.output_dir, **names)
        write_image(
            path,
            image,
            sidecar(
                sources=[scan.uri],
                space=names.get("space"),
                resolution=resolution if "res" in names else None,
                **more,
            ),
        )
        written.append(path)
    return written
