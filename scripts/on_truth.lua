-- One search on a truth (nas.truth): what is asked is paid in steps of training, what is found is judged by others.
--
--   local task = require("on_truth").task(truth, {seed = 1})           limit =: multiply-adds that are allowed
--   task.space                      the architectures that are allowed
--   task:trial(architecture, steps) the validation score after so many steps in all, and the training's own loss, if it is known; only steps that it has not had yet are paid
--   task:spend(steps)               pays steps of something else: of a supernet
--   task:found(architecture)        says what the search has found so far; trials say it themselves: the best of those with the most steps
--   task.spent, task.curve          steps paid; {spent =, place =} whenever what is found changed: its place in on_truth.all(truth)
--
-- The seed of the search decides which seed of the truth's trainings answers; the mean test score of the others judges.
local M, Task = {}, {}
Task.__index = Task

--- Which seed of the truth answers a search.
function M.seed(truth, seed) return truth.seeds[(seed - 1) % #truth.seeds + 1] end

-- All architectures of a truth in the order of space:each, with what they cost and what judges say of them when one seed is left out; and their places by encoding.
local tables = setmetatable({}, {__mode = "k"})

local function key(truth, architecture) return table.concat(truth.space:encode(architecture):to_table(), " ") end

function M.all(truth)
  if not tables[truth] then
    local list = {places = {}}
    for a in truth.space:each() do
      list[#list + 1] = {architecture = a, multiply_adds = truth:multiply_adds(a), judged = {}}
      list.places[key(truth, a)] = #list
    end
    tables[truth] = list
  end
  return tables[truth]
end

--- The place of an architecture in M.all.
function M.place(truth, architecture) return M.all(truth).places[key(truth, architecture)] end

--- What the judge says of each architecture of M.all, without a seed.
function M.judged(truth, except)
  local list, values = M.all(truth), {}
  for i, one in ipairs(list) do
    one.judged[except] = one.judged[except] or truth:judge(one.architecture, {except = except})
    values[i] = one.judged[except]
  end
  return values
end

--- The multiply-adds that half of the architectures do not exceed.
function M.median_cost(truth)
  local costs = {}
  for i, one in ipairs(M.all(truth)) do costs[i] = one.multiply_adds end
  table.sort(costs)
  return costs[(#costs + 1) // 2]
end

function M.task(truth, options)
  local except = M.seed(truth, options.seed)
  local task = setmetatable({truth = truth, except = except, limit = options.limit, spent = 0, curve = {}, reached = {}, steps = -1}, Task)
  task.full = truth.checkpoints[#truth.checkpoints]
  task.space = options.limit and truth.space:where(function(a) return truth:multiply_adds(a) <= options.limit end) or truth.space
  return task
end

--- The seed of a search's truth that answers it, and what the judge says of the architectures that are allowed, best first.
function M.ranking(truth, seed, limit)
  local except, allowed = M.seed(truth, seed), {}
  for i, judged in ipairs(M.judged(truth, except)) do
    if not limit or M.all(truth)[i].multiply_adds <= limit then allowed[#allowed + 1] = judged end
  end
  table.sort(allowed, function(a, b) return a > b end)
  return except, allowed
end

function Task:spend(steps) self.spent = self.spent + steps end

function Task:trial(architecture, steps)
  local place = M.place(self.truth, architecture)
  self:spend(math.max(0, steps - (self.reached[place] or 0)))
  self.reached[place] = math.max(steps, self.reached[place] or 0)
  local score, _, loss = self.truth:query(architecture, {steps = steps, seed = self.except})
  if steps > self.steps or steps == self.steps and score > self.score then
    self.steps, self.score = steps, score
    self:found(architecture)
  end
  return score, loss
end

function Task:found(architecture)
  self.curve[#self.curve + 1] = {spent = self.spent, place = M.place(self.truth, architecture)}
end

--- Which of `places` was found when so many steps were paid; nil before anything was. `spent`: when each of them was, ascending.
function M.at(spent, places, steps)
  local found
  for i, paid in ipairs(spent) do if paid <= steps then found = places[i] end end
  return found
end

--- By how much the best of a ranking is above a score, and which share of it is better.
function M.regret(allowed, judged)
  local better = 0
  while better < #allowed and allowed[better + 1] > judged do better = better + 1 end
  return allowed[1] - judged, better / #allowed
end

return M
