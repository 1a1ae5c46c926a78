#!/bin/bash
# Our IoU is that of Cityscapes' own scripts: a made-up data set in its layout, predictions written by us, evaluated by both.
set -uo pipefail
cd "$(dirname "$0")/../.."
. scripts/setup.sh
trellis=${TRELLIS:-.build/release/trellis}
python=$(trellis_python cityscapes cityscapesscripts==2.3.0 numpy pillow pyquaternion) || trellis_skip "Cityscapes' scripts cannot be installed here"
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
"$python" Tests/References/cityscapes.py make "$directory" &&
    "$trellis" Tests/References/cityscapes.lua "$directory" &&
    "$python" Tests/References/cityscapes.py check "$directory"
