#!/bin/bash
# What tensors compute is what NumPy computes, over extreme and random values.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/setup.sh
trellis=${TRELLIS:-.build/release/trellis}
python=$(trellis_python numpy numpy) || trellis_skip "NumPy cannot be installed here"
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
"$python" Tests/References/arithmetic.py make "$directory" &&
    "$trellis" Tests/References/arithmetic.lua "$directory" &&
    "$python" Tests/References/arithmetic.py check "$directory"
