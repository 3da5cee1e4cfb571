"""Where a training of TF-GAN stands, and how that is saved and found again."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from ...files import replacing
from ...tensors import load_tensors
from .discriminator import Discriminator
from .gan_settings import GanSettings
from .generator import Generator
from .perceptual import Bank, Segmenter

LOGGER = logging.getLogger(__name__)

BETAS = (0.5, 0.999)  # of Adam, for generator and discriminator
LEFT_OUT = ("without_one", "without_lesion")  # distances in a record, by the jackknife
BEYOND_CHANCE = 0.975  # quantile of Student's t
Weights = dict[str, Tensor]


class GanState:
    """Networks, optimisers and record of one training.

    Attributes
    ----------
    average
        Running average of the generator's weights: what is evaluated and kept.
    step
        Finished steps, warm-up included.
    sums
        Losses since the last record, and how many steps they come from.
    history
        One JSON-able record per evaluation.
    best
        Weights of ``generator`` (averaged) and ``discriminator`` at the best evaluation.
    bank
        Features of real lesions; None until the segmentation network is trained.
    """

    def __init__(
        self, contrasts: int, classes: int, settings: GanSettings, device: torch.device
    ) -> None:
        self.contrasts, self.classes = contrasts, classes
        self.settings, self.device = settings, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.generator = Generator(contrasts, classes, settings.generator).to(device)
            self.discriminator = Discriminator(contrasts, classes, settings.discriminator)
            self.discriminator.to(device)
            self.segmenter = Segmenter(contrasts, classes, settings.segmenter).to(device)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self.optimisers = {
            "generator": _adam(self.generator, settings.generator_rate, BETAS),
            "discriminator": _adam(self.discriminator, settings.discriminator_rate, BETAS),
            "segmenter": _adam(self.segmenter, settings.segmenter_rate, (0.9, 0.999)),
        }
        self.step = 0
        self.sums: dict[str, float] = {}
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Weights] = {}
        self.bank: Bank | None = None

    @property
    def networks(self) -> dict[str, nn.Module]:
        """All networks by name."""
        return {
            "generator": self.generator,
            "average": self.average,
            "discriminator": self.discriminator,
            "segmenter": self.segmenter,
        }

    def follow(self) -> None:
        """Move the averaged generator towards the present one."""
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.generator.parameters(), strict=True)
            for mean, weight in pairs:
                mean.lerp_(weight, 1 - self.settings.average)

    def add(self, losses: Mapping[str, float]) -> None:
        """Count a step's losses."""
        for name, value in {**losses, "count": 1.0}.items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def record(
        self,
        distance: float,
        each: tuple[float | None, ...],
        without_one: Sequence[float] = (),
        without_lesion: Sequence[float] = (),
    ) -> None:
        """Close the present stretch of steps with its evaluation; keep the weights if best.

        Parameters
        ----------
        distance, each
            What :meth:`.realism.Reference.distance` said of the refined samples.
        without_one
            The same distance with each of the samples left out in turn.
        without_lesion
            And with each of the real lesions left out in turn.
        """
        count = self.sums.pop("count", 0.0)
        losses = {name: value / count for name, value in self.sums.items()} if count else {}
        entry = {
            "step": self.step,
            "distance": distance,
            "distances": list(each),
            "without_one": list(without_one),
            "without_lesion": list(without_lesion),
            **losses,
        }
        self.history.append(entry)
        if self.best_step == self.step:
            networks = {"generator": self.average, "discriminator": self.discriminator}
            self.best = {
                name: {key: value.detach().cpu().clone() for key, value in n.state_dict().items()}
                for name, n in networks.items()
            }
        self.sums = {}

    @property
    def best_step(self) -> int:
        """Step of the best evaluation; see :func:`best_of`."""
        return best_of(self.history)

    @property
    def finished(self) -> bool:
        """Whether all steps are done or patience has run out."""
        settings = self.settings
        if self.step >= settings.warm_up + settings.steps and self.history:
            return True
        if not self.history:
            return False
        nearest = min(self.history, key=lambda e: (e["distance"], e["step"]))["step"]
        since = sum(entry["step"] > nearest for entry in self.history)
        return bool(since >= settings.patience)

    def save(self, path: Path, recipe: str) -> None:
        """Write everything a training needs to go on; whole or not at all.

        Parameters
        ----------
        path
            A file of torch's.
        recipe
            Fingerprint of data and settings.
        """
        bank = self.bank
        content = {
            "recipe": recipe,
            "step": self.step,
            "sums": self.sums,
            "history": self.history,
            "best": self.best,
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "optimisers": {name: o.state_dict() for name, o in self.optimisers.items()},
            "bank": None if bank is None else {"values": list(bank.values), "spread": bank.spread},
        }
        save_whole(content, path)

    def load(self, path: Path, recipe: str) -> bool:
        """Go to where an earlier training was saved.

        Parameters
        ----------
        path
            What :meth:`save` wrote.
        recipe
            Fingerprint of data and settings.

        Returns
        -------
        bool
            Whether it is there and of the same recipe; otherwise nothing is changed.
        """
        if not path.is_file():
            return False
        try:
            saved = load_tensors(path, self.device)
        except ValueError as error:
            LOGGER.warning("%s (%s): training starts anew", path, error)
            return False
        if saved.get("recipe") != recipe:
            LOGGER.warning("%s is of other data or settings: training starts anew", path)
            return False
        self.step, self.sums, self.history = saved["step"], saved["sums"], saved["history"]
        self.best = {n: {k: v.cpu() for k, v in w.items()} for n, w in saved["best"].items()}
        for name, network in self.networks.items():
            network.load_state_dict(saved["networks"][name])
        for name, optimiser in self.optimisers.items():
            optimiser.load_state_dict(saved["optimisers"][name])
        if saved["bank"] is not None:
            self.bank = Bank(tuple(saved["bank"]["values"]), saved["bank"]["spread"])
        LOGGER.info("TF-GAN goes on after step %d", self.step)
        return True


def best_of(history: Sequence[Mapping[str, Any]]) -> int:
    """Step of the evaluation that comes nearest to real lesions.

    It must come nearer than the coarse samples, whose evaluation is the first, by more than chance
    would, both among the samples and among the real lesions: beyond the 95 % interval of the
    jackknife over either. Else the coarse samples are the best. So one real lesion alone can tell
    nothing. Records of before go by what was left out in them in turn.

    Parameters
    ----------
    history
        One record per evaluation.
    """
    coarse = history[0]

    def counts(entry: Mapping[str, Any]) -> bool:
        gain = coarse["distance"] - entry["distance"]
        return entry is coarse or all(
            gain > _chance(coarse[name], entry.get(name, ())) for name in LEFT_OUT if name in coarse
        )

    nearest = min(filter(counts, history), key=lambda e: (e["distance"], e["step"]))
    return int(nearest["step"])


def _chance(coarse: Sequence[float], refined: Sequence[float]) -> float:
    """How much nearer chance may bring them, by distances with each of n left out in turn."""
    n = len(coarse)
    if n < 2 or len(refined) != n or not np.isfinite([*coarse, *refined]).all():
        return np.inf
    gains = np.subtract(coarse, refined)
    error = np.sqrt((n - 1) / n * np.sum((gains - gains.mean()) ** 2))
    return float(stats.t.ppf(BEYOND_CHANCE, n - 1) * error)


def save_whole(content: Mapping[str, Any], path: Path) -> None:
    """Save with torch, whole or not at all.

    Parameters
    ----------
    content
        Tensors and plain values.
    path
        Where to; folders are made.
    """
    # Through an open file: given a path, torch writes the temporary name into what it saves.
    with replacing(path) as partial, partial.open("wb") as file:
        torch.save(dict(content), file)


def _adam(network: nn.Module, rate: float, betas: tuple[float, float]) -> torch.optim.Adam:
    return torch.optim.Adam(network.parameters(), lr=rate, betas=betas)
