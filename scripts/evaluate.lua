-- Measures a trained network on images with labels.
--
--   scripts/trellis scripts/evaluate.lua model/best                                   on the images that retraining measured with
--   scripts/trellis scripts/evaluate.lua model/best --data camvid --dir DIR --scales 0.75,1,1.25 --flip
--   scripts/trellis scripts/evaluate.lua model/best --data cityscapes --dir DIR --window 513 --save predictions
--
-- Prints a table of the classes, and leaves in the first free of evaluation, evaluation-2, ... (--out) what it measured and how: run.json,
-- settings.json, run.log. With --save it writes a PNG for each image, with the data set's class numbers and colours. Without --data it takes
-- the images by the model's card; where they may be images that the network was trained on, it says so.
local datasets, paths, architectures, stop, ask = require("datasets"), require("paths"), require("architectures"), require("options").stop, require("options").ask

local options = require("options").parse(arg, "Measures a trained network, a model directory, on images with labels.", datasets.options{
  {"split", "val", "split to measure on: val, test, ...; of shapes train or val, of a folder train, val or all", "string"},
  {"scales", "1", "sizes in which an image is looked at; class probabilities are averaged", "list"},
  {"flip", false, "look at the mirror image too"},
  {"window", nil, "height x width of pieces that larger images are taken apart into", "size"},
  {"stride", nil, "from one window to the next; two thirds of the window when left out", "size"},
  {"batch", 4, "images at once, where all have one size", least = 1},
  {"save", nil, "directory for the predictions", "string"},
  {"confusion", nil, "picture of the confusion matrix: .svg, .png or .pdf", "string"},
  architectures.option,
  {"threads", 0, "0: as many as the machine has; results do not depend on it", least = 0},
  {"out", nil, "directory that says what was measured and how; the first free of evaluation, evaluation-2, ...", "string"},
  require("options").config,
}, "MODEL")
if options.threads > 0 then trellis.threads(options.threads) end
if #options.words ~= 1 then stop("name one model directory (--help lists the options)") end

local scales = {}
for i, word in ipairs(options.scales) do scales[i] = tonumber(word) or stop("--scales are numbers, got '" .. word .. "'") end
local network = architectures.model(options.words[1], options)

-- How it was trained, as far as its card says; the images are those unless the command line names others.
local training = network:card().training or {}
local trained = training.note
-- What a script of one's own noted is another thing.
if type(trained) ~= "table" or trained.train_split == nil then trained = nil end
local isTheirs = trained and (not options.given.data or options.data == trained.data)
if isTheirs then
  for _, name in ipairs(datasets.names()) do
    if not options.given[name] and trained[name] ~= nil then options[name] = trained[name] end
  end
  -- Runs of before there was a seed of the data's own took that of the run.
  if trained.data_seed == nil and not options.given.data_seed then options.data_seed = trained.seed end
elseif not options.given.data then
  print("the card does not say what the network was trained on: measured on the built-in scenes; --data names others")
end

if options.given.dir then options.dir = paths.absolute(options.dir) end
datasets.check(options)
if options.save then datasets.keep_out(options, options.save, "save") end
datasets.keep_out(options, options.out or "evaluation", "out")
if options.confusion then datasets.keep_out(options, paths.parent(options.confusion), "confusion") end
local set = datasets.part(options, options.split)

-- How many of the images are among those that it was trained on, where these can be had again as the card tells: nil where not.
local function common()
  local o = {}
  for _, name in ipairs(datasets.names()) do o[name] = trained[name] end
  o.data_seed = trained.data_seed or trained.seed
  if o.data ~= "shapes" and not paths.exists(trained.dir .. "/images/.") then return nil end
  local fine, train, validation = pcall(function() return datasets.open(o, "train"), datasets.open(o, "val") end)
  if not fine then return nil end
  if trained.contents then
    if trained.contents ~= datasets.contents(train, validation, o) then return nil end
  elseif o.data == "folder" then
    -- The run kept names only, of its training.
    return nil
  end
  local known, count = {}, 0
  for _, signature in ipairs(datasets.signatures(train)) do known[signature] = true end
  for _, signature in ipairs(datasets.signatures(set)) do if known[signature] then count = count + 1 end end
  return count
end

-- Whether the network may have been trained on these images.
local function seen()
  local what = options.data .. " " .. options.split
  local isOwn = trained and (trained.data == "shapes" or trained.data == "folder")
  if isOwn and trained.data == options.data then
    local count = common()
    if count == nil then
      return ("the images of its training are not there as they were (moved, or changed since): it may have seen some of these %d"):format(#set)
    elseif count > 0 then
      return ("%s has images that it was trained on: %d of %d"):format(what, count, #set)
    end
  elseif not isTheirs then
    return options.data == "folder" and ("the card does not say which images of a folder it was trained on: it may have seen some of these %d"):format(#set)
  elseif options.split == trained.train_split or trained.train_split == "trainval" and options.split ~= "test" then
    return what .. " has images that it was trained on"
  end
end
local run = require("runs").record(options, {
  name = "evaluation", kind = "evaluation", words = {paths.absolute(options.words[1])}, seed = training.settings and tonumber(training.settings.seed),
})
local warning = seen()
if warning then print("warning: " .. warning) end

local result = ask(network.evaluate, network, set, {
  scales = scales, flip = options.flip, window = options.window, stride = options.stride, batch = options.batch, save = options.save, progress = true,
})
print(result)
run:finish(result.values)
if options.save then print("predictions in " .. options.save) end
if options.confusion then plot.confusion(result.confusion, {title = result.data}):save(options.confusion) end
