#!/bin/bash
# The README's pieces of Lua run as they stand, one after another, each a cell of one notebook.
set -euo pipefail
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk '/^```lua$/ { print "-- %%"; inside = 1; next } /^```/ { inside = 0 } inside' README.md >"$work/readme.lua"
[ "$(grep -c '^-- %%$' "$work/readme.lua")" -ge 4 ]
cd "$work"
"$trellis" notebook readme.lua -o readme.md
# What a comment says comes out.
grep -q '^10147427$' readme.md
