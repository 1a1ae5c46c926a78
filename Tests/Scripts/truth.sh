#!/bin/bash
# A small truth, made by one process and by two that share the work, one of them killed: the same bytes. TRELLIS names the program.
set -u
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
work=$(mktemp -d)
trap 'kill -KILL ${killed:-} 2>/dev/null; rm -rf "$work"' EXIT
fail() { echo "truth: $*"; cat "$work"/*.txt 2>/dev/null; exit 1; }
small() { exec "$trellis" scripts/truth.lua --name small --layers 2 --strides 4,8 --operators skip_connect,sep_conv_3x3 --size 32x32 --classes 3 --images 16 --stem 4 --checkpoints 2,6 --seeds 1,2 --out "$work/$1"; }

grep -q "(cksum) stands here: $(cksum <Sources/CTruth/streets.json | cut -d' ' -f1)\." Sources/CTruth/truth.c || fail "streets.json changed: its checksum in Sources/CTruth/truth.c is another one, so builds keep the old numbers"

(small alone) >"$work/alone.txt" 2>&1 || fail "one process failed"
(small shared) >"$work/killed.txt" 2>&1 &
killed=$!
until grep -qs '"event":"ask"' "$work/shared/journal.jsonl"; do sleep 0.02; done
(small shared) >"$work/first.txt" 2>&1 &
first=$!
kill -KILL "$killed"
(small shared) >"$work/second.txt" 2>&1 || fail "the second of two processes failed"
wait "$first" || fail "the first of two processes failed"
cmp "$work/alone/small.json" "$work/shared/small.json" || fail "two processes made another truth than one"
[ "$(stat -c %s "$work/alone/small.json")" -gt 1000 ] || fail "the truth is empty"
cp "$work/alone/small.json" "$work/before.json"
(small alone) >"$work/again.txt" 2>&1 && cmp -s "$work/alone/small.json" "$work/before.json" || fail "starting again changed the truth"
echo "truth: the same bytes by one process, by two and after a kill"
