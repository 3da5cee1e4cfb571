#!/usr/bin/env bash
# Installs the app beside its libraries, and TemplateFlow templates into TEMPLATEFLOW_HOME, for
# Dockerfile and Singularity.def; run in the folder of pyproject.toml.
# Usage: container_app.sh VERSION [TEMPLATE...]
set -euo pipefail
version=$1
shift
bin=/opt/venv/bin

# What builds it is among the locked libraries: nothing else is fetched.
python3 -m pip --python "$bin/python" install --no-deps --no-build-isolation --no-index .
# The label says what is inside, or there is no image.
inside=$("$bin/synthtumour-bids" --version)
if [ "$inside" != "synthtumour-bids $version" ]; then
  echo "container_app.sh: VERSION is $version, but the package inside is $inside" >&2
  exit 2
fi

# The library that looks templates up writes its list of names when it is first imported.
"$bin/python" -c "import templateflow"
[ $# -eq 0 ] || "$bin/synthtumour-fetch" "$@"

"$bin/python" scripts/container_contents.py >/opt/contents.cdx.json

# For every user. Only what needs it: a change of mode copies the file into the layer.
find /opt ! -type l ! -perm -o=r -exec chmod a+rX {} +
