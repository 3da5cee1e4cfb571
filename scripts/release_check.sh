#!/usr/bin/env bash
# Holds the distributions in dist/ to a version: their names, what the installed wheel says of
# itself, and the heading of the changelog. Needs no library of the package.
# Usage: scripts/release_check.sh VERSION
set -euo pipefail
version=$1
cd "$(dirname "$0")/.."
wheel=dist/synthtumour_bids-$version-py3-none-any.whl
for file in "$wheel" "dist/synthtumour_bids-$version.tar.gz"; do
  [ -f "$file" ] || { echo "release_check.sh: there is no $file" >&2; exit 1; }
done
grep -q "^## $version\$" CHANGELOG.md || {
  echo "release_check.sh: CHANGELOG.md has no heading '## $version'" >&2
  exit 1
}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --no-deps "$wheel"
told=$("$folder/venv/bin/synthtumour-bids" --version)
[ "$told" = "synthtumour-bids $version" ] || {
  echo "release_check.sh: the wheel of $version says: $told" >&2
  exit 1
}
"$folder/venv/bin/synthtumour-bids" --help > /dev/null
