"""What a starter learns from: synthetic tumours in simulated heads, drawn anew in every step."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from synthtumour_bids.files import fingerprint, replacing
from synthtumour_bids.ingredients import mix
from synthtumour_bids.ingredients.atlas import Atlas
from synthtumour_bids.preprocessing.templates import standard_brain
from synthtumour_bids.segmentation.cases import Case
from synthtumour_bids.simulation.head import SIMULATION_VERSION
from synthtumour_bids.starter.heads import Tissues, read_head
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
    ingredients
        What else samples have; see :mod:`synthtumour_bids.ingredients`.
    atlas
        Of the heads' grid, where there are ingredients.
    """

    heads: tuple[Path, ...]
    tissues: Tissues
    priors: Priors
    negatives: float
    ingredients: tuple[str, ...] = ()
    atlas: Atlas | None = None

    @property
    def fingerprint(self) -> str:
        """Hash of what samples depend on."""
        return fingerprint(
            version=VERSION,
            simulation=SIMULATION_VERSION,
            heads=[path.name for path in self.heads],
            priors=asdict(self.priors),
            negatives=self.negatives,
            **(
                {"ingredients": self.ingredients, "mixing": mix.VERSION} if self.ingredients else {}
            ),
        )

    def __call__(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Draw one sample."""
        host = read_head(self.heads[int(rng.integers(len(self.heads)))], RESOLUTION, self.tissues)
        tumour_free = bool(rng.random() < self.negatives)
        if self.atlas is not None:
            mixed = mix.sample(rng, host, self.priors, self.ingredients, tumour_free=tumour_free)
            return mix.render(host, self.atlas, mixed)
        if tumour_free:
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
    priors = load_priors(recipe.lesion, recipe.contrast)
    cases = []
    for kind, hosts, count, purpose in (
        ("planning", heads, recipe.n_planning, Purpose.TRAIN),
        ("shifted", validation_heads, recipe.n_validation, Purpose.SHIFTED),
        ("negative", validation_heads[::-1], recipe.n_negative, None),
    ):
        for index in range(count):
            name = f"{kind}-{index:04d}"
            image, label = (folder / f"{name}_{part}.nii" for part in ("image", "label"))
            if not label.is_file():
                host = read_head(hosts[index % len(hosts)], RESOLUTION, tissues)
                values, truth = _tumour_free(host)
                if purpose is not None:
                    rng = stream(recipe.seed, kind, index=index, purpose=purpose)
                    made = synthesise(rng, host, priors, purpose=purpose)
                    values, truth = made.image, made.label
                _save(values, image)
                _save(truth, label)
            cases.append(Case(name, image, label, validation=kind != "planning"))
    return cases


def _tumour_free(host: Brain) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    return host.image.astype(np.float32), np.zeros(host.image.shape, np.uint8)


def _save(values: NDArray[np.float32] | NDArray[np.uint8], path: Path) -> None:
    with replacing(path) as partial:
        nib.save(nib.Nifti1Image(values, standard_brain(RESOLUTION).affine), partial)
