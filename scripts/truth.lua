-- The truth about a space: trains every architecture of it with several seeds and writes down what each came to, so that strategies can be measured against it (nas.truth).
--
--   scripts/trellis scripts/truth.lua                              the built-in one, 'streets': 544 architectures, three seeds each
--   scripts/cluster/xargs.sh 2 scripts/truth.lua --out truth       the same by two processes; any number of them share the work (nas.trials), and any may be killed
--   scripts/trellis scripts/truth.lua --data camvid --dir DIR --scale 0.1333 --name camvid
--
-- Leaves NAME.json in its directory: validation and test mIoU and the training's own loss of each architecture by seed and checkpoint, parameters and multiply-adds. It is the same to the last bit for the same options on
-- one instruction-set level, by however many processes, on however many threads.
local parse, stop, ask = require("options").parse, require("options").stop, require("options").ask

local o = parse(arg, "Trains all architectures of a small space, for nas.truth.", {
  {"name", "streets", "of the truth, and of its file", "string"},
  {"layers", 4, "L", least = 1},
  {"strides", "4,8,16,32", "from the finest to the coarsest", "integers"},
  {"operators", "none,max_pool_3x3,skip_connect,sep_conv_3x3,atrous_conv_3x3", "candidates of the cell, which has one block", "list"},
  {"filters", 4, "F", least = 1},
  {"head-reach", 10, "how far the heads' first atrous taps look, in pixels", least = 1},
  {"stem", 8, "channels of the stem, the ASPP and the decoder; of low-level features half of them", least = 2},
  {"data", "shapes", "where images come from", {"shapes", "camvid"}},
  {"dir", nil, "directory of camvid: train trains, val is split by halves", "string"},
  {"scale", 1.0, "fraction of the size that images of camvid are read at", above = 0, most = 1},
  {"size", "32x48", "height x width of scenes", "size"},
  {"classes", 8, "of scenes", least = 2, most = 12},
  {"images", 256, "scenes to train with; a quarter as many validate, and as many test", least = 16},
  {"batch", 4, "images of a step", least = 1},
  {"lr", 0.1, "learning rate at the start; poly from there", above = 0},
  {"checkpoints", "30,60,120,240", "steps after which a training is measured; the last one ends it", "integers"},
  {"seeds", "1,2,3", "of the trainings of each architecture", "integers"},
  {"threads", 1, "of this process", least = 1},
  {"out", "truth", "directory of the trials, shared by all processes", "string"},
})
trellis.threads(o.threads)
if (o.data == "camvid") ~= (o.dir ~= nil) then stop("--dir names the directory of --data camvid") end

local space = ask(nas.trellis, {layers = o.layers, strides = o.strides, filters = o.filters, head_reach = o.head_reach, cell = nas.cell{blocks = 1, operators = o.operators}})

-- Three sets of images: one trains, strategies may ask about another, the last judges.
local function sets()
  if o.data == "shapes" then
    local function scenes(images, seed) return data.shapes{images = images, size = o.size, classes = o.classes, seed = seed} end
    return scenes(o.images, 1), scenes(o.images // 4, 2), scenes(o.images // 4, 3)
  end
  return data.camvid(o.dir, "train", {scale = o.scale}), data.camvid(o.dir, "val", {scale = o.scale}):split(0.5, {seed = 2})
end
local train, validation, test = ask(sets)
for _, set in ipairs{train, validation, test} do ask(set.check, set) end
local classes, shape = train.classes, train:batches{size = 1}:next().shape

-- What every result depends on.
local settings = {
  layers = o.layers, strides = o.strides, operators = o.operators, blocks = 1, filters = o.filters, head_reach = o.head_reach,
  stem = o.stem, stem_output = o.stem, aspp = o.stem, low_level = o.stem // 2, decoder = o.stem, data = o.data, classes = classes,
  train = #train, validation = #validation, test = #test, batch = o.batch, lr = o.lr, checkpoints = o.checkpoints, seeds = o.seeds,
}
if o.data == "shapes" then settings.size = o.size else settings.scale = o.scale end

local architectures, places = {}, {}
for architecture in space:each() do
  architectures[#architectures + 1] = architecture
  places[#places + 1] = #places + 1
end

-- One training after the other: all architectures with the first seed, then with the next one. In an order of chance, so that what there is so far is a fair sample.
local work = {position = 0}
do
  local state = 1
  for i = #places, 2, -1 do
    state = (state * 6364136223846793005 + 1442695040888963407) & math.maxinteger
    local j = (state >> 31) % i + 1
    places[i], places[j] = places[j], places[i]
  end
end
function work:ask()
  if self.position < #places * #o.seeds then
    local position = self.position
    self.position = position + 1
    return {place = places[position % #places + 1], seed = o.seeds[position // #places + 1]}
  end
end
function work:tell() end
function work:state() return {position = self.position, settings = settings} end
function work:load_state(state) self.position = state.position end

local measured, steps, every = {}, o.checkpoints[#o.checkpoints], o.checkpoints[1]
local function divisor(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end
for _, step in ipairs(o.checkpoints) do measured[step], every = true, divisor(divisor(every, step), step // 2) end

local function build(architecture, seed)
  return architecture:network{
    filters = o.filters, classes = classes, seed = seed, stem = settings.stem, stem_output = settings.stem_output, aspp = settings.aspp,
    low_level = settings.low_level, decoder = settings.decoder,
  }
end

local function miou(network, set) return network:evaluate(set, {batch = 16, check = false, progress = false}).miou end

--- The mean loss over the second half of the first `step` steps; rows of a history are means since the row before.
local function late_loss(rows, step)
  local sum, count = 0, 0
  for _, row in ipairs(rows) do if row.step > step // 2 then sum, count = sum + row.loss, count + 1 end end
  return sum / count
end

-- What a training comes to at each checkpoint: {validation = {...}, test = {...}, loss = {...}}.
local function training(architecture, seed)
  local network, found, rows = build(architecture, seed), {validation = {}, test = {}, loss = {}}, {}
  local function measure(row)
    rows[#rows + 1] = {step = row.step, loss = row.loss}
    if not measured[row.step] then return end
    table.insert(found.validation, miou(network, validation))
    table.insert(found.test, miou(network, test))
    table.insert(found.loss, late_loss(rows, row.step))
  end
  network:fit(train, {steps = steps, batch = o.batch, lr = o.lr, flip = true, seed = seed, every = every, check = false, progress = false, each = measure})
  return found
end

local trials = ask(nas.trials, {strategy = work, out = o.out})
local total, start, done = #places * #o.seeds, os.time(), 0
for trial in trials do
  local found = training(architectures[trial.architecture.place], trial.architecture.seed)
  trial:finish{score = found.validation[#found.validation], step = steps, values = found}
  done = done + 1
  if done % 20 == 0 then
    collectgarbage()
    print(("%d of %d trainings, %.1f s each in this process"):format(trials.finished, total, (os.time() - start) / done))
  end
end

-- All are over: every process writes the same file.
local results, byPlace = {}, {}
for _, trial in ipairs(trials.all) do
  local place = trial.architecture.place
  local result = byPlace[place]
  if not result then
    local cost = build(architectures[place], 1):count{height = shape[3], width = shape[4]}
    result = {architecture = architectures[place], parameters = cost.parameters, multiply_adds = cost.multiply_adds, validation = {}, test = {}, loss = {}}
    byPlace[place], results[#results + 1] = result, result
  end
  for k, seed in ipairs(o.seeds) do
    if seed == trial.architecture.seed then result.validation[k], result.test[k], result.loss[k] = trial.values.validation, trial.values.test, trial.values.loss end
  end
end
local path = o.out .. "/" .. o.name .. ".json"
local truth = nas.truth{name = o.name, space = space, seeds = o.seeds, checkpoints = o.checkpoints, settings = settings, results = results}
truth:save(path)
print(truth)
print(("Kendall's correlation of a whole training with the judge: %.3f; of the first %d steps: %.3f"):format(truth:ceiling(), o.checkpoints[1], truth:ceiling{steps = o.checkpoints[1]}))
print("written to " .. path)
