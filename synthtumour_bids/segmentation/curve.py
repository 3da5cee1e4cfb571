"""The record of a training: loss, score on the validation cases, and the epoch chosen."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synthtumour_bids.files import replacing, write_text

CURVE_JSON = "selection_curve.json"
CURVE_PNG = "selection_curve.png"


@dataclass(frozen=True)
class SelectionCurve:
    """One value per epoch, epochs counted from 1.

    Attributes
    ----------
    epochs
        1, 2, 3, …
    train_loss
        Mean of nnU-Net's loss (Dice + cross-entropy, lower is better) over the epoch's batches.
    shifted_dice
        Mean hard Dice over the validation cases, in [0, 1]: for a junior shifted synthetic ones,
        for a senior mixes and pseudo-labelled scans of other persons.
    shifted_loss
        Mean cross-entropy over the same, nats.
    best_epoch
        The epoch whose weights were kept; 0 before the first one is finished.
    stopped_early
        Whether patience ran out before the planned number of epochs.
    seconds
        Time spent training, over all runs that contributed, s.
    """

    epochs: tuple[int, ...] = ()
    train_loss: tuple[float, ...] = ()
    shifted_dice: tuple[float, ...] = ()
    shifted_loss: tuple[float, ...] = ()
    best_epoch: int = 0
    stopped_early: bool = False
    seconds: float = 0.0

    @property
    def best_dice(self) -> float:
        """Score of the chosen epoch; -1 before the first one is finished."""
        return self.shifted_dice[self.best_epoch - 1] if self.best_epoch else -1.0

    def extended(
        self, train_loss: float, dice: float, loss: float, *, newest: bool = False
    ) -> SelectionCurve:
        """Return the curve with one more epoch.

        Parameters
        ----------
        train_loss, dice, loss
            See the attributes.
        newest
            Choose this epoch whatever it scores, and not the earliest of the best ones.
        """
        epoch = len(self.epochs) + 1
        return SelectionCurve(
            epochs=(*self.epochs, epoch),
            train_loss=(*self.train_loss, train_loss),
            shifted_dice=(*self.shifted_dice, dice),
            shifted_loss=(*self.shifted_loss, loss),
            best_epoch=epoch if newest or dice > self.best_dice else self.best_epoch,
            stopped_early=self.stopped_early,
            seconds=self.seconds,
        )

    def to_json(self) -> str:
        """Serialise; `from_json` reads it back."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @staticmethod
    def from_json(text: str) -> SelectionCurve:
        """Read what `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        for name in ("epochs", "train_loss", "shifted_dice", "shifted_loss"):
            fields[name] = tuple(fields[name])
        return SelectionCurve(**fields)


def write_curve(curve: SelectionCurve, folder: Path) -> None:
    """Write ``selection_curve.png`` and ``selection_curve.json`` into `folder`, each atomically."""
    with replacing(folder / CURVE_PNG) as partial:
        _plot(curve, partial)
    write_text(folder / CURVE_JSON, curve.to_json())


def read_curve(folder: Path) -> SelectionCurve:
    """Read the curve that `write_curve` left in `folder`."""
    return SelectionCurve.from_json((folder / CURVE_JSON).read_text(encoding="utf-8"))


def _plot(curve: SelectionCurve, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left = figure.subplots()
    right = left.twinx()
    (loss,) = left.plot(curve.epochs, curve.train_loss, color="tab:blue", label="training loss")
    (dice,) = right.plot(
        curve.epochs, curve.shifted_dice, color="tab:orange", label="Dice, validation cases"
    )
    chosen = left.axvline(
        curve.best_epoch,
        color="0.4",
        linestyle="--",
        label=f"chosen: epoch {curve.best_epoch} (Dice {curve.best_dice:.3f})",
    )
    left.set_xlabel("epoch")
    left.set_ylabel("training loss (Dice + cross-entropy)")
    right.set_ylabel("Dice on the validation cases")
    right.set_ylim(0, 1)
    left.legend(handles=[loss, dice, chosen], loc="center right", fontsize="small")
    figure.savefig(path, dpi=100)
