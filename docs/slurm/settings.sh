# shellcheck shell=bash disable=SC2034
# What the SLURM jobs of this folder work on. Copy the folder, edit this file, run ./submit.sh.
BIDS=/data/tumours
TUMOURFREE=(/data/healthy)                   # one or several; () where BIDS holds both groups
FURTHER=()                                   # datasets that OPTIONS name: --annotated-dir
OUT=/data/derivatives/synthtumour_bids
WORK=/scratch/$USER/synthtumour              # shared by all nodes: what a training goes on from
LOCAL=${SLURM_TMPDIR:-${TMPDIR:-/tmp}}       # of one node: what one scan needs for a while
# Further flags of synthtumour-bids. The profile must be named: the first jobs have no GPU, and would
# choose fast for all. Without a GPU for the training, take fast.
OPTIONS=(--profile full)

# The app in a virtual environment ...
APP=("$HOME/synthtumour/bin/synthtumour-bids")
# ... or in a container, with all folders above under their own names:
# (with head templates of TemplateFlow: -B /data/templateflow:/opt/templateflow as well)
# APP=(apptainer run --cleanenv --nv -B /data -B /scratch -B "$LOCAL" synthtumour_bids.sif)

# Flags of sbatch: for all jobs, for the arrays, for the training. A partition of its own for GPUs
# goes into SBATCH_TRAIN. With profile full, by the seconds of a step, a training takes about an hour
# on an NVIDIA H200 with 16 cores, and more with fewer cores or on older cards; one that does not end
# in time saves, is put back into the queue, and goes on.
SBATCH=(--partition=normal)
SBATCH_ARRAY=(--cpus-per-task=2 --mem=8G --time=04:00:00)
SBATCH_TRAIN=(--cpus-per-task=8 --mem=32G --time=24:00:00 --gres=gpu:1)
AT_ONCE=50                                   # array tasks that run at the same time
