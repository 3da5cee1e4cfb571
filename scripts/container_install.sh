#!/usr/bin/env bash
# Installs the app into /opt for Dockerfile and Singularity.def, from the folder of pyproject.toml.
# Usage: container_install.sh dependencies | package VERSION | templates "[NAME ...]"
set -euo pipefail
venv=/opt/venv

install() {
  python3 -m pip --python "$venv/bin/python" install --constraint constraints.txt "$@"
}

# A layer of its own: it lasts as long as the pins do.
install_dependencies() {
  local requirements
  requirements=$(mktemp)
  python3 - >"$requirements" <<'PYTHON'
import pathlib, tomllib

project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
names = [*project["dependencies"], *extras["dask"], *extras["report"], *extras["templates"]]
print(*names, "bids-validator-deno", sep="\n")
PYTHON
  python3 -m venv --without-pip "$venv"
  install --requirement "$requirements"
  rm "$requirements"
  # Triton compiles networks, which takes a C compiler that the image does not have; libraries'
  # own tests, and what one compiles or links against, are not run either.
  python3 -m pip --python "$venv/bin/python" uninstall --yes triton
  find "$venv" -name '*.a' -delete
  find "$venv/lib" -depth -type d \( -name tests -o -name include \) -exec rm -rf {} +
}

install_package() {
  install --no-deps .
  # The label says what is inside, or there is no image.
  "$venv/bin/synthtumour-bids" --version | grep --fixed-strings --line-regexp "synthtumour-bids $1"
}

install_templates() {
  local names
  read -ra names <<<"$1"
  mkdir -p "$TEMPLATEFLOW_HOME"
  [ ${#names[@]} -eq 0 ] || "$venv/bin/synthtumour-fetch" "${names[@]}"
  chmod -R a+rX /opt
}

case $1 in
  dependencies) install_dependencies ;;
  package) install_package "$2" ;;
  templates) install_templates "$2" ;;
  *) echo "container_install.sh: no part $1" >&2; exit 2 ;;
esac
