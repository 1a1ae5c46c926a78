#!/bin/bash
# The disk fills up while a checkpoint is written: the program says so, the previous checkpoint stays, and resuming from it with room again
# gives what an undisturbed run gives. A small tmpfs where mounting is permitted, else a limit on the size of files (which the writer treats alike).
set -u
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
if [ "${1:-}" != inside ] && [ "$(id -u)" -ne 0 ] && unshare -rm true 2>/dev/null; then exec unshare -rm "$0" inside; fi
work=$(mktemp -d)
mounted=
trap '[ -n "$mounted" ] && umount "$work/small"; rm -rf "$work"' EXIT

space=(--images 16 --size 32x32 --classes 3 --layers 3 --strides 4,8 --blocks 1 --filters 2
    --operators none,skip_connect,sep_conv_3x3 --crop 24 --batch 2 --epochs 3 --arch-from 1 --threads 1)

search() { "$trellis" scripts/search.lua "${space[@]}" "$@"; }

fail() {
    echo "full-disk: $1"
    [ -e "$work/log.txt" ] && cat "$work/log.txt"
    exit 1
}

search --out "$work/whole" >"$work/log.txt" 2>&1 || fail "the undisturbed run failed"
size=$(stat -c %s "$work/whole/checkpoint.safetensors")

# Room for one checkpoint and a half: the second, written beside the first, does not fit.
mkdir "$work/small"
if mount -t tmpfs -o "size=$((size * 3 / 2))" tmpfs "$work/small" 2>/dev/null; then
    mounted=yes
    search --out "$work/small/run" >"$work/log.txt" 2>&1 && fail "the run did not notice that the disk is full"
    grep -q "No space left on device" "$work/log.txt" || fail "the message does not say that the disk is full"
    grep -q "previous file is unchanged" "$work/log.txt" || fail "the message does not say that the previous checkpoint is unchanged"
    cp -r "$work/small/run" "$work/run"
    how="a tmpfs of $((size * 3 / 2)) bytes"
else
    # After one epoch, files may not grow beyond half a checkpoint.
    # Not the function: the kill has to meet the program and not a shell around it.
    "$trellis" scripts/search.lua "${space[@]}" --out "$work/run" >"$work/log.txt" 2>&1 &
    process=$!
    until [ -e "$work/run/checkpoint.safetensors" ] || ! kill -0 $process 2>/dev/null; do sleep 0.02; done
    kill -KILL $process 2>/dev/null
    wait $process 2>/dev/null
    cp "$work/run/checkpoint.safetensors" "$work/before"
    (
        trap '' XFSZ
        ulimit -f $((size / 2048))
        search --out "$work/run" --resume
    ) 2>&1 | cat >"$work/log.txt"
    if ! grep -q "3 of 3 epochs" "$work/log.txt"; then
        grep -q "File too large" "$work/log.txt" || fail "the message does not say that the file cannot be written"
        grep -q "previous file is unchanged" "$work/log.txt" || fail "the message does not say that the previous checkpoint is unchanged"
        cmp -s "$work/before" "$work/run/checkpoint.safetensors" || fail "the previous checkpoint has changed"
    fi
    how="a limit on the size of files"
fi
search --out "$work/run" --resume >"$work/log.txt" 2>&1 || fail "resuming from the previous checkpoint failed"
for file in checkpoint.safetensors architecture.json log.csv; do
    cmp -s "$work/whole/$file" "$work/run/$file" || fail "$file differs from the undisturbed run"
done
echo "full-disk: said so, kept the checkpoint, resumed to the same result ($how)"
