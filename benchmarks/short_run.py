"""The app itself, with fewer training steps than its profile plans: does all of it run, how fast?

    python benchmarks/short_run.py --epochs 8 --mixes 120 -- BIDS OUT participant --profile full

What comes after ``--`` goes to the app. Seconds and memory, the GPU's as well, are in
``OUT/logs/*/resources.tsv``, seconds a step in the log. Given again, it goes on as the app does.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from synthtumour_bids.__main__ import main as app
from synthtumour_bids.profiles import PROFILES


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, required=True, help="of either network")
    parser.add_argument("--mixes", type=int, required=True)
    parser.add_argument("arguments", nargs="+", help="of the app")
    options = parser.parse_args()
    for name, profile in PROFILES.items():
        junior, senior = (
            replace(one, epochs=options.epochs, min_epochs=min(one.min_epochs, options.epochs))
            for one in (profile.junior, profile.senior)
        )
        PROFILES[name] = replace(profile, junior=junior, senior=senior, n_mixed=options.mixes)
    return app(options.arguments)


if __name__ == "__main__":
    sys.exit(main())
