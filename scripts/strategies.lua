-- Strategies measured against a truth: a space of which every architecture was trained (nas.truth), so that what a search finds is known to be good or bad.
--
--   scripts/trellis scripts/strategies.lua                              all of them, 20 seeds; a page, a table, a picture
--   scripts/trellis scripts/strategies.lua --only random,paper          some; results that are there already stay on the page
--   scripts/trellis scripts/strategies.lua --only mine.lua              one's own: a script that returns {strategy = f} or {training =, decoding =}
--
-- Each (strategy, seed) leaves a file in its directory, and what is there is not run again: after a kill the same words go on. Several processes may share a directory,
-- each with an --only of its own. A search asks one seed's trainings; the mean test score of the other seeds judges what it found.
local parse, stop, runs = require("options").parse, require("options").stop, require("runs")
local methods, on_truth, paths, freeze_thaw = require("methods"), require("on_truth"), require("paths"), require("freeze_thaw")

local options = parse(arg, "Measures strategies against a truth.", {
  {"truth", "streets", "a name or file that nas.truth takes", "string"},
  {"only", "", "names of strategies, or scripts; all when left out", "list"},
  {"seeds", 20, "searches of each strategy", least = 1},
  {"trainings", 40, "budget of the strategies that train architectures, in trainings", least = 1},
  {"compare-at", 8, "budget at which strategies are compared, in trainings, a supernet's steps included", least = 1},
  {"supernet", 4, "steps of a supernet, in trainings; steps of the logits included", above = 0.0},
  {"candidates", 100, "architectures that a supernet judges when it is decoded by evolution", least = 1},
  {"threads", 0, "0: as many as the machine has; results do not depend on it", least = 0},
  {"out", "strategies", "directory for results", "string"},
})
if options.threads > 0 then trellis.threads(options.threads) end
local truth = nas.truth(options.truth)
local checkpoints = truth.checkpoints
local full = checkpoints[#checkpoints]
local limit = on_truth.median_cost(truth)

-- What asks and tells

local told = {
  recommended = function(space, seed) return freeze_thaw.new(space, {rungs = checkpoints, budget = options.compare_at * full, seed = seed}) end,
  random = function(space, seed) return nas.strategy.random(space, {seed = seed}) end,
  evolution = function(space, seed) return nas.strategy.evolution(space, {population = 10, sample = 4, seed = seed}) end,
  local_search = function(space, seed) return nas.strategy.local_search(space, {seed = seed}) end,
  halving = function(space, seed) return nas.strategy.halving(space, {rungs = checkpoints, seed = seed}) end,
  hyperband = function(space, seed) return nas.strategy.hyperband(space, {rungs = checkpoints, seed = seed}) end,
  pareto = function(space, seed) return nas.strategy.pareto(space, {population = 10, seed = seed}) end,
  predictor = function(space, seed) return nas.strategy.predictor(space, {initial = 5, candidates = 1000, seed = seed}) end,
}

--- Trains what a strategy asks for until the budget is spent; what is known already costs nothing, so requests are counted, too. What is found is the best of those that went furthest,
--- or where a strategy of Lua has the function `best`, what that says.
local function ask_and_tell(make, task, seed, budget)
  local strategy, asked = make(task.space, seed), 0
  while task.spent < budget and asked < 10 * budget // checkpoints[1] do
    local a, steps = strategy:ask()
    if a == nil then break end
    steps, asked = steps or full, asked + 1
    local score, loss = task:trial(a, steps)
    strategy:tell(a, {score = score, cost = truth:multiply_adds(a), step = steps, loss = loss})
    if type(strategy) == "table" and strategy.best then task:found((strategy:best())) end
  end
end

-- What trains a supernet

local sets
local function images()
  if not sets then
    local o = truth.settings
    -- The images of the truth's own trainings and of its validation scores.
    local function set(count, seed) return data.shapes{images = count, size = o.size, classes = o.classes, seed = seed} end
    sets = {train = set(o.train, 1), validation = set(o.validation, 2)}
    sets.a, sets.b = sets.train:split(0.5, {seed = 1})
    sets.calibration = {}
    local loader = sets.train:batches{size = 16, seed = 1}
    for i = 1, 4 do sets.calibration[i] = loader:next() end
    loader:close()
  end
  return sets
end

--- A supernet after its steps.
local function trained(method, seed)
  local o, set = truth.settings, images()
  local total = math.floor(options.supernet * full)
  local logits = method.training.logits ~= false
  -- Logits are trained in three of four steps.
  local steps = logits and math.floor(total / 1.75) or total
  local a = (logits and set.a or set.train):batches{size = o.batch, seed = seed + 10, flip = true}
  local b = set.b:batches{size = o.batch, seed = seed + 20, flip = true}
  tensor.manual_seed(seed)
  local run = methods.start(method, {
    space = truth.space, classes = o.classes, seed = seed, a = a, b = b, steps = steps, from = steps // 4, lr = o.lr, validation = set.validation,
    calibration = set.calibration, candidates = options.candidates, rungs = checkpoints, trial_budget = math.max(0, options.compare_at * full - total),
  })
  local paid = 0
  for i = 1, steps do
    local _, logits_loss = run:step(i)
    paid = paid + (logits_loss and 2 or 1)
  end
  run.net:at(nil)
  return run, paid
end

--- What a supernet's method finds in the space of a task.
local function decode(method, run, paid, task)
  task:spend(paid)
  run.trial = function(a, steps) return task:trial(a, steps) end
  local found = method.decoding.decode(run, task.space)
  if found then task:found(found) end
end

-- Architectures by chance, each once, on which beliefs are compared with the truth.
local function sample()
  local strategy, list = nas.strategy.random(truth.space, {seed = 1}), {}
  for i = 1, math.min(100, #on_truth.all(truth)) do list[i] = strategy:ask() end
  return list
end
local beheld = sample()

local function beliefs(believe)
  local values = {}
  for i, a in ipairs(beheld) do values[i] = believe(a) end
  return values
end

-- Results

files.make_directory(options.out)
-- What a result depends on.
local function settings(name)
  if name == "recommended" then return ("%s, compared at %d"):format(options.truth, options.compare_at) end
  if told[name] then return ("%s, %d trainings"):format(options.truth, options.trainings) end
  return ("%s, supernet %g, %d candidates, compared at %d"):format(options.truth, options.supernet, options.candidates, options.compare_at)
end
local function path(name, seed) return ("%s/%s-%d.safetensors"):format(options.out, name, seed) end

local function read(name, seed)
  if not runs.exists(path(name, seed)) then return nil end
  local result = checkpoint.load(path(name, seed)).result
  local wanted = settings(name)
  if result.settings ~= wanted then
    stop(("%s is of other settings (%s) than these (%s): move it away, or use another --out"):format(path(name, seed), result.settings, wanted))
  end
  return result
end

--- What is kept of a search in the whole space and of one in its cheaper half.
local function write(name, seed, task, limited, more)
  local result = {
    name = name, seed = seed, settings = settings(name), paid = task.spent, spent = {}, places = {}, limited_spent = {}, limited_places = {},
  }
  for i, point in ipairs(task.curve) do result.spent[i], result.places[i] = point.spent, point.place end
  for i, point in ipairs(limited.curve) do result.limited_spent[i], result.limited_places[i] = point.spent, point.place end
  for key, value in pairs(more) do result[key] = value end
  checkpoint.save(path(name, seed), {result = result})
end

local function both(seed) return on_truth.task(truth, {seed = seed}), on_truth.task(truth, {seed = seed, limit = limit}) end

local function run_told(name, make)
  for seed = 1, options.seeds do
    if not read(name, seed) then
      local start, task, limited = os.clock(), both(seed)
      ask_and_tell(make, task, seed, options.trainings * full)
      ask_and_tell(make, limited, seed, options.trainings * full)
      write(name, seed, task, limited, {seconds = os.clock() - start, beliefs = {}})
    end
  end
  print(name .. ": done")
end

--- Methods that share a training, seed by seed.
local function run_methods(list)
  for seed = 1, options.seeds do
    local missing = {}
    for _, method in ipairs(list) do if not read(method.name, seed) then missing[#missing + 1] = method end end
    if #missing > 0 then
      local start = os.clock()
      local run, paid = trained(missing[1], seed)
      local training = os.clock() - start
      for _, method in ipairs(missing) do
        local begun, task, limited = os.clock(), both(seed)
        decode(method, run, paid, task)
        decode(method, run, paid, limited)
        local believed = method.decoding.believe and beliefs(method.decoding.believe(run)) or {}
        write(method.name, seed, task, limited, {seconds = training + os.clock() - begun, beliefs = believed})
      end
      run.a:close()
      run.b:close()
      collectgarbage()
    end
    print(("%s: seed %d of %d"):format(list[1].training_name, seed, options.seeds))
  end
end

local names, groups, order = {}, {}, {}
local function add(name)
  if paths.is_file(name) then
    local own = dofile(name)
    local short = name:match("([^/]+)%.lua$") or name
    if type(own) == "table" and own.strategy then told[short], name = own.strategy, short end
  end
  if told[name] then
    names[#names + 1] = name
    return
  end
  local method = methods.get(name)
  if not groups[method.training_name] then
    groups[method.training_name] = {}
    order[#order + 1] = method.training_name
  end
  table.insert(groups[method.training_name], method)
end
if #options.only > 0 then
  for _, name in ipairs(options.only) do add(name) end
else
  for _, name in ipairs{"random", "evolution", "local_search", "halving", "hyperband", "pareto", "predictor", "recommended"} do add(name) end
  for _, name in ipairs(methods.names()) do add(name) end
end
trellis.on_interrupt(("what is done is kept in %s; the same words go on"):format(options.out))
for _, name in ipairs(names) do run_told(name, told[name]) end
for _, name in ipairs(order) do run_methods(groups[name]) end

local all = {}
for name in pairs(told) do all[#all + 1] = name end
table.move(methods.names(), 1, #methods.names(), #all + 1, all)
for _, name in ipairs(options.only) do if not told[name] and paths.is_file(name) then all[#all + 1] = name end end
table.sort(all)
local results = {}
for _, name in ipairs(all) do
  local list = {}
  for seed = 1, options.seeds do list[#list + 1] = read(name, seed) end
  if #list == options.seeds then results[#results + 1] = {name = name, searches = list} end
end
require("strategies_page").write(results, {
  truth = truth, limit = limit, full = full, at = options.compare_at * full, trainings = options.trainings, out = options.out, settings = settings("paper"),
  beheld = beheld, seeds = options.seeds,
})
