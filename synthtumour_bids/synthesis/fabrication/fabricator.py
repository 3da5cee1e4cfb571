"""A finished TF-GAN: refines coarse samples and scores them."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...tensors import check_finite, load_tensors
from ..geometry import dice
from .discriminator import Discriminator
from .gan_settings import GanSettings, check_whole
from .gan_state import GanState, save_whole
from .generator import Generator
from .losses import focus_on, weighted_mean
from .perceptual import Segmenter
from .quality import ACCEPT_ALL, Scores, Verdict, judge, thresholds_from
from .refinement import Window, evaluating, refine, window_of
from .scans import BrainScan

LOGGER = logging.getLogger(__name__)

MOST_IMAGES = 255  # contrasts or classes of one training


@dataclass(frozen=True, eq=False)
class Fabricator:
    """Trained networks and the record of their training.

    Attributes
    ----------
    contrasts, classes
        What they were trained on.
    settings
        How.
    generator, discriminator, segmenter
        Of the best evaluation.
    history
        One JSON-able record per evaluation: step, distance to real lesions, mean losses.
    best_step
        Evaluation that was kept; equal to ``settings.warm_up`` if refinement never helped.
    thresholds
        Least scores of an acceptable sample.
    """

    contrasts: int
    classes: int
    settings: GanSettings
    generator: Generator
    discriminator: Discriminator
    segmenter: Segmenter
    history: tuple[Mapping[str, Any], ...]
    best_step: int
    thresholds: Scores = ACCEPT_ALL

    @classmethod
    def of(cls, state: GanState) -> Fabricator:
        """Take the best networks out of a training."""
        generator = copy.deepcopy(state.average)
        discriminator = copy.deepcopy(state.discriminator)
        generator.load_state_dict(state.best["generator"])
        discriminator.load_state_dict(state.best["discriminator"])
        return cls(
            state.contrasts,
            state.classes,
            state.settings,
            generator.eval(),
            discriminator.eval(),
            copy.deepcopy(state.segmenter).eval(),
            tuple(state.history),
            state.best_step,
        )

    def with_thresholds(
        self, real: Sequence[BrainScan], coarse: Sequence[BrainScan] = ()
    ) -> Fabricator:
        """Return the same networks with thresholds from real lesions and refined coarse samples.

        Coarse samples are refined first: the discriminator learned to tell refined ones from real
        lesions and never saw a coarse one, which may well seem more real to it.

        Parameters
        ----------
        real
            Annotated scans that nothing was learned from.
        coarse
            Coarse samples of which the same is true.
        """
        scores = [self.score(scan) for scan in real]
        others = [self.score(self.refine(scan)) for scan in coarse if scan.classes.any()]
        return replace(self, thresholds=thresholds_from(scores, refined=others))

    @property
    def helps(self) -> bool:
        """Whether refined samples came nearer to real lesions than coarse ones."""
        return self.best_step > self.settings.warm_up

    def refine(self, coarse: BrainScan) -> BrainScan:
        """Refine a coarse sample; outside the gate it stays as it is, bit by bit."""
        self._check(coarse)
        return refine(self.generator, coarse, self.settings.patch, self.settings.gate_mm)

    @torch.inference_mode()
    def score(self, scan: BrainScan) -> Scores:
        """Let discriminator and segmentation network judge a refined or a real lesion.

        Raises
        ------
        ValueError
            If the scan has no lesion or other contrasts.
        """
        self._check(scan)
        device = next(self.generator.parameters()).device
        multiple = 2 ** (len(self.settings.segmenter) - 1)
        window = window_of(scan, self.settings.patch, multiple, self.settings.gate_mm, device)
        if window is None:
            raise ValueError(f"{scan.source} has no lesion to score.")
        with evaluating(self.discriminator, self.segmenter):
            realness, kinds = self.discriminator(window.images)
            segmented = self.segmenter(window.images)
        return Scores(
            realness=float(weighted_mean(realness, focus_on(realness, window.gate))),
            kinds=self._agreement(kinds, window),
            segmentation=self._agreement(segmented, window),
        )

    def judge(self, refined: BrainScan) -> Verdict:
        """Tell whether a refined sample is good enough; see :mod:`.quality`."""
        return judge(self.score(refined), self.thresholds)

    def _agreement(self, logits: Tensor, window: Window) -> float:
        """Mean Dice of the classes that are there."""
        found = logits.argmax(dim=1)
        scores = []
        for k in range(1, self.classes + 1):
            true, mine = window.classes == k, found == k
            if true.any():
                scores.append(dice(true.numpy(force=True), mine.numpy(force=True)))
        return float(np.mean(scores))

    def _check(self, scan: BrainScan) -> None:
        if scan.contrasts != self.contrasts or int(scan.classes.max()) > self.classes:
            raise ValueError(
                f"{scan.source} has {scan.contrasts} contrast(s) and classes up to "
                f"{int(scan.classes.max())}; these networks were trained on {self.contrasts} and "
                f"{self.classes}."
            )

    def save(self, path: Path, recipe: str = "") -> None:
        """Write the networks; whole or not at all.

        Parameters
        ----------
        path
            A file of torch's.
        recipe
            Fingerprint of what they were trained on.
        """
        networks: dict[str, nn.Module] = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "segmenter": self.segmenter,
        }
        content = {
            "recipe": recipe,
            "contrasts": self.contrasts,
            "classes": self.classes,
            "settings": self.settings.to_json(),
            "history": [dict(entry) for entry in self.history],
            "best_step": self.best_step,
            "thresholds": asdict(self.thresholds),
            "networks": {name: network.state_dict() for name, network in networks.items()},
        }
        save_whole(content, path)

    @classmethod
    def load(cls, path: Path, device: str = "cpu", recipe: str | None = None) -> Fabricator | None:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path
            The file.
        device
            Where the networks are wanted, as torch names it.
        recipe
            Fingerprint that they must have; None: any.

        Returns
        -------
        Fabricator or None
            None if the file has another recipe, or cannot be used; the log says so.
        """
        try:
            saved = load_tensors(path, device)
            if recipe is not None and saved.get("recipe") != recipe:
                return None
            return cls._from_saved(saved, torch.device(device))
        except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
            LOGGER.warning("%s (%s): training starts anew", path, error)
            return None

    @classmethod
    def _from_saved(cls, saved: Mapping[str, Any], device: torch.device) -> Fabricator:
        contrasts, classes = saved["contrasts"], saved["classes"]
        check_whole("contrasts", contrasts, MOST_IMAGES)
        check_whole("classes", classes, MOST_IMAGES)
        for weights in saved["networks"].values():
            for name, tensor in weights.items():
                check_finite(name, tensor)
        state = GanState(contrasts, classes, GanSettings.from_json(saved["settings"]), device)
        state.segmenter.load_state_dict(saved["networks"]["segmenter"])
        state.best = saved["networks"]
        state.history = saved["history"]
        best_step, thresholds = saved["best_step"], Scores(**saved["thresholds"])
        if best_step not in [entry["step"] for entry in state.history]:
            raise ValueError(f"step {best_step!r} was kept, but never evaluated")
        return replace(cls.of(state), best_step=best_step, thresholds=thresholds)
