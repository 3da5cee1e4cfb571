#!/usr/bin/env bash
# Writes requirements.lock: the exact versions of constraints.txt, and the hashes of their files, of
# all that a container image carries. Needs uv on the PATH, and the package index. Run it after
# every change of constraints.txt or of the dependencies in pyproject.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
{
  echo "# Written by scripts/lock.sh from pyproject.toml and constraints.txt."
  # The validator that a run calls, and what builds the package itself.
  printf '%s\n' bids-validator-deno hatchling \
    | uv pip compile pyproject.toml - --extra dask --extra dicom --extra templates \
      --constraint constraints.txt --generate-hashes --python-version 3.11 \
      --python-platform x86_64-manylinux_2_28 --no-header --no-annotate --quiet
} > requirements.lock.new
mv requirements.lock.new requirements.lock
