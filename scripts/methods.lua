-- Ways to search with a supernet, as values of a few hooks: how it is trained, and how an architecture is taken from it. A method names one of each.
--
--   local methods = require("methods")
--   local method = methods.get("paper")                              a name of methods.names(), or a script that returns such a table
--   local run = methods.start(method, {space =, classes =, seed =, a =, b =, steps =, from =, validation =, calibration =})
--   for i = 1, run.steps do run:step(i) end                          a step of the weights on a batch of a, and from `from` on one of the logits on b
--   local found = method.decoding.decode(run, space)                 `space`: the run's own, or one that fix or where made of it
--
-- A training is a table of hooks; all may be missing:
--   space(space)               the space of the supernet, where it is built in another way: with the same decisions by name
--   relax(space)               relaxations as space:supernet takes them, and a function of the share of steps that are done, called before each
--   at(run, i)                 the architecture of step i of the weights; all of them at once when missing
--   logits                     false: logits are not trained
--   logits_step(run)           a step of them; run.adam's of first order on run.b when missing
--   logits_loss(net, x, y)     what it minimises; the run's loss when missing
-- A decoding:
--   decode(run, space)         the architecture that is found; nil where it cannot keep to a smaller space
--   believe(run)               a function that says how good it takes an architecture to be, higher is better; missing where it orders nothing
-- Steps that decide something by chance draw it by their number, so that a run that goes on goes on alike.
local paths, stop, perturbation, logits = require("paths"), require("options").stop, require("perturbation"), require("logits")
local M = {trainings = {}, decodings = {}}

-- Training

local T = M.trainings

--- Relaxations of all decisions by kind; others are relaxed as usual.
local function by_kind(space, kinds)
  local relax = {}
  for _, decision in ipairs(space.decisions) do relax[decision.name] = kinds[decision.kind] end
  return relax
end

--- The paper's, and DARTS' of first order: all options at once, weighted.
T.mixture = {}

--- Arrows by softmax over those that arrive at a state, where they are summed, and not over those that leave one: what leads into a node alone has the weight 1.
T.incoming = {
  relax = function(space)
    local relax = {}
    for _, decision in ipairs(space.decisions) do
      if decision.kind == "paths" then
        local groups, number, count = {}, {}, 0
        for layer = 1, logits.layers(decision) do
          for _, to, id in decision:arrows(layer) do
            local target = layer .. "/" .. to
            if not number[target] then number[target], count = count + 1, count + 1 end
            groups[id] = number[target]
          end
        end
        local targets = tensor.from(groups, {dtype = "int32"})
        relax[decision.name] = nas.relaxation(function(z)
          local shares = (z - z:max()):exp()
          return shares / tensor.zeros(count):scatter_add(1, targets, shares):gather(1, targets)
        end)
      end
    end
    return relax
  end,
}

--- DARTS (Liu and others, 2019): logits move by how the weights would follow them one step ahead.
T.second_order = {
  logits_step = function(run)
    local x, y = run.b:next()
    return run.net:step(run.adam, x, y, {loss = run.logits_loss, second_order = {run.sgd, run.batch[1], run.batch[2]}})
  end,
}

--- GDAS (Dong and Yang, 2019): one operator of each row is drawn at each step, at a temperature that falls from 10 to 0.1; arrows stay a mixture.
T.gdas = {
  relax = function(space)
    local drawn = nas.gumbel{temperature = 10, hard = true}
    return by_kind(space, {branches = drawn, choice = drawn}), function(share) drawn.temperature = 10 - 9.9 * share end
  end,
}

--- FairDARTS (Chu and others, 2020): options do not compete, and a price pulls each weight to 0 or 1.
T.fair_darts = {
  relax = function(space) return by_kind(space, {branches = nas.sigmoid(), choice = nas.sigmoid()}) end,
  logits_loss = function(net, x, y)
    local terms = {nn.cross_entropy(net(x), y, {ignore = 255})}
    for _, decision in ipairs(net.space.decisions) do
      if decision.kind == "branches" or decision.kind == "choice" then
        terms[#terms + 1] = -(net:logits(decision.name):sigmoid() - 0.5):square():mean()
      end
    end
    return nas.sum(terms)
  end,
}

-- A cell of the stock kind of which a share of each state's channels goes through the operators and the rest by, mixed afterwards.
local function partial_cell(cell, share)
  local function shuffled(x)
    local n, c, h, w = table.unpack(x.shape)
    return x:reshape(n, share, c // share, h, w):transpose(2, 3):reshape(n, c, h, w)
  end
  return function(channels, place)
    local blocks, parts, few = {}, {edges = {}}, channels // share
    for b = 1, cell.blocks do
      local states = {"two-back", "previous"}
      for i = 1, b - 1 do states[i + 2] = "block " .. i end
      blocks[b] = nas.branches("cell." .. b, states, cell.operators)
      for s = place.two_back and 1 or 2, b + 1 do
        for i, name in ipairs(cell.operators) do
          if name ~= "none" then parts.edges[("%d_%d_%d"):format(b, s, i)] = nas.parts.operator(name, few) end
        end
      end
    end
    function parts.forward(self, two, previous)
      local states = {two or false, previous}
      for b = 1, cell.blocks do
        local terms = {}
        for s = 1, b + 1 do
          local x = states[s]
          if x then
            local through, seen = {}, x:narrow(2, 1, few)
            for i = 1, #cell.operators do
              local operator = self.edges[("%d_%d_%d"):format(b, s, i)]
              through[i] = operator and nas.when(blocks[b]:weight((s - 1) * #cell.operators + i), function() return operator(seen) end)
            end
            terms[#terms + 1] = shuffled(tensor.concat({nas.sum(through), x:narrow(2, few + 1, channels - few)}, 2))
          end
        end
        states[b + 2] = nas.sum(terms)
      end
      return tensor.concat({table.unpack(states, 3)}, 2)
    end
    return nn.module(parts, {name = "partial_cell"})
  end
end

--- PC-DARTS (Xu and others, 2020): half of the channels of each state of a stock trellis go through the operators, so that those without weights have no head
--- start.
T.pc_darts = {
  space = function(space)
    local cell = space.cell
    if not cell or space.filters % 2 > 0 then stop("partial channels are of nas.trellis with stock cells and an even number of filters") end
    return nas.trellis{
      layers = space.layers, strides = space.strides, filters = space.filters, head_reach = space.options.head_reach, blocks = cell.blocks,
      cell = partial_cell(cell, 2),
    }
  end,
}

--- Single path (Guo and others, 2020): each step trains the weights of one architecture, each equally likely.
T.single_path = {logits = false, at = function(run, i) return run.space:random{seed = run.seed * 1000003 + i} end}

-- Decoding

local D = M.decodings

--- An architecture of `space` by its values.
local function architecture(space, values) return space:fix(values):random{} end

-- The logarithms of all probabilities in the order of space:encode; `relative`: against those of undecided logits.
local function log_probabilities(run, relative)
  local parts = {}
  for i, decision in ipairs(run.space.decisions) do
    local p = run.net:probabilities(decision.name)
    if decision.kind == "paths" and relative then
      local widths = {}
      for _, row in ipairs(logits.rows(decision)) do for _, id in ipairs(row.options) do widths[id] = #row.options end end
      p = p * tensor.from(widths)
    end
    parts[i] = p:clamp(1e-30):log():reshape(-1)
  end
  return tensor.concat(parts, 1)
end

local function probable(relative)
  return {
    decode = function(run, space) return architecture(space, run.net:decode{relative = relative, within = run:own(space)}:values()) end,
    believe = function(run)
      local logs = log_probabilities(run, relative)
      return function(a) return (run.space:encode(a) * logs):sum():item() end
    end,
  }
end

--- The paper's: the largest product of probabilities.
D.product = probable(false)
--- The same against the product of undecided logits, of which the largest runs along a border of a trellis.
D.relative = probable(true)

--- The path through the states that are most probable at their layers, by what arrives there over all ways; the rest as the paper decodes it.
D.marginals = {
  decode = function(run, space)
    if space ~= run.space then return nil end
    local values = D.product.decode(run, space):values()
    for _, decision in ipairs(space.decisions) do
      if decision.kind == "paths" then values[decision.name] = M.marginal_path(decision, run.net:probabilities(decision.name):to_table()) end
    end
    return architecture(space, values)
  end,
}

--- The arrows {from, to} of the path with the largest product of its states' marginal probabilities; `p`: of the arrows that leave a state, by id.
function M.marginal_path(decision, p)
  local arriving, best = {}, {}
  for from in decision:arrows(1) do arriving[from] = 1 end
  -- Starts are equally likely.
  local starts = 0
  for _ in pairs(arriving) do starts = starts + 1 end
  for from in pairs(arriving) do arriving[from], best[from] = 1 / starts, {score = 0, arrows = {}} end
  for layer = 1, logits.layers(decision) do
    local next_arriving, next_best = {}, {}
    for from, to, id in decision:arrows(layer) do next_arriving[to] = (next_arriving[to] or 0) + arriving[from] * p[id] end
    for from, to in decision:arrows(layer) do
      local score = best[from].score + math.log(next_arriving[to])
      if not next_best[to] or score > next_best[to].score then
        local arrows = table.move(best[from].arrows, 1, layer - 1, 1, {})
        arrows[layer] = {from, to}
        next_best[to] = {score = score, arrows = arrows}
      end
    end
    arriving, best = next_arriving, next_best
  end
  local found, chosen = nil, nil
  for to, one in pairs(best) do
    if not found or one.score > found.score or one.score == found.score and tostring(to) < tostring(chosen) then found, chosen = one, to end
  end
  return found.arrows
end

--- Perturbation (Wang and others, "Rethinking architecture selection in differentiable NAS", 2021): scripts/perturbation.lua.
D.perturbation = {
  decode = function(run, space)
    if space ~= run.space then return nil end
    return architecture(space, perturbation.decode(run.net, function(net)
      return metrics.evaluate(net, run.validation, {batch = 16, check = false}).miou
    end))
  end,
}

--- The score of an architecture with the supernet's weights, by norms of its own.
function M.scorer(run)
  return function(a)
    local net = run.net:at(a):recalibrate(run.calibration)
    local score = metrics.evaluate(net, run.validation, {batch = 16, check = false}).miou
    net:at(nil)
    return score
  end
end

-- Architectures that evolution tried with the supernet as the judge, best first.
local function evolved(run, space, count)
  local score, tried = M.scorer(run), {}
  local strategy = nas.strategy.evolution(space, {population = math.max(5, count // 4), sample = math.max(2, count // 20), seed = run.seed})
  for trial in nas.trials{strategy = strategy, count = count} do
    local one = {architecture = trial.architecture, score = score(trial.architecture), number = trial.number}
    trial:finish{score = one.score}
    tried[#tried + 1] = one
  end
  table.sort(tried, function(a, b) return a.score > b.score or a.score == b.score and a.number < b.number end)
  return tried
end

--- Evolution with the supernet as the judge.
D.evolution = {decode = function(run, space) return evolved(run, space, run.candidates or 100)[1].architecture end, believe = M.scorer}

--- How many architectures halving may begin with for a budget of steps, where trainings are continued; at least one.
function M.beginners(rungs, budget)
  local n = 0
  while true do
    local left, steps, before = n + 1, 0, 0
    for _, rung in ipairs(rungs) do steps, before, left = steps + left * (rung - before), rung, (left + 1) // 2 end
    if steps > budget then return math.max(n, 1) end
    n = n + 1
  end
end

--- The best by the supernet are trained: first all for a short time, then the better half for longer, and so on. run.trial(architecture, steps) trains one up to so
--- many steps and gives its score, run.rungs says how far, run.trial_budget how many steps there are for it.
D.halving = {
  decode = function(run, space)
    local rungs, left = run.rungs, {}
    local beginners = M.beginners(rungs, run.trial_budget)
    for i, one in ipairs(evolved(run, space, run.candidates or 100)) do if i <= beginners then left[i] = one.architecture end end
    for i, steps in ipairs(rungs) do
      local tried = {}
      for k, a in ipairs(left) do tried[k] = {architecture = a, score = run.trial(a, steps), number = k} end
      table.sort(tried, function(a, b) return a.score > b.score or a.score == b.score and a.number < b.number end)
      left = {}
      for k = 1, i < #rungs and (#tried + 1) // 2 or 1 do left[k] = tried[k].architecture end
    end
    return left[1]
  end,
  believe = M.scorer,
}

-- Methods

local named = {
  paper = {"mixture", "product", "the paper's: a mixture, and the largest product of probabilities"},
  relative = {"mixture", "relative", "the paper's, decoded against undecided logits"},
  marginals = {"mixture", "marginals", "the paper's, the path through the most probable states"},
  darts_pt = {"mixture", "perturbation", "a mixture, and of each decision the option whose removal hurts most"},
  mixture_evolution = {"mixture", "evolution", "a mixture, and evolution with its weights as the judge"},
  incoming = {"incoming", "product", "the paper's, arrows normalised where they arrive"},
  mixture_halving = {"mixture", "halving", "as mixture_evolution; then the best are trained, longer and longer"},
  second_order = {"second_order", "relative", "DARTS of second order"},
  gdas = {"gdas", "relative", "operators are drawn, at a temperature that falls"},
  pc_darts = {"pc_darts", "relative", "a part of the channels goes through the operators"},
  fair_darts = {"fair_darts", "relative", "operators do not compete"},
  single_path = {"single_path", "evolution", "one architecture a step, then evolution with recalibrated norms"},
  one_shot_halving = {"single_path", "halving", "as single_path; then the best are trained, longer and longer"},
}

--- The names of all methods, in order.
function M.names()
  local names = {}
  for name in pairs(named) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Whether a method is known by this name; else it is that of a script.
function M.is_name(name) return named[name] ~= nil end

local function part(given, known, what, name)
  local found = type(given) == "table" and given or known[given or ""]
  if not found then stop(("the method '%s' needs a %s: a table of hooks, or a name of methods.%ss"):format(name, what, what)) end
  return found
end

--- A method by its name, or by the path of a script that returns {training =, decoding =, about =}, each a table of hooks or the name of one.
function M.get(name)
  local method = named[name]
  if method then method = {training = method[1], decoding = method[2], about = method[3]} end
  if not method and paths.is_file(name) then method = dofile(name) end
  if type(method) ~= "table" then
    stop(("--method is a script that returns {training =, decoding =}, or one of %s; got '%s'"):format(table.concat(M.names(), ", "), name))
  end
  return {
    name = name, about = method.about or "", training_name = type(method.training) == "string" and method.training or name,
    training = part(method.training, T, "training", name), decoding = part(method.decoding, D, "decoding", name),
  }
end

local Run = {}
Run.__index = Run

--- A search that can take steps. `o`: space, classes, seed; a and b, batches for weights and logits; steps; from, after how many of them logits are trained;
--- lr, lr_end, weight_decay, clip, arch_lr, arch_weight_decay, loss, relax, which have usual values; net, with anneal, where the supernet is there already; what
--- its decoding needs: validation, calibration (images of batches), candidates, trial, rungs, trial_budget.
function M.start(method, o)
  local training = method.training
  local run = setmetatable({method = method, training = training}, Run)
  for name, value in pairs(o) do run[name] = value end
  local space = training.space and training.space(o.space) or o.space
  local relax
  if training.relax and not o.net then relax, run.anneal = training.relax(space) end
  run.logits_loss = training.logits_loss or o.logits_loss or o.loss
  run.supernet_space = space
  run.net = o.net or space:supernet{classes = o.classes, seed = o.seed, relax = relax or o.relax}
  run.sgd = optim.sgd(run.net:weights(), {lr = o.lr or 0.05, momentum = 0.9, weight_decay = o.weight_decay or 3e-4, clip = o.clip or 5})
  run.adam = optim.adam(run.net:architecture(), {lr = o.arch_lr or 0.02, betas = {0.9, 0.999}, weight_decay = o.arch_weight_decay or 1e-3})
  run.rate = optim.cosine{from = o.lr or 0.05, to = o.lr_end or 0.001, steps = o.steps}
  return run
end

--- Whether step i trains logits, too.
function Run:trains_logits(i) return self.training.logits ~= false and i > self.from end

--- `space`, as the supernet's own space has it, for decoding within it; nil where that is all of it.
function Run:own(space)
  if space == self.space then return nil end
  if self.supernet_space == self.space then return space end
  local allowed = {}
  for a in space:each() do allowed[tostring(space:encode(a))] = true end
  return self.supernet_space:where(function(a) return allowed[tostring(self.supernet_space:encode(a))] == true end)
end

--- Step i: of the weights, then of the logits where their time has come. Returns the losses, the second nil where there is none.
function Run:step(i)
  local net, training = self.net, self.training
  self.sgd.lr = self.rate(i)
  if self.anneal then self.anneal((i - 1) / self.steps) end
  local x, y = self.a:next()
  self.batch = {x, y}
  net:at(training.at and training.at(self, i) or nil)
  local loss = net:step(self.sgd, x, y, {loss = self.loss}):item()
  if not self:trains_logits(i) then return loss end
  if training.logits_step then return loss, training.logits_step(self):item() end
  x, y = self.b:next()
  return loss, net:step(self.adam, x, y, {loss = self.logits_loss}):item()
end

return M
