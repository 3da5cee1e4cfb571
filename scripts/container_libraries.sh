#!/usr/bin/env bash
# Installs what the app depends on into /opt/venv, for Dockerfile and Singularity.def; run in the
# folder of requirements.lock and constraints.txt.
set -euo pipefail
venv=/opt/venv

python3 -m venv --without-pip "$venv"
if [ -z "${PIP_EXTRA_INDEX_URL:-}" ]; then
  # Whatever the index hands over, it is what was locked, or there is no image.
  python3 -m pip --python "$venv/bin/python" install --require-hashes --no-deps \
    --requirement requirements.lock
else
  # Another index has other files of the same versions: a torch for CPUs.
  names=$(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/\1/p' requirements.lock | grep -v -E '^(nvidia|cuda|triton)')
  # shellcheck disable=SC2086
  python3 -m pip --python "$venv/bin/python" install --constraint constraints.txt $names
fi

# Triton compiles networks, which takes a C compiler that the image does not have; libraries' own
# tests, and what one compiles or links against, are not needed either.
python3 -m pip --python "$venv/bin/python" uninstall --yes triton
find "$venv" -name '*.a' -delete
find "$venv/lib" -depth -type d \( -name tests -o -name include \) -exec rm -rf {} +
