-- Decoding by perturbation (Wang and others, "Rethinking architecture selection in differentiable NAS", ICLR 2021): of each decision, in order, the option whose removal
-- hurts the supernet most is kept, and all others of it are removed before the next decision.
--
--   require("perturbation").decode(net, score)     values by the name of a decision, for space:fix
--
-- `score(net)` says how good the supernet is as it stands, higher is better. An option is removed by a logit of -1e9, which gives it the weight 0 under softmax, sigmoid and
-- Gumbel samples. Of branches each state's option is decided by removals, and the states whose option's removal hurt most are kept. Logits are as they were afterwards.
local layout = require("logits")
local M = {}
local removed = -1e9

-- Logits of one supernet, to remove and to put back.
local Logits = {}
Logits.__index = Logits

function Logits:remove(name, i)
  local leaf, place = self.places[name](i)
  local one = leaf:detach():reshape(-1):narrow(1, place, 1)
  local before = one:item()
  if before ~= removed then self.changed[#self.changed + 1] = {one, before} end
  one:fill_(removed)
end

--- Puts back what was removed since there were `count` changes.
function Logits:restore(count)
  while #self.changed > count do
    local change = table.remove(self.changed)
    change[1]:fill_(change[2])
  end
end

-- The option among some without which the score is least, the first of equals, and that score; all others of them are removed.
local function decide(logits, net, score, name, options)
  local kept, least = options[1], math.huge
  for _, i in ipairs(#options > 1 and options or {}) do
    local count = #logits.changed
    logits:remove(name, i)
    local without = score(net)
    logits:restore(count)
    if without < least then kept, least = i, without end
  end
  for _, i in ipairs(options) do if i ~= kept then logits:remove(name, i) end end
  return kept, least
end

local kinds = {}

local function one(logits, net, score, decision)
  local options = {}
  for i, option in ipairs(decision.options) do
    if option == "none" then logits:remove(decision.name, i) else options[#options + 1] = i end
  end
  return decision.options[decide(logits, net, score, decision.name, options)]
end
kinds.choice, kinds.number = one, one

function kinds.subset(logits, net, score, decision)
  local all, hurt, on = score(net), {}, {}
  for i in ipairs(decision.options) do
    local count = #logits.changed
    logits:remove(decision.name, i)
    hurt[i] = {option = decision.options[i], by = all - score(net), place = i}
    logits:restore(count)
  end
  table.sort(hurt, function(a, b) return a.by > b.by or a.by == b.by and a.place < b.place end)
  for i, option in ipairs(hurt) do if i == 1 or option.by > 0 then on[#on + 1] = option.option else logits:remove(decision.name, option.place) end end
  return on
end

-- The states of branches as architectures name them, and how many are kept, read off some architectures.
local function states(space, decision)
  local names, left, kept, before = {}, decision.shape[1], 0, 0
  for _, other in ipairs(space.decisions) do
    if other.name == decision.name then break end
    local size = 1
    for _, n in ipairs(other.shape) do size = size * n end
    before = before + size
  end
  for seed = 1, 1000 do
    if left == 0 then break end
    local a = space:random{seed = seed}
    local pairs_, on, k = a:values()[decision.name], space:encode(a):to_table(), 0
    for i = 1, decision.shape[1] * decision.shape[2] do
      if pairs_ and on[before + i] > 0 then
        local s = (i - 1) // decision.shape[2] + 1
        k = k + 1
        if not names[s] then names[s], left = pairs_[k][1], left - 1 end
      end
    end
    kept = math.max(kept, pairs_ and #pairs_ or 0)
  end
  return names, kept
end

function kinds.branches(logits, net, score, decision)
  local width, found = #decision.options, {}
  local names, count = states(net.space, decision)
  for s = 1, decision.shape[1] do
    local options = {}
    for i, option in ipairs(decision.options) do
      if option == "none" then logits:remove(decision.name, (s - 1) * width + i) else options[#options + 1] = (s - 1) * width + i end
    end
    local kept, without = decide(logits, net, score, decision.name, options)
    found[s] = {state = s, option = decision.options[(kept - 1) % width + 1], without = without}
  end
  table.sort(found, function(a, b) return a.without < b.without or a.without == b.without and a.state < b.state end)
  local pairs_ = table.move(found, 1, count, 1, {})
  table.sort(pairs_, function(a, b) return a.state < b.state end)
  for i, pair in ipairs(pairs_) do pairs_[i] = {names[pair.state], pair.option} end
  return pairs_
end

function kinds.paths(logits, net, score, decision)
  local arrows, reached, layer, layers = {}, nil, 1, layout.layers(decision)
  while true do
    local options, targets = {}, {}
    for from, to, id in decision:arrows(layer) do
      if reached == nil or from == reached then
        options[#options + 1] = id
        targets[id] = {from, to}
      end
    end
    if #options == 0 then return arrows end
    local kept = decide(logits, net, score, decision.name, options)
    arrows[layer], reached, layer = targets[kept], targets[kept][2], layer + 1
    if layer > layers then return arrows end
  end
end

function M.decode(net, score)
  local logits, values = setmetatable({places = layout.places(net), changed = {}}, Logits), {}
  local fine, message = pcall(function()
    for _, decision in ipairs(net.space.decisions) do
      values[decision.name] = kinds[decision.kind](logits, net, score, decision)
    end
  end)
  logits:restore(0)
  if not fine then error(message, 0) end
  return values
end

return M
