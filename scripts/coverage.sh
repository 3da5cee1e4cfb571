#!/usr/bin/env bash
# Runs all tests, and tells which lines of the package nothing ran, in whatever process.
# Needs the test extra's tools on the PATH; pyproject.toml says how much has to be run.
set -euo pipefail
cd "$(dirname "$0")/.."
export COVERAGE_FILE=$PWD/.coverage # also of processes that work in other folders
coverage erase
# Trainings use all cores, and slow each other down by far more than half: they come alone.
coverage run -m pytest --numprocesses 2 --dist loadfile --ignore tests/system
coverage run -m pytest tests/system
coverage combine --quiet
coverage report
