"""What simulated heads are drawn from: each range with its reason.

Age is one number in [0, 1], young to very old; what ages is drawn around it. Signals, which hang on
the contrast, stand in :mod:`.appearance`. Where no source is named, a range spans what one sees on
clinical FLAIR of many scanners and was widened until simulated and real heads stood side by side
without a rift.
"""

from __future__ import annotations

from synthtumour_bids.synthesis.ranges import Range

# --- anatomy, on the template grid: what an affine registration leaves
RESIDUAL_SCALE = 0.03  # s.d. of each axis; affine fits of FLAIR differ by some per cent
RESIDUAL_ROTATION = 2.5  # degrees, s.d. about each axis
CROOKED_ROTATION = 7.0  # of one head in twelve, which was registered badly
CROOKED_SHARE = 0.08
RESIDUAL_SHIFT = 2.0  # mm, s.d.
BEND_COARSE = Range(2.0, 4.5)  # mm, s.d.; lobes of one person differ by about this much
BEND_FINE = Range(1.0, 2.0)
FOLD_SPACING = Range(8.5, 13.0)  # mm from sulcus to sulcus; gyri are 8 to 14 mm wide
FOLD_DEPTH = Range(10.0, 16.0)  # mm; sulci are 10 to 20 mm deep
FOLD_DEPTH_SPREAD = Range(2.5, 5.0)
CORTEX = Range(2.3, 3.4)  # mm; 2.5 on average, more where 2-mm voxels blur it

# --- textures of tissue
FOLIA = Range(0.01, 0.09)  # swing of the stripes in the cerebellum
FOLIA_WIDTH = Range(4.0, 6.5)  # mm
BRAINSTEM_MOTTLE = Range(0.01, 0.07)
TEXTURE_FINE = Range(0.01, 0.035)
TEXTURE_COARSE = Range(0.01, 0.05)

# --- in the fluid
CHOROID_RADIUS = Range(1.5, 4.5)  # mm

# --- hyperintensities of small vessels: Fazekas 0 to 3, as burden 0 to 1
RIM = Range(0.0, 2.0)  # mm of bright lining around every ventricle
CAP_FRONTAL = Range(3.0, 16.0)  # mm that caps reach at burden 1
CAP_OCCIPITAL = Range(4.0, 20.0)  # larger than frontal ones
BAND = Range(1.0, 13.0)  # mm along the bodies of the ventricles
DOTS = 40  # at burden 1
DOT_RADIUS = Range(1.0, 3.5)  # mm
PLAQUES = 9  # at most; ovoid, upright on the ventricle, as in multiple sclerosis
PLAQUE_SHARE = 0.15
EDGE = Range(1.5, 5.0)  # mm over which they fade
ASYMMETRY = Range(0.1, 0.7)  # 0: both sides are alike
PONS_SHARE = 0.15

# --- what skull stripping leaves and takes
MASK_OFFSET = Range(-1.5, 3.0)  # mm of the mask beyond the brain
MASK_WAVES = Range(0.0, 1.5)  # mm, s.d. of the mask's surface
REMNANT_SHARE = 0.3  # of heads, of each kind
CUT_SHARE = 0.2
CUT_DEPTH = Range(3.0, 14.0)  # mm

# --- acquisition
THICKNESS = Range(1.0, 6.5)  # mm of a slice
THICK_SHARE = 0.65
IN_PLANE = Range(0.3, 1.1)  # mm, s.d. of the blur within slices
SLICE_GAIN = Range(0.0, 0.035)  # s.d. of brightness from slice to slice
NOISE = Range(0.008, 0.06)
SHADING = Range(0.015, 0.09)  # log units left by the bias correction
SHARPENING = Range(0.0, 0.9)
GHOST = Range(0.0, 0.06)
GAMMA = Range(0.85, 1.2)
