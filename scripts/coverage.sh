#!/usr/bin/env bash
# Runs all tests, and tells which lines of the package nothing ran, in whatever process.
# Needs the test extra's tools on the PATH; pyproject.toml says how much has to be run.
set -euo pipefail
cd "$(dirname "$0")/.."
export COVERAGE_FILE=$PWD/.coverage # also of processes that work in other folders
coverage erase
# What shares a finished run is done by one process, all else beside it by two.
# Threads of three processes would wait for one another, and those that wait leave the core to others.
export OMP_NUM_THREADS=1 ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=1 OMP_WAIT_POLICY=PASSIVE
coverage run -m pytest -m cohort tests/system > .cohort-tests.log 2>&1 &
cohort=$!
trap 'kill "$cohort" 2> /dev/null || true' EXIT
result=0
# Files in the order of the collection, which begins with the slow ones.
coverage run -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not cohort" ||
  result=$?
wait "$cohort" || result=$?
cat .cohort-tests.log
coverage combine --quiet
coverage report
exit "$result"
