"""Step 4: segmentations, carried back to each scan's own grid, as derivatives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.bids.derivatives import remove_outputs
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.execution.outcome import ScanOutcome
from synthtumour_bids.execution.pool import Result
from synthtumour_bids.files import write_json
from synthtumour_bids.job import Job, skipped
from synthtumour_bids.layout import Layout
from synthtumour_bids.ledger import Ledger
from synthtumour_bids.methods.base import Method
from synthtumour_bids.methods.comparison import KEPT, Compared
from synthtumour_bids.methods.judging import final_masks, judged
from synthtumour_bids.methods.predictions import predict
from synthtumour_bids.preprocessed import Preprocessing
from synthtumour_bids.segmentation.norm import Norm
from synthtumour_bids.segmentation.other_side import brightness_of
from synthtumour_bids.segmentation.presence import DIGITS
from synthtumour_bids.segmentation.temperature import at_temperature
from synthtumour_bids.segmentation.uncertainty import entropy, sure_share
from synthtumour_bids.settings import Role, Step
from synthtumour_bids.steps.carried import remove_carried
from synthtumour_bids.steps.measurements import expected_dice, flags_of, measure
from synthtumour_bids.steps.memory import memory_gb
from synthtumour_bids.steps.networks import CONTROLS, Networks, controls_print
from synthtumour_bids.steps.norm import norm_of
from synthtumour_bids.steps.presence import witness_of
from synthtumour_bids.steps.segmented_scan import THRESHOLD, SegmentedScan, write_segmentation
from synthtumour_bids.synthesis.geometry import extended
from synthtumour_bids.synthesis.pseudo_labels import assess, final_criteria
from synthtumour_bids.volumes import Volume, load_nifti, load_volume, template_image

STEP = Step.SEGMENT
MEMORY_GB = 2.0  # of one process at 1 mm; 1.3 at 2 mm, most of it the libraries


@dataclass(frozen=True)
class SegmentTask:
    """One scan to write the segmentation of."""

    scan: Scan
    probabilities: Mapping[str, Path]  # of each network, on the template grid
    preprocessing: Preprocessing
    networks: Networks
    layout: Layout


def run(job: Job, method: Method) -> list[ScanOutcome]:
    """Segment the selected scans that are preprocessed, of tumours and held out."""
    cards = {name: model.card for name, model in job.networks.items()}
    networks = Networks.of(cards, method, job.settings, witness_of(job), norm_of(job))
    selected = job.to_segment()
    records = {scan.key: job.preprocessing(scan) for scan in selected}
    ready = {key: record for key, record in records.items() if record is not None}
    done = [
        scan
        for scan in selected
        if scan.key in ready and networks.is_done(job.ledger, scan, ready[scan.key])
    ]
    todo = [scan for scan in selected if scan.key in ready and scan not in done]
    tasks, failures = _predicted(job, networks, todo, ready)
    results = job.map(
        segment_scan,
        tasks,
        label="Writing segmentations",
        describe=lambda task: task.scan.key,
        memory_gb=memory_gb((task.scan for task in tasks), MEMORY_GB),
        omp_nthreads=job.settings.omp_nthreads,
    )
    if Step.PREPROCESS not in job.steps:  # else that step has told of those it failed for
        missing = [scan for scan in selected if scan.key not in ready]
        failures += [Result(scan, error=_not_preprocessed(job)) for scan in missing]
    return (
        skipped(STEP, done)
        + job.record(STEP, failures, lambda scan: scan)
        + job.record(STEP, results, lambda task: task.scan)
    )


def _predicted(
    job: Job, networks: Networks, scans: Sequence[Scan], ready: Mapping[str, Preprocessing]
) -> tuple[list[SegmentTask], list[Result[Scan, None]]]:
    """Predict scans with all networks; those that fail are told of."""
    tasks: list[SegmentTask] = []
    failures: list[Result[Scan, None]] = []
    if not scans:
        return tasks, failures
    predicted = {name: predict(job, model, scans) for name, model in job.networks.items()}
    for index, scan in enumerate(scans):
        maps = {name: results[index] for name, results in predicted.items()}
        errors = [result.error for result in maps.values() if result.failed]
        if errors:
            failures.append(Result(scan, error=errors[0]))
            continue
        paths = {name: result.value for name, result in maps.items() if result.value is not None}
        tasks.append(SegmentTask(scan, paths, ready[scan.key], networks, job.layout))
    return tasks, failures


def _not_preprocessed(job: Job) -> str:
    settings = job.settings
    return (
        f"Not preprocessed at {settings.profile.resolution:g} mm (profile {settings.profile.name}) "
        f"in {settings.output_dir}. Run --steps preprocess first, with the same --profile."
    )


def segment_scan(task: SegmentTask) -> None:
    """Write masks, probabilities and uncertainty of one scan, its measurements and its stamp."""
    scan, layout, ledger = task.scan, task.layout, Ledger(task.layout.output_dir)
    segmented = segment(task)
    ledger.clear(STEP, scan.key)  # a mixture of old and new outputs is not done
    for record in _measured(scan, layout):
        record.unlink(missing_ok=True)  # of a segmentation that is no more
    remove_outputs((layout.twin(scan), layout.twin_in_t1w(scan)))
    remove_carried(ledger, scan.key)
    outputs = write_segmentation(segmented, layout)
    result = layout.result(scan)
    write_json(
        result,
        {
            "participant_id": f"sub-{scan.subject}",
            "session_id": f"ses-{scan.session}" if scan.session else "n/a",
            "scan": scan.name,
            "dataset": scan.dataset_name,
            "role": scan.role.value,
            **segmented.measurements,
            "tumour_present": segmented.presence.present,
            "presence_p": segmented.presence.p,
            "presence_persons": segmented.presence.n,
            "presence_source": segmented.presence.source,
            "presence_network": segmented.networks.judged,
            "qc_flags": segmented.flags,
        },
    )
    ledger.mark(
        STEP,
        scan.key,
        task.networks.fingerprint(task.preprocessing),
        [*outputs, result],
        scan=scan,
        models=dict(task.networks.fingerprints),
        keep_mask=task.networks.comparison.skipped == KEPT,
        role=scan.role.value,
        **{CONTROLS: controls_print(task.networks.controls)},
    )


def _measured(scan: Scan, layout: Layout) -> list[Path]:
    """Records of what was measured of the masks of a scan."""
    records = [layout.scores(scan.record), layout.location(scan.record)]
    return [*records, layout.change(scan.subject)] if scan.role is Role.TUMOUR else records


def segment(task: SegmentTask) -> SegmentedScan:
    """Turn the probabilities of one scan into masks on both grids, and measure them."""
    from synthtumour_bids.preprocessing.registration import carry_to_native

    scan, layout = task.scan, task.layout
    reference = load_nifti(layout.native_image(scan))
    brain = np.asanyarray(load_nifti(layout.native_brain(scan)).dataobj) > 0
    x, y, z = map(float, nib.affines.voxel_sizes(reference.affine))
    spacing = (x, y, z)
    template_brain = load_volume(layout.standard_brain(scan)).mask
    transform = layout.transform(scan)
    standard = left_on_template(task, template_brain)

    def carried(values: NDArray[np.float32], grid: Volume) -> NDArray[np.float32]:
        there = carry_to_native(grid.with_data(values), transform, reference)
        return np.clip(there, 0, 1, out=there)

    native = {
        name: carried(one.probability.data, one.probability) for name, one in standard.items()
    }
    left = {
        name: carried(one.without(one.probability.data), one.probability)
        if one.territory.any()
        else native[name]
        for name, one in standard.items()
    }
    networks, criteria = task.networks, final_criteria(task.networks.lesion)
    verdicts = {
        name: assess(values, brain, spacing, criteria=criteria) for name, values in left.items()
    }
    main = standard[networks.main].probability
    image = layout.standard_image(scan)
    masks, on_template = {}, {}
    for name, one in standard.items():
        there, on_template[name] = final_masks(
            one, image, template_brain, networks.lesion, networks.enclosed
        )
        added = (on_template[name] & ~there).astype(np.float32)
        masks[name] = verdicts[name].mask
        if added.any():
            reached = (carried(added, one.probability) >= THRESHOLD) & brain
            masks[name] = extended(masks[name], reached)
    sure = sure_share(main.data, on_template[networks.main])
    probability = native.pop(networks.main)
    del native, left  # of a fine grid, hundreds of megabytes each
    probability *= brain
    probability = at_temperature(probability, networks.temperature)
    uncertainty = entropy(probability)
    measurements = measure(
        masks[networks.main],
        probability,
        brain,
        spacing,
        uncertainty,
        marked=verdicts[networks.main].mask,
        junior=None if networks.junior is None else masks[networks.junior],
    )
    likeness = round(standard[networks.judged].likeness, DIGITS)
    presence = networks.judge(measurements["volume_mL"], likeness, scan.person)
    measurements |= expected_dice(sure, networks.calibration, presence.present)
    outside = verdicts[networks.main].stats["outside"]
    expected = scan.role is not Role.HELD_OUT
    flags = flags_of(measurements, outside, tumour_expected=expected)
    return SegmentedScan(
        scan,
        reference,
        masks,
        probability,
        uncertainty,
        template_image(on_template[networks.main].astype(np.uint8), main.affine),
        template_image(at_temperature(main.data, networks.temperature), main.affine),
        {**measurements, "tumour_likeness": likeness},
        (*task.preprocessing.flags, *flags, *presence.flags),
        networks,
        task.probabilities[networks.main],
        {name: one.dropped for name, one in standard.items()},
        presence,
    )


def left_on_template(task: SegmentTask, brain: NDArray[np.bool_]) -> dict[str, Compared]:
    """Tell what is left of each network's mask on the template grid.

    What the starter holds for tumour, the comparison with the other side does not take from the
    senior's. Where it sees none, the senior's keeps what both find and what is brighter than people
    without a tumour are there; where most of those without one look as much like one, nothing is
    kept.
    """
    networks, image = task.networks, task.layout.standard_image(task.scan)
    found = {
        name: judged(
            path, image, brain, networks.lesion, networks.evidence[name], networks.comparison
        )
        for name, path in task.probabilities.items()
    }
    main = networks.main
    if networks.starter is not None:
        found[main] = found[main].upheld_by(found[networks.starter])
    witness = found[networks.judged]
    likeness, person = round(witness.likeness, DIGITS), task.scan.person
    if networks.rules_out(likeness, person):
        return {name: one.emptied() for name, one in found.items()}
    if networks.refutes(likeness, person):
        found[main] = found[main].confirmed_by(witness)
    if networks.norm is not None and networks.sees_none(likeness, person):
        found[main] = _beyond(found[main], networks, networks.norm.load(), image, brain)
    return found


def _beyond(
    found: Compared, networks: Networks, norm: Norm, image: Path, brain: NDArray[np.bool_]
) -> Compared:
    """Keep what is brighter than people without a tumour are; all, where masks are not compared."""
    rules, scan = networks.comparison.rules, load_volume(image)
    if rules is None:
        return found
    brightness = brightness_of(scan.data, brain, scan.affine, rules)
    return found if brightness is None else found.beyond(norm, brightness)
