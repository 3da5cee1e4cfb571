#!/usr/bin/env bash
# Builds the documentation site; a warning, such as of a link that leads nowhere, ends it.
# Pages open from their folder, FOLDER/index.html, without a network; only the search needs a
# server, such as: python3 -m http.server --directory FOLDER
# Usage: scripts/docs.sh [FOLDER]
set -euo pipefail
folder=$(realpath -m "${1:-site}")
cd "$(dirname "$0")/.."
. scripts/environment.sh
need_venv
venv=.venv-docs
requirements=$(mktemp)
trap 'rm -f "$requirements"' EXIT

# The extra alone, without the package: its source is read, and nothing of it is run.
python3 - >"$requirements" <<'PYTHON'
import pathlib, tomllib

project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
print(*project["optional-dependencies"]["docs"], sep="\n")
PYTHON
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --constraint constraints.txt --requirement "$requirements"
# The theme tells of its successor on every build.
NO_MKDOCS_2_WARNING=1 "$venv/bin/mkdocs" build --strict --clean --site-dir "$folder"
