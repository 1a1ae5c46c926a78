-- Segments images with a trained network.
--
--   scripts/trellis scripts/segment.lua street.png --model model/best
--   scripts/trellis scripts/segment.lua photos/*.jpg --model model/best --out pictures --window 513 --scales 0.75,1,1.25 --flip
--
-- Writes NAME-overlay.png, the image with the classes' colours over it, and NAME-labels.png, a PNG whose values are class numbers, with the colours
-- as palette. Both have the size of the image. They do not go beside the images: a data set would take them for images of its own.
local paths, stop, ask = require("paths"), require("options").stop, require("options").ask
local options = require("options").parse(arg, "Segments images, PNG or JPEG, with a trained network.", {
  {"model", nil, "model directory that retraining left", "string"},
  {"out", "segmented", "directory for the pictures", "string"},
  {"scales", "1", "sizes in which an image is looked at; class probabilities are averaged", "list"},
  {"flip", false, "look at the mirror image too"},
  {"window", nil, "height x width of pieces that larger images are taken apart into", "size"},
  {"stride", nil, "from one window to the next; two thirds of the window when left out", "size"},
  {"opacity", 0.6, "of the colours over the image", least = 0, most = 1},
  require("architectures").option,
  {"threads", 0, "0: as many as the machine has; results do not depend on it", least = 0},
}, "IMAGE...")
if options.threads > 0 then trellis.threads(options.threads) end
if not options.model then stop("--model names the directory of the network (--help lists the options)") end
if #options.words == 0 then stop("name at least one image (--help lists the options)") end

local scales = {}
for i, word in ipairs(options.scales) do scales[i] = tonumber(word) or stop("--scales are numbers, got '" .. word .. "'") end

-- Where each image's pictures go; two of one name would overwrite each other.
local targets, taken, out = {}, {}, paths.absolute(options.out)

-- Whether `out` is where images lie: their own directory, or one of a set of images/ and labels/ that they are in.
local known = {}
local function belongs(directory)
  if known[directory] == nil then
    local here = paths.absolute(directory)
    local set = (here .. "/"):match("^(.*)/images/")
    known[directory] = here == out or set ~= nil and (paths.within(out, set .. "/images") or paths.within(out, set .. "/labels"))
  end
  return known[directory]
end

for i, path in ipairs(options.words) do
  local name = (path:match("[^/]+$") or stop("'" .. path .. "' is no image")):gsub("(.)%.[^.]+$", "%1")
  if belongs(paths.parent(path)) then
    stop(("--out %s belongs to the data of %s, which would take the pictures for images or labels of its own; name another"):format(options.out, path))
  end
  targets[i] = options.out .. "/" .. name
  if taken[targets[i]] then
    stop(("%s and %s would both be written to %s-labels.png; segment them one by one, each with an --out of its own"):format(taken[targets[i]], path, targets[i]))
  end
  taken[targets[i]] = path
end

local network = require("architectures").model(options.model, options)
local names = {}
for i, class in ipairs(network:card().data.classes) do names[i] = class.name end
files.make_directory(options.out)
for i, path in ipairs(options.words) do
  local labels = ask(network.segment, network, path, {
    scales = scales, flip = options.flip, window = options.window, stride = options.stride, opacity = options.opacity,
    labels = targets[i] .. "-labels.png", overlay = targets[i] .. "-overlay.png",
  })
  -- The classes that take most of the image.
  local shares = {}
  for class = 0, #names - 1 do shares[class + 1] = {names[class + 1], labels:eq(class):mean():item()} end
  table.sort(shares, function(a, b) return a[2] > b[2] end)
  local words = {}
  for k = 1, math.min(4, #shares) do if shares[k][2] > 0 then words[#words + 1] = ("%s %.0f %%"):format(shares[k][1], 100 * shares[k][2]) end end
  print(("%s -> %s-{overlay,labels}.png: %s"):format(path, targets[i], table.concat(words, ", ")))
end
