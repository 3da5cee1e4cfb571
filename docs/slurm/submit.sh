#!/usr/bin/env bash
# Submits the chain: preprocess each participant, train once, segment each participant.
# Usage: submit.sh [SETTINGS], from a node that sees the data.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
SYNTHTUMOUR_SETTINGS=$(realpath "${1:-$here/settings.sh}")
SYNTHTUMOUR_SLURM=$here
export SYNTHTUMOUR_SETTINGS SYNTHTUMOUR_SLURM
. "$SYNTHTUMOUR_SETTINGS"

mkdir -p "$WORK/slurm"
# A list of its own: tasks of a submission before this one look people up in theirs.
SYNTHTUMOUR_PARTICIPANTS=$(mktemp "$WORK/participants-XXXXXX.txt")
export SYNTHTUMOUR_PARTICIPANTS
find -H "$BIDS" "${TUMOURFREE[@]}" "${FURTHER[@]}" -mindepth 1 -maxdepth 1 -name 'sub-*' -printf '%f\n' |
  sed 's/^sub-//' | sort -u > "$SYNTHTUMOUR_PARTICIPANTS"
n=$(wc -l < "$SYNTHTUMOUR_PARTICIPANTS")
[ "$n" -gt 0 ] || { echo "submit.sh: no sub-* folder in $BIDS ${TUMOURFREE[*]} ${FURTHER[*]}" >&2; exit 65; }

submit() {
  sbatch --parsable --export=ALL --kill-on-invalid-dep=yes "${SBATCH[@]}" "$@"
}
array=(--array="1-$n%$AT_ONCE" --output="$WORK/slurm/%x-%A_%a.log" "${SBATCH_ARRAY[@]}")
train=(--output="$WORK/slurm/%x-%j.log" "${SBATCH_TRAIN[@]}")

# afterany: one unusable scan must not keep the others from being learned from.
preprocess=$(submit "${array[@]}" "$here/preprocess.sbatch")
training=$(submit "${train[@]}" --dependency="afterany:$preprocess" "$here/train.sbatch")
segment=$(submit "${array[@]}" --dependency="afterok:$training" "$here/segment.sbatch")
echo "$n participants: preprocess $preprocess, train $training, segment $segment"
echo "Logs: $WORK/slurm"
