"""CarveMix, which the benchmarks compare fabrication with."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from benchmarks import carvemix
from synthtumour_bids.synthesis.fabrication.rims import distance_mm
from tests.builders.fabrication_scans import annotated, brain_of, host

SCAN = annotated()


def test_carving_follows_the_signed_distance():
    lesion = SCAN.classes > 0
    regions = {
        size: carvemix.carved_region(lesion, SCAN.spacing, carvemix.CarveParams(size))
        for size in (1.0, 0.5, 0.0, -0.5, -1.0)
    }
    np.testing.assert_array_equal(regions[0.0], lesion)
    sizes = [regions[s].sum() for s in (1.0, 0.5, 0.0, -0.5, -1.0)]
    assert sizes == sorted(sizes)
    assert 0 < sizes[0] < sizes[2] < sizes[4]
    assert not regions[0.5][~lesion].any()
    depth = ndimage.distance_transform_edt(lesion, sampling=SCAN.spacing).max()
    outside = distance_mm(lesion, SCAN.spacing)
    np.testing.assert_array_equal(regions[-0.5], outside < depth / 2)
    empty = carvemix.carved_region(lesion & False, SCAN.spacing, carvemix.CarveParams(0.5))
    assert not empty.any()


def test_carvemix_takes_all_contrasts_and_keeps_the_rest():
    other = annotated(seed=3, centre=(20, 20, 12))
    sizes = {carvemix.sample(np.random.default_rng(i)).size for i in range(20)}
    assert min(sizes) < -0.5
    assert max(sizes) > 0.5
    for size in (-0.7, 0.4):
        params = carvemix.CarveParams(size)
        made = carvemix.render(other, SCAN, params)
        carved = carvemix.carved_region(SCAN.classes > 0, SCAN.spacing, params) & brain_of()
        np.testing.assert_array_equal(made.images[:, carved], SCAN.images[:, carved])
        np.testing.assert_array_equal(made.images[:, ~carved], other.images[:, ~carved])
        np.testing.assert_array_equal(made.classes, np.where(carved, SCAN.classes, other.classes))
    with pytest.raises(ValueError, match="share grid"):
        carvemix.render(host(contrasts=1), SCAN, params)
