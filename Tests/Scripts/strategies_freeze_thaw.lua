-- The strategy of scripts/freeze_thaw.lua: predictions against matrices written out, what it asks for, pays and finds, how sure it says it is.
package.path = package.path .. ";" .. debug.getinfo(1, "S").source:match("^@(.*)Tests/Scripts/") .. "scripts/?.lua"
local freeze_thaw, gaussian, coordinates, certainty = require("freeze_thaw"), require("gaussian"), require("coordinates"), require("certainty")

local space = nas.trellis{layers = 3, strides = {4, 8, 16}, filters = 2, cell = nas.cell{blocks = 1, operators = {"none", "skip_connect", "sep_conv_3x3"}}}
local layout = coordinates.of(space)
local all = {}
for a in space:each() do
  local place = layout:place(a)
  all[#all + 1] = {architecture = a, place = place, key = layout:key(place)}
end

-- Coordinates: the logarithm of each layer's stride, one of each state's options; the centre and the spread over all of the space.
do
  local one = all[7]
  for layer = 1, 3 do near(one.place[layer], math.log(one.architecture.path[layer], 2), 1e-12) end
  same(#one.place, 3 + 2 * 3)
  same({#layout.parts, layout.parts[1].label, layout.parts[5].label}, {5, "paths, layer 1", "cell.1, state 2"})
  same({layout:value(layout.parts[2], one.place), layout:value(layout.parts[4], one.place)}, {tostring(one.architecture.path[2]), one.architecture["cell.1"][1][2]})
  local distance, square = 0, 0
  for i = 1, #all do
    square = square + layout:compare(all[i].place, all[i].place) / #all
    for j = 1, #all do distance = distance + select(2, layout:compare(all[i].place, all[j].place)) / (#all * #all) end
  end
  near(square, 1, 1e-9)
  near(distance, 1, 1e-9)
  -- Side by side paths are nearer than those far apart.
  local function path(...)
    local wanted = table.concat({...}, " ")
    for _, other in ipairs(all) do
      local cell = other.architecture["cell.1"]
      if table.concat(other.architecture.path, " ") == wanted and cell[1][2] == "skip_connect" and cell[2][2] == "skip_connect" then return other.place end
    end
  end
  assert(select(2, layout:compare(path(4, 4, 4), path(4, 4, 8))) < select(2, layout:compare(path(4, 4, 4), path(8, 16, 16))))
  same(layout:differ(layout.parts[1], path(4, 4, 4), path(8, 4, 4)), true)
  same(layout:differ(layout.parts[2], path(4, 4, 4), path(8, 4, 4)), false)
  -- Decisions of other kinds, and a space that is too large to be gone through.
  local odd = nas.space(function()
    nas.choice("op", {"a", "b", "c"})
    nas.subset("some", {1, 2, 4}, {least = 1, most = 2})
    return nn.relu()
  end)
  same(#coordinates.of(odd):place(odd:random{seed = 1}), 6)
  same(coordinates.of(nas.trellis{}):all(500), nil)
end

-- The posterior against the inverse of the covariance, by Gauss and Jordan.
local rungs = {10, 20, 40}
do
  local points = {}
  for i = 1, 9 do
    points[i] = {one = all[1 + 7 * (i % 5)], rung = i < 6 and 1 or i < 9 and 2 or 3, score = 0.3 + 0.1 * math.sin(3 * i), loss = i % 4 > 0 and 1 + 0.2 * math.cos(5 * i) or nil}
  end
  -- Scores less their mean; negative logarithms of losses less theirs, stretched so that within rungs they differ as much as the scores beside them.
  local measured, sums, counts, squares, mean = {}, {}, {}, {score = 0, loss = 0}, 0
  for _, point in ipairs(points) do
    mean = mean + point.score / #points
    table.insert(measured, {one = point.one, rung = point.rung, kind = "score", value = point.score})
    if point.loss then
      table.insert(measured, {one = point.one, rung = point.rung, kind = "loss", value = -math.log(point.loss)})
      for kind, value in pairs{score = point.score, loss = -math.log(point.loss)} do
        local key = kind .. point.rung
        sums[key], counts[key] = (sums[key] or 0) + value, (counts[key] or 0) + 1
      end
    end
  end
  local losses, count = 0, 0
  for _, point in ipairs(points) do
    if point.loss then
      losses, count = losses - math.log(point.loss), count + 1
      squares.score = squares.score + (point.score - sums["score" .. point.rung] / counts["score" .. point.rung]) ^ 2
      squares.loss = squares.loss + (-math.log(point.loss) - sums["loss" .. point.rung] / counts["loss" .. point.rung]) ^ 2
    end
  end
  local stretch = math.sqrt(squares.score / squares.loss)
  for _, one in ipairs(measured) do one.value = one.kind == "score" and one.value - mean or stretch * (one.value - losses / count) end
  local function similar(x, y)
    local product, distance = layout:compare(x.place, y.place)
    return 0.2 * product + 0.8 * math.exp(-distance / 4)
  end
  local function worth(x, s, y, t, are_alike)
    local shared = 0.9 ^ math.abs(s - t) * math.sqrt(rungs[s] / 40 * rungs[t] / 40) * similar(x, y)
    return are_alike and shared + 18.75 + (s == t and 6.25 or 0) or 0.95 * shared
  end
  local n, rows = #measured, {}
  for i, p in ipairs(measured) do
    rows[i] = {}
    for j, q in ipairs(measured) do
      local noise = p.one == q.one and p.kind == q.kind and (p.kind == "score" and 0.45 or 0.25) ^ 2 * (p.rung == q.rung and 1 or 0.5) or 0
      rows[i][j] = worth(p.one, p.rung, q.one, q.rung, p.kind == q.kind) + noise
      rows[i][n + j] = i == j and 1 or 0
    end
  end
  for i = 1, n do
    local pivot = rows[i][i]
    for j = 1, 2 * n do rows[i][j] = rows[i][j] / pivot end
    for k = 1, n do
      local factor = k ~= i and rows[k][i] or 0
      for j = 1, 2 * n do rows[k][j] = rows[k][j] - factor * rows[i][j] end
    end
  end
  local function inverse(i, j) return rows[i][n + j] end
  local amplitude = 0
  for i = 1, n do for j = 1, n do amplitude = amplitude + measured[i].value * inverse(i, j) * measured[j].value / n end end
  local function covariance(x, s, y, t)
    local sum = worth(x, s, y, t, true)
    local function with(z, u, p) return worth(z, u, p.one, p.rung, p.kind == "score") end
    for i = 1, n do for j = 1, n do sum = sum - with(x, s, measured[i]) * inverse(i, j) * with(y, t, measured[j]) end end
    return amplitude * sum
  end
  -- Going on from a process of the first points, or of others, makes no difference.
  local first = gaussian.process(layout, rungs, {table.unpack(points, 1, 5)})
  first:at(all[8], 3)
  local other = gaussian.process(layout, rungs, {points[2], points[1]})
  local process = gaussian.process(layout, rungs, points, first)
  for _, again in ipairs{gaussian.process(layout, rungs, points), gaussian.process(layout, rungs, points, other)} do
    for i = 1, #all, 5 do same({again:at(all[i], 3)}, {process:at(all[i], 3)}) end
  end
  local means = {}
  for k, case in ipairs{{all[1], 3}, {all[8], 3}, {all[20], 3}, {all[20], 1}} do
    local x, s = case[1], case[2]
    local expected = mean
    for i = 1, n do for j = 1, n do expected = expected + worth(x, s, measured[i].one, measured[i].rung, measured[i].kind == "score") * inverse(i, j) * measured[j].value end end
    local got, deviation = process:at(x, s)
    near(got, expected, 1e-8)
    near(deviation, math.sqrt(covariance(x, s, x, s)), 1e-7)
    means[k] = got
  end
  local difference, deviation = process:difference(all[8], all[20], 3)
  near(difference, means[2] - means[3], 1e-10)
  near(deviation, math.sqrt(covariance(all[8], 3, all[8], 3) + covariance(all[20], 3, all[20], 3) - 2 * covariance(all[8], 3, all[20], 3)), 1e-7)
  -- By numerical integration.
  local sum, cumulative = 0, 0
  for i = -8000, 8000 do
    local z = i / 1000
    local density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi) / 1000
    sum, cumulative = sum + math.max(0.2 + 0.7 * z - 0.5, 0) * density, cumulative + (z <= 0.3 and density or 0)
  end
  near(gaussian.improvement(0.2, 0.7)(0.5), sum, 1e-5)
  near(gaussian.cumulative(0.3), cumulative, 1e-3)
  near(gaussian.cumulative(-0.3), 1 - gaussian.cumulative(0.3), 1e-12)
end

-- Scores that a rule makes, and noise of a training's own that is less in the end.
local function worth(a)
  local sum = 0
  for _, stride in ipairs(a.path) do sum = sum - 0.05 * math.log(stride, 2) end
  for _, pair in ipairs(a["cell.1"]) do sum = sum + (pair[2] == "sep_conv_3x3" and 0.04 or 0) end
  return 1 + sum
end
local best = -math.huge
for _, one in ipairs(all) do best = math.max(best, worth(one.architecture)) end

local function score(strategy, a, steps)
  local number = #strategy:one(a).key * 31 + math.floor(1000 * worth(a)) * 7 + steps
  return worth(a) * math.sqrt(steps / 40) + 0.01 * math.sin(number)
end

--- Of every other training, as a result is told.
local function result(strategy, a, steps)
  local found = score(strategy, a, steps)
  return {score = found, step = steps, loss = math.floor(100 * worth(a) + 0.5) % 2 == 0 and math.exp(-found) or nil}
end

local function make(seed, more)
  local o = {rungs = rungs, budget = 320, seed = seed}
  for name, value in pairs(more or {}) do o[name] = value end
  return freeze_thaw.new(space, o)
end

local function run(strategy, count)
  local words = {}
  for _ = 1, count or 1000 do
    local a, steps = strategy:ask()
    if not a then break end
    words[#words + 1] = strategy:one(a).key .. " " .. steps
    strategy:tell(a, result(strategy, a, steps))
  end
  return table.concat(words, "\n")
end

-- Each goes on from where it was, the budget is kept to and used up as far as rungs fit, and what is found is among the best and trained to the end.
do
  local good = 0
  for seed = 1, 6 do
    local strategy, reached, spent = make(seed), {}, 0
    while true do
      local a, steps = strategy:ask()
      if not a then break end
      local key = strategy:one(a).key
      local before = reached[key] or 0
      same(steps, before == 0 and 10 or 2 * before)
      reached[key], spent = steps, spent + steps - before
      strategy:tell(a, result(strategy, a, steps))
    end
    same(strategy.spent, spent)
    assert(spent <= 320 and spent > 320 - 30, spent)
    local found, belief = strategy:best()
    same({belief.steps, reached[strategy:one(found).key]}, {40, 40})
    if worth(found) > best - 0.051 then good = good + 1 end
  end
  assert(good >= 5, good)
end

-- One training's budget makes one training; a little more than that, one and as many beginnings as fit.
for budget, asked in pairs{[40] = 3, [65] = 5} do
  local strategy = make(1, {budget = budget})
  local words = run(strategy)
  same({select(2, words:gsub("\n", "\n")) + 1, select(2, strategy:best()).steps}, {asked, 40})
  assert(strategy.spent <= budget, strategy.spent)
end

-- The same by seed; gone on with from a state that went through a file; several asked before one is told.
do
  same(run(make(2)), run(make(2)))
  assert(run(make(2)) ~= run(make(3)))
  local whole, half = make(4), make(4)
  run(whole, 11)
  run(half, 11)
  local out = {whole:ask()}
  half:ask()
  checkpoint.save("state.safetensors", {state = half:state()})
  local other = make(4):load_state(checkpoint.load("state.safetensors").state)
  for _, strategy in ipairs{whole, other} do strategy:tell(out[1], {score = 0.5, step = out[2], loss = 0.7}) end
  same(run(other), run(whole))
  same(other:best():same((whole:best())), true)
  fails("same rungs, budget and seed", function() make(5):load_state(half:state()) end)
  local many, asked = make(1), {}
  for i = 1, 9 do asked[i] = {many:ask()} end
  local keys = {}
  for _, one in ipairs(asked) do
    local key = many:one(one[1]).key
    same(keys[key], nil)
    keys[key] = true
  end
  for i = 9, 1, -1 do many:tell(asked[i][1], {score = score(many, table.unpack(asked[i])), step = asked[i][2]}) end
  local failed = {many:ask()}
  many:drop(failed[1])
  assert(not run(many):find(many:one(failed[1]).key, 1, true), "what failed is not asked for again")
  fails("once for each time", function() many:tell(failed[1], {score = 1, step = 10}) end)
  same(make(1):best(), nil)
  same(#make(1):decisions(), 0)
end

-- What makes no sense.
for _, o in ipairs{{rungs = {20, 10}}, {rungs = {}}, {rungs = {0, 10}}} do
  fails("rungs are ascending", function() error(select(2, pcall(freeze_thaw.new, space, {rungs = o.rungs, budget = 100})), 0) end)
end

-- In the hands of nas.trials, killed and gone on with.
do
  local n = 0
  for trial in nas.trials{strategy = make(6), out = "trials", count = 9} do
    trial:finish(result(make(6), trial.architecture, trial.steps))
  end
  local strategy = make(6)
  for trial in nas.trials{strategy = strategy, out = "trials"} do
    n = n + 1
    trial:finish(result(strategy, trial.architecture, trial.steps))
  end
  local alone = make(6)
  run(alone)
  same({n + 9, strategy:best():same((alone:best()))}, {#alone.requests, true})
end

-- How sure: a decision that makes no difference is a toss-up, one that does is not; by hand from the posterior.
do
  local strategy = make(1, {budget = 1200})
  run(strategy)
  local decisions = strategy:decisions()
  same(#decisions, 5)
  local found = strategy:one((strategy:best()))
  for i, one in ipairs(decisions) do
    same(one.value, layout:value(layout.parts[i], found.place))
    assert(one.value ~= one.other and one.probability >= 0 and one.probability <= 1 and one.cost >= 0 and one.cost >= -one.better, one.label)
    local process, rival = strategy:process(), -math.huge
    for _, other in ipairs(all) do if layout:differ(layout.parts[i], other.place, found.place) then rival = math.max(rival, (process:at(other, 3))) end end
    near(one.better, process:at(found, 3) - rival, 1e-9)
  end
  assert(decisions[2].probability > 0.75, "a stride of the path")
  local text = certainty.summary{
    {label = "op", value = "a", other = "b", probability = 0.97, better = 0.02, cost = 0.0001}, {label = "x", value = "c", other = "d", probability = 0.6, better = 0.01, cost = 0.004},
    {label = "one", value = "e"},
  }
  assert(text:find("95 %% or more%): op\n") and text:find("open: x. c was taken, d is as good with 40 %; if so, that costs 1.0 points", 1, true), text)
  same(certainty.rows{{label = "one", value = "e"}}[2][3], "-")
end
