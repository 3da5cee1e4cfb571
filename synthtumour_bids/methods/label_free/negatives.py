"""Tumour-free brains as they are, that teach the senior where there is nothing to mark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synthtumour_bids.bids.derivatives import write_image
from synthtumour_bids.job import Job
from synthtumour_bids.layout import Scratch
from synthtumour_bids.methods.label_free.hosts import Host
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.volumes import load_volume

KIND = "tumour-free brains"


def negative_cases(job: Job, hosts: Sequence[Host]) -> list[Case]:
    """Give training hosts to a network, each once, with an empty label.

    A starter has seen simulated heads alone, and marks what they lack.

    Parameters
    ----------
    job
        The run.
    hosts
        Tumour-free brains of the training side.
    """
    folder = job.layout.scratch(Scratch.STAGE_TWO)
    cases = []
    for host in hosts:
        name = f"negative-{host.scan.slug}"
        volume, label = load_volume(host.image), folder / f"{name}_label.nii"
        empty = volume.with_data(np.zeros(volume.data.shape, np.uint8))
        write_image(label, empty, {"Host": host.source, "HostPart": host.part})
        persons = frozenset((host.scan.person,))
        case = Case(name, host.image, label, validation=False, persons=persons, kind=KIND)
        cases.append(case)
    return cases
