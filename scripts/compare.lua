-- Is what a search finds better than chance? Several searches, random architectures of the same space and known designs, each trained from scratch with the same seeds, at equal
-- parameters and at equal multiply-adds, and judged by images that chose nothing.
--
--   scripts/trellis scripts/compare.lua --data camvid --dir DIR --scale 0.5 --methods paper,recommended --searches 3 --out compare
--   scripts/trellis scripts/compare.lua ... --dry-run               what would be done, how long it takes, and the plan's hash; leaves compare/plan.json
--   scripts/trellis scripts/compare.lua --config compare/plan.json --plan HASH      that plan and no other: commit both before the run
--   scripts/trellis scripts/compare.lua --join --out compare        another process takes part in the comparison that runs there
--   scripts/trellis scripts/compare.lua --out compare --resume      goes on after a kill: what is finished is kept, what was going on continues
--   scripts/trellis scripts/compare.lua --space my_space.lua        in the space that a script returns (scripts/subjects.lua), networks as large as they are
--
-- What is counted is an architecture: the mean of its trainings over seeds. Each training's weights are averaged over its last part (scripts/averaged.lua). Of the images that validate
-- half may choose (--validation-part), the other half judges. Leaves in its directory: search/METHOD-SEED/ (what scripts/search.lua leaves), runs/NAME/ for each training (its network
-- is `averaged`), results.csv (trainings), architectures.csv (their means), results.json (tests, with the plan's hash), comparison.svg and .png, and what every run leaves.
local parse, stop, ask, datasets, runs = require("options").parse, require("options").stop, require("options").ask, require("datasets"), require("runs")
local subjects, paths, statistics, averaged, methods = require("subjects"), require("paths"), require("statistics"), require("averaged"), require("methods")

local options = parse(arg, "Compares what searches find with random architectures and known designs.", datasets.options{
  {"space", nil, "a script that returns a space, instead of the trellis of the next four options", "string"},
  {"layers", 6, "L", least = 1},
  {"strides", "4,8,16,32", "from the finest to the coarsest", "integers"},
  {"blocks", 3, "B, blocks of a cell", least = 1},
  {"operators", "none,max_pool_3x3,skip_connect,sep_conv_3x3,atrous_conv_3x3", "candidates of the cell", "list"},
  {"architectures", "", "JSON files with architectures of this space to compare, instead of searches", "list"},
  {"methods", "paper", "methods of scripts/search.lua that are compared", "list"},
  {"searches", 1, "searches of each method, with seeds from --seed on", least = 1},
  {"search-filters", 4, "F in the searches", least = 1},
  {"search-epochs", 20, "of supernets: passes over half of the training images; logits move in the second half of them", least = 1},
  {"search-crop", "96x128", "height x width of the searches' crops", "size"},
  {"search-batch", 4, "images in a batch of the searches", least = 1},
  {"search-head-reach", 0, "how far the heads' atrous taps look in the searches, in pixels; 0: 0.3 of its crop's shorter side, at most the paper's 96", least = 0},
  {"search-trial-steps", 400, "steps of the longest trainings of searches that train architectures", least = 8},
  {"search-trainings", 8, "budget of --method recommended, in such trainings", least = 1},
  {"equal", "parameters,multiply_adds", "what is made equal by the number of filters, each a comparison of its own; the median of the random architectures with --filters is what all come close to", "list"},
  {"filters", 8, "F of which the random architectures' median cost is taken", least = 1},
  {"stem", 16, "channels of the stem, twice as many in its last layer: small, so that cells matter", least = 1},
  {"aspp", 32, "channels of the ASPP", least = 1},
  {"low-level", 16, "channels of the decoder's low-level features", least = 1},
  {"decoder", 32, "channels of the decoder", least = 1},
  {"steps", 600, "steps of every training", least = 1},
  {"average-from", 0.75, "weights are averaged after this share of the steps", least = 0, below = 1},
  {"batch", 4, "images in a batch of the trainings", least = 1},
  {"crop", "96x128", "height x width of the trainings' crops", "size"},
  {"lr", 0.05, "learning rate of the trainings at the start; poly from there", above = 0},
  {"random", 20, "random architectures", least = 1},
  {"repeats", 3, "trainings of each architecture, with seeds from --seed on", least = 1},
  {"head-reach", 0, "how far the ASPP's first atrous taps look in the trainings, in pixels; 0: 0.3 of the crop's shorter side, at most the published 96", least = 0},
  {"seed", 1, "decides everything that is random, but for the images: see --data-seed"},
  {"threads", 0, "0: as many as the machine has; results do not depend on it", least = 0},
  {"plan", nil, "the hash that --dry-run printed: a comparison of other settings or images does not start", "string"},
  {"dry-run", false, "writes the plan, measures how long it takes, and trains nothing"},
  {"join", false, "takes part in the comparison that runs in --out"},
  {"out", "compare", "directory for results", "string"},
  {"resume", false, "continues the comparison in --out"},
  require("options").config,
})
if options.threads > 0 then trellis.threads(options.threads) end

options.head_reach = runs.reach(options.head_reach, options.crop)
options.search_head_reach = runs.reach(options.search_head_reach, options.search_crop)
if options.space then
  for _, name in ipairs{"layers", "strides", "blocks", "operators", "search_filters", "search_head_reach", "filters", "stem", "aspp", "low_level", "decoder", "head_reach", "equal"} do
    if options.given[name] then stop(("--%s is of the stock trellis; the space of %s has sizes of its own"):format((name:gsub("_", "-")), options.space)) end
  end
  options.space, options.equal = paths.absolute(options.space), {"nothing"}
end
for _, name in ipairs(options.equal) do
  if name ~= "parameters" and name ~= "multiply_adds" and name ~= "nothing" then stop("--equal takes parameters and multiply_adds, got '" .. name .. "'") end
end
for _, name in ipairs(options.methods) do
  if name ~= "recommended" then methods.get(name) end
end

-- The comparison's directory: of this process, or of another one that it joins.
local settings_path = options.out .. "/settings.safetensors"
local function stored(loaded) return type(loaded.settings) == "table" and loaded.settings.search_filters and loaded.settings.equal and loaded.settings or nil end
local comparison, out, o
if options.join then
  if not runs.exists(settings_path) then stop("there is no comparison in " .. options.out .. " to join: start it without --join") end
  out, o = options.out, stored(ask(checkpoint.load, settings_path)) or stop(options.out .. " holds another kind of run")
elseif options.dry_run then
  out, o = options.out, options
  datasets.check(o)
else
  comparison = runs.open(options, {name = "compare", file = "settings.safetensors", settings = stored})
  out, o = comparison.out, comparison.settings
end

local train, validation = datasets.both(o)
if comparison then comparison:images(train, validation) end
o.validation_part = "judge"
local _, judges = datasets.load(o)
local own = o.space and subjects.script(o.space, o.crop)
local space = own and own.space or ask(nas.trellis, {
  layers = o.layers, strides = o.strides, filters = o.search_filters, cell = ask(nas.cell, {blocks = o.blocks, operators = o.operators}),
})

-- The plan: what the results depend on, wherever its images and results lie.
local apart = {
  plan = true, dry_run = true, join = true, out = true, resume = true, threads = true, given = true, words = true, config = true, contents = true, dir = true,
}
local function plan_hash()
  local settings = {}
  for name, value in pairs(o) do if not apart[name] then settings[name] = value end end
  return checkpoint.identity{settings = settings, images = datasets.contents(train, validation, o)}
end
local hash = plan_hash()
if options.plan and options.plan ~= hash then
  stop(("the plan of these settings and images is %s, not %s: with --plan only that one runs"):format(hash, options.plan))
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
  if own then
    local with = {input = own.input, classes = train.classes}
    return {parameters = space:cost(architecture, nas.cost.parameters, with), multiply_adds = space:cost(architecture, nas.cost.multiply_adds, with)}
  end
  return architecture:estimate(with{filters = filters, classes = train.classes, height = o.crop[1], width = o.crop[2]})
end

-- F so that a cost comes closest to `target`; costs grow with F.
local function closest(architecture, kind, target)
  local best, least
  for filters = 1, 4096 do
    local there = cost(architecture, filters)[kind]
    if not least or math.abs(there - target) < least then best, least = filters, math.abs(there - target) end
    if there > target then return best end
  end
  return best
end

local function build(architecture, filters, seed)
  if own then return space:network(architecture, {classes = train.classes, seed = seed}) end
  return architecture:network(with{filters = filters, classes = train.classes, seed = seed, head_reach = o.head_reach})
end

-- What is compared: {name =, kind =, architecture =} each. Random ones are drawn from seeds of their own.
local random = {}
for k = 1, o.random do random[k] = {name = "random-" .. k, kind = "random", architecture = space:random{seed = 1000 * o.seed + k}} end
local targets = {}
for _, kind in ipairs(o.equal) do
  local costs = {}
  for k, one in ipairs(random) do costs[k] = kind == "nothing" and 0 or cost(one.architecture, o.filters)[kind] end
  targets[kind] = statistics.quantile(costs, 0.5)
end

-- Searches are scripts/search.lua itself, each with its own directory and its own resuming.
local searches = {}
for _, method in ipairs(#o.architectures > 0 and {} or o.methods) do
  for k = 0, o.searches - 1 do
    local name = (method:match("([^/]+)%.lua$") or method) .. "-" .. o.seed + k
    searches[#searches + 1] = {name = name, method = method, seed = o.seed + k, out = out .. "/search/" .. name}
  end
end

local function search(one)
  if runs.exists(one.out .. "/architecture.json") then return end
  local script = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
  local words = {
    [0] = script .. "search.lua", "--out", one.out, "--resume", "--method", one.method, "--crop", o.search_crop[1] .. "x" .. o.search_crop[2], "--batch", o.search_batch,
    "--epochs", o.search_epochs, "--arch-from", o.search_epochs // 2, "--validate-every", math.max(1, o.search_epochs // 4), "--trial-steps", o.search_trial_steps,
    "--trainings", o.search_trainings, "--seed", one.seed,
  }
  local sizes = own and {"--space", o.space} or {
    "--layers", o.layers, "--strides", table.concat(o.strides, ","), "--blocks", o.blocks, "--filters", o.search_filters,
    "--operators", table.concat(o.operators, ","), "--head-reach", o.search_head_reach,
  }
  table.move(sizes, 1, #sizes, #words + 1, words)
  for i, word in ipairs(words) do words[i] = tostring(word) end
  o.validation_part = "choose"
  table.move(datasets.words(o), 1, #datasets.words(o), #words + 1, words)
  o.validation_part = "judge"
  local before = arg
  arg = words
  dofile(words[0])
  arg = before
  collectgarbage()
end

local function load(path)
  if own then return ask(space.load, space, path) end
  local architecture = ask(nas.load, path)
  local fits, why = architecture:fits(space)
  if not fits then stop(path .. " does not fit the space: " .. why) end
  return architecture
end

--- All that is trained, when the searches are done.
local function compared()
  local list = {}
  for _, one in ipairs(searches) do list[#list + 1] = {name = one.name, kind = one.method, architecture = load(one.out .. "/architecture.json")} end
  for k, path in ipairs(o.architectures) do list[#list + 1] = {name = "given-" .. k, kind = "given", architecture = load(path)} end
  if not own then
    for _, name in ipairs{"conv_deconv", "deeplab_v3"} do list[#list + 1] = {name = name, kind = name, architecture = known(name)} end
  end
  return table.move(random, 1, #random, #list + 1, list)
end

-- The work, in an order in which a comparison that is not finished yet has some of each kind: the searches, then all architectures with the first seed, then with the next one.
-- A training serves all costs that the same number of filters comes closest to.
local work = {position = 0, searched = 0}

--- What one architecture is trained as: {filters =, equal = names of costs} each.
local function sizes_of(architecture)
  local list, there = {}, {}
  for _, equal in ipairs(o.equal) do
    local filters = own and 0 or closest(architecture, equal, targets[equal])
    if not there[filters] then
      there[filters] = {filters = filters, equal = {}}
      list[#list + 1] = there[filters]
    end
    table.insert(there[filters].equal, equal)
  end
  return list
end

local function trainings()
  if work.trainings then return work.trainings end
  work.trainings, work.compared = {}, compared()
  for _, one in ipairs(work.compared) do one.sizes = sizes_of(one.architecture) end
  for seed = o.seed, o.seed + o.repeats - 1 do
    for number, one in ipairs(work.compared) do
      for _, size in ipairs(one.sizes) do
        local name = own and ("%s-%d"):format(one.name, seed) or ("%s-%s-%d"):format(one.name, table.concat(size.equal, "+"), seed)
        work.trainings[#work.trainings + 1] = {number = number, filters = size.filters, equal = size.equal, seed = seed, name = name}
      end
    end
  end
  return work.trainings
end
function work:ask()
  local position = self.position + 1
  if position > #searches and self.searched < #searches then return nil end
  local item = position <= #searches and {search = position} or trainings()[position - #searches]
  if item then self.position = position end
  return item
end
function work:tell(item) if item.search then self.searched = self.searched + 1 end end
function work:state() return {position = self.position, searched = self.searched, plan = hash} end
function work:load_state(state) self.position, self.searched = state.position, state.searched end

local function train_one(item)
  local one = work.compared[item.number]
  local dir, start = out .. "/runs/" .. item.name, os.time()
  files.make_directory(dir)
  one.architecture:save(dir .. "/architecture.json")
  local network, last = averaged.train(function() return build(one.architecture, item.filters, item.seed) end, train, {
    steps = o.steps, from = o.average_from, seed = item.seed, out = dir,
    fit = {batch = o.batch, crop = o.crop, scale = {0.75, 1.5}, flip = true, lr = o.lr, schedule = "poly", seed = item.seed, progress = false},
  })
  local measured, sizes = network:evaluate(judges, {batch = o.batch, progress = false}), cost(one.architecture, item.filters)
  print(("%-36s mIoU %.2f %%  loss %.3f  %s%d parameters, %.2f G multiply-adds  %d s"):format(
    item.name, 100 * measured.miou, last.loss, own and "" or ("F = %d, "):format(item.filters), sizes.parameters, sizes.multiply_adds / 1e9, os.time() - start))
  return measured.miou, {parameters = sizes.parameters, multiply_adds = sizes.multiply_adds, loss = last.loss, accuracy = measured.accuracy}
end

if options.dry_run then
  files.make_directory(out)
  require("comparison_report").estimate{
    options = o, hash = hash, out = out, config = runs.config(options), searches = searches, architectures = #searches + #o.architectures + (own and 0 or 2) + #random, train = train, judges = judges,
    space = space, own = own, build = function(seed) return build(random[1].architecture, o.filters, seed) end,
  }
  return
end

files.make_directory(out .. "/runs")
if comparison then
  local identity = comparison:identify{settings = o, images = o.contents}
  if not comparison.before then checkpoint.save(out .. "/settings.safetensors", {settings = o, run = identity}) end
  comparison:kept("what is done is kept")
  comparison:begin{kind = "comparison", numbers = "results.csv", unit = "trainings"}
  print(("plan %s: %d searches, %d random architectures, %d seeds each, equal %s; %d images to train with, %d that judge; %d steps of %d images"):format(
    hash, #searches, #random, o.repeats, table.concat(o.equal, " and "), #train, #judges, o.steps, o.batch))
end

local trials = ask(nas.trials, {strategy = work, out = out .. "/trials"})
for trial in trials do
  local item = trial.architecture
  if item.search then
    search(searches[item.search])
    trial:finish{score = 0}
  else
    trainings()
    local score, values = train_one(item)
    trial:finish{score = score, values = values}
  end
  collectgarbage()
  if comparison then comparison.record:note{done = trials.finished} end
end

-- All are over.
trainings()
local results = {}
for _, trial in ipairs(trials.all) do
  local item = trial.architecture
  if not item.search then
    local one = work.compared[item.number]
    for _, equal in ipairs(item.equal) do
      results[#results + 1] = {
        name = one.name, kind = one.kind, equal = equal, seed = item.seed, miou = trial.score, filters = item.filters, parameters = trial.values.parameters,
        multiply_adds = trial.values.multiply_adds, loss = trial.values.loss, accuracy = trial.values.accuracy, path = own and "" or table.concat(one.architecture.path, " "),
      }
    end
  end
end
if comparison then
  local tests = require("comparison_report").write(results, {out = out, hash = hash, equal = o.equal, title = ("%s, %d steps"):format(datasets.name(o), o.steps)})
  comparison:finish(tests)
end
