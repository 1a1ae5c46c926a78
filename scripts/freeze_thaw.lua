-- A strategy that goes on with trainings as they promise (freeze-thaw Bayesian optimisation, Swersky, Snoek and Adams, 2014): a Gaussian process predicts the score of every
-- architecture after the last rung from all that was measured after any rung, scores and the trainings' own losses; the one with the largest expected improvement for each step that it
-- costs is trained one rung further, whether that is its first or its last. What is left in the end takes the one with the highest mean of the posterior to the last rung. That is found,
-- not what had the best single score: scores are noisy, and the process shrinks them.
--
--   local strategy = require("freeze_thaw").new(space, {rungs = {30, 60, 120, 240}, budget = 1920, seed = 1})
--   strategy:ask(), strategy:tell(architecture, result), :drop, :state, :load_state       as nas.trials wants them; ask gives nil where no rung fits into the budget
--   strategy:best()              the architecture that is found; {mean =, deviation =, steps =}, scores as they were told; nil before anything was told
--   strategy:decisions()         how sure each part of it is: {label =, value =, other =, probability =, better =, cost =} each (scripts/certainty.lua says it in words)
--
-- Results that are told have a score, the step, and where it is known the loss (scripts/gaussian.lua says which).
--
-- Options: rungs, steps of a training in all, ascending; budget, steps of all trainings together; initial (8), architectures by chance at the beginning; candidates (1000), so many
-- are predicted where the space has more; seed.
local coordinates, gaussian = require("coordinates"), require("gaussian")
local M, Strategy = {}, {}
Strategy.__index = Strategy

local function check(o)
  local before = 0
  for _, steps in ipairs(o.rungs or {}) do
    if math.type(steps) ~= "integer" or steps <= before then before = nil break end
    before = steps
  end
  if not before or before == 0 then error("freeze_thaw: rungs are ascending numbers of steps, {30, 60, 120, 240} say", 0) end
  if math.type(o.budget) ~= "integer" or o.budget < before then
    error(("freeze_thaw: the budget is at least one training to the last rung, %d steps; got %s"):format(before, o.budget), 0)
  end
end

function M.new(space, o)
  check(o)
  return setmetatable({
    space = space, rungs = o.rungs, budget = o.budget, initial = o.initial or 8, candidates = o.candidates or 1000, seed = o.seed or 0, layout = coordinates.of(space),
    requests = {}, reached = {}, draws = 0, spent = 0,
  }, Strategy)
end

--- An architecture as this strategy knows it.
function Strategy:one(architecture)
  local place = self.layout:place(architecture)
  return {architecture = architecture, place = place, key = self.layout:key(place)}
end

--- The steps from what an architecture has been trained for to its next rung; nil where there is none, or it failed.
function Strategy:price(key)
  local reached = self.reached[key] or 0
  return self.rungs[reached + 1] and self.rungs[reached + 1] - (self.rungs[reached] or 0)
end

--- Whether its result is still to come.
local function is_open(request) return not request.score and request.open ~= false end

-- Asking

function Strategy:request(one)
  self.spent = self.spent + self:price(one.key)
  local rung = (self.reached[one.key] or 0) + 1
  self.reached[one.key], self.is_current = rung, false
  table.insert(self.requests, {one = one, rung = rung})
  return one.architecture, self.rungs[rung]
end

local function draw(self)
  self.draws = self.draws + 1
  return self:one(self.space:random{seed = self.seed * 1000003 + self.draws})
end

--- One by chance that was not asked for yet; any where these are hard to find.
local function newcomer(self)
  local one = draw(self)
  for _ = 1, 200 do
    if not self.reached[one.key] then break end
    one = draw(self)
  end
  return one
end

--- What may be asked for: all of a small space, else what is there already, the neighbours of the best, and others by chance.
local function pool(self, process)
  if self.all == nil then
    self.all = self.layout:all(self.candidates) or false
    for i, architecture in ipairs(self.all or {}) do self.all[i] = self:one(architecture) end
  end
  if self.all then return self.all end
  local list, there = {}, {}
  local function add(one)
    if not there[one.key] then list[#list + 1], there[one.key] = one, true end
  end
  for _, one in ipairs(self:distinct()) do add(one) end
  for _, one in ipairs(self:ranking(3, process)) do
    for _, neighbour in ipairs(self.space:neighbours(one.architecture)) do add(self:one(neighbour)) end
  end
  for _ = 1, self.candidates do add(draw(self)) end
  return list
end

--- What was asked for, each architecture once, in order; `counts`: a function of a request.
function Strategy:distinct(counts)
  local list, there = {}, {}
  for _, request in ipairs(self.requests) do
    if not there[request.one.key] and (not counts or counts(request)) then list[#list + 1], there[request.one.key] = request.one, true end
  end
  return list
end

function Strategy:ask()
  local is_affordable = self.spent + self.rungs[#self.rungs] <= self.budget
  if not self:has_result() and not is_affordable then return nil end
  if is_affordable and (#self:distinct() < self.initial or not self:has_result()) then
    local one = newcomer(self)
    if self:price(one.key) then return self:request(one) end
  end
  local process = self:process()
  local one = self:promising(process) or self:finalist(process)
  if one then return self:request(one) end
end

--- The steps that are still to be paid for an architecture's whole training.
function Strategy:rest(key) return self.rungs[#self.rungs] - (self.rungs[self.reached[key] or 0] or 0) end

--- The one with the largest expected improvement for each step of its next rung, as long as that leaves enough for a whole training of whatever will lead then.
function Strategy:promising(process)
  local best = -math.huge
  for _, one in ipairs(self:told()) do best = math.max(best, (process:at(one, #self.rungs))) end
  local left = self.budget - self.spent - (self.rungs[#self.rungs] - self.rungs[1])
  local chosen, most
  for _, one in ipairs(pool(self, process)) do
    local price = not self:is_open(one.key) and self:price(one.key)
    if price and price <= left then
      local improvement = gaussian.improvement(process:at(one, #self.rungs))(best) / price
      if not most or improvement > most then chosen, most = one, improvement end
    end
  end
  return chosen
end

--- Of those that were told of and can still be trained to the end the one with the highest mean; nil where none of them is above all that were.
function Strategy:finalist(process)
  local chosen, most
  for _, one in ipairs(self:told()) do
    local mean, rest = process:at(one, #self.rungs), self:rest(one.key)
    local is_free = not self:is_open(one.key) and not self:has_failed(one.key)
    if (not most or mean > most) and self.spent + rest <= self.budget and is_free then chosen, most = rest > 0 and one or nil, mean end
  end
  return chosen
end

--- What was told of, each architecture once, in order.
function Strategy:told()
  return self:distinct(function(request) return request.score ~= nil end)
end

function Strategy:is_open(key)
  for _, request in ipairs(self.requests) do if request.one.key == key and is_open(request) then return true end end
  return false
end

function Strategy:has_failed(key)
  for _, request in ipairs(self.requests) do if request.one.key == key and request.open == false then return true end end
  return false
end

-- Results

local function open_request(self, architecture, steps)
  local key, first = self:one(architecture).key, nil
  for _, request in ipairs(self.requests) do
    if request.one.key == key and is_open(request) then
      if self.rungs[request.rung] == steps then return request end
      first = first or request
    end
  end
  return first or error("freeze_thaw: tell what ask() gave, once for each time that it gave it", 0)
end

function Strategy:tell(architecture, result)
  local request = open_request(self, architecture, result.step)
  request.score, self.is_current = result.score, false
  -- Its logarithm counts.
  if result.loss and result.loss > 0 then request.loss = result.loss end
end

--- There will be no result: it is not asked for again.
function Strategy:drop(architecture)
  local request = open_request(self, architecture)
  request.open, self.is_current = false, false
  self.reached[request.one.key] = #self.rungs
end

--- The posterior, made once for what is asked for and told by now. What is being tried counts with its prediction.
function Strategy:process()
  if not self.is_current then self.latest, self.is_current = self:posterior(), true end
  return self.latest
end

function Strategy:posterior()
  local told, out = {}, {}
  for _, request in ipairs(self.requests) do
    if request.score then
      told[#told + 1] = {one = request.one, rung = request.rung, score = request.score, loss = request.loss}
    elseif is_open(request) then
      out[#out + 1] = {one = request.one, rung = request.rung}
    end
  end
  local process = gaussian.process(self.layout, self.rungs, told, self.latest)
  if #out == 0 then return process end
  for _, point in ipairs(out) do
    point.score = process:at(point.one, point.rung)
    told[#told + 1] = point
  end
  return gaussian.process(self.layout, self.rungs, told, process)
end

--- The `count` best of those that went furthest, by the mean of the posterior, which is made where it is not given.
function Strategy:ranking(count, process)
  process = process or self:process()
  local furthest, list, there = 0, {}, {}
  for _, request in ipairs(self.requests) do if request.score then furthest = math.max(furthest, request.rung) end end
  for number, request in ipairs(self.requests) do
    if request.score and request.rung == furthest and not there[request.one.key] then
      there[request.one.key] = true
      list[#list + 1] = {number = number, one = request.one, mean = (process:at(request.one, #self.rungs))}
    end
  end
  table.sort(list, function(a, b) return a.mean > b.mean or a.mean == b.mean and a.number < b.number end)
  local ranking = {}
  for i = 1, math.min(count, #list) do ranking[i] = list[i].one end
  return ranking, process, furthest
end

function Strategy:best()
  if not self:has_result() then return nil end
  local ranking, process, furthest = self:ranking(1)
  local mean, deviation = process:at(ranking[1], #self.rungs)
  return ranking[1].architecture, {mean = mean, deviation = deviation, steps = self.rungs[furthest]}
end

function Strategy:has_result()
  for _, request in ipairs(self.requests) do if request.score then return true end end
  return false
end

-- How sure it is

--- For each part of the found architecture the best one that decides it otherwise: its value there, how probable it is that the found one is the better of the two, by how much it
--- is predicted to be, and what is lost on average if the found one is kept all the same: the expectation of what the other one is better by, where it is.
function Strategy:decisions()
  if not self:has_result() then return {} end
  local ranking, process = self:ranking(1)
  local found, rivals, parts = ranking[1], {}, {}
  for _, one in ipairs(pool(self, process)) do
    local mean
    for i, part in ipairs(self.layout.parts) do
      if self.layout:differ(part, one.place, found.place) then
        mean = mean or process:at(one, #self.rungs)
        if not rivals[i] or mean > rivals[i].mean then rivals[i] = {one = one, mean = mean} end
      end
    end
  end
  for i, part in ipairs(self.layout.parts) do
    local row = {label = part.label, value = self.layout:value(part, found.place)}
    if rivals[i] then
      local better, deviation = process:difference(found, rivals[i].one, #self.rungs)
      row.other, row.better = self.layout:value(part, rivals[i].one.place), better
      row.probability, row.cost = gaussian.cumulative(better / deviation), gaussian.improvement(-better, deviation)(0)
    end
    parts[i] = row
  end
  return parts
end

-- State

function Strategy:state()
  local requests = {}
  for i, request in ipairs(self.requests) do
    requests[i] = {values = request.one.architecture:values(), rung = request.rung, score = request.score, loss = request.loss, open = request.open ~= false}
  end
  return {requests = requests, draws = self.draws, rungs = self.rungs, budget = self.budget, seed = self.seed}
end

function Strategy:load_state(state)
  if table.concat(state.rungs, " ") ~= table.concat(self.rungs, " ") or state.budget ~= self.budget or state.seed ~= self.seed then
    error("freeze_thaw: a state goes on in a strategy of the same rungs, budget and seed", 0)
  end
  self.requests, self.reached, self.spent, self.draws, self.is_current = {}, {}, 0, state.draws, false
  for i, kept in ipairs(state.requests) do
    self:request(self:one(self.space:fix(kept.values):random{}))
    self.requests[i].rung, self.requests[i].score, self.requests[i].loss = kept.rung, kept.score, kept.loss
    if not kept.open then
      self.requests[i].open = false
      self.reached[self.requests[i].one.key] = #self.rungs
    end
  end
  return self
end

return M
