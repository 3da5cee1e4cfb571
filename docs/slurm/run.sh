# shellcheck shell=bash disable=SC2034,SC2154
# Sourced by the jobs.
. "$SYNTHTUMOUR_SETTINGS"
datasets=("$BIDS" "$OUT")
more=("${OPTIONS[@]}")
for folder in "${TUMOURFREE[@]}"; do
  more+=(--tumourfree-dir "$folder")
done

participant() {
  sed -n "${SLURM_ARRAY_TASK_ID}p" "$SYNTHTUMOUR_PARTICIPANTS"
}

# A container started with --cleanenv sees the variables below alone; it must not take the GPUs of others.
if [ -n "${CUDA_VISIBLE_DEVICES:-}" ]; then
  export APPTAINERENV_CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES
fi

# Runs the app as a job step, which is what SLURM signals before the time limit. The app then saves
# and ends with code 75; the job goes back into the queue and goes on from there.
run() {
  local level=$1 code=0
  shift
  srun --ntasks=1 --cpus-per-task="$SLURM_CPUS_PER_TASK" \
    "${APP[@]}" "${datasets[@]}" "$level" "${more[@]}" --nprocs "$SLURM_CPUS_PER_TASK" "$@" ||
    code=$?
  if [ "$code" -eq 75 ]; then
    scontrol requeue "$SLURM_JOB_ID"
    sleep 60 # SLURM ends this script
  fi
  return "$code"
}
