"""Processor seconds, peak memory and bytes of one participant's page, by voxel size.

    python benchmarks/report_page.py OUT 2 1

The scan is the template's brain with noise and a ball for a tumour, on the template's grid; all
pictures are drawn, with the interactive view and a truth. One process each, which makes the page
twice: the first one loads libraries and the template, which a run pays once a process.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from processes import own_peak_gb

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.bids.scan import Scan
from synthtumour_bids.files import write_json
from synthtumour_bids.layout import Layout
from synthtumour_bids.ledger import Identity
from synthtumour_bids.preprocessed import Preprocessing
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.settings import Role
from synthtumour_bids.steps.participant_report import PageTask, write_participant
from synthtumour_bids.steps.scan_report import ReportTask, report_scan
from synthtumour_bids.volumes import Volume

RADIUS_MM = 20.0
CENTRE_MM = (-30.0, 10.0, 25.0)


def segment(scan: Scan, layout: Layout, truth: Path) -> None:
    """Leave what preprocessing and segmentation leave of a scan."""
    import ants

    template = Volume.of(standard_brain(layout.resolution))
    brain = template.data > 0.05 * template.data.max()
    noise = np.random.default_rng(0).normal(0, 0.03 * template.data.max(), brain.shape)
    voxels = np.indices(brain.shape).reshape(3, -1)
    world = template.affine[:3, :3] @ voxels + template.affine[:3, 3:]
    distance = np.linalg.norm(world - np.array(CENTRE_MM)[:, None], axis=0).reshape(brain.shape)
    probability = brain / (1 + np.exp((distance - RADIUS_MM) / 2))
    entropy = -probability * np.log2(np.clip(probability, 1e-6, 1))
    image = (template.data + np.abs(noise) + 0.5 * template.data.max() * probability) * 100
    for path, data, dtype in (
        (layout.native_image(scan), image, np.float32),
        (layout.native_brain(scan), brain, np.uint8),
        (layout.standard_image(scan), image * brain, np.float32),
        (layout.native(scan, label="L", suffix="mask"), probability > 0.5, np.uint8),
        (layout.native(scan, label="L", suffix="probseg"), probability, np.float32),
        (layout.native(scan, desc="uncertainty", suffix="probseg"), entropy, np.float32),
        (layout.native(scan, label="L", desc="junior", suffix="mask"), distance < 22, np.uint8),
        (truth, distance < 19, np.uint8),
    ):
        write_image(path, template.with_data(data.astype(dtype)), {})
    identity = ants.create_ants_transform(transform_type="AffineTransform", dimension=3)
    ants.write_transform(identity, str(layout.transform(scan)))
    figures = {"volume_mL": 33.0, "n_components": 1, "qc_flags": []}
    write_json(layout.result(scan), {"participant_id": "sub-1", "scan": scan.name, **figures})


def measure(out: Path, resolution: float) -> None:
    """Make one page, and print what it took."""
    scan = Scan(out / "sub-1_FLAIR.nii.gz", (("sub", "1"),), "FLAIR", Role.TUMOUR, out, "raw")
    layout, truth = Layout(out, out / "work", resolution), out / "truth.nii.gz"
    segment(scan, layout, truth)
    record = Preprocessing("p", {}, (), Role.TUMOUR, resolution, "")
    seconds = []
    for _ in range(2):
        start = time.process_time()
        report_scan(ReportTask(scan, truth, layout, redraw=True))
        write_participant(PageTask(("raw", "1"), layout, [(Identity.of(scan), record)]))
        seconds.append(time.process_time() - start)
    peak = own_peak_gb()
    parts = [layout.page("raw", "1"), *(out / "sub-1" / "figures").iterdir()]
    size = sum(path.stat().st_size for path in parts) / 1e6
    first, second = seconds
    print(
        f"| {resolution:g} mm | {first:.1f} | {second:.1f} | {peak:.2f} | {size:.1f} |", flush=True
    )


def main() -> int:
    """Measure each voxel size in a process of its own."""
    out, *resolutions = sys.argv[1:]
    if len(resolutions) == 1:
        measure(Path(out), float(resolutions[0]))
        return 0
    print(
        "| voxels | first page, s | second page, s | peak memory, GB | MB |\n|---|---|---|---|---|"
    )
    for one in resolutions:
        folder = str(Path(out).absolute() / one)
        subprocess.run([sys.executable, __file__, folder, one], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
