#!/usr/bin/env bash
# Runs a container image as users do at its most confined: another user, a read-only root, no
# network. Simulates a small cohort with it, then preprocesses one scan of each kind or, with
# "whole", runs the whole method on all.
# Usage: container_check.sh docker|podman|apptainer IMAGE [whole]
set -euo pipefail
engine=$1 image=$2 extent=${3:-quick}
case $extent in
  quick) options=(--participant-label control01 tumour01 --steps preprocess) result=desc-brain_mask ;;
  whole) options=() result=label-L_mask ;;
  *) echo "container_check.sh: the third word is whole or left out, not $extent" >&2; exit 2 ;;
esac

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/demo" "$folder/out"
user=$(id -u):$(id -g)
if [ "${user%%:*}" -eq 0 ]; then
  user=4321:4321
  chown -R "$user" "$folder"
fi

# Usage: contained PROGRAM SOURCE:TARGET[:ro]... -- ARGUMENT...
contained() {
  local program=$1 mounts=()
  shift
  while [ "$1" != -- ]; do
    case $engine in apptainer) mounts+=(-B "$1") ;; *) mounts+=(-v "$1") ;; esac
    shift
  done
  shift
  case $engine in
    docker)
      docker run --rm --read-only --network none --user "$user" \
        --entrypoint "$program" "${mounts[@]}" "$image" "$@"
      ;;
    podman)
      # Without root, podman maps other users away from the owner of the folders.
      [ "$(id -u)" -eq 0 ] || mounts+=(--userns keep-id)
      # As Docker does; by itself podman leaves /tmp writable.
      podman run --rm --read-only --read-only-tmpfs=false --network none --user "$user" \
        --entrypoint "$program" "${mounts[@]}" "$image" "$@"
      ;;
    apptainer)
      apptainer exec --containall --cleanenv --net --network none "${mounts[@]}" \
        "$image" "$program" "$@"
      ;;
    *)
      echo "container_check.sh: the engine is docker, podman or apptainer, not $engine" >&2
      exit 2
      ;;
  esac
}

contained synthtumour-bids -- --version
contained synthtumour-demo "$folder/demo:/demo" -- \
  /demo/cohort --cohort-only --n-tumour 3 --n-tumourfree 4 --resolution 3
contained synthtumour-bids "$folder/demo/cohort/bids:/data:ro" "$folder/out:/out" -- \
  /data /out participant --profile sloppy "${options[@]}"

shopt -s nullglob
made=("$folder"/out/sub-*/anat/*_"$result".nii.gz)
[ ${#made[@]} -gt 0 ] || { echo "container_check.sh: no *_$result.nii.gz was made" >&2; exit 1; }
printf 'Made with %s from %s as user %s, read-only and offline:\n' "$engine" "$image" "$user"
printf '  %s\n' "${made[@]#"$folder/"}"
