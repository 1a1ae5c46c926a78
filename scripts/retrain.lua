-- Trains the network of an architecture from scratch and keeps it with all that is needed to use it.
--
--   scripts/trellis scripts/retrain.lua search/architecture.json                      on the built-in scenes
--   scripts/trellis scripts/retrain.lua search/architecture.json --data camvid --dir DIR --scale 0.5 --crop 160x160
--   scripts/trellis scripts/retrain.lua auto_deeplab --filters 20 --widths 64,128,256,48,256 --data cityscapes --dir DIR --crop 513
--   scripts/trellis scripts/retrain.lua search/architecture.json --run-script         of a space of one's own, whose script the file keeps
--   scripts/trellis scripts/retrain.lua --out model --resume                          goes on after a kill, bit for bit; with --epochs 120 beyond its end
--   scripts/trellis scripts/retrain.lua --from model/best --data folder --dir DIR     goes on with a trained network, on other images or classes
--
-- The architecture is a file of a search, of any space, or one of nas.gallery. Leaves in its directory: the model directories best (by validation) and last,
-- each with weights.safetensors and card.json; what every run leaves (run.json, settings.json, run.log, events for TensorBoard); checkpoint.safetensors and log.csv (after every validation); and pictures of the curves, the
-- confusion matrix and some segmented images, each as SVG and PNG.
local datasets, runs, architectures, paths, stop = require("datasets"), require("runs"), require("architectures"), require("paths"), require("options").stop

local options = require("options").parse(arg, "Trains the network of an architecture from scratch: a file of a search, or a name of nas.gallery.", datasets.options{
  {"filters", 8, "F, channels of a block at the finest stride; published 20, 32, 48", least = 1},
  {"widths", "16,32,64,16,64", "channels of the stem, its last layer, ASPP, low-level features, decoder; published 64,128,256,48,256", "integers"},
  {"crop", "64x96", "height x width of training crops", "size"},
  {"head-reach", 0, "how far the ASPP's first atrous taps look, in pixels; 0: 0.3 of the crop's shorter side, at most the published 96", least = 0},
  {"random-scale", "0.5,2", "images are resized by a random factor of this range", "list"},
  {"no-flip", false, "do not mirror at random"},
  {"jitter", 0.0, "random brightness, contrast and saturation by 1 ± so much", least = 0, most = 1},
  {"focus", 0.0, "share of crops laid over a pixel of a class picked evenly", least = 0, most = 1},
  {"batch", 8, "images of a step", least = 1},
  {"accumulate", 1, "parts that a step's images go through one after another, to save memory", least = 1},
  {"epochs", 60, "passes over the training images", least = 1},
  {"steps", 0, "steps instead of epochs", least = 0},
  {"lr", 0.05, "learning rate at the start", above = 0},
  {"schedule", "poly", "how it falls", {"poly", "cosine", "constant"}},
  {"power", 0.9, "of poly", least = 0},
  {"warm-up", 0, "steps in which it rises from 0", least = 0},
  {"weight-decay", 4e-5, "of kernels", least = 0},
  {"clip", 0.0, "largest norm of the gradient; 0: any", least = 0},
  {"class-weights", "none", "of the loss", {"none", "balanced"}},
  {"drop-path", 0.0, "probability with which paths are dropped in the end", least = 0, below = 1},
  {"every", 0, "steps from validation to validation; 0: one after each epoch", least = 0},
  {"patience", 0, "ends the run after so many validations without a better mIoU; 0: never", least = 0},
  {"from", nil, "a model directory: its network is trained on, instead of a new one of an ARCHITECTURE; of other classes its last layer is new", "string"},
  architectures.option,
  {"seed", 1, "decides everything that is random, but for the images: see --data-seed"},
  {"threads", 0, "0: as many as the machine has; results do not depend on it", least = 0},
  {"out", nil, "directory for results; the first free of model, model-2, ...", "string"},
  {"resume", false, "continues the run in --out (or the last one) from its last validation; with more --epochs or --steps than it had it goes on beyond its end"},
  require("options").config,
}, "ARCHITECTURE")
if options.threads > 0 then trellis.threads(options.threads) end

options.head_reach = runs.reach(options.head_reach, options.crop)
local run = runs.open(options, {name = "model", file = "checkpoint.safetensors", extends = {epochs = true, steps = true}, settings = function(loaded)
  return type(loaded.note) == "table" and loaded.note.widths and loaded.note or nil
end})
local out, o, before = run.out, run.settings, run.before

local found
if before then
  found = architectures.load(out .. "/architecture.json", o)
elseif o.from then
  if #options.words > 0 then stop("--from brings its own architecture, '" .. options.words[1] .. "' is one too many") end
  for _, name in ipairs{"filters", "widths", "head_reach"} do
    if options.given[name] then stop(("--%s is for an architecture; the network of --from has its own"):format((name:gsub("_", "-")))) end
  end
  o.from = paths.absolute(o.from)
  found = architectures.load(o.from, o)
else
  local name = options.words[1] or stop("name an architecture: a file that a search left, or one of nas.gallery (--help lists the options); or --from MODEL")
  if #options.words > 1 then stop("one architecture expected, got '" .. table.concat(options.words, "', '") .. "'") end
  found = architectures.load(name, o)
  found:refuse(options.given, {"filters", "widths", "head_reach", "drop_path"})
end
local architecture = found.architecture
if #o.widths ~= 5 then stop("--widths are five numbers: stem, its last layer, ASPP, low-level features, decoder") end
local scale = {}
for i, word in ipairs(o.random_scale) do scale[i] = tonumber(word) or stop("--random-scale is two numbers, got '" .. word .. "'") end
if #scale ~= 2 then stop("--random-scale is two numbers: the smallest and the largest factor") end

local train, validation = datasets.load(o)
run:images(train, validation)
run:begin{kind = "training", numbers = "log.csv", words = o.from and {} or {paths.absolute(out .. "/architecture.json")}}
local network = o.from and architectures.begin(before and out .. "/last" or o.from, train.classes, o) or found:network{
  filters = o.filters, classes = train.classes, seed = o.seed, stem = o.widths[1], stem_output = o.widths[2], aspp = o.widths[3],
  low_level = o.widths[4], decoder = o.widths[5], head_reach = o.head_reach,
}
if not before then
  print(architecture)
  print(network:count{height = o.crop[1], width = o.crop[2]})
  print(train, validation)
end
architecture:save(out .. "/architecture.json")
local function kept(steps) run:kept(("%d steps are kept"):format(steps)) end
if before then kept(before.done) end

local start = os.time()
local history = network:fit(train, {
  validation = validation, steps = o.steps > 0 and o.steps or nil, epochs = o.steps == 0 and o.epochs or nil, batch = o.batch, accumulate = o.accumulate,
  lr = o.lr, schedule = o.schedule, power = o.power, warm_up = o.warm_up, weight_decay = o.weight_decay, clip = o.clip > 0 and o.clip or nil,
  class_weights = o.class_weights == "balanced" and "balanced" or nil, drop_path = o.drop_path > 0 and o.drop_path or nil, crop = o.crop, scale = scale, flip = not o.no_flip,
  jitter = o.jitter, focus = o.focus, pad = datasets.padded(o) or nil, every = o.every > 0 and o.every or nil,
  patience = o.patience > 0 and o.patience or nil, seed = o.seed, use = "best", out = out, resume = options.resume, extend = run.continuation ~= nil, note = o, progress = true,
  each = function(row)
    kept(row.step)
    print(("step %d  epoch %.1f  loss %.3f  val mIoU %.1f %%  accuracy %.1f %%  %d s"):format(
      row.step, row.epoch, row.loss, 100 * row.miou, 100 * row.accuracy, os.time() - start))
    start = os.time()
  end,
})

-- The best network, and what it takes for what.
print(history)
local result = network:evaluate(validation, {batch = o.batch})
print(result)
local function both(figure, name) figure:save(out .. "/" .. name .. ".svg"):save(out .. "/" .. name .. ".png") end
both(history:plot(), "curves")
both(plot.confusion(result.confusion, {title = "labels (rows) and predictions"}), "confusion")
local pictures = {}
for i = 1, math.min(4, #validation) do
  local image, labels = validation:sample(i)
  pictures[#pictures + 1] = {image = image, caption = "image " .. i}
  pictures[#pictures + 1] = {image = image, labels = labels, caption = "truth"}
  pictures[#pictures + 1] = {image = image, labels = network:segment(image), caption = "network"}
end
both(plot.images(pictures, {set = validation, columns = 3, title = "validation"}), "images")
run:finish{loss = history.last.loss, miou = result.miou, accuracy = result.accuracy}
print(("%s/best: mIoU %.1f %%; also last, checkpoint.safetensors, log.csv, curves, confusion, images (.svg, .png)"):format(out, 100 * result.miou))
