#!/bin/bash
# The disk fills up while a search or a training writes: the program says so, what was written before stays whole, and resuming with room again
# gives what an undisturbed run gives. A small tmpfs where mounting is permitted, else a limit on the size of files (which the writer treats alike).
set -u
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
if [ "${1:-}" != inside ] && [ "$(id -u)" -ne 0 ] && unshare -rm true 2>/dev/null; then exec unshare -rm "$0" inside; fi
work=$(mktemp -d)
mounted=
trap '[ -n "$mounted" ] && umount "$work/small"; rm -rf "$work"' EXIT

search=(scripts/search.lua --images 16 --size 32x32 --classes 3 --layers 3 --strides 4,8 --blocks 1 --filters 2
    --operators none,skip_connect,sep_conv_3x3 --crop 24 --batch 2 --epochs 3 --arch-from 1 --threads 1)
retrain=(scripts/retrain.lua "$work/search-whole/architecture.json" --images 16 --size 32x32 --classes 3 --filters 2 --widths 4,6,8,4,8
    --crop 24 --batch 4 --epochs 3 --threads 1)

fail() {
    echo "full-disk: $1"
    [ -e "$work/log.txt" ] && cat "$work/log.txt"
    exit 1
}

# fill JOB BYTES FILE...: what the job leaves in its directory, and how much room it gets at least. Where the disk is full before that, it gets more, until
# it is the second checkpoint that finds no room.
fill() {
    local name=$1 room=$2 size how process try
    local -n command=$1
    shift 2
    size=$(stat -c %s "$work/$name-whole/checkpoint.safetensors")
    mkdir -p "$work/small"
    if mount -t tmpfs -o "size=$room" tmpfs "$work/small" 2>/dev/null; then
        mounted=yes
        for try in {1..30}; do
            "$trellis" "${command[@]}" --out "$work/small/run" >"$work/log.txt" 2>&1 && fail "the $name did not notice that the disk is full"
            grep -q "No space left on device" "$work/log.txt" || fail "the message of the $name does not say that the disk is full"
            ! grep -q "previous file is unchanged" "$work/log.txt" || break
            rm -rf "$work/small/run"
            room=$((room + size / 4))
            mount -o "remount,size=$room" "$work/small" || fail "the small disk cannot be made larger"
        done
        grep -q "previous file is unchanged" "$work/log.txt" || fail "the message of the $name does not say that the previous file is unchanged"
        cp -r "$work/small/run" "$work/run"
        umount "$work/small"
        mounted=
        how="a tmpfs of $room bytes"
    else
        # After one checkpoint, files may not grow beyond half of one.
        "$trellis" "${command[@]}" --out "$work/run" >"$work/log.txt" 2>&1 &
        process=$!
        until [ -e "$work/run/checkpoint.safetensors" ] || ! kill -0 $process 2>/dev/null; do sleep 0.02; done
        kill -KILL $process 2>/dev/null
        wait $process 2>/dev/null
        cp "$work/run/checkpoint.safetensors" "$work/before"
        (
            trap '' XFSZ
            ulimit -f $((size / 2048))
            "$trellis" "${command[@]}" --out "$work/run" --resume
        ) 2>&1 | cat >"$work/log.txt"
        # A job that was done before the kill met it has nothing left to write.
        if grep -q "File too large" "$work/log.txt"; then
            grep -q "previous file is unchanged" "$work/log.txt" || fail "the message of the $name does not say that the previous file is unchanged"
            cmp -s "$work/before" "$work/run/checkpoint.safetensors" || fail "the previous checkpoint of the $name has changed"
        else
            cmp -s "$work/$name-whole/checkpoint.safetensors" "$work/run/checkpoint.safetensors" ||
                fail "the message of the $name does not say that the file cannot be written"
        fi
        how="a limit on the size of files"
    fi
    "$trellis" "${command[@]}" --out "$work/run" --resume >"$work/log.txt" 2>&1 || fail "resuming the $name from its previous checkpoint failed"
    for file in "$@"; do
        cmp -s "$work/$name-whole/$file" "$work/run/$file" || fail "$file of the $name differs from the undisturbed run"
    done
    rm -rf "$work/run"
    echo "full-disk: $name: said so, kept the checkpoint, resumed to the same result ($how)"
}

"$trellis" "${search[@]}" --out "$work/search-whole" >"$work/log.txt" 2>&1 || fail "the undisturbed search failed"
# Room for one checkpoint and a half: the second, written beside the first, does not fit.
size=$(stat -c %s "$work/search-whole/checkpoint.safetensors")
fill search $((size * 3 / 2)) checkpoint.safetensors architecture.json log.csv

"$trellis" "${retrain[@]}" --out "$work/retrain-whole" >"$work/log.txt" 2>&1 || fail "the undisturbed training failed"
# The two networks of the first validation and its checkpoint; then no room for another network beside them.
total=$(($(du -bc "$work"/retrain-whole/{best,last}/* "$work/retrain-whole/checkpoint.safetensors" | tail -n 1 | cut -f 1) + 65536))
fill retrain "$total" checkpoint.safetensors architecture.json log.csv best/weights.safetensors last/weights.safetensors last/card.json
