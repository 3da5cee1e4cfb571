#!/usr/bin/env bash
# Installs what the app depends on into /opt/venv, for Dockerfile and Singularity.def; run in the
# folder of pyproject.toml and constraints.txt.
set -euo pipefail
venv=/opt/venv
requirements=$(mktemp)

python3 - >"$requirements" <<'PYTHON'
import pathlib, tomllib

project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
names = [*project["dependencies"], *extras["dask"], *extras["dicom"], *extras["templates"]]
print(*names, "bids-validator-deno", sep="\n")
PYTHON
python3 -m venv --without-pip "$venv"
python3 -m pip --python "$venv/bin/python" install --constraint constraints.txt \
  --requirement "$requirements"
rm "$requirements"

# Triton compiles networks, which takes a C compiler that the image does not have; libraries' own
# tests, and what one compiles or links against, are not needed either.
python3 -m pip --python "$venv/bin/python" uninstall --yes triton
find "$venv" -name '*.a' -delete
find "$venv/lib" -depth -type d \( -name tests -o -name include \) -exec rm -rf {} +
