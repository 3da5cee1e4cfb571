# shellcheck shell=bash
# Installs packages of the system's distribution. Usage: install_packages NAME...
install_packages() {
  local sudo=""
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends "$@"
}

# Sees to it that there is a browser to look at reports with.
need_browser() {
  local program
  for program in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$program" > /dev/null; then return; fi
  done
  install_packages chromium
}

# Sees to it that Python can make virtual environments.
need_venv() {
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    install_packages python3-venv python3-pip
  fi
}

# Libraries are compiled as they are first imported, which is quicker than all of them at once. Where
# Python may not keep what it compiled, each process takes three times as long to start.
unset PYTHONDONTWRITEBYTECODE

# Sourced by the other scripts: makes a fresh virtual environment with the exact versions that
# the project is tested with. Usage: make_environment FOLDER [EXTRAS]
make_environment() {
  local folder=$1 extras=${2:-}
  need_venv
  if ! [ -x "$folder/bin/python" ]; then
    local free_gb=$(($(df -Pk . | awk 'NR == 2 { print $4 }') / 1000000))
    if [ "$free_gb" -lt 10 ]; then
      echo "Installing takes 7 GB, and 3 GB more while it goes on; $PWD has $free_gb GB free." >&2
    fi
    python3 -m venv "$folder"
  fi
  "$folder/bin/python" -m pip install --quiet --no-compile --constraint constraints.txt --editable ".$extras"
}
