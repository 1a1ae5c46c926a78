#!/bin/bash
# A short search and a short training are ended at random moments, by SIGKILL and, every second time, by Ctrl-C, which lets them finish their step; each
# time they are resumed on another number of threads: weights, optimisers, architecture, networks and log are those of the run that nothing disturbed, to
# the last bit. TRELLIS names the program, KILLS the number of ends of the search; the training gets half as many.
set -u
cd "$(dirname "$0")/../.."
trellis=${TRELLIS:-.build/release/trellis}
kills=${KILLS:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
RANDOM=20260

# Both replace the shell they run in: `job ... &` is the program itself, so that a kill meets it and not a shell around it.
search() {
    exec "$trellis" scripts/search.lua --images 16 --size 32x32 --classes 3 --layers 3 --strides 4,8 --blocks 1 --filters 2 \
        --operators none,skip_connect,sep_conv_3x3 --crop 24 --batch 2 --epochs 6 --arch-from 1 "$@"
}

retrain() {
    exec "$trellis" scripts/retrain.lua "$work/search-whole/architecture.json" --images 16 --size 32x32 --classes 3 --filters 2 \
        --widths 4,6,8,4,8 --crop 24 --batch 4 --accumulate 2 --epochs 6 --drop-path 0.2 --class-weights balanced "$@"
}

now() { echo "${EPOCHREALTIME/[.,]/}"; }

# job JOB KILLS FILE...: kills and resumes JOB; the FILEs of its directory have to be those of the undisturbed run.
job() {
    local name=$1 wanted=$2
    shift 2
    local start length moment process landed=0 bad=0 i file out signal stopped=0
    start=$(now)
    ("$name" --out "$work/$name-whole" --threads 2) >"$work/whole.txt" 2>&1 || { cat "$work/whole.txt"; echo "kill-resume: the undisturbed $name failed"; exit 1; }
    length=$(($(now) - start)) # microseconds
    # A run that was faster than its kill does not count; there are tries enough for those.
    for ((i = 1; landed < wanted && i <= 3 * wanted; i++)); do
        out=$work/run$i
        # From the start of the process to a little before its usual end, checkpoints and pictures included.
        moment=$((length * (5 + RANDOM % 95) / 100))
        "$name" --out "$out" --threads $((i % 3 + 1)) >"$work/killed.txt" 2>&1 &
        process=$!
        sleep "$(printf '%d.%06d' $((moment / 1000000)) $((moment % 1000000)))"
        signal=$([ $((i % 2)) = 0 ] && echo INT || echo KILL)
        if kill -$signal "$process" 2>/dev/null; then landed=$((landed + 1)); fi
        wait "$process" 2>/dev/null
        [ $? != 130 ] || stopped=$((stopped + 1))
        ("$name" --out "$out" --resume --threads $(((i + 1) % 3 + 1))) >"$work/resumed.txt" 2>&1 || {
            cat "$work/resumed.txt"
            echo "kill-resume: resuming the $name after $signal $i at $moment us failed"
            exit 1
        }
        for file in "$@"; do
            cmp -s "$work/$name-whole/$file" "$out/$file" || {
                echo "kill-resume: $file of the $name differs after $signal $i at $moment us"
                bad=$((bad + 1))
            }
        done
        rm -rf "$out"
    done
    [ "$landed" -eq "$wanted" ] || { echo "kill-resume: only $landed of $wanted kills met a running $name"; exit 1; }
    [ "$bad" -eq 0 ] || exit 1
    echo "kill-resume: $name: $((i - 1)) runs, $landed ended on the way, $stopped of them by Ctrl-C, all equal to the undisturbed one"
}

job search "$kills" checkpoint.safetensors architecture.json log.csv history.safetensors report.html
job retrain $(((kills + 1) / 2)) checkpoint.safetensors architecture.json log.csv best/weights.safetensors best/card.json last/weights.safetensors last/card.json
