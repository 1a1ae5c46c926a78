#!/bin/bash
# parallel.sh N SCRIPT ARGS...: the same by GNU parallel. With HOSTS="a b c" N processes on each of those machines, by ssh; they see this directory under the same name.
#   HOSTS="a b" scripts/cluster/parallel.sh 4 scripts/truth.lua --out "$PWD/truth"
set -eu
count=$1
shift
here=$(cd "$(dirname "$0")/.." && pwd)
on=()
total=$count
if [ -n "${HOSTS:-}" ]; then
    total=0
    for host in $HOSTS; do
        on+=(--sshlogin "$count/$host")
        total=$((total + count))
    done
fi
# -N0: the numbers only say how many. --quote keeps the words of the script as they are.
seq "$total" | parallel --jobs "$count" ${on[@]+"${on[@]}"} --workdir "$PWD" -N0 --quote env TRELLIS_THREADS=1 "$here/trellis" "$@"
