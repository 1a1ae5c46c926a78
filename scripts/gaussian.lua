-- A Gaussian process over architectures and how far they were trained (Rasmussen and Williams, 2006, algorithm 2.1; over fidelities in the manner of Kennedy and O'Hagan, 2000).
--
--   local process = require("gaussian").process(layout, rungs, {{one =, rung =, score =}, ...})      `one`: {place =, key =} of scripts/coordinates.lua
--   process:at(one, rung)                mean and deviation of its score after a rung, without a training's own noise
--   process:difference(a, b, rung)       the same of a's score less b's
--
-- Two scores have this covariance, in units of an amplitude that the scores themselves decide (the most probable one, in closed form):
--   what architectures are worth          g(s) g(t) rho^|s - t| k(a, b), where k is a linear and a smooth part, and g(s) the square root of the share of steps after which s measures
--   what a training has by chance         of one architecture, whose trainings go on from rung to rung: noise^2, and `curve` of it between two rungs
--   the mean of each rung                 next to free
local M, Process = {}, {}
Process.__index = Process

-- Chosen among some 85 variants on searches of the truth 'streets' (seeds 101 to 400, 60 to 300 of them a variant), none of which scripts/strategies.lua reports.
-- The better variants differ by less than these searches can tell, and the seeds share one truth: other spaces may want other numbers. Picking length, noise and
-- growth at each request by what is most probable, from small grids, was no better on 150 of the searches.
local linear, smooth, length, rho, noise, curve = 0.2, 0.8, 2.0, 0.9, 0.45, 0.5
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

local function mean_covariance(s, t) return common + (s == t and own or 0) end

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

--- Cholesky's factor of the covariance of the points, by rows.
local function factored(process)
  local factor = {}
  for i, p in ipairs(process.points) do
    local row = {}
    for j = 1, i do
      local q, other = process.points[j], j < i and factor[j] or row
      local sum = process.worth[p.rung][q.rung] * process:similar(p.number, q.number) + mean_covariance(p.rung, q.rung)
      if p.number == q.number then sum = sum + noise * noise * (p.rung == q.rung and 1 or curve) end
      for k = 1, j - 1 do sum = sum - row[k] * other[k] end
      row[j] = j < i and sum / other[j] or math.sqrt(math.max(sum, 1e-12))
    end
    factor[i] = row
  end
  return factor
end

function M.process(layout, rungs, points)
  local process = setmetatable({layout = layout, worth = fidelity(rungs), points = {}, ones = {}, table = {}}, Process)
  local numbers, sum = {}, 0
  for i, point in ipairs(points) do
    local key = point.one.key
    if not numbers[key] then
      process.ones[#process.ones + 1] = point.one
      numbers[key] = #process.ones
    end
    process.points[i] = {number = numbers[key], rung = point.rung}
    sum = sum + point.score
  end
  process.mean = sum / #points
  process.factor = factored(process)
  local scores = {}
  for i, point in ipairs(points) do scores[i] = point.score - process.mean end
  local half = forward(process.factor, scores)
  process.weights = backward(process.factor, half)
  local size = 0
  for _, x in ipairs(half) do size = size + x * x end
  process.amplitude = math.sqrt(math.max(size / #points, 1e-24))
  return process
end

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
  local similar, covariances = {}, {}
  for i, other in ipairs(self.ones) do similar[i] = similarity(self.layout, one.place, other.place) end
  for i, point in ipairs(self.points) do
    covariances[i] = self.worth[rung][point.rung] * similar[point.number] + mean_covariance(rung, point.rung)
  end
  return covariances, forward(self.factor, covariances)
end

local function dot(x, y)
  local sum = 0
  for i = 1, #x do sum = sum + x[i] * y[i] end
  return sum
end

function Process:prior(a, b, rung) return self.worth[rung][rung] * similarity(self.layout, a.place, b.place) + mean_covariance(rung, rung) end

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
