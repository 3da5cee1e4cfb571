"""How contrasts show what a head is made of, as data: multiples of white matter's signal.

A range spans what one sees on clinical scans of many scanners. FLAIR's were widened until simulated
and real heads stood side by side without a rift. The others' follow from what fluid, fat and iron
do at such echo and inversion times; no real scan stood beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from synthtumour_bids.synthesis.ranges import Range


@dataclass(frozen=True)
class Appearance:
    """Ranges of signals in one contrast.

    Attributes
    ----------
    grey, fluid
        Of cortex and of CSF.
    limbic
        Excess of amygdala, hippocampus, insula and cingulum over other cortex.
    iron
        Loss in pallidum, substantia nigra and dentate nucleus; grows with age.
    putamen
        Loss against cortex.
    tracts
        Excess of corticospinal tract and optic radiation.
    callosum
        Loss of the callosum's dense fibres.
    cerebellum
        Excess of its grey matter over the cerebrum's.
    choroid
        Of the plexus.
    flow, flow_share
        Of CSF that flows in, and in how many heads it is brighter than CSF at rest.
    rim, lesion, pallor
        Of the lining of ventricles, of hyperintensities, and the excess of white matter around
        them; a lesion range below 1 makes them dark.
    rind, shell, orbit
        Just outside the brain; of scalp, marrow and dura; of the orbits' fat.
    """

    grey: Range
    fluid: Range
    limbic: Range
    iron: Range
    putamen: Range
    tracts: Range
    callosum: Range
    cerebellum: Range
    choroid: Range
    flow: Range
    flow_share: float
    rim: Range
    lesion: Range
    pallor: Range
    rind: Range
    shell: Range
    orbit: Range

    @property
    def dark_lesions(self) -> bool:
        """Whether what is called hyperintense elsewhere is dark here."""
        return self.lesion.high < 1


FLAIR = Appearance(
    grey=Range(1.0, 1.38),  # none to clear contrast; 3-D scans at 3 T have most
    fluid=Range(0.08, 0.45),  # nulled well or badly
    limbic=Range(0.0, 0.18),
    iron=Range(0.0, 0.35),
    putamen=Range(0.0, 0.12),
    tracts=Range(0.0, 0.16),
    callosum=Range(0.0, 0.12),
    cerebellum=Range(-0.08, 0.08),
    choroid=Range(0.4, 1.4),  # as bright as tissue or brighter
    flow=Range(0.3, 1.6),  # escapes the inversion
    flow_share=0.5,
    rim=Range(1.05, 1.4),
    lesion=Range(1.3, 2.3),
    pallor=Range(0.0, 0.14),
    rind=Range(0.05, 0.5),
    shell=Range(0.4, 3.5),
    orbit=Range(1.5, 6.0),
)

APPEARANCES: Mapping[str, Appearance] = {
    "FLAIR": FLAIR,
    "T2w": Appearance(
        grey=Range(1.15, 1.7),
        fluid=Range(2.0, 4.5),  # long T2
        limbic=Range(0.0, 0.12),
        iron=Range(0.05, 0.45),
        putamen=Range(0.0, 0.15),
        tracts=Range(-0.05, 0.12),
        callosum=Range(0.0, 0.15),
        cerebellum=Range(-0.08, 0.08),
        choroid=Range(1.2, 3.0),
        flow=Range(2.0, 4.5),
        flow_share=0.0,  # flow is dark, and soon replaced by fluid at rest
        rim=Range(1.05, 1.5),
        lesion=Range(1.25, 2.2),
        pallor=Range(0.0, 0.14),
        rind=Range(0.1, 3.0),  # CSF
        shell=Range(0.4, 3.5),
        orbit=Range(1.5, 4.5),  # fat is bright on fast spin echo
    ),
    "T1w": Appearance(
        grey=Range(0.55, 0.85),
        fluid=Range(0.08, 0.4),
        limbic=Range(-0.05, 0.05),
        iron=Range(-0.15, 0.0),  # iron shortens T1: a gain
        putamen=Range(-0.12, 0.0),
        tracts=Range(-0.08, 0.0),
        callosum=Range(-0.08, 0.0),
        cerebellum=Range(-0.06, 0.06),
        choroid=Range(0.3, 0.9),
        flow=Range(0.3, 0.8),
        flow_share=0.15,
        rim=Range(0.7, 0.95),
        lesion=Range(0.55, 0.92),
        pallor=Range(-0.08, 0.0),
        rind=Range(0.05, 0.5),
        shell=Range(0.3, 2.2),
        orbit=Range(1.2, 2.5),  # fat
    ),
    "DWI": Appearance(  # the trace at b of about 1000 s/mm2
        grey=Range(1.02, 1.4),
        fluid=Range(0.02, 0.25),  # diffuses freely
        limbic=Range(0.0, 0.3),  # and the skull base is near
        iron=Range(0.1, 0.5),
        putamen=Range(0.0, 0.15),
        tracts=Range(0.0, 0.35),  # fibres keep some anisotropy in the trace
        callosum=Range(-0.2, 0.1),
        cerebellum=Range(-0.1, 0.1),
        choroid=Range(0.4, 2.0),
        flow=Range(0.05, 0.4),
        flow_share=0.1,
        rim=Range(1.0, 1.25),
        lesion=Range(1.02, 1.45),  # T2 shines through
        pallor=Range(0.0, 0.08),
        rind=Range(0.02, 0.3),
        shell=Range(0.05, 0.8),  # fat is suppressed
        orbit=Range(0.1, 1.5),
    ),
}
