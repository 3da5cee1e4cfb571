#!/usr/bin/env bash
# Installs the package with its test tools into .venv-test, then lints, type-checks and tests it.
# With arguments, which go to pytest, coverage is not measured: they choose a part of the tests.
# CHECKED_IMAGE="podman synthtumour_bids:0.1.0", an engine and an image that is there, checks that too.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
make_environment .venv-test "[test,dask,templates]"
need_browser
export PATH="$PWD/.venv-test/bin:$PATH"
bash scripts/lint.sh
if [ $# -eq 0 ]; then
  bash scripts/coverage.sh
else
  python -m pytest "$@"
fi
if [ -n "${CHECKED_IMAGE:-}" ]; then
  bash scripts/container_check.sh "${CHECKED_IMAGE%% *}" "${CHECKED_IMAGE#* }"
fi
