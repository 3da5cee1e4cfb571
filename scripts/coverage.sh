#!/usr/bin/env bash
# Runs all tests, and tells which lines of the package nothing ran, in whatever process.
# Needs the test extra's tools on the PATH; pyproject.toml says how much has to be run.
set -euo pipefail
cd "$(dirname "$0")/.."
export COVERAGE_FILE=$PWD/.coverage # also of processes that work in other folders
coverage erase
# The system tests wait for one process after the other: the others run beside them.
export OMP_WAIT_POLICY=PASSIVE # threads that wait for one another leave the core to others
coverage run -m pytest tests/system > .system-tests.log 2>&1 &
system=$!
trap 'kill "$system" 2> /dev/null || true' EXIT
result=0
coverage run -m pytest --numprocesses 2 --dist loadfile --ignore tests/system || result=$?
wait "$system" || result=$?
cat .system-tests.log
coverage combine --quiet
coverage report
exit "$result"
