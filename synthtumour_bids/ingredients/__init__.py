"""Ingredients of synthetic scans beside the tumour itself, each of which can be left out.

Those of the tumour (``mass_effect``, ``solid``, ``necrosis``, ``oedema``) are cues by which it can
be seen; the others are distractors, bright or odd without being tumour, and labelled background.
Each has a file with its ranges, and one line in :mod:`.mix`.
"""
