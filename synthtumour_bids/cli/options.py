"""The options of the command line, group by group."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

from synthtumour_bids.cli.types import (
    atlas,
    derivatives,
    device,
    existing_file,
    existing_folder,
    folder,
    memory,
    model,
    output_space,
    positive,
    seed,
    template,
    volume,
)
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.settings import (
    CONTRASTS,
    FURTHER_CONTRASTS,
    JUNIOR_SOURCES,
    LESIONS,
    PRESETS,
    SKULL_STRIP_MODES,
    Method,
    Settings,
    Step,
)

Add = Callable[..., None]
# Values of a flag; those of one that is given again are added.
SEVERAL: dict[str, Any] = {"nargs": "+", "action": "extend"}
DEFAULTS = {field.name: field.default for field in fields(Settings)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options.

    What nobody gave is absent from what is parsed: its default is that of :class:`Settings`.
    """
    for title, add_group in (
        ("Which scans", _add_scan_options),
        ("Method", _add_method_options),
        ("Machine", _add_machine_options),
        ("Behaviour", _add_behaviour_options),
    ):
        group = parser.add_argument_group(title)
        add_group(partial(_add_option, group.add_argument))


def _add_option(add_argument: Callable[..., argparse.Action], *flags: str, **given: Any) -> None:
    """Add one option; its help names a default that is a text or a number above 0."""
    action = add_argument(*flags, default=argparse.SUPPRESS, **given)
    default = DEFAULTS.get(action.dest)
    if default and isinstance(default, str | int) and "(default:" not in given["help"]:
        action.help = f"{given['help']} (default: {default})"


def _add_scan_options(add: Add) -> None:
    """Add the options of which scans to work on, and what each is good for."""
    add(
        "--participant-label",
        "--participant_label",
        **SEVERAL,
        metavar="LABEL",
        help="participants to work on, with or without sub-",
    )
    add(
        "--exclude-participant-label",
        "--exclude_participant_label",
        **SEVERAL,
        metavar="LABEL",
        help="participants to leave out",
    )
    add(
        "--session-label",
        "--session_label",
        "--session-id",
        **SEVERAL,
        metavar="LABEL",
        help="sessions to work on, with or without ses-",
    )
    add(
        "--tumourfree-dir",
        "--healthy-dir",
        type=existing_folder,
        action="append",
        metavar="DIR",
        help="BIDS dataset of tumour-free scans; may be given several times",
    )
    add(
        "--group-column",
        metavar="NAME",
        help="column of participants.tsv that tells tumour from tumour-free participants",
    )
    add(
        "--tumourfree-value",
        **SEVERAL,
        dest="tumourfree_values",
        metavar="VALUE",
        help="values of that column that mean tumour-free (default: control, healthy, hc, ...)",
    )
    add(
        "--tumour-value",
        **SEVERAL,
        dest="tumour_values",
        metavar="VALUE",
        help="values of that column that mean tumour (default: tumour, tumor, patient, glioma)",
    )
    add(
        "--hold-out",
        **SEVERAL,
        metavar="LABEL",
        help="participants that are segmented but kept out of every training step; tumour-free "
        "ones serve to count what is marked in them",
    )
    add(
        "--bids-filter-file",
        type=existing_file,
        metavar="FILE",
        help="JSON file {query: {entity: value}} with queries flair, t1w, tumour, "
        "tumourfree, annotated; all but the first may set suffix, too",
    )
    add(
        "-d",
        "--derivatives",
        type=derivatives,
        **SEVERAL,
        metavar="[NAME=]DIR",
        help="derivative datasets with brain masks (desc-brain_mask) to use instead of ours",
    )
    add("--bids-database-dir", type=folder, metavar="DIR", help="pybids index folder")
    add(
        "--skip-bids-validation",
        "--skip_bids_validation",
        "--skip_bids_validator",
        action="store_true",
        help="do not check the input with the BIDS validator",
    )


def _add_method_options(add: Add) -> None:
    """Add the options of what is learned, and from what."""
    add(
        "--steps",
        **SEVERAL,
        choices=[step.value for step in Step],
        help="steps to run, in their fixed order (default: all)",
    )
    add(
        "--method",
        choices=[method.value for method in Method],
        help="synthtumour learns without annotations, fabrication from a few annotated scans",
    )
    add(
        "--annotated-dir",
        type=existing_folder,
        metavar="DIR",
        help="BIDS dataset of annotated scans for --method fabrication, with label-L_mask or "
        "desc-tumour_dseg in its derivatives folder or in a dataset of --derivatives; may be the "
        "main one",
    )
    add(
        "--semi-supervised",
        action="store_true",
        help="fabrication: learn from pseudo-labels of the tumour scans as well",
    )
    add(
        "--teacher",
        type=existing_folder,
        metavar="DIR",
        help="with --semi-supervised: models folder of an earlier run, such as one without any "
        "annotation; its senior makes the pseudo-labels, not fabrication's own junior",
    )
    add(
        "--lesion-volume",
        nargs=2,
        type=volume,
        metavar=("MIN", "MAX"),
        help="fabrication: make lesions of MIN to MAX mL instead of near their own volumes",
    )
    add(
        "--lesion-place",
        type=existing_file,
        metavar="FILE",
        help="fabrication: put lesions where this mask on MNI152NLin2009aSym is not 0, instead of "
        "near their own places or anywhere in tissue",
    )
    add(
        "--junior",
        choices=JUNIOR_SOURCES,
        help="starter: the shipped network makes the pseudo-labels; train: a junior is trained on "
        "synthetic tumours (default: as the output folder was begun; in a new one starter, where "
        "there is one for --contrast and --lesion); fabrication's junior starts from its weights, "
        "with train from random ones",
    )
    add(
        "--rounds",
        type=positive,
        metavar="N",
        help="seniors to train one after the other, each on the pseudo-labels of the one before "
        "and from its weights; the last one segments (default: as many as the output folder has; "
        "in a new one, and with --retrain, 1)",
    )
    add(
        "--profile",
        choices=tuple(PROFILES),
        help="full (1 mm, for a GPU), fast (2 mm) or sloppy (4 mm, for tests); left out: what the "
        "output folder was begun with, in a new one full where there is a CUDA device, else fast",
    )
    add("--preset", choices=PRESETS, help="our synthesis, or the published one")
    add("--lesion", choices=LESIONS, help="kind of lesion to draw")
    add("--contrast", choices=CONTRASTS, help="images to read")
    add(
        "--more-contrasts",
        **SEVERAL,
        choices=FURTHER_CONTRASTS,
        metavar="NAME",
        help="fabrication: further images of each session to learn from (T1w, ceT1w, T2w, FLAIR)",
    )
    add("--priors", type=existing_file, metavar="FILE", help="JSON priors instead of --lesion's")
    add(
        "--model",
        "--model-dir",
        type=model,
        metavar="DIR|starter",
        help="train nothing: models folder of an earlier run, or starter, the shipped network for "
        "--contrast and --lesion (./starter is a folder of that name)",
    )
    add(
        "--retrain",
        action="store_true",
        help="train anew although finished models are in the output folder; the same command "
        "again goes on with it if it was stopped",
    )
    add(
        "--corrections",
        type=existing_folder,
        metavar="DIR",
        help="masks that you have edited, named as they are in the output folder (label-L_mask): "
        "the senior is trained anew and learns from them instead of its pseudo-labels (with fewer "
        "than 4 persons who have a tumour only with --junior train); left out, those given before "
        "count",
    )
    add(
        "--keep-mask",
        action="store_true",
        help="keep also the parts of a mask that are no brighter than the other side of the brain, "
        "or that scans without a tumour have the like of",
    )
    add(
        "--truth",
        type=existing_folder,
        metavar="DIR",
        help="derivative dataset with label-L_mask: adds Dice, HD95 and volume error to the "
        "report, and is read by nothing else",
    )
    add(
        "--output-spaces",
        **SEVERAL,
        type=output_space,
        metavar="SPACE[:res-N]",
        help="further grids for the mask: MNI152NLin2009aSym, MNI152NLin2009cAsym, MNI152NLin6Asym "
        "(brains are bent for these; the last two are TemplateFlow's, in $TEMPLATEFLOW_HOME), T1w; "
        "FLAIR and the affine grid of MNI152NLin2009aSym are always written (default: T1w, where "
        "there is one)",
    )
    add(
        "--lesion-roi-dir",
        type=folder,
        metavar="DIR",
        help="where to write the masks on the T1w images' grids as fMRIPrep and QSIPrep want them "
        "(label-lesion_roi); left out: OUTPUT_DIR/derivatives/lesion-roi",
    )
    add(
        "--healthy-twin",
        action="store_true",
        help="also write each scan, and its T1w image, with the tumour replaced by tissue that "
        "could have been there (desc-filled): artificial, for registration and surfaces",
    )
    add(
        "--atlas",
        type=atlas,
        metavar="FILE[:LABELS.tsv]",
        help="regions of MNI152NLin2009aSym (numbers; a table with index and name): adds the "
        "tumour's volume in each to the report",
    )
    add(
        "--skull-strip",
        "--skull-strip-flair",
        choices=SKULL_STRIP_MODES,
        help="auto: leave scans that are stripped already",
    )
    add(
        "--skull-strip-template",
        type=template,
        metavar="NAME|PATH",
        help="head template: embedded, a TemplateFlow name that synthtumour-fetch has got, or a "
        "folder; left out: OASIS30ANTs or MNI152NLin2009cAsym where $TEMPLATEFLOW_HOME holds one, "
        "else embedded",
    )
    add("--random-seed", "--seed", type=seed, dest="seed", help="seed of all synthesis")


def _add_machine_options(add: Add) -> None:
    """Add the options of the cores, memory and devices to use."""
    add("--device", type=device, metavar="NAME", help="auto, cpu, mps, cuda, cuda:N")
    add("--num-gpus", type=positive, metavar="N", help="CUDA devices to train on")
    add(
        "-w",
        "--work-dir",
        type=folder,
        metavar="DIR",
        help="scratch folder, in which each output gets one of its own; left out: OUTPUT_DIR/work",
    )
    add(
        "--nprocs",
        "--nthreads",
        "--n-cpus",
        "--n_cpus",
        type=positive,
        metavar="N",
        help="processor cores to use in all (default: all that are available)",
    )
    add("--omp-nthreads", type=positive, metavar="N", help="threads of one process")
    add(
        "--mem",
        "--mem-mb",
        "--mem_mb",
        type=memory,
        dest="mem_gb",
        metavar="SIZE",
        help="memory to use in all, with its unit: 16G",
    )
    add(
        "--dask-scheduler",
        metavar="ADDRESS",
        help="Dask cluster for the per-scan work: tcp://host:port, or a scheduler file (.json)",
    )


def _add_behaviour_options(add: Add) -> None:
    """Add the options of what to compute at all, and what to say of it."""
    add("--dry-run", action="store_true", help="print what would be done and compute nothing")
    add("--reports-only", action="store_true", help="only write tables and reports")
    add(
        "--no-viewer",
        action="store_true",
        help="reports without the interactive view of each scan (up to 5 MB)",
    )
    add(
        "--boilerplate-only",
        "--boilerplate_only",
        action="store_true",
        help="only write the methods text",
    )
    add("--stop-on-first-crash", action="store_true", help="give up after the first failed scan")
    add("--keep-work", action="store_true", help="keep scratch data after success")
    add(
        "--anonymous-paths",
        action="store_true",
        help="no path of this machine in DatasetLinks and in the run's settings file either",
    )
    add(
        "--config-file",
        type=existing_file,
        metavar="FILE",
        help="TOML of an earlier run (logs/); flags on the command line win",
    )
    add("--notrack", action="store_true", help="accepted; there is no telemetry")
    add("-v", "--verbose", action="count", dest="verbosity", help="more log; repeatable")
