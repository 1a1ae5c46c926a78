-- What scripts/ has for strategies: statistics, ways to search with a supernet, decoding by perturbation, what can learn.
package.path = package.path .. ";" .. debug.getinfo(1, "S").source:match("^@(.*)Tests/Scripts/") .. "scripts/?.lua"
local statistics, methods, perturbation = require("statistics"), require("methods"), require("perturbation")
local learnability, logits = require("learnability"), require("logits")

-- Kendall by definition: concordant less discordant pairs over the root of the pairs that are not tied, in x and in y.
do
  local function sign(x) return x > 0 and 1 or x < 0 and -1 or 0 end
  for seed = 1, 20 do
    local x, y = tensor.randint(1, 6, 12, {seed = seed}):to_table(), tensor.randint(1, 6, 12, {seed = 100 + seed}):to_table()
    local sum, a, b = 0, 0, 0
    for i = 1, 12 do
      for j = 1, 12 do
        local u, v = sign(x[i] - x[j]), sign(y[i] - y[j])
        sum, a, b = sum + u * v, a + u * u, b + v * v
      end
    end
    near(statistics.kendall(x, y), sum / math.sqrt(a * b), 1e-12)
  end
  same({statistics.kendall({1, 2, 3}, {5, 6, 9}), statistics.kendall({1, 2, 3}, {3, 2, 1}), statistics.kendall({1, 1}, {1, 2})}, {1.0, -1.0, nil})
end

-- Exact tests by going through all signs.
do
  local function brute(differences, statistic)
    local n, observed, count = #differences, statistic(differences), 0
    for bits = 0, (1 << n) - 1 do
      local other = {}
      for i, d in ipairs(differences) do other[i] = bits >> (i - 1) & 1 == 1 and math.abs(d) or -math.abs(d) end
      if math.abs(statistic(other)) >= math.abs(observed) - 1e-9 then count = count + 1 end
    end
    return count / (1 << n)
  end
  local function balance(list)
    local sum = 0
    for _, d in ipairs(list) do sum = sum + (d > 0 and 1 or -1) end
    return sum
  end
  local function ranks(list)
    local sum = 0
    for i, d in ipairs(list) do
      local below, equal = 0, 0
      for _, e in ipairs(list) do
        if math.abs(e) < math.abs(d) then below = below + 1 elseif math.abs(e) == math.abs(d) then equal = equal + 1 end
      end
      sum = sum + (d > 0 and 1 or -1) * (below + (equal + 1) / 2)
    end
    return sum
  end
  for _, list in ipairs{{1, 2, 3, 4, 5}, {1, -2, 3, 4, 5, 6, 7}, {1, 1, -1, 2, 2, 3, -4, 0.5}, {-1, -2, 3}} do
    local wins, losses, p = statistics.sign_test(list)
    same(wins + losses, #list)
    near(p, brute(list, balance), 1e-12)
    near(statistics.wilcoxon(list), brute(list, ranks), 1e-12)
  end
  same({statistics.sign_test{0, 0, 1}}, {1, 0, 1})
  near(statistics.quantile({4, 1, 3, 2}, 0.5), 2.5)
  local low, high = statistics.bootstrap({1, 2, 3, 4, 5, 6, 7, 8}, {seed = 1})
  assert(low > 2.5 and low < 4 and high > 5 and high < 6.5, low .. " " .. high)
end

-- Budgets of halving by hand: five at 10, three on to 20, two on to 40.
same({methods.beginners({10, 20, 40}, 50 + 30 + 40), methods.beginners({10, 20, 40}, 50 + 30 + 40 - 1), methods.beginners({10}, 3)}, {5, 4, 1})

local operators = {"none", "skip_connect", "max_pool_3x3"}
local space = nas.trellis{layers = 3, strides = {4, 8, 16}, filters = 2, head_reach = 4, cell = nas.cell{blocks = 1, operators = operators}}
local function supernet(seed)
  local net = space:supernet{classes = 3, seed = seed}
  trellis.no_grad(function()
    for i, name in ipairs{"alpha", "beta"} do
      local leaf = net[name](net, {raw = true})
      leaf:copy_(tensor.randn(leaf.shape, {seed = 10 * seed + i}))
    end
  end)
  return net
end

-- Against undecided logits: the best of all by the sum of logarithms of p times the number of arrows beside it; undecided logits prefer none.
for seed = 1, 4 do
  local net = supernet(seed)
  local run = {net = net, space = space, own = function() end}
  for _, name in ipairs{"product", "relative"} do
    local believe, best, most = methods.decodings[name].believe(run), nil, -math.huge
    for a in space:each() do
      local p, sum = net:probabilities("paths"), 0
      for layer = 1, 3 do
        for from, to, id in space.decisions[1]:arrows(layer) do
          local strides = a.path
          if strides[layer] == to and (layer == 1 and 4 or strides[layer - 1]) == from then
            local out = 0
            for other in space.decisions[1]:arrows(layer) do if other == from then out = out + 1 end end
            sum = sum + math.log(p[id] * (name == "relative" and out or 1))
          end
        end
      end
      local pair = a["cell.1"]
      for s, one in ipairs(pair) do
        for i, operator in ipairs(operators) do if one[2] == operator then sum = sum + math.log(net:alpha()[s][i]) end end
      end
      near(believe(a), sum, 1e-4)
      if sum > most then best, most = a, sum end
    end
    local found = net:decode{relative = name == "relative"}
    same(methods.decodings[name].decode(run, space):same(found), true)
    near(believe(found), most, 1e-4)
  end
end

-- Marginals: what arrives at each state over all paths, by going through them.
for seed = 1, 4 do
  local net = supernet(seed)
  local p, decision, share, best, most = net:probabilities("paths"):to_table(), space.decisions[1], {{}, {}, {}}, nil, -math.huge
  local function each(f)
    local function go(layer, from, path, product)
      if layer > 3 then return f(path, product) end
      for source, to, id in decision:arrows(layer) do
        if source == from then
          path[layer] = to
          go(layer + 1, to, path, product * p[id])
        end
      end
    end
    go(1, 4, {}, 1)
  end
  each(function(path, product) for l, s in ipairs(path) do share[l][s] = (share[l][s] or 0) + product end end)
  each(function(path)
    local product = 1
    for l, s in ipairs(path) do product = product * share[l][s] end
    if product > most then best, most = table.concat(path, " "), product end
  end)
  local arrows, path = methods.marginal_path(decision, p), {}
  for l, arrow in ipairs(arrows) do path[l] = arrow[2] end
  same(table.concat(path, " "), best)
end

-- Perturbation against a loop over tables of probabilities: what is removed has probability 0 and the rest of its row is scaled up.
for seed = 1, 4 do
  local net = supernet(seed)
  local worth_alpha, worth_beta = tensor.rand(2, 3, {seed = seed}), tensor.rand(3, 3, 3, {seed = seed + 50})
  local before, calls = net:state(), 0
  local values = perturbation.decode(net, function(net)
    calls = calls + 1
    return ((net:alpha() * worth_alpha):sum() + (net:beta() * worth_beta):sum()):item()
  end)
  for name, t in pairs(net:state()) do assert(t:equal(before[name]), name) end
  -- The loop: a row's part of the score without option i is the weighted mean of the others.
  local function weakest(p, worth, options)
    local kept, least = nil, math.huge
    for _, i in ipairs(options) do
      local sum, total = 0, 0
      for _, j in ipairs(options) do if j ~= i then sum, total = sum + p[j] * worth[j], total + p[j] end end
      local without = total > 0 and sum / total or 0
      -- What the row is worth with all options is the same for each removal.
      if without < least then kept, least = i, without end
    end
    return kept
  end
  local from, path, wanted = 1, {}, {}
  for layer = 1, 3 do
    local p, worth, options = net:beta()[layer][from]:to_table(), worth_beta[layer][from]:to_table(), {}
    for move = 1, 3 do if p[move] > 0 then options[#options + 1] = move end end
    local move = #options > 1 and weakest(p, worth, options) or options[1]
    from = from + move - 2
    path[layer] = space.strides[from]
  end
  for l, arrow in ipairs(values.paths) do wanted[l] = arrow[2] end
  same(table.concat(wanted, " "), table.concat(path, " "))
  for s = 1, 2 do
    local i = weakest(net:alpha()[s]:to_table(), worth_alpha[s]:to_table(), {2, 3})
    same({values["cell.1"][s][1], values["cell.1"][s][2]}, {s == 1 and "two-back" or "previous", operators[i]})
  end
  space:fix(values):random{}
end

-- Of other kinds of decisions, and what stays when a score fails.
do
  local own = nas.space(function(c)
    local op, rates, width = nas.choice("op", {"a", "b", "none"}), nas.subset("rates", {1, 2, 3}), nas.number("width", 2, 6, {step = 2})
    local parts = {mixed = nas.mix(op, function() return nn.conv2d(3, 2, {kernel = 1}) end), around = {}}
    for i in ipairs(rates.options) do if rates:on(i) then parts.around[i] = nn.conv2d(2, 2, {kernel = 1}) end end
    function parts.forward(self, x)
      local h, terms = self.mixed(x), {}
      for i in ipairs(rates.options) do terms[i] = nas.when(rates:weight(i), function() return self.around[i](h) end) end
      return nas.sum(terms) * nas.expect(width, {1, 2, 3})
    end
    return nn.module(parts)
  end)
  local net = own:supernet{seed = 1, relax = {rates = nas.sigmoid()}}
  local values = perturbation.decode(net, function(net)
    local p, q = net:probabilities("rates"), net:probabilities("op")
    return 2 * q[2] + q[1] + p[1] - p[2] + p[3] + net:probabilities("width")[3]
  end)
  same({values.op, #values.rates, values.rates[1] + values.rates[2], values.width}, {"b", 2, 4, 6})
  local before = net:logits("op"):clone()
  fails("no luck", function() perturbation.decode(net, function() error("no luck") end) end)
  assert(net:logits("op"):equal(before))
end

-- What leads into a node that nothing else reaches cannot learn: its output is normalised by what reads it.
do
  local space = nas.trellis{layers = 3, strides = {4, 8}, filters = 2, head_reach = 4, cell = nas.cell{blocks = 1, operators = {"skip_connect", "sep_conv_3x3"}}}
  local net = space:supernet{classes = 3, seed = 1}
  local adam, batches = optim.adam(net:architecture()), {}
  for i = 1, 4 do batches[i] = {tensor.randn(2, 3, 16, 16, {seed = i}), tensor.randint(0, 2, 2, 16, 16, {seed = i})} end
  local rows = learnability.measure(net, adam, batches)
  for _, row in ipairs(rows) do
    same(row.verdict == "cannot learn", row.label == "layer 1, from 4", row.decision .. " " .. row.label)
    if row.label == "layer 1, from 4" then same(row.options, {"to 4", "to 8"}) end
  end
  -- By definition, of one option.
  local values = {}
  for i, batch in ipairs(batches) do
    net:gradients(adam, batch[1], batch[2])
    values[i] = net:alpha{raw = true}.grad:to_table()[2]
  end
  local square, signal = 0, 0
  for k = 1, 2 do
    local list = {}
    for i = 1, 4 do
      list[i] = values[i][k]
      square = square + list[i] ^ 2
    end
    local t = tensor.from(list)
    signal = math.max(signal, (t:mean():abs() / (t:std() / 2)):item())
  end
  near(rows[#rows].size, math.sqrt(square / 8), 1e-7)
  near(rows[#rows].signal, signal, 1e-2 * signal)
  assert(learnability.text(rows):find("cannot learn", 1, true))
end

-- Each method takes steps, decodes, and does so again alike.
do
  local space = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, head_reach = 4, cell = nas.cell{blocks = 1, operators = {"none", "skip_connect", "sep_conv_3x3"}}}
  local set = data.shapes{images = 8, size = {16, 16}, classes = 3, seed = 1}
  local calibration = {tensor.randn(2, 3, 16, 16, {seed = 1}), tensor.randn(2, 3, 16, 16, {seed = 2})}
  local function found(name)
    local method = methods.get(name)
    tensor.manual_seed(1)
    local a, b = set:batches{size = 2, seed = 1}, set:batches{size = 2, seed = 2}
    local run = methods.start(method, {
      space = space, classes = 3, seed = 1, a = a, b = b, steps = 4, from = 1, validation = set, calibration = calibration, candidates = 6, rungs = {1, 2}, trial_budget = 4,
      trial = function(architecture, steps) return steps + #tostring(architecture) % 7 end,
    })
    local losses = {}
    for i = 1, 4 do losses[#losses + 1], losses[#losses + 2] = run:step(i) end
    same(#losses, method.training.logits == false and 4 or 7, name)
    a:close()
    b:close()
    return method.decoding.decode(run, space), losses, method.decoding.believe and method.decoding.believe(run)(space:random{seed = 1})
  end
  for _, name in ipairs(methods.names()) do
    local first, losses, belief = found(name)
    assert(space:encode(first):sum():item() > 0, name)
    if name == "gdas" or name == "one_shot_halving" or name == "pc_darts" then
      local second, again, same_belief = found(name)
      same(first:same(second), true, name)
      same(losses, again, name)
      same(belief, same_belief, name)
    end
  end
end

-- How steady decisions were, by hand; what looks gone wrong is said with what to do, and what is well is not.
do
  local certainty, coordinates = require("certainty"), require("coordinates")
  local space = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {"none", "skip_connect", "sep_conv_3x3"}}}
  local function architecture(first, second, operator)
    return space:fix{paths = {{4, first}, {first, second}}, ["cell.1"] = {{"two-back", operator}, {"previous", "sep_conv_3x3"}}}:random{}
  end
  local a, b = architecture(4, 8, "skip_connect"), architecture(8, 8, "skip_connect")
  local list = certainty.steadiness(coordinates.of(space), {b, a, b, a}, function(x) return x:same(a) and 0.5 or 0.4 end)
  same({#list, list[1].label, list[1].value, list[1].other, list[1].steady}, {4, "paths, layer 1", "4", "8", 0.5})
  near(list[1].better, 0.1, 1e-12)
  same({list[2].steady, list[2].other, list[3].value}, {1.0, nil, "skip_connect"})
  local text = certainty.steady(list, 4)
  assert(text:find("3 of 4 decisions were the same after each of the last 4 epochs", 1, true) and text:find("else 8; with the supernet's weights the one decoded last is 10.0 points better", 1, true), text)
  same(certainty.collapse(architecture(4, 8, "sep_conv_3x3"), {}, {4, 8}), nil)
  assert(certainty.collapse(architecture(4, 4, "skip_connect"), {"paths layer 1"}, {4, 8}):find("fine border.*50 %% of the cell.*noise that logits begin with: paths layer 1"))
  assert(certainty.collapse(architecture(8, 8, "sep_conv_3x3"), {}, {4, 8}):find("coarse border"))
end
