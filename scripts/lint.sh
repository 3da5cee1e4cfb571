#!/usr/bin/env bash
# Checks without running: style and types of the Python, the container recipes, the shell scripts.
# Needs the test extra's tools on the PATH.
set -euo pipefail
cd "$(dirname "$0")/.."
ruff check .
ruff format --check .
mypy
python scripts/import_graph.py
hadolint Dockerfile
spython recipe Singularity.def >/dev/null
shellcheck --exclude SC1090,SC1091 scripts/*.sh docs/slurm/*.sh docs/slurm/*.sbatch brainlife/main .ci/run
