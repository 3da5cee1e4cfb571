#!/usr/bin/env bash
# Installs the package into .venv, then makes the demo cohort and runs the main job on it.
# Usage: scripts/demo.sh [FOLDER] [synthtumour-demo options]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh
make_environment .venv
folder=${1:-demo-out}
[ $# -eq 0 ] || shift
exec .venv/bin/synthtumour-demo "$folder" "$@"
