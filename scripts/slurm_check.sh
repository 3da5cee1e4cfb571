#!/usr/bin/env bash
# Runs docs/slurm on a small simulated cohort, as a user of a cluster would, and looks at what came
# out. Uses the SLURM that is there; without one it starts a cluster of this machine alone, for
# which slurmctld, slurmd and munged must be installed (Debian: slurm-wlm, munge) and the user be
# root. Usage: scripts/slurm_check.sh [FOLDER], with synthtumour-bids and synthtumour-demo on PATH.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(realpath -m "${1:-slurm-check}")
mkdir -p "$folder/slurm"
started=()

stop() {
  [ ${#started[@]} -eq 0 ] || kill "${started[@]}" 2>/dev/null || true
}
trap stop EXIT

start_slurm() {
  local tool host cpus
  for tool in slurmctld slurmd munged; do
    command -v "$tool" > /dev/null || PATH=$PATH:/usr/sbin
    command -v "$tool" > /dev/null || { echo "There is no SLURM and no $tool." >&2; exit 69; }
  done
  host=$(hostname -s)
  cpus=$(nproc --all)
  mkdir -p /run/munge
  chown munge: /run/munge
  if ! pgrep -x munged > /dev/null; then
    runuser -u munge -- munged --foreground > /dev/null 2>&1 &
    started+=($!)
  fi
  export SLURM_CONF=$folder/slurm/slurm.conf
  cat > "$SLURM_CONF" << END
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=5,bf_interval=5
KillWait=30
SlurmctldPidFile=$folder/slurm/slurmctld.pid
SlurmdPidFile=$folder/slurm/slurmd.pid
StateSaveLocation=$folder/slurm/state
SlurmdSpoolDir=$folder/slurm/spool
SlurmctldLogFile=$folder/slurm/slurmctld.log
SlurmdLogFile=$folder/slurm/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus State=UNKNOWN
PartitionName=normal Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
  mkdir -p "$folder/slurm/state" "$folder/slurm/spool"
  slurmctld -c -D > /dev/null 2>&1 &
  started+=($!)
  slurmd -D > /dev/null 2>&1 &
  started+=($!)
  until [ "$(sinfo -h -o %t 2> /dev/null)" = idle ]; do sleep 2; done
}

sinfo -h > /dev/null 2>&1 || start_slurm
sinfo

synthtumour-demo "$folder" --cohort-only --n-tumourfree 3 --n-tumour 2 --resolution 4
cat > "$folder/settings.sh" << END
BIDS=$folder/bids
TUMOURFREE=()
FURTHER=()
OUT=$folder/out
WORK=$folder/work
LOCAL=\${TMPDIR:-/tmp}
OPTIONS=(--profile sloppy --junior train --truth $folder/truth --skip-bids-validation)
APP=($(command -v synthtumour-bids))
SBATCH=()
SBATCH_ARRAY=(--cpus-per-task=1)
SBATCH_TRAIN=(--cpus-per-task=$(nproc --all))
AT_ONCE=50
END
submitted=$("$root/docs/slurm/submit.sh" "$folder/settings.sh")
echo "$submitted"
train=$(sed -n 's/.*train \([0-9]*\).*/\1/p' <<< "$submitted")

# The time limit comes while the junior is trained: the job must save, requeue and go on.
log=$folder/work/slurm/train-$train.log
until grep -q "Junior epoch 2" "$log" 2> /dev/null; do sleep 5; done
scancel --signal=TERM "$train"
while squeue -h -o '%i %j %T %r' | grep .; do sleep 20; done

# What must be there, counted in the words of the files themselves.
check() { # WHAT EXPECTED FOUND
  echo "$1: $3"
  [ "$2" = "$3" ] || { echo "slurm_check: expected $2 for: $1" >&2; exit 1; }
}
check "trainings stopped by a signal" 1 "$(grep -c 'same command again to continue' "$log")"
check "trainings that went on" 1 "$(grep -c 'going on after' "$log" || true)"
check "models" 2 "$(find "$folder/out/models" -name model.json | wc -l)"
check "segmentations" 4 "$(find "$folder/out" -path '*/sub-*/*' -name '*_label-L_mask.nii.gz' ! -name '*space-*' | wc -l)"
check "participants in the table" 6 "$(tail -n +2 "$folder/out/participants.tsv" | wc -l)"
check "scans with Dice in the table" 4 "$(python3 - "$folder/out/group_desc-tumour_volumes.tsv" << 'END'
import csv, sys
with open(sys.argv[1]) as stream:
    rows = list(csv.DictReader(stream, delimiter="\t"))
print(sum(row.get("dice", "n/a") not in ("n/a", "") for row in rows))
END
)"
check "temporary files left" 0 "$(find "$folder/out" -name '.tmp-*' | wc -l)"
echo "slurm_check: the chain works."
