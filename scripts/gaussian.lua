-- A Gaussian process over architectures and how far they were trained (Rasmussen and Williams, 2006, algorithm 2.1; over fidelities in the manner of Kennedy and O'Hagan, 2000).
--
--   local process = require("gaussian").process(layout, rungs, {{one =, rung =, score =, loss =}, ...})      `one`: {place =, key =} of scripts/coordinates.lua
--   gaussian.process(layout, rungs, points, before)     the same, quicker: goes on from a process of the first of these points (their scores may be others)
--   process:at(one, rung)                mean and deviation of its score after a rung, without a training's own noise
--   process:difference(a, b, rung)       the same of a's score less b's
--
-- `loss`, where it is known, is the training's own, the mean over the second half of its steps: how fast a network trains says more of what becomes of it than the score of a short
-- training (Ru and others, "Speedy performance estimation for neural architecture search", 2021). Losses count by their negative logarithm, stretched until they differ within rungs as
-- much as scores do.
--
-- Two measurements have this covariance, in units of an amplitude that they decide themselves (the most probable one, in closed form):
--   what architectures are worth          g(s) g(t) rho^|s - t| k(a, b), where k is a linear and a smooth part, and g(s) the square root of the share of steps after which s measures;
--                                         `kinship` of it between a score and a loss
--   what a training has by chance         of one architecture, whose trainings go on from rung to rung: noise^2, and `curve` of it between two rungs; none between a score and a loss
--   the mean of each rung                 next to free, of scores and of losses apart
local statistics = require("statistics")
local M, Process = {}, {}
Process.__index = Process

-- Chosen among some 85 variants on searches of the truth 'streets' (seeds 101 to 400, 60 to 300 of them a variant), none of which scripts/strategies.lua reports; what concerns
-- losses among some 20 more (seeds 101 to 280). The better variants differ by less than these searches can tell, and the seeds share one truth: other spaces may want other numbers.
-- Picking length, noise and growth at each request by what is most probable, from small grids, was no better on 150 of the searches.
local linear, smooth, length, rho, curve, kinship = 0.2, 0.8, 2.0, 0.9, 0.5, 0.95
local noise = {score = 0.45, loss = 0.25}
-- The variance of the mean of all rungs, and of what each rung differs from it.
local common, own = 18.75, 6.25

--- How worth goes with steps, and between rungs.
local function fidelity(rungs)
  local worth, last = {}, rungs[#rungs]
  for s, steps in ipairs(rungs) do
    worth[s] = {}
    for t, others in ipairs(rungs) do worth[s][t] = rho ^ math.abs(s - t) * math.sqrt(steps / last) * math.sqrt(others / last) end
  end
  return worth
end

--- The covariance of two architectures' worth at the last rung.
local function similarity(layout, a, b)
  local product, distance = layout:compare(a, b)
  return linear * product + smooth * math.exp(-distance / (2 * length))
end

--- Of the means of two measurements {kind =, rung =}.
local function mean_covariance(p, q)
  if p.kind ~= q.kind then return 0 end
  return common + (p.rung == q.rung and own or 0)
end

--- By what a training has by chance two measurements of it go together.
local function chance(p, q)
  if p.kind ~= q.kind then return 0 end
  return noise[p.kind] ^ 2 * (p.rung == q.rung and 1 or curve)
end

--- x of L x = b, L by rows.
local function forward(factor, b)
  local x = {}
  for i, row in ipairs(factor) do
    local sum = b[i]
    for k = 1, i - 1 do sum = sum - row[k] * x[k] end
    x[i] = sum / row[i]
  end
  return x
end

--- x of L^T x = b.
local function backward(factor, b)
  local x = {}
  for i = #factor, 1, -1 do
    local sum = b[i]
    for k = i + 1, #factor do sum = sum - factor[k][i] * x[k] end
    x[i] = sum / factor[i][i]
  end
  return x
end

--- Cholesky's factor of the covariance of the points, by rows: adds those that are missing.
local function factorise(process)
  local factor = process.factor
  for i = #factor + 1, #process.points do
    local p, row = process.points[i], {}
    for j = 1, i do
      local q, other = process.points[j], j < i and factor[j] or row
      local sum = process:common(p, q) * process:similar(p.number, q.number) + mean_covariance(p, q)
      if p.number == q.number then sum = sum + chance(p, q) end
      for k = 1, j - 1 do sum = sum - row[k] * other[k] end
      row[j] = j < i and sum / other[j] or math.sqrt(math.max(sum, 1e-12))
    end
    factor[i] = row
  end
end

--- The sum of squared distances of numbers from the means of their rungs.
local function spread(values, rungs)
  local by_rung, squares = {}, 0
  for i, x in ipairs(values) do
    by_rung[rungs[i]] = by_rung[rungs[i]] or {}
    table.insert(by_rung[rungs[i]], x)
  end
  local means = {}
  for rung, of_rung in pairs(by_rung) do means[rung] = statistics.mean(of_rung) end
  for i, x in ipairs(values) do squares = squares + (x - means[rungs[i]]) ^ 2 end
  return squares
end

--- The factor by which negative logarithms of losses differ as much as the scores beside them do, 1 where they do not differ; their mean; that of all scores.
local function units(points)
  local scores, losses, rungs, all = {}, {}, {}, {}
  for i, point in ipairs(points) do
    all[i] = point.score
    if point.loss then
      scores[#scores + 1], losses[#losses + 1], rungs[#rungs + 1] = point.score, -math.log(point.loss), point.rung
    end
  end
  local of_scores, of_losses = spread(scores, rungs), spread(losses, rungs)
  local stretch = of_scores > 0 and of_losses > 0 and math.sqrt(of_scores / of_losses) or 1
  return stretch, #losses > 0 and statistics.mean(losses) or 0, statistics.mean(all)
end

--- What does not depend on scores: the points with their numbers among the ones, the factor, and what was asked for. It only grows, so that a process can go on from another one, of
--- which nothing is asked any more.
local function fresh() return {points = {}, ones = {}, numbers = {}, table = {}, factor = {}, explanations = setmetatable({}, {__mode = "k"})} end

--- Whether the `i`th of the points is this one; where there is none yet it is added.
local function place_of(process, i, point, kind)
  local key, there = point.one.key, process.points[i]
  if there then return there.key == key and there.rung == point.rung and there.kind == kind end
  if not process.numbers[key] then
    table.insert(process.ones, point.one)
    process.numbers[key] = #process.ones
  end
  process.points[i] = {key = key, number = process.numbers[key], rung = point.rung, kind = kind}
  return true
end

--- Whether the process could take all points: not where it has others.
local function placed(process, points)
  local i = 0
  for _, point in ipairs(points) do
    for _, kind in ipairs{"score", point.loss and "loss" or nil} do
      i = i + 1
      if not place_of(process, i, point, kind) then return false end
    end
  end
  return i == #process.points
end

function M.process(layout, rungs, points, before)
  local process = setmetatable({layout = layout, worth = fidelity(rungs)}, Process)
  local function take(shared) for name, value in pairs(shared) do process[name] = value end end
  if before then
    process.shared = before.shared
    take(before.shared)
  end
  if not before or not placed(process, points) then
    process.shared = fresh()
    take(process.shared)
    placed(process, points)
  end
  factorise(process)
  local stretch, mean_loss, mean = units(points)
  local values = {}
  for _, point in ipairs(points) do
    values[#values + 1] = point.score - mean
    if point.loss then values[#values + 1] = stretch * (-math.log(point.loss) - mean_loss) end
  end
  process.mean = mean
  local half = forward(process.factor, values)
  process.weights = backward(process.factor, half)
  local size = 0
  for _, x in ipairs(half) do size = size + x * x end
  process.amplitude = math.sqrt(math.max(size / #values, 1e-24))
  return process
end

--- How much of what architectures are worth two measurements share.
function Process:common(p, q) return self.worth[p.rung][q.rung] * (p.kind == q.kind and 1 or kinship) end

--- The similarity of two of the architectures by number, computed once.
function Process:similar(i, j)
  if i < j then i, j = j, i end
  local row = self.table[i] or {}
  self.table[i] = row
  row[j] = row[j] or similarity(self.layout, self.ones[i].place, self.ones[j].place)
  return row[j]
end

--- Covariances of a score with the points', and these through the factor.
function Process:explained(one, rung)
  local by_rung = self.explanations[one] or {}
  self.explanations[one] = by_rung
  by_rung[rung] = by_rung[rung] or {covariances = {}, through = {}}
  local covariances, through, asked, similar = by_rung[rung].covariances, by_rung[rung].through, {kind = "score", rung = rung}, {}
  for i = #through + 1, #self.points do
    local point, row = self.points[i], self.factor[i]
    similar[point.number] = similar[point.number] or similarity(self.layout, one.place, self.ones[point.number].place)
    covariances[i] = self:common(asked, point) * similar[point.number] + mean_covariance(asked, point)
    local sum = covariances[i]
    for k = 1, i - 1 do sum = sum - row[k] * through[k] end
    through[i] = sum / row[i]
  end
  return covariances, through
end

local function dot(x, y)
  local sum = 0
  for i = 1, #y do sum = sum + x[i] * y[i] end
  return sum
end

function Process:prior(a, b, rung) return self.worth[rung][rung] * similarity(self.layout, a.place, b.place) + common + own end

function Process:at(one, rung)
  local covariances, through = self:explained(one, rung)
  local variance = self:prior(one, one, rung) - dot(through, through)
  return self.mean + dot(covariances, self.weights), self.amplitude * math.sqrt(math.max(variance, 1e-12))
end

function Process:difference(a, b, rung)
  local of_a, through_a = self:explained(a, rung)
  local of_b, through_b = self:explained(b, rung)
  local variance = self:prior(a, a, rung) + self:prior(b, b, rung) - 2 * self:prior(a, b, rung)
  for i = 1, #through_a do variance = variance - (through_a[i] - through_b[i]) ^ 2 end
  return dot(of_a, self.weights) - dot(of_b, self.weights), self.amplitude * math.sqrt(math.max(variance, 1e-12))
end

--- The normal distribution's function: Abramowitz and Stegun, 7.1.26, to 1.5e-7.
function M.cumulative(z)
  local x = math.abs(z) / math.sqrt(2)
  local t = 1 / (1 + 0.3275911 * x)
  local tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * math.exp(-x * x) / 2
  return z < 0 and tail or 1 - tail
end

--- A function of what is there: the expectation of max(value - there, 0), of a value with this mean and deviation.
function M.improvement(mean, deviation)
  return function(there)
    local z = (mean - there) / deviation
    return math.max(0, (mean - there) * M.cumulative(z) + deviation * math.exp(-z * z / 2) / math.sqrt(2 * math.pi))
  end
end

return M
