"""What the parts of a head look like in other contrasts than FLAIR, which is what is drawn.

Only signals change, in multiples of white matter, never how many random numbers are drawn: a head
stays the same in every contrast.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from synthtumour_bids.demo.tumour import TumourSignals
from synthtumour_bids.simulation.contrast import Signals
from synthtumour_bids.simulation.fluid import Fluid
from synthtumour_bids.simulation.hyperintensities import Hyperintensities


@dataclass(frozen=True)
class Contrast:
    """A contrast, by its BIDS suffix; FLAIR itself changes nothing."""

    suffix: str

    def tissue(self, signals: Signals) -> Signals:
        """Signals of normal brain."""
        return signals

    def spots(self, signals: Hyperintensities) -> Hyperintensities:
        """Signals of what is hyperintense on FLAIR."""
        return signals

    def fluid(self, signals: Fluid) -> Fluid:
        """Signals of what is in the fluid."""
        return signals

    def tumour(self, signals: TumourSignals) -> TumourSignals:
        """Signals of a tumour."""
        return signals


class T1Weighted(Contrast):
    """Grey matter darker than white, fluid dark, oedema and gliosis a little dark."""

    def tissue(self, signals: Signals) -> Signals:
        """Signals of normal brain."""
        return replace(
            signals, grey=0.68, fluid=0.25, limbic=0.0, putamen=-0.08, callosum=0.0, tracts=0.0
        )

    def spots(self, signals: Hyperintensities) -> Hyperintensities:
        """Signals of gliosis."""
        return replace(signals, signal=0.8, rim_signal=0.8, pallor=0.0)

    def fluid(self, signals: Fluid) -> Fluid:
        """Signals of the plexus; CSF that flows in is as dark as all CSF."""
        hidden = 1e-6 if signals.flow else 0.0  # not 0, which would draw nothing
        return replace(signals, choroid=0.6, flow=hidden)

    def tumour(self, signals: TumourSignals) -> TumourSignals:
        """Signals of oedema and necrosis."""
        return TumourSignals(lesion=0.75, necrosis=0.45)


FLAIR = Contrast("FLAIR")
T1W = T1Weighted("T1w")
CONTRASTS = {one.suffix: one for one in (FLAIR, T1W)}
