#!/usr/bin/env bash
# Installs the package with its test tools into .venv-test, then lints, type-checks and tests it.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
make_environment .venv-test "[test,dask,report,templates]"
export PATH="$PWD/.venv-test/bin:$PATH"
bash scripts/lint.sh
python -m pytest "$@"
