#!/bin/bash
# What tensors compute is what NumPy computes, over extreme and random values.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/setup.sh
trellis=${TRELLIS:-.build/release/trellis}
if ! python=$(trellis_python numpy numpy); then
    # A machine of its own has no excuse; a laptop on a train has.
    [ "${CI:-}" = true ] && exit 1
    echo "skipped: NumPy cannot be installed here"
    exit 0
fi
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
"$python" Tests/References/arithmetic.py make "$directory" &&
    "$trellis" Tests/References/arithmetic.lua "$directory" &&
    "$python" Tests/References/arithmetic.py check "$directory"
