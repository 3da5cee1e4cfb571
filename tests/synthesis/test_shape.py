from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthtumour_bids.synthesis import noise, published
from synthtumour_bids.synthesis.geometry import Box, largest_component
from synthtumour_bids.synthesis.shape import (
    Surface,
    level_box,
    levels,
    polyhedron,
    sphere_radius_mm,
    vertex_radii,
)

MM = (1.0, 1.0, 1.0)


def mesh_volume_mm3(surface):
    vertices, faces = polyhedron()
    corners = vertices[faces]
    sense = np.sign(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])))
    moved = (vertices * vertex_radii(surface)[:, None] * surface.radii_mm)[faces]
    volumes = np.einsum("ij,ij->i", moved[:, 0], np.cross(moved[:, 1], moved[:, 2])) / 6
    return float((volumes * sense).sum())


def test_polyhedron_is_the_published_one():
    vertices, faces = polyhedron()
    assert vertices.shape == (2562, 3)
    assert faces.shape == (5120, 3)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1)
    assert len(np.unique(vertices.round(9), axis=0)) == 2562


def test_noise_has_the_published_range_and_is_smooth():
    extremes = []
    for offset in range(0, 1000, 25):
        surface = Surface((0, 0, 0), (1, 1, 1), (0, 0, 0), (offset,) * 3)
        displacement = vertex_radii(surface) - 1
        extremes.append((displacement.min(), displacement.max()))
    low, high = np.array(extremes).T
    assert -0.95 < low.min() < -0.7
    assert 0.7 < high.max() < 0.95
    assert np.median(low) == pytest.approx(-0.63, abs=0.05)
    assert np.median(high) == pytest.approx(0.62, abs=0.05)
    points = np.random.default_rng(0).uniform(-50, 50, (500, 3))
    step = noise.simplex(points + 1e-4) - noise.simplex(points)
    assert np.abs(step).max() < 2e-3
    assert np.abs(noise.simplex(points)).max() <= 1


@given(
    angles=st.tuples(*[st.floats(0, 360)] * 3),
    offset=st.integers(0, 999),
    ratio=st.floats(1, 2),
    spacing=st.sampled_from([(1.0, 1.0, 1.0), (0.8, 1.1, 2.0), (2.0, 1.0, 0.7)]),
)
@settings(max_examples=25, deadline=None)
def test_voxels_fill_the_mesh_whatever_the_spacing(angles, offset, ratio, spacing):
    surface = Surface((60, 60, 60), (20, 20 * ratio, 20 / ratio), angles, (offset,) * 3)
    shape = tuple(int(130 / s) for s in spacing)
    box = level_box(surface, spacing, shape)
    volume = (levels(surface, box, spacing) < 1).sum() * np.prod(spacing)
    assert volume == pytest.approx(mesh_volume_mm3(surface), rel=0.02)


def test_centre_of_mass_of_the_vertices_is_the_centre():
    surface = Surface((50, 60, 70), (15, 25, 10), (10, 20, 30), (7, 7, 7))
    box = level_box(surface, MM, (120, 120, 120))
    low = np.array(box.start) + 0.0
    high = np.array(box.stop) - 1.0
    assert (low < surface.centre_mm).all()
    assert (high > surface.centre_mm).all()
    inside = np.argwhere(levels(surface, box, MM) < 1) + box.start
    # Vertices crowd where the radius is small, so the two centres differ by a few mm only.
    assert np.abs(inside.mean(axis=0) - surface.centre_mm).max() < 8


def test_the_same_tumour_in_mm_at_every_spacing():
    surface = Surface((40, 40, 40), (12, 20, 9), (30, 50, 70), (3, 3, 3))
    fine_box = level_box(surface, MM, (90, 90, 90))
    fine = np.zeros((90, 90, 90), bool)
    fine[fine_box.slices] = levels(surface, fine_box, MM) < 1
    for spacing in [(2.0, 1.0, 1.0), (1.0, 3.0, 1.0), (1.0, 1.0, 5.0)]:
        shape = tuple(int(90 / s) for s in spacing)
        whole = Box((0, 0, 0), shape)
        coarse = levels(surface, whole, spacing) < 1
        step = tuple(slice(None, int(90 / s) * int(s), int(s)) for s in spacing)
        np.testing.assert_array_equal(coarse, fine[step])


def test_box_holds_every_voxel_below_its_level():
    surface = Surface((45, 45, 45), (14, 22, 9), (200, 50, 110), (80, 11, 5), amplitude=0.8)
    whole = levels(surface, Box((0, 0, 0), (90, 90, 90)), MM)
    for level in (1.0, 1.3):
        box = level_box(surface, MM, (90, 90, 90), level)
        assert (whole < level).sum() == (whole[box.slices] < level).sum()


def test_reference_volumes_lie_in_the_published_range():
    ratios = []
    for index in range(60):
        rng = np.random.default_rng(index)
        surface = published._draw_surface(rng, (0.0, 0.0, 0.0))
        nominal = 4 / 3 * np.pi * np.prod(surface.radii_mm)
        assert 20e3 <= nominal <= 80e3
        assert set(np.diff(surface.offset)) == {0.0}
        ratios.append(mesh_volume_mm3(surface) / nominal)
    assert 0.5 < min(ratios) < 1
    assert np.median(ratios) == pytest.approx(1.25, abs=0.15)
    assert 1.4 < max(ratios) < 2.1


def test_largest_component_and_ball():
    mask = np.zeros((10, 10, 10), bool)
    mask[0:2] = True
    mask[5:9] = True
    np.testing.assert_array_equal(np.flatnonzero(largest_component(mask).any((1, 2))), [5, 6, 7, 8])
    assert not largest_component(np.zeros((3, 3, 3), bool)).any()
    assert sphere_radius_mm(20) == pytest.approx(16.84, abs=0.01)


def test_texture_is_standardised_and_independent_of_the_grid():
    axes = tuple(np.arange(60) * 1.0 for _ in range(3))
    field = noise.texture(axes, seed=3, scale_mm=4.0)
    assert field.std() == pytest.approx(1, abs=0.15)
    every_second = tuple(np.arange(30) * 2.0 for _ in range(3))
    np.testing.assert_allclose(noise.texture(every_second, 3, 4.0), field[::2, ::2, ::2], atol=1e-5)
