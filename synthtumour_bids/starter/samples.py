"""What a starter learns from: synthetic tumours in simulated heads, drawn anew in every step."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.files import fingerprint, replacing
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.simulation.head import SIMULATION_VERSION
from synthtumour_bids.starter.heads import Tissues, alike, ends, read_head
from synthtumour_bids.starter.recipe import RESOLUTION, StarterRecipe
from synthtumour_bids.synthesis.brain import Brain
from synthtumour_bids.synthesis.priors import Priors, load_priors
from synthtumour_bids.synthesis.purpose import Purpose
from synthtumour_bids.synthesis.seeds import stream
from synthtumour_bids.synthesis.stage_one import synthesise

VERSION = "1"  # changes when the same seed gives other samples


@dataclass(frozen=True)
class DrawFromHeads:
    """Draws a head, and a tumour into it unless it is to stay without.

    Attributes
    ----------
    heads
        Files of :func:`.heads.render_heads`.
    priors
        What tumours look like.
    tissues
        Loaded before processes are forked: ITK, which loads them, does not work in a fork.
    negatives
        Share of the samples without tumour.
    """

    heads: tuple[Path, ...]
    tissues: Tissues
    priors: Priors
    negatives: float

    @property
    def fingerprint(self) -> str:
        """Hash of what samples depend on."""
        return fingerprint(
            version=VERSION,
            simulation=SIMULATION_VERSION,
            heads=[path.name for path in self.heads],
            priors=asdict(self.priors),
            negatives=self.negatives,
        )

    def __call__(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw one sample."""
        host = read_head(self.heads[int(rng.integers(len(self.heads)))], RESOLUTION, self.tissues)
        if rng.random() < self.negatives:
            return _tumour_free(host)
        made = synthesise(rng, host, self.priors)
        return made.image, made.label


def stored_cases(
    recipe: StarterRecipe,
    heads: list[Path],
    validation_heads: list[Path],
    tissues: Tissues,
    folder: Path,
) -> list[Case]:
    """Write what nnU-Net plans from and what validates: shifted tumours, and heads without any.

    Parameters
    ----------
    recipe
        How many of each.
    heads, validation_heads
        Of training and of validation.
    tissues
        Of the standard brain.
    folder
        Gets ``<name>_image.nii`` and ``<name>_label.nii``; what is there is kept.

    Returns
    -------
    list of Case
    """
    folder.mkdir(parents=True, exist_ok=True)
    cases = []
    for one in _planned(recipe, heads, validation_heads):
        case = one.case(folder)
        if not case.label.is_file():
            values, truth = _made(recipe, one, tissues)
            _save(values, case.image)
            _save(truth, case.label)
        cases.append(case)
    return cases


def cases_are_of(
    recipe: StarterRecipe,
    heads: list[Path],
    validation_heads: list[Path],
    tissues: Tissues,
    folder: Path,
) -> bool:
    """Whether the cases that are there are those that :func:`stored_cases` would make.

    The first and the last of each kind are made again.
    """
    planned = _planned(recipe, heads, validation_heads)
    for kind in {one.kind for one in planned}:
        there = [one for one in planned if one.kind == kind and one.case(folder).label.is_file()]
        for one in ends(there):
            stored = nib.Nifti1Image.from_filename(one.case(folder).image)
            made = _made(recipe, one, tissues)[0] if one.host.is_file() else np.empty(0)
            if not alike(np.asarray(stored.dataobj), made):
                return False
    return True


@dataclass(frozen=True)
class _Planned:
    """A case to store: its host, and what of tumours (``None``: without)."""

    kind: str
    index: int
    host: Path
    purpose: Purpose | None

    def case(self, folder: Path) -> Case:
        """The case, in its files."""
        name = f"{self.kind}-{self.index:04d}"
        image, label = (folder / f"{name}_{part}.nii" for part in ("image", "label"))
        return Case(name, image, label, validation=self.kind != "planning")


def _planned(
    recipe: StarterRecipe, heads: list[Path], validation_heads: list[Path]
) -> list[_Planned]:
    return [
        _Planned(kind, index, hosts[index % len(hosts)], purpose)
        for kind, hosts, count, purpose in (
            ("planning", heads, recipe.n_planning, Purpose.TRAIN),
            ("shifted", validation_heads, recipe.n_validation, Purpose.SHIFTED),
            ("negative", validation_heads[::-1], recipe.n_negative, None),
        )
        for index in range(count)
    ]


def _made(
    recipe: StarterRecipe, one: _Planned, tissues: Tissues
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    host = read_head(one.host, RESOLUTION, tissues)
    if one.purpose is None:
        return _tumour_free(host)
    rng = stream(recipe.seed, one.kind, index=one.index, purpose=one.purpose)
    priors = load_priors(recipe.lesion, recipe.contrast)
    made = synthesise(rng, host, priors, purpose=one.purpose)
    return made.image, made.label


def _tumour_free(host: Brain) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    return host.image.astype(np.float32), np.zeros(host.image.shape, np.uint8)


def _save(values: NDArray[np.float32] | NDArray[np.uint8], path: Path) -> None:
    with replacing(path) as partial:
        nib.save(nib.Nifti1Image(values, standard_brain(RESOLUTION).affine), partial)
