#!/bin/bash
# mpirun.sh N SCRIPT ARGS...: N processes started by mpirun, on the machines that its options say (MPIRUN="mpirun --hostfile FILE"). They speak through the directory of the trials only.
#   MPIRUN="mpirun --hostfile nodes" scripts/cluster/mpirun.sh 32 scripts/truth.lua --out truth
set -eu
count=$1
shift
here=$(cd "$(dirname "$0")/.." && pwd)
exec ${MPIRUN:-mpirun} -n "$count" env TRELLIS_THREADS=1 "$here/trellis" "$@"
