#!/bin/bash
# The page that a search leaves, and that of a search which was stopped, are sound HTML that needs nothing else.
set -uo pipefail
cd "$(dirname "$0")/../.."
trellis=${TRELLIS:-.build/release/trellis}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$trellis" scripts/search.lua --images 16 --size 32x48 --classes 4 --layers 4 --strides 4,8,16 --blocks 2 --filters 2 --crop 24 --batch 2 \
    --epochs 3 --arch-from 1 --out "$work/run" >"$work/log.txt" 2>&1 || { cat "$work/log.txt"; exit 1; }
"$trellis" scripts/report.lua "$work/run" "$work/again.html" >/dev/null || exit 1
cmp "$work/run/report.html" "$work/again.html" || exit 1
[ -s "$work/run/certainty.txt" ] && grep -q "How sure it is" "$work/run/report.html" || { echo "the page says nothing of how sure it is"; exit 1; }
if ! command -v python3 >/dev/null; then
    echo "skipped: no python3 to read the page with"
    exit 0
fi
python3 Tests/References/page.py "$work/run/report.html"
