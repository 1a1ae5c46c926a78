#!/bin/bash
# A small file of 8192x8192 pixels takes the memory of its pixels, and where there is not as much it is refused; Ctrl-C gets through.
set -u
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
mkdir i l
export TRELLIS_THREADS=2

fail() {
    echo "large-images: $1"
    [ -e log.txt ] && head -n 20 log.txt
    exit 1
}

# within MB CODE: runs Lua with so much address space.
within() { (ulimit -v $(($1 * 1000)) && timeout 100 "$trellis" -e "$2") >log.txt 2>&1; }

"$trellis" -e "data.shapes{images = 1, size = {16, 16}, classes = 2}:save_labels(tensor.zeros(8192, 8192, {dtype = 'int32'}), 'l/a.png')" || fail "no file"
cp l/a.png i/a.png
set="local set = data.folder{images = 'i', labels = 'l', classes = 2, cache = 0, check = false}"

within 450 "$set set:check()" || fail "a check needs more than 2 bytes for each label"
within 1900 "$set assert(select(2, set:sample(1)):sum():item() == 0)" || fail "a sample needs more than its tensors and its bytes"
within 700 "local set = data.folder{images = 'i', labels = 'l', classes = 2, cache = 0, check = false, scale = 0.125} assert(set:sample(1):size(2) == 1024)" ||
    fail "a smaller image needs more than the bytes of the larger one"
within 1300 "assert(nn.conv2d(3, 2, {kernel = 1}):segment('i/a.png', {window = {512, 512}, labels = 'o.png'}):size(1) == 8192)" ||
    fail "windows need the whole image as floats"
within 900 "$set local fine, message = pcall(set.sample, set, 1) assert(not fine and message:find('can be had', 1, true), message)" ||
    fail "too little memory is no error"

# Ctrl-C while scenes are painted and images read: an error, not an end by the signal.
for job in "data.shapes{images = 1, size = {4096, 4096}, classes = 3}:sample(1)" "$set while true do set:sample(1) end"; do
    timeout --signal INT 2 "$trellis" -e "print(pcall(function() $job end)) print('still here')" >log.txt 2>&1
    grep -q interrupted log.txt || fail "Ctrl-C did not get through to: $job"
done
echo "large-images: fine"
