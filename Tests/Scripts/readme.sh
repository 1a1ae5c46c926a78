#!/bin/bash
# The README's pieces run as they stand: Lua one after another, each a cell of one notebook; commands and Python, from a search to a training in PyTorch.
set -euo pipefail
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# piece LANGUAGE [BEFORE]: the blocks of a language, with a line before each.
piece() { awk -v fence="^\`\`\`$1\$" -v before="${2:-}" '$0 ~ fence { if (before != "") print before; inside = 1; next } /^```/ { inside = 0 } inside' README.md; }
piece lua '-- %%' >"$work/readme.lua"
piece sh >"$work/readme.sh"
piece python >"$work/readme.py"
[ "$(grep -c '^-- %%$' "$work/readme.lua")" -ge 4 ] && [ -s "$work/readme.sh" ] && [ -s "$work/readme.py" ]
[ "$(cat "$work/readme.sh" "$work/readme.py" | wc -l)" -le 10 ]
cd "$work"
"$trellis" notebook readme.lua -o readme.md
# What a comment says comes out.
grep -q '^10147427$' readme.md

# The commands, with the binary that is tested.
mkdir scripts
ln -s "$root"/scripts/* scripts
rm scripts/trellis
printf '#!/bin/sh\nexec "%s" "$@"\n' "$trellis" >scripts/trellis
chmod +x scripts/trellis
bash -e readme.sh >commands.log 2>&1 || { cat commands.log >&2; exit 1; }
[ -n "${TORCH_PY:-}" ] || { python3 -m py_compile readme.py out/network.py; echo "skipped: a training in PyTorch, as TORCH_PY names no python with torch"; exit 0; }
"$TORCH_PY" readme.py
"$trellis" -e 'nas.network("out"):load("out/trained.safetensors")'
