"""What the tables say of sizes and locations: BIDS dictionaries of the columns."""

from __future__ import annotations

from typing import Any

from synthtumour_bids.measures.change import ORIGIN

Columns = dict[str, dict[str, Any]]

SIZE: Columns = {
    "largest_focus_mL": {
        "Description": "Volume of the largest focus (26-connected part of the mask)",
        "Units": "mL",
    },
    "largest_focus_share": {"Description": "The same as a share of the whole tumour, 0 to 1"},
    "longest_diameter_mm": {
        "Description": "Longest line between two points of the largest focus's surface",
        "Units": "mm",
    },
    "axial_diameter_mm": {
        "Description": "Longest line between two points of the largest focus's border in one axial "
        "slice of the scan's grid (RANO)",
        "Units": "mm",
    },
    "axial_perpendicular_mm": {
        "Description": "Longest line inside the largest focus in that slice, at right angles to "
        "the axial diameter",
        "Units": "mm",
    },
    "axial_slice": {
        "Description": "Index of that slice, from 0, along the grid's axis nearest to the body's "
        "long axis"
    },
    "surface_mm2": {"Description": "Surface of the largest focus", "Units": "mm^2"},
    "sphericity": {
        "Description": "Surface of the ball of the largest focus's volume over its own surface: 1 "
        "for a ball, less for all else (small foci in one or two thick slices can have more)"
    },
}
EXPECTED: Columns = {
    "expected_dice": {
        "Description": "Dice to be expected of the mask and a truth that nobody knows, as on known "
        "tumours; n/a where that is not known"
    },
    "expected_dice_low": {"Description": "Lower end of the interval that held 90 % of these"},
    "expected_dice_high": {"Description": "Upper end of that interval"},
}
LOCATION: Columns = {
    "side": {
        "Description": "Side of the person, by the template's midline",
        "Levels": {
            "left": "More than 90 % of the tumour lie on the left",
            "right": "More than 90 % of the tumour lie on the right",
            "both": "At least 10 % of the tumour lie on either side",
        },
    },
    "left_share": {
        "Description": "Share of the tumour on the left, 0 to 1; the rest is on the right"
    },
    "crosses_midline": {
        "Description": "Whether one focus reaches more than 3 mm beyond the midline on both sides"
    },
    **{
        f"centre_{axis}_mm": {
            "Description": f"Centre of mass in the template's space, towards the {towards}",
            "Units": "mm",
        }
        for axis, towards in (("x", "right"), ("y", "front"), ("z", "top"))
    },
    "midline_distance_mm": {
        "Description": "Shortest distance to the midline in the template's space; 0 where a focus "
        "crosses it",
        "Units": "mm",
    },
    "ventricle_distance_mm": {
        "Description": "Shortest distance to the lateral and third ventricles of the average brain "
        "in the template's space; 0 inside",
        "Units": "mm",
    },
    "surface_distance_mm": {
        "Description": "Shortest distance to the surface of the brain mask on the scan's grid; "
        "0 in its outermost voxels",
        "Units": "mm",
    },
    **{
        f"{short}_share": {
            "Description": f"Mean probability of {tissue} that the average brain has in the "
            "tumour's place, 0 to 1"
        }
        for short, tissue in (
            ("wm", "white matter"),
            ("gm", "grey matter"),
            ("csf", "cerebrospinal fluid"),
        )
    },
}
REGIONS: Columns = {
    "atlas": {"Description": "Name of the atlas given with --atlas"},
    "index": {"Description": "Number of the region in the atlas; 0 for none"},
    "region": {"Description": "Name of the region"},
    "volume_mL": {"Description": "Volume of the tumour in the region", "Units": "mL"},
    "share": {"Description": "The same as a share of the whole tumour, 0 to 1"},
}
CHANGE: Columns = {
    "previous_session_id": {"Description": "The session before, which this one is compared with"},
    "interval_years": {
        "Description": "Time between both sessions, by sessions.tsv and scans.tsv",
        "Units": "year",
    },
    "times": {
        "Description": "Where that comes from",
        "Levels": {"dates": "acq_time", "ages": "age"},
    },
    "previous_volume_mL": {"Description": "Volume of the tumour mask then", "Units": "mL"},
    "volume_mL": {"Description": "Volume of the tumour mask now", "Units": "mL"},
    "change_mL": {"Description": "The difference", "Units": "mL"},
    "change_percent": {"Description": "The same relative to the previous volume", "Units": "%"},
    "smallest_measurable_mL": {
        "Description": "A difference up to this is what repeated scans of an unchanged tumour "
        f"show. {ORIGIN}",
        "Units": "mL",
    },
    "verdict": {
        "Description": "What can be said of the change",
        "Levels": {
            "grown": "The volume has risen by more than smallest_measurable_mL, and the scans "
            "differ there",
            "shrunk": "The volume has fallen by more than smallest_measurable_mL, and the scans "
            "differ there",
            "no measurable change": "The difference may be due to the scans alone",
        },
    },
    "stable_mL": {"Description": "Tumour then and now", "Units": "mL"},
    "new_mL": {"Description": "Tumour now, not then", "Units": "mL"},
    "gone_mL": {"Description": "Tumour then, not now", "Units": "mL"},
    "difference_sd": {
        "Description": "By how much brighter the later scan is in what is new, or gone of a tumour "
        "that has shrunk, in robust standard deviations of normal brain"
    },
    "radius_change_mm": {
        "Description": "Change of the radius of the sphere that has the tumour's volume",
        "Units": "mm",
    },
    "radius_rate_mm_per_year": {"Description": "The same per year", "Units": "mm/year"},
    "likeness": {
        "Description": "Correlation of both aligned brains outside of the tumours, -1 to 1"
    },
    "flags": {
        "Description": "What a person should look at; n/a for nothing",
        "Levels": {
            "sessions_unlike": "The aligned brains have so little in common that they may be two "
            "people's, or not aligned"
        },
    },
}
