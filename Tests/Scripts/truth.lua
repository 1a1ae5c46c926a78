-- nas.truth: questions against the table that it was made from.
local space = nas.space(function()
  local op = nas.choice('op', {'a', 'b', 'c', 'd'})
  return nas.mix(op, function(name) return nn.conv2d(1, 1, {kernel = 1}) end)
end)
local list = {}
for a in space:each() do list[#list + 1] = a end
local validation = {
  {{0.1, 0.2}, {0.15, 0.3}, {0.05, 0.25}}, {{0.2, 0.5}, {0.25, 0.4}, {0.3, 0.45}}, {{0.3, 0.35}, {0.1, 0.45}, {0.2, 0.15}}, {{0.05, 0.1}, {0.2, 0.2}, {0.1, 0.2}},
}
local test = {
  {{0.1, 0.21}, {0.1, 0.31}, {0.1, 0.26}}, {{0.2, 0.55}, {0.2, 0.41}, {0.3, 0.47}}, {{0.3, 0.31}, {0.1, 0.49}, {0.2, 0.17}}, {{0.05, 0.11}, {0.2, 0.22}, {0.1, 0.23}},
}
local loss = {{{1.9, 1.2}, {1.8, 1.1}, {1.7, 1.05}}, {{1.6, 0.9}, {1.5, 0.8}, {1.4, 0.7}}, {{1.3, 0.6}, {1.2, 0.5}, {1.1, 0.4}}}
local function made(of)
  local results = {}
  for i = 1, 4 do
    if i ~= of then results[#results + 1] = {architecture = list[i], parameters = 10 * i, multiply_adds = 100 * i, validation = validation[i], test = test[i], loss = loss[i]} end
  end
  return nas.truth{name = 'tiny', space = space, seeds = {1, 2, 7}, checkpoints = {5, 20}, settings = {lr = 0.1, images = 8, sizes = {3, 4}}, results = results}
end
local truth = made()
local function near(a, b) assert(math.abs(a - b) < 1e-9, ('%.12g is not %.12g'):format(a, b)) end
same({truth.name, truth.seeds, truth.checkpoints, truth.settings.sizes[2], truth.settings.lr}, {'tiny', {1, 2, 7}, {5, 20}, 4, 0.1})
same(tostring(truth), "truth 'tiny': 4 architectures, seeds 1, 2, 7, after 5, 20 steps")
for i, a in ipairs(list) do
  for s, seed in ipairs(truth.seeds) do
    for c, steps in ipairs(truth.checkpoints) do
      local score, cost, own = truth:query(a, {steps = steps, seed = seed})
      same(own, loss[i] and loss[i][s][c])
      near(score, validation[i][s][c])
      same(cost, steps)
    end
    local others = {}
    for k = 1, 3 do if k ~= s then others[#others + 1] = test[i][k][2] end end
    near(truth:judge(a, {except = seed}), (others[1] + others[2]) / 2)
  end
  near(truth:judge(a), (test[i][1][2] + test[i][2][2] + test[i][3][2]) / 3)
  near(truth:query(a), validation[i][1][2])
  same({truth:parameters(a), truth:multiply_adds(a)}, {10 * i, 100 * i})
end
-- Means over seeds 2 and 7: 0.285, 0.44, 0.33, 0.225.
same({truth:rank(list[1], {except = 1}), truth:rank(list[2], {except = 1}), truth:rank(list[3], {except = 1}), truth:rank(list[4], {except = 1})}, {3, 1, 2, 4})
near(truth:percentile(list[3], {except = 1}), 50)

-- Kendall's correlation by definition.
local function kendall(x, y)
  local sum, in_x, in_y = 0, 0, 0
  local function sign(d) return d > 0 and 1 or d < 0 and -1 or 0 end
  for i = 1, #x do
    for j = 1, #x do
      local a, b = sign(x[i] - x[j]), sign(y[i] - y[j])
      sum, in_x, in_y = sum + a * b, in_x + a * a, in_y + b * b
    end
  end
  return sum / math.sqrt(in_x * in_y)
end
for c, steps in ipairs(truth.checkpoints) do
  local sum = 0
  for s, seed in ipairs(truth.seeds) do
    local x, y = {}, {}
    for i, a in ipairs(list) do x[i], y[i] = validation[i][s][c], truth:judge(a, {except = seed}) end
    sum = sum + kendall(x, y)
  end
  near(truth:ceiling{steps = steps}, sum / 3)
end
near(truth:ceiling(), truth:ceiling{steps = 20})

-- What was not measured.
fails('5, 20, got 6', function() truth:query(list[1], {steps = 6}) end)
fails('1, 2, 7, got 3', function() truth:query(list[1], {seed = 3}) end)
fails('1, 2, 7, got 3', function() truth:judge(list[1], {except = 3}) end)
fails("one of the 3 that 'tiny' has trainings of", function() made(2):query(list[2]) end)
fails("one of the 3 that 'tiny' has trainings of", function() made(2):rank(list[2]) end)
same(made(2):rank(list[3], {except = 1}), 1)
local other = nas.space(function() nas.choice('x', {'p', 'q'}); return nn.relu() end)
fails("expected a known decision, got 'x'", function() truth:query(other:random{seed = 1}) end)
fails('architecture expected', function() truth:query(3) end)

-- Of a stock trellis through a file, whole and with one that is missing.
local trellis = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {'skip_connect', 'sep_conv_3x3'}}}
local results, n = {}, 0
for a in trellis:each() do
  n = n + 1
  if n ~= 3 then results[#results + 1] = {architecture = a, parameters = n, multiply_adds = n, validation = {{n / 64}, {n / 32}}, test = {{n / 16}, {n / 3}}, loss = n % 2 == 0 and {{1 / n}, {2 / n}} or nil} end
end
local stock = nas.truth{name = 'stock', space = trellis, seeds = {4, 5}, checkpoints = {9}, results = results}
stock:save('stock.json')
local read = nas.truth('stock.json')
n = 0
for a in read.space:each() do
  n = n + 1
  if n == 3 then fails('another one', function() read:query(a) end) else
    near(read:query(a, {seed = 5}), math.floor(n / 32 * 1e5 + 0.5) / 1e5)
    local own = select(3, read:query(a, {seed = 5}))
    if n % 2 == 0 then near(own, math.floor(2 / n * 1e5 + 0.5) / 1e5) else same(own, nil) end
    near(read:judge(a, {except = 4}), math.floor(n / 3 * 1e5 + 0.5) / 1e5)
  end
end
read:save('again.json')
same(io.open('stock.json'):read('a'), io.open('again.json'):read('a'))
for a in trellis:each() do same(read:parameters(a), 1); break end

-- What is no truth.
fails('no.json', function() nas.truth('no.json') end)
files.write('odd.json', '{"format": "trellis.truth"}')
fails('odd.json: expected a member "version"', function() nas.truth('odd.json') end)
local function with(changes)
  local table = {name = 'x', space = trellis, seeds = {4, 5}, checkpoints = {9}, results = {}}
  for k, v in pairs(changes) do table[k] = v end
  return function() nas.truth(table) end
end
fails("unknown field 'stepss'", with{stepss = 1})
fails('at least two', with{seeds = {1}})
fails('at least two', with{seeds = {1, 1}})
fails('steps that grow', with{checkpoints = {5, 5}})
fails('without where and fix', with{space = trellis:where(function() return true end)})
fails('results[1]: a table with an architecture expected', with{results = {{}}})
fails('none, or a finite one or nil for each of 2 seeds', with{results = {{architecture = trellis:random{seed = 1}, parameters = 1, multiply_adds = 1, validation = {{1}, {1}}, test = {{1}, {2}}, loss = {{1}}}}})
fails('a finite score for each of 2 seeds and 1 checkpoints', with{results = {{architecture = trellis:random{seed = 1}, parameters = 1, multiply_adds = 1, validation = {{1}}, test = {{1}, {2}}}}})

-- The built-in one: consistent, and as large as its space.
local streets = nas.truth('streets')
local count = 0
for a in streets.space:each() do
  count = count + 1
  local score, steps = streets:query(a)
  assert(score > 0 and score < 1 and steps == streets.checkpoints[#streets.checkpoints] and streets:multiply_adds(a) > 0)
  for _, early in ipairs{30, 60} do
    local own = select(3, streets:query(a, {steps = early, seed = 2}))
    assert(own > 0 and own < 3, own)
  end
end
same({count, #streets.seeds}, {544, 3})
local sum = 0
for a in streets.space:each() do sum = sum + streets:rank(a, {except = 1}) end
assert(sum <= 544 * 545 / 2 and sum > 544 * 540 / 2, 'ranks are 1 to 544, but for ties')
