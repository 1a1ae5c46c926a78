#!/bin/bash
# What a user of the main jobs gets wrong is an error in one line, before any work and without a trace of scripts: results inside the data set, another
# kind of run, data that changed, options of other data sets, values out of range. TRELLIS names the program.
set -u
cd "$(dirname "$0")/../.."
trellis=$(realpath "${TRELLIS:-.build/release/trellis}")
scripts=$PWD/scripts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

fail() {
    echo "slips: $1"
    [ -n "${2:-}" ] && cat "$2"
    exit 1
}
# job NAME WORDS...: the script of that name.
job() {
    local name=$1
    shift
    "$trellis" "$scripts/$name.lua" "$@"
}
# refused WORDS JOB...: the job ends with 2, says WORDS, and shows no trace.
refused() {
    local words=$1
    shift
    job "$@" >said.txt 2>&1
    [ $? -eq 2 ] || fail "$* did not end with 2" said.txt
    grep -q -- "$words" said.txt || fail "$* does not say '$words'" said.txt
    grep -q -e traceback -e '\.lua:[0-9]' said.txt && fail "$* shows its script" said.txt
    return 0
}
# passes WORDS JOB...: the job ends well and says WORDS.
passes() {
    local words=$1
    shift
    job "$@" >said.txt 2>&1 || fail "$* failed" said.txt
    grep -q -- "$words" said.txt || fail "$* does not say '$words'" said.txt
}

# Values and options.
refused "--validate-every is at least 1, got '0'" search --validate-every 0
refused "--validate-every is at least 1, got '-2'" search --validate-every -2
refused "--crop is a size such as" search --crop 99999999999999999999
refused "--crop is a size such as" search --crop 0
refused "--size is a size such as" retrain conv_deconv --size 64x99999999999999999999
refused "--scale is above 0 and at most 1" search --data folder --dir own --scale 0
refused "--validation is above 0 and below 1" search --data folder --dir own --validation 5
refused "--head-reach is at least 0" retrain conv_deconv --head-reach -5
refused "--threads is at least 0" compare --threads -1
refused "--lr is a number" search --lr 1e999
refused "--coarse is for cityscapes, not for --data shapes" search --coarse
refused "--train-split is for camvid, cityscapes, voc, ade20k, not for --data shapes" retrain conv_deconv --train-split foo
refused "--images is for shapes, not for --data folder" compare --data folder --dir own --images 8
refused "--dir names the directory of the images" search --data folder
refused "nowhere/images: cannot read the directory" search --data folder --dir nowhere
refused "one of 'train', 'val', 'test' expected, got 'foo'" search --data camvid --dir nowhere --train-split foo
refused "there is no run to resume in search" search --resume
refused "the crop 200x200 is larger than" search --crop 200 --images 8 --out crop
refused "operator" search --operators none,nonsense --images 8 --crop 32 --out operators
refused "--strides\|stride" search --strides 4,5 --images 8 --crop 32 --out strides

# A folder of images, a search and a training on it.
"$trellis" - <<'LUA' || fail "making the folder"
for _, name in ipairs{"own/images", "own/labels", "masks/images", "masks/labels", "coloured/images", "coloured/labels"} do files.make_directory(name) end
local set = data.shapes{images = 12, size = {48, 64}, classes = 4, seed = 5}
local net = nn.conv2d(3, 4, {kernel = 1})
for i = 1, #set do
  local image, labels = set:sample(i)
  for _, name in ipairs{"own", "masks", "coloured"} do net:segment(image, {overlay = ("%s/images/%02d.png"):format(name, i), opacity = 0}) end
  set:save_labels(labels, ("own/labels/%02d.png"):format(i))
end
LUA
"$trellis" - <<'LUA' || fail "making the masks"
-- A PNG of one row of pixels a time, uncompressed: `channels` 1 or 3.
local function png(path, width, height, channels, pixel)
  local function crc(text)
    local c = 0xffffffff
    for i = 1, #text do
      c = c ~ text:byte(i)
      for _ = 1, 8 do c = c & 1 == 1 and (c >> 1) ~ 0xedb88320 or c >> 1 end
    end
    return c ~ 0xffffffff
  end
  local function chunk(kind, body) return (">I4"):pack(#body) .. kind .. body .. (">I4"):pack(crc(kind .. body)) end
  local rows = {}
  for y = 1, height do
    local row = {"\0"}
    for x = 1, width do row[#row + 1] = pixel(x, y) end
    rows[y] = table.concat(row)
  end
  local raw, a, b = table.concat(rows), 1, 0
  for i = 1, #raw do a = (a + raw:byte(i)) % 65521; b = (b + a) % 65521 end
  local packed = "\x78\1\1" .. ("<I2I2"):pack(#raw, ~#raw & 0xffff) .. raw .. (">I4"):pack(b << 16 | a)
  files.write(path, "\x89PNG\r\n\x1a\n" .. chunk("IHDR", (">I4I4BBBBB"):pack(width, height, 8, channels == 3 and 2 or 0, 0, 0, 0)) .. chunk("IDAT", packed) .. chunk("IEND", ""))
end
for i = 1, 12 do
  png(("masks/labels/%02d.png"):format(i), 64, 48, 1, function(x) return x > 20 + i and "\255" or "\0" end)
  png(("coloured/labels/%02d.png"):format(i), 64, 48, 3, function(x) return x > 20 + i and "\255\0\0" or "\0\0\0" end)
end
LUA
sizes="--threads 1 --filters 2 --crop 32 --batch 2"
space="--layers 3 --strides 4,8 --blocks 1 --operators none,skip_connect,sep_conv_3x3"
small="$sizes --widths 4,6,8,4,8 --epochs 1"
own="--data folder --dir own"
passes "results in found" search $own $sizes $space --epochs 2 --out found
grep -q "occur nowhere" said.txt && fail "counting the classes gives an alarm" said.txt
# A directory called like an architecture is none.
mkdir conv_deconv
passes "model/best: mIoU" retrain conv_deconv $own $small --out model
rmdir conv_deconv

# Masks and labels in colours.
refused "--values 255=1" search --data folder --dir masks $sizes $space --epochs 1
passes "masks: 2 classes, 0 to 1" search --data folder --dir masks --values 255=1,0=0 $sizes $space --epochs 1 --out masked
refused "--colours 000000,ff0000 reads by colour" search --data folder --dir coloured $sizes $space --epochs 1
passes "12 images\|10 images, 2 classes" search --data folder --dir coloured --colours 000000,ff0000 $sizes $space --epochs 1 --out by_colour
refused "--values is a list such as" search --data folder --dir masks --values x

# Nothing is written into a data set.
find own -type f | sort | xargs sha256sum >before.txt
refused "lies in the data set" evaluate model/best --save own/labels
refused "lies in the data set" evaluate model/best $own --save own/new
refused "lies in the data set" evaluate model/best --confusion own/images/confusion.png
refused "lies in the data set" search $own $sizes $space --out own/images
refused "lies in the data set" search $own $sizes $space --out own/images --resume
refused "belongs to the data of" segment own/images/01.png --model model/best --out own/images
refused "belongs to the data of" segment own/images/01.png --model model/best --out own/labels
(cd own/images && job segment 02.png --model ../../model/best --out . >../../said.txt 2>&1) && fail "pictures beside the images" said.txt
(cd own/images && job segment 02.png --model ../../model/best >../../said.txt 2>&1) && fail "pictures among the images" said.txt
(cd own && job search --data folder --dir . $sizes $space >../said.txt 2>&1) && fail "a run in the data set" said.txt
ln -s own/labels linked
refused "lies in the data set" evaluate model/best --save linked
find own -type f | sort | xargs sha256sum | cmp - before.txt || fail "the data set was written into"
cp own/images/01.png .hidden
passes "segmented/.hidden-" segment .hidden --model model/best

# Another kind of run.
refused "model holds another kind of run" search $own $sizes $space --out model --resume
refused "found holds another kind of run" retrain conv_deconv $own $small --out found --resume
refused "found holds another kind of run" compare $own --out found
refused "found holds another kind of run" compare $own --out found --resume

# An exported architecture of the gallery is whole, and does not stand in the way of its name.
passes "conv_deconv/card.json" export conv_deconv --size 64x64 --filters 2 --classes 3
for name in network.onnx weights.safetensors card.json; do [ -s "conv_deconv/$name" ] || fail "no conv_deconv/$name"; done
passes "conv_deconv/card.json" export conv_deconv --size 64x64 --filters 2 --classes 4
refused "model/best holds a network that was trained" export conv_deconv --size 64x64 --filters 2 --out model/best

# A resumed search says where it is; its history, which the checkpoint holds too, is written anew.
cp found/history.safetensors whole.safetensors
head -c 100 whole.safetensors >found/history.safetensors
passes "found: 2 of 2 epochs are done" search --out found --resume
grep -q "written anew from the checkpoint" said.txt || fail "a truncated history" said.txt
cmp found/history.safetensors whole.safetensors || fail "the history differs"
# Alpha and beta that are never trained are worth a word.
passes "warning: alpha and beta are trained after 99 epochs" search $sizes $space --images 8 --size 32x32 --classes 3 --epochs 1 --arch-from 99 --out untrained

# The card finds its images from another directory.
mkdir elsewhere
(cd elsewhere && job evaluate ../model/best >../said.txt 2>&1) || fail "measuring from another directory" said.txt
grep -q warning said.txt && fail "the images that were held out are called into doubt" said.txt

# Contents tell, not names: the images that it was trained on under the names of others; a label that changed since.
mkdir -p renamed/images renamed/labels
for i in {1..12}; do
    for kind in images labels; do cp "own/$kind/$(printf %02d "$i").png" "renamed/$kind/$(printf %02d $((13 - i))).png"; done
done
passes "warning: folder val has images that it was trained on: [12] of 2" evaluate model/best --dir renamed
cp -r own copied
job evaluate model/best --dir copied >said.txt 2>&1 || fail "measuring a copy" said.txt
grep -q warning said.txt && fail "a copy of the images that were held out is called into doubt" said.txt
cp own/labels/02.png own/labels/01.png
refused "found was begun with other images or labels" search --out found --resume
refused "model was begun with other images or labels" retrain --out model --resume
passes "it may have seen some of these" evaluate model/best
# Scenes too.
passes "model-shapes/best" retrain conv_deconv --images 16 --size 32x32 --classes 3 $small --out model-shapes
passes "warning: shapes val has images that it was trained on: 4 of 4" evaluate model-shapes/best --data-seed -1000002
job evaluate model-shapes/best >said.txt 2>&1 && ! grep -q warning said.txt || fail "the scenes that were held out are called into doubt" said.txt

# Ctrl-C's word can be given to the shell as it is.
job search $sizes $space --images 8 --size 32x32 --classes 3 --epochs 100000 --out 'a $b' >said.txt 2>&1 &
process=$!
for ((i = 0; i < 3000; i++)); do [ -e 'a $b/log.csv' ] && break; sleep 0.01; done
kill -INT "$(pgrep -P "$process" -f search.lua || echo "$process")"
wait "$process"
grep -q "search.lua --out 'a \$b' --resume" said.txt || fail "the command is not quoted" said.txt
echo "slips: options, places, kinds of runs and data that changed are errors of one line"
