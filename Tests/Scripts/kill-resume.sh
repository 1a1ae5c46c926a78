#!/bin/bash
# A short search is killed (SIGKILL) at 20 random moments, each time resumed on another number of threads: weights, optimisers, architecture
# and log are those of the run that nothing disturbed, to the last bit. TRELLIS names the program, KILLS the number of kills.
set -u
cd "$(dirname "$0")/../.."
trellis=${TRELLIS:-.build/release/trellis}
kills=${KILLS:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
RANDOM=20260

# Replaces the shell it runs in: `search ... &` is the program itself, so that a kill meets it and not a shell around it.
search() {
    exec "$trellis" scripts/search.lua --images 16 --size 32x32 --classes 3 --layers 3 --strides 4,8 --blocks 1 --filters 2 \
        --operators none,skip_connect,sep_conv_3x3 --crop 24 --batch 2 --epochs 6 --arch-from 1 "$@"
}

now() { echo "${EPOCHREALTIME/[.,]/}"; }

start=$(now)
(search --out "$work/whole" --threads 2) >"$work/whole.txt" 2>&1 || { cat "$work/whole.txt"; echo "kill-resume: the undisturbed run failed"; exit 1; }
length=$(($(now) - start)) # microseconds

bad=0
landed=0
# A run that was faster than its kill does not count; there are tries enough for those.
for ((i = 1; landed < kills && i <= 3 * kills; i++)); do
    out=$work/run$i
    # From the start of the process to a little before its usual end, checkpoints and pictures included.
    moment=$((length * (5 + RANDOM % 95) / 100))
    search --out "$out" --threads $((i % 3 + 1)) >"$work/killed.txt" 2>&1 &
    process=$!
    sleep "$(printf '%d.%06d' $((moment / 1000000)) $((moment % 1000000)))"
    if kill -KILL "$process" 2>/dev/null; then landed=$((landed + 1)); fi
    wait "$process" 2>/dev/null
    (search --out "$out" --resume --threads $(((i + 1) % 3 + 1))) >"$work/resumed.txt" 2>&1 || {
        cat "$work/resumed.txt"
        echo "kill-resume: resuming after kill $i at $moment us failed"
        exit 1
    }
    for file in checkpoint.safetensors architecture.json log.csv; do
        cmp -s "$work/whole/$file" "$out/$file" || {
            echo "kill-resume: $file differs after kill $i at $moment us"
            bad=$((bad + 1))
        }
    done
    rm -rf "$out"
done
[ "$landed" -eq "$kills" ] || { echo "kill-resume: only $landed of $kills kills met a running process"; exit 1; }
[ "$bad" -eq 0 ] || exit 1
echo "kill-resume: $((i - 1)) runs, $landed killed on the way, all equal to the undisturbed one"
