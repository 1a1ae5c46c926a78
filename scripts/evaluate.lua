-- Measures a trained network on images with labels.
--
--   scripts/trellis scripts/evaluate.lua model/best                                   on the built-in scenes that retraining measures with
--   scripts/trellis scripts/evaluate.lua model/best --data camvid --dir DIR --scales 0.75,1,1.25 --flip
--   scripts/trellis scripts/evaluate.lua model/best --data cityscapes --dir DIR --window 513 --save predictions
--
-- Prints a table of the classes; with --save it writes a PNG for each image, with the data set's class numbers and colours.
local datasets = require("datasets")

local options = require("options").parse(arg, "Measures a trained network, a model directory, on images with labels.", datasets.options{
  {"split", "val", "split to measure on", "string"},
  {"scales", "1", "sizes in which an image is looked at; class probabilities are averaged", "list"},
  {"flip", false, "look at the mirror image too"},
  {"window", nil, "height x width of pieces that larger images are taken apart into", "size"},
  {"stride", nil, "from one window to the next; two thirds of the window when left out", "size"},
  {"batch", 4, "images at once, where all have one size"},
  {"save", nil, "directory for the predictions", "string"},
  {"confusion", nil, "picture of the confusion matrix: .svg, .png or .pdf", "string"},
  {"seed", 1, "of shapes and of a folder's split, as it was trained with"},
  {"threads", 0, "0: as many as the machine has; results do not depend on it"},
}, "MODEL")
if options.threads > 0 then trellis.threads(options.threads) end
if #options.words ~= 1 then error("name one model directory (--help lists the options)", 0) end

local scales = {}
for i, word in ipairs(options.scales) do scales[i] = tonumber(word) or error("--scales are numbers, got '" .. word .. "'", 0) end
local network = nas.network(options.words[1])
local set = datasets.validation(options, options.split)
local result = network:evaluate(set, {
  scales = scales, flip = options.flip, window = options.window, stride = options.stride, batch = options.batch, save = options.save, progress = true,
})
print(result)
if options.save then print("predictions in " .. options.save) end
if options.confusion then plot.confusion(result.confusion, {title = result.data}):save(options.confusion) end
