#!/bin/bash
# xargs.sh N SCRIPT ARGS...: N processes of a script that shares its trials (nas.trials{out = ...}), on this machine.
#   scripts/cluster/xargs.sh 4 scripts/truth.lua --out truth
set -eu
count=$1
shift
here=$(dirname "$0")/..
# Each word is one argument of the script, which may hold spaces.
seq "$count" | xargs -P "$count" -I{} env TRELLIS_THREADS=1 "$here/trellis" "$@"
