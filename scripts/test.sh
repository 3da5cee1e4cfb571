#!/usr/bin/env bash
# Installs the package with its test tools into .venv-test, then lints, type-checks and tests it.
# With arguments, which go to pytest, coverage is not measured: they choose a part of the tests.
# CHECKED_IMAGE="podman synthtumour_bids:0.2.0", an engine and an image that is there, checks that too.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
need_venv
need_browser & # meanwhile
browser=$!
make_environment .venv-test "[test,dask,templates]"
wait "$browser"
export PATH="$PWD/.venv-test/bin:$PATH"
if [ $# -gt 0 ]; then
  bash scripts/lint.sh
  python -m pytest "$@"
else
  # Style and types beside the tests: on their own they leave a core idle.
  result=0
  bash scripts/lint.sh > .lint.log 2>&1 &
  lint=$!
  bash scripts/coverage.sh || result=$?
  wait "$lint" || result=$?
  cat .lint.log
  [ "$result" -eq 0 ] || exit "$result"
fi
if [ -n "${CHECKED_IMAGE:-}" ]; then
  bash scripts/container_check.sh "${CHECKED_IMAGE%% *}" "${CHECKED_IMAGE#* }"
fi
