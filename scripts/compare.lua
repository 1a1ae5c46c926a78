-- Is a found architecture better than chance? Searches one, then trains from scratch, with the same steps and about the same number of
-- parameters: the found one with several seeds, random architectures of the same space, and known designs with a plain cell.
--
--   scripts/trellis scripts/compare.lua --data camvid --dir DIR --scale 0.5
--   scripts/trellis scripts/compare.lua --space my_space.lua        in the space that a script returns (scripts/subjects.lua): with random ones only
--   scripts/trellis scripts/compare.lua --out compare --resume      goes on after a kill: finished runs are kept, a running one continues
--
-- Leaves in its directory: search/ (what scripts/search.lua leaves), runs/NAME/ for each training (its network is `last`, after the last step:
-- none is picked by the images that it is measured on), results.csv, results.json, comparison.svg and .png with every run as a dot,
-- and what every run leaves (run.json, settings.json, run.log); each of its runs has that too.
local parse, stop, ask, datasets, runs = require("options").parse, require("options").stop, require("options").ask, require("datasets"), require("runs")
local subjects, paths = require("subjects"), require("paths")

local options = parse(arg, "Compares a found architecture with random ones and known designs.", datasets.options{
  {"space", nil, "a script that returns a space, instead of the trellis of the next four options", "string"},
  {"layers", 6, "L", least = 1},
  {"strides", "4,8,16,32", "from the finest to the coarsest", "integers"},
  {"blocks", 3, "B, blocks of a cell", least = 1},
  {"operators", "none,max_pool_3x3,skip_connect,sep_conv_3x3,atrous_conv_3x3", "candidates of the cell", "list"},
  {"architecture", nil, "a JSON file with an architecture of this space to compare, instead of a search", "string"},
  {"search-filters", 4, "F in the search", least = 1},
  {"search-epochs", 20, "passes over half of the training images; alpha and beta move in the second half of them", least = 1},
  {"search-crop", "96x128", "height x width of the search's crops", "size"},
  {"search-batch", 4, "images in a batch of the search", least = 1},
  {"search-head-reach", 0, "how far the heads' atrous taps look in the search, in pixels; 0: 0.3 of its crop's shorter side, at most the paper's 96", least = 0},
  {"filters", 8, "F of the found architecture's network; the others get the F that comes closest to its parameters", least = 1},
  {"stem", 16, "channels of the stem, twice as many in its last layer: small, so that cells matter", least = 1},
  {"aspp", 32, "channels of the ASPP", least = 1},
  {"low-level", 16, "channels of the decoder's low-level features", least = 1},
  {"decoder", 32, "channels of the decoder", least = 1},
  {"steps", 600, "steps of every training", least = 1},
  {"batch", 4, "images in a batch of the trainings", least = 1},
  {"crop", "96x128", "height x width of the trainings' crops", "size"},
  {"lr", 0.05, "learning rate of the trainings at the start; poly from there", above = 0},
  {"random", 6, "random architectures", least = 1},
  {"repeats", 3, "trainings of the found architecture, each with a seed of its own", least = 1},
  {"head-reach", 0, "how far the ASPP's first atrous taps look in the trainings, in pixels; 0: 0.3 of the crop's shorter side, at most the published 96", least = 0},
  {"seed", 1, "decides everything that is random, but for the images: see --data-seed"},
  {"threads", 0, "0: as many as the machine has; results do not depend on it", least = 0},
  {"out", "compare", "directory for results", "string"},
  {"resume", false, "continues the comparison in --out"},
  require("options").config,
})
if options.threads > 0 then trellis.threads(options.threads) end

options.head_reach = runs.reach(options.head_reach, options.crop)
options.search_head_reach = runs.reach(options.search_head_reach, options.search_crop)
if options.space then
  for _, name in ipairs{"layers", "strides", "blocks", "operators", "search_filters", "search_head_reach", "filters", "stem", "aspp", "low_level", "decoder", "head_reach"} do
    if options.given[name] then stop(("--%s is of the stock trellis; the space of %s has sizes of its own"):format((name:gsub("_", "-")), options.space)) end
  end
  options.space = paths.absolute(options.space)
end
local comparison = runs.open(options, {name = "compare", file = "settings.safetensors", settings = function(loaded)
  return type(loaded.settings) == "table" and loaded.settings.search_filters and loaded.settings or nil
end})
local out, o = comparison.out, comparison.settings

local train, validation = datasets.load(o)
comparison:images(train, validation)
local own = o.space and subjects.script(o.space, o.crop)
local space = own and own.space or ask(nas.trellis, {
  layers = o.layers, strides = o.strides, filters = o.search_filters, cell = ask(nas.cell, {blocks = o.blocks, operators = o.operators}),
})
files.make_directory(out .. "/runs")
local identity = comparison:identify{settings = o, images = o.contents}
if not comparison.before then checkpoint.save(out .. "/settings.safetensors", {settings = o, run = identity}) end
comparison:kept("what is done is kept")
comparison:begin{kind = "comparison", numbers = "results.csv", unit = "trainings"}

-- The search is scripts/search.lua itself, with its own directory and its own resuming.
local function search()
  local path = out .. "/search/architecture.json"
  if not runs.exists(path) then
    local script = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
    local words = {
      [0] = script .. "search.lua", "--out", out .. "/search", "--resume",
      "--crop", o.search_crop[1] .. "x" .. o.search_crop[2], "--batch", o.search_batch, "--epochs", o.search_epochs,
      "--arch-from", o.search_epochs // 2, "--validate-every", math.max(1, o.search_epochs // 4), "--seed", o.seed,
    }
    local sizes = own and {"--space", o.space} or {
      "--layers", o.layers, "--strides", table.concat(o.strides, ","), "--blocks", o.blocks, "--filters", o.search_filters,
      "--operators", table.concat(o.operators, ","), "--head-reach", o.search_head_reach,
    }
    table.move(sizes, 1, #sizes, #words + 1, words)
    for i, word in ipairs(words) do words[i] = tostring(word) end
    table.move(datasets.words(o), 1, #datasets.words(o), #words + 1, words)
    local own = arg
    arg = words
    dofile(words[0])
    arg = own
    collectgarbage()
  end
  return own and space:load(path) or nas.load(path)
end

-- A design of the gallery has 12 layers and five blocks. In a space of L layers, layer i has the stride of the design's layer ceil(12 i / L), at
-- most one step from the layer before and at most the space's coarsest; the cell is the plain one with the space's number of blocks: separable
-- 3x3 everywhere, the first block on both inputs, each later one on the previous input and the block before it.
local function known(name)
  local strides, path, level = nas.gallery[name].path, {}, 1
  local operators = table.move(o.operators, 1, #o.operators, 1, {})
  if not table.concat(operators, ","):find("sep_conv_3x3", 1, true) then operators[#operators + 1] = "sep_conv_3x3" end
  for i = 1, o.layers do
    local stride = strides[(#strides * i + o.layers - 1) // o.layers]
    local wanted = math.tointeger(math.log(stride // 4, 2)) + 1
    level = math.min(#o.strides, math.max(1, level - 1, math.min(level + 1, wanted)))
    path[i] = o.strides[level]
  end
  local cell = {}
  for b = 1, o.blocks do cell[b] = {{"sep_conv_3x3", b == 1 and 1 or 2}, {"sep_conv_3x3", b == 1 and 2 or b + 1}} end
  local space = nas.trellis{layers = o.layers, strides = o.strides, filters = o.search_filters, cell = nas.cell{blocks = o.blocks, operators = operators}}
  return nas.architecture{space = space, path = path, cell = cell, name = name}
end

local widths = {stem = o.stem, stem_output = 2 * o.stem, aspp = o.aspp, low_level = o.low_level, decoder = o.decoder}
local function with(more)
  for name, value in pairs(widths) do more[name] = value end
  return more
end
local function cost(architecture, filters)
  local height, width = o.crop[1], o.crop[2]
  if own then
    local with = {input = own.input, classes = train.classes}
    return {parameters = space:cost(architecture, nas.cost.parameters, with), multiply_adds = space:cost(architecture, nas.cost.multiply_adds, with)}
  end
  return architecture:estimate(with{filters = filters, classes = train.classes, height = height, width = width})
end

-- F so that the parameters come closest to `target`; they grow with F.
local function closest(architecture, target)
  local best, least
  for filters = 1, 4096 do
    local parameters = cost(architecture, filters).parameters
    if not least or math.abs(parameters - target) < least then best, least = filters, math.abs(parameters - target) end
    if parameters > target then return best end
  end
  return best
end

local function build(architecture, filters, seed)
  if own then return space:network(architecture, {classes = train.classes, seed = seed}) end
  return architecture:network(with{filters = filters, classes = train.classes, seed = seed, head_reach = o.head_reach})
end

local found
if o.architecture and own then
  found = ask(space.load, space, o.architecture)
elseif o.architecture then
  found = ask(nas.load, o.architecture)
  local fits, why = found:fits(space)
  if not fits then stop(o.architecture .. " does not fit the space: " .. why) end
else
  found = search()
end
print(found)
if found.warning then print("warning: " .. found.warning) end
local target = cost(found, o.filters).parameters

-- The runs in an order in which a comparison that is not finished yet has some of each kind.
local trainings = {}
local function add(kind, name, architecture, seed, architectureSeed)
  trainings[#trainings + 1] = {kind = kind, name = name, architecture = architecture, seed = seed, architecture_seed = architectureSeed}
end
add("found", "found-1", found, o.seed)
for k = 1, o.random do
  local seed = 1000 * o.seed + k
  add("random", "random-" .. k, space:random{seed = seed}, o.seed, seed)
  if k == (o.random + 1) // 2 and not own then
    for _, name in ipairs{"conv_deconv", "deeplab_v3"} do add(name, name, known(name), o.seed) end
  end
end
for k = 2, o.repeats do add("found", "found-" .. k, found, o.seed + k - 1) end

local function train_run(run)
  local dir = out .. "/runs/" .. run.name
  local path = dir .. "/result.safetensors"
  if runs.exists(path) then
    local before = checkpoint.load(path)
    comparison:own("runs/" .. run.name .. "/result.safetensors", before.run)
    return before.result
  end
  files.make_directory(dir)
  run.architecture:save(dir .. "/architecture.json")
  local filters = own and 0 or run.kind == "found" and o.filters or closest(run.architecture, target)
  local network = build(run.architecture, filters, run.seed)
  local start = os.time()
  local history = network:fit(train, {
    steps = o.steps, batch = o.batch, crop = o.crop, scale = {0.75, 1.5}, flip = true, lr = o.lr, schedule = "poly", seed = run.seed,
    every = math.max(1, o.steps // 8), out = dir, resume = true, note = o,
  })
  local measured, sizes = network:evaluate(validation, {batch = o.batch}), cost(run.architecture, filters)
  local result = {
    name = run.name, kind = run.kind, seed = run.seed, architecture_seed = run.architecture_seed or "", filters = filters,
    parameters = sizes.parameters, multiply_adds = sizes.multiply_adds, loss = history.last.loss, miou = measured.miou, accuracy = measured.accuracy,
    skip_share = own and "" or run.architecture.skip_share, path = own and "" or table.concat(run.architecture.path, " "), seconds = os.time() - start,
  }
  checkpoint.save(path, {result = result, run = identity})
  return result
end

local columns = {
  "name", "kind", "seed", "architecture_seed", "filters", "parameters", "multiply_adds", "loss", "miou", "accuracy", "skip_share", "path",
}
local function isFinite(x) return x == x and math.abs(x) < math.huge end
local function number(x) return math.type(x) == "float" and ("%.6g"):format(x) or tostring(x) end
-- A JSON string: these are names and paths of ours, but a quote would break the file.
local function quoted(text) return '"' .. text:gsub('[%c"\\]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"' end
local function writeResults(results)
  local csv, json = {table.concat(columns, ",")}, {}
  for _, result in ipairs(results) do
    local cells, members = {}, {}
    for i, name in ipairs(columns) do
      local value = result[name]
      local isText = type(value) == "string"
      -- What is no number is an empty cell, and null.
      local isNothing = isText and value == "" or not isText and not isFinite(value)
      cells[i] = isNothing and "" or number(value)
      members[i] = ('"%s": %s'):format(name, isNothing and "null" or isText and quoted(value) or number(value))
    end
    csv[#csv + 1], json[#json + 1] = table.concat(cells, ","), "  {" .. table.concat(members, ", ") .. "}"
  end
  files.write(out .. "/results.csv", table.concat(csv, "\n") .. "\n")
  files.write(out .. "/results.json", "[\n" .. table.concat(json, ",\n") .. "\n]\n")
end

local size = own and "networks as large as they are" or ("about %d parameters each"):format(target)
print(("%s, %d images to train with, %d to measure with; %d steps of %d images, %s; %d runs"):format(
  datasets.name(o), #train, #validation, o.steps, o.batch, size, #trainings))
local results = {}
for i, run in ipairs(trainings) do
  local result = train_run(run)
  results[i] = result
  collectgarbage()
  local shape = own and "" or ("F = %d, path %s, "):format(result.filters, result.path)
  print(("%2d/%d  %-12s mIoU %.2f %%  loss %.3f  %s%d parameters, %.2f G multiply-adds  %d s"):format(
    i, #trainings, result.name, 100 * result.miou, result.loss, shape, result.parameters, result.multiply_adds / 1e9, result.seconds))
  writeResults(results)
  comparison.record:note{done = i, planned = #trainings}
end

-- Where the found one stands.
local byKind = {}
for _, result in ipairs(results) do
  local list = byKind[result.kind] or {}
  byKind[result.kind] = list
  list[#list + 1] = 100 * result.miou
end
local groups = {{"found", byKind.found}, {"random", byKind.random}}
if not own then groups[3], groups[4] = {"conv-deconv", byKind.conv_deconv}, {"DeepLabv3", byKind.deeplab_v3} end
local figure = plot.bar(groups, {dots = true, label = "mIoU, %", title = ("%s: %d steps, %s"):format(datasets.name(o), o.steps, size)})
figure:save(out .. "/comparison.svg"):save(out .. "/comparison.png")
print(figure)

local mean = require("statistics").mean
local function texts(list)
  local parts = {}
  for i, x in ipairs(list) do parts[i] = ("%.2f"):format(x) end
  return table.concat(parts, ", ")
end
local sorted = table.move(byKind.random, 1, #byKind.random, 1, {})
table.sort(sorted)
local median = (sorted[(#sorted + 1) // 2] + sorted[#sorted // 2 + 1]) / 2
local foundMean, below = mean(byKind.found), 0
for _, x in ipairs(sorted) do if x < foundMean then below = below + 1 end end
print(("found        %s %%, mean %.2f %%"):format(texts(byKind.found), foundMean))
print(("random       %s %%, median %.2f %%"):format(texts(sorted), median))
if not own then print(("conv-deconv  %s %%; DeepLabv3 %s %%"):format(texts(byKind.conv_deconv), texts(byKind.deeplab_v3))) end
print(("the found one is %.2f points %s the random median, better than %d of %d random ones; search seed %d, random architectures %d to %d"):format(
  math.abs(foundMean - median), foundMean > median and "above" or "below", below, #sorted, o.seed, 1000 * o.seed + 1, 1000 * o.seed + o.random))
comparison:finish{found = foundMean / 100, random = median / 100, better_than = below, of = #sorted}
print("results in " .. out .. ": results.csv, results.json, comparison.svg, comparison.png")
