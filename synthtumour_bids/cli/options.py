"""The options of the command line, group by group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synthtumour_bids.cli.types import (
    derivatives,
    device,
    existing_file,
    existing_folder,
    labels,
    memory,
    positive,
    template,
    volume,
)
from synthtumour_bids.execution.resources import available_cores
from synthtumour_bids.profiles import PROFILES
from synthtumour_bids.settings import (
    CONTRASTS,
    FURTHER_CONTRASTS,
    LESIONS,
    PRESETS,
    SKULL_STRIP_MODES,
    Method,
    Step,
)


def add_scan_options(group: Any) -> None:
    """Add the options of which scans to work on, and what each is good for."""
    group.add_argument(
        "--participant-label",
        "--participant_label",
        nargs="+",
        action=labels("sub-"),
        default=(),
        metavar="LABEL",
        help="participants to work on, with or without sub-",
    )
    group.add_argument(
        "--exclude-participant-label",
        "--exclude_participant_label",
        nargs="+",
        action=labels("sub-"),
        default=(),
        metavar="LABEL",
        help="participants to leave out",
    )
    group.add_argument(
        "--session-label",
        "--session_label",
        "--session-id",
        nargs="+",
        action=labels("ses-"),
        default=(),
        metavar="LABEL",
        help="sessions to work on, with or without ses-",
    )
    group.add_argument(
        "--tumourfree-dir",
        "--healthy-dir",
        type=existing_folder,
        action="append",
        default=[],
        metavar="DIR",
        help="BIDS dataset of tumour-free scans; may be given several times",
    )
    group.add_argument(
        "--group-column",
        default="group",
        metavar="NAME",
        help="column of participants.tsv that tells tumour from tumour-free participants",
    )
    group.add_argument(
        "--tumourfree-value",
        nargs="+",
        default=(),
        dest="tumourfree_values",
        metavar="VALUE",
        help="values of that column that mean tumour-free (default: control, healthy, hc, ...)",
    )
    group.add_argument(
        "--tumour-value",
        nargs="+",
        default=(),
        dest="tumour_values",
        metavar="VALUE",
        help="values of that column that mean tumour (default: tumour, tumor, patient, glioma)",
    )
    group.add_argument(
        "--hold-out",
        nargs="+",
        action=labels("sub-"),
        default=(),
        metavar="LABEL",
        help="tumour participants that are segmented but kept out of every training step",
    )
    group.add_argument(
        "--bids-filter-file",
        type=existing_file,
        metavar="FILE",
        help="JSON file {query: {entity: value}} with queries flair, tumour, tumourfree",
    )
    group.add_argument(
        "-d",
        "--derivatives",
        type=derivatives,
        nargs="+",
        default=(),
        metavar="[NAME=]DIR",
        help="derivative datasets with brain masks (desc-brain_mask) to use instead of ours",
    )
    group.add_argument("--bids-database-dir", type=Path, metavar="DIR", help="pybids index folder")
    group.add_argument(
        "--skip-bids-validation",
        "--skip_bids_validation",
        "--skip_bids_validator",
        action="store_true",
        help="do not check the input with the BIDS validator",
    )


def add_method_options(group: Any) -> None:
    """Add the options of what is learned, and from what."""
    group.add_argument(
        "--steps",
        nargs="+",
        choices=[step.value for step in Step],
        default=[step.value for step in Step],
        help="steps to run, in their fixed order",
    )
    group.add_argument(
        "--method",
        choices=[method.value for method in Method],
        default=Method.SYNTHTUMOUR.value,
        help="synthtumour learns without annotations, fabrication from a few annotated scans",
    )
    group.add_argument(
        "--annotated-dir",
        type=existing_folder,
        metavar="DIR",
        help="BIDS dataset of annotated scans for --method fabrication, with label-L_mask or "
        "desc-tumour_dseg in its derivatives folder or in a dataset of --derivatives; may be the "
        "main one",
    )
    group.add_argument(
        "--semi-supervised",
        action="store_true",
        help="fabrication: learn from pseudo-labels of the tumour scans as well",
    )
    group.add_argument(
        "--teacher",
        type=existing_folder,
        metavar="DIR",
        help="with --semi-supervised: models folder of an earlier run, such as one without any "
        "annotation; its senior makes the pseudo-labels, not fabrication's own junior",
    )
    group.add_argument(
        "--lesion-volume",
        nargs=2,
        type=volume,
        metavar=("MIN", "MAX"),
        help="fabrication: make lesions of MIN to MAX mL instead of near their own volumes",
    )
    group.add_argument(
        "--lesion-place",
        type=existing_file,
        metavar="FILE",
        help="fabrication: put lesions where this mask on MNI152NLin2009aSym is not 0, instead of "
        "near their own places or anywhere in tissue",
    )
    group.add_argument(
        "--profile", choices=tuple(PROFILES), default="full", help="accuracy or time"
    )
    group.add_argument(
        "--preset", choices=PRESETS, default="default", help="our synthesis, or the published one"
    )
    group.add_argument("--lesion", choices=LESIONS, default="glioma", help="kind of lesion to draw")
    group.add_argument("--contrast", choices=CONTRASTS, default="FLAIR", help="images to read")
    group.add_argument(
        "--more-contrasts",
        nargs="+",
        choices=FURTHER_CONTRASTS,
        default=(),
        metavar="NAME",
        help="fabrication: further images of each session to learn from (T1w, ceT1w, T2w, FLAIR)",
    )
    group.add_argument(
        "--priors", type=existing_file, metavar="FILE", help="JSON priors instead of --lesion's"
    )
    group.add_argument(
        "--model",
        "--model-dir",
        type=existing_folder,
        metavar="DIR",
        help="models folder of an earlier run (its junior and senior): train nothing",
    )
    group.add_argument(
        "--retrain",
        action="store_true",
        help="train anew although finished models are in the output folder; the same command "
        "again goes on with it if it was stopped",
    )
    group.add_argument(
        "--truth",
        type=existing_folder,
        metavar="DIR",
        help="derivative dataset with label-L_mask: adds Dice, HD95 and volume error to the "
        "report, and is read by nothing else",
    )
    group.add_argument(
        "--skull-strip",
        "--skull-strip-flair",
        choices=SKULL_STRIP_MODES,
        default="auto",
        help="auto: leave scans that are stripped already",
    )
    group.add_argument(
        "--skull-strip-template",
        type=template,
        metavar="NAME|PATH",
        help="head template: embedded, a TemplateFlow name that synthtumour-fetch has got, or a "
        "folder; left out: OASIS30ANTs or MNI152NLin2009cAsym where $TEMPLATEFLOW_HOME holds one, "
        "else embedded",
    )
    group.add_argument(
        "--random-seed", "--seed", type=int, default=527, dest="seed", help="seed of all synthesis"
    )


def add_machine_options(group: Any) -> None:
    """Add the options of the cores, memory and devices to use."""
    group.add_argument(
        "--device",
        type=device,
        default="auto",
        metavar="NAME",
        help="auto, cpu, mps, cuda, cuda:N",
    )
    group.add_argument(
        "--num-gpus", type=positive, default=1, metavar="N", help="CUDA devices to train on"
    )
    group.add_argument(
        "-w",
        "--work-dir",
        type=Path,
        metavar="DIR",
        help="scratch folder, in which each output gets one of its own; left out: OUTPUT_DIR/work",
    )
    group.add_argument(
        "--nprocs",
        "--nthreads",
        "--n-cpus",
        "--n_cpus",
        type=positive,
        default=available_cores(),
        metavar="N",
        help="processor cores to use in all",
    )
    group.add_argument(
        "--omp-nthreads", type=positive, default=1, metavar="N", help="threads of one process"
    )
    group.add_argument(
        "--mem",
        "--mem-mb",
        "--mem_mb",
        type=memory,
        dest="mem_gb",
        metavar="SIZE",
        help="memory to use in all, with its unit: 16G",
    )
    group.add_argument(
        "--dask-scheduler",
        metavar="ADDRESS",
        help="Dask cluster for the per-scan work: tcp://host:port, or a scheduler file (.json)",
    )


def add_behaviour_options(group: Any) -> None:
    """Add the options of what to compute at all, and what to say of it."""
    group.add_argument(
        "--dry-run", action="store_true", help="print what would be done and compute nothing"
    )
    group.add_argument("--reports-only", action="store_true", help="only write tables and report")
    group.add_argument(
        "--boilerplate-only",
        "--boilerplate_only",
        action="store_true",
        help="only write the methods text",
    )
    group.add_argument(
        "--stop-on-first-crash", action="store_true", help="give up after the first failed scan"
    )
    group.add_argument("--keep-work", action="store_true", help="keep scratch data after success")
    group.add_argument(
        "--config-file",
        type=existing_file,
        metavar="FILE",
        help="TOML of an earlier run (logs/); flags on the command line win",
    )
    group.add_argument("--notrack", action="store_true", help="accepted; there is no telemetry")
    group.add_argument(
        "-v", "--verbose", action="count", default=0, dest="verbosity", help="more log; repeatable"
    )
