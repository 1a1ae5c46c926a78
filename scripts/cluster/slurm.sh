#!/bin/bash
# sbatch --array=1-8 scripts/cluster/slurm.sh SCRIPT ARGS...: a process of a script that shares its trials for each task of a Slurm array. Tasks may start and end when they like: one that is
# cut off by its time leaves its trial to another, and `sbatch` once more goes on where all of them stopped.
#SBATCH --cpus-per-task=1
#SBATCH --time=4:00:00
#SBATCH --requeue
set -eu
cd "${SLURM_SUBMIT_DIR:-.}"
export TRELLIS_THREADS=${SLURM_CPUS_PER_TASK:-1}
exec scripts/trellis "$@"
