-- Every relaxation of the registry by its name (the test gives the names, `registered`), for every kind of decision: derivatives of weights, through the regions that they close, and of
-- probabilities, against differences. Noise is drawn anew from one seed, so that what is differentiated is one function.
--
-- Weights multiply numbers c, so a network's value f is linear in each weight. A hard sample has no slope of its own; its derivative is defined as that of the soft weights (`soft`), Σ_i ∂f/∂w_i · dw_i,
-- over what was drawn ("selected") or over all.
local H = 0.02
local function hard(estimator) return {nas.gumbel{hard = true, temperature = 1.5, estimator = estimator}, soft = function() return nas.gumbel{temperature = 1.5} end, drawn = estimator == "selected"} end
local cases = {
  softmax = {{nas.softmax()}, {nas.softmax{temperature = 0.6}}},
  gumbel = {{nas.gumbel()}, {nas.gumbel{temperature = 2}}, hard "selected", hard "all"},
  sigmoid = {{nas.sigmoid()}, {nas.sigmoid{temperature = 2}}},
  sparsemax = {{nas.sparsemax()}, {nas.sparsemax{temperature = 2}}},
  one_active = {{nas.one_active()}},
  dirichlet = {{nas.dirichlet()}},
  fixed = {{function(shape) return nas.fixed(tensor.rand(shape, {seed = 3})) end}, {function(shape) return nas.fixed(tensor.zeros(shape)) end}},
  relaxation = {
    {nas.relaxation(function(z, d, t) return (z / t):sigmoid():square(), (z / t):sigmoid() end, {temperature = 0.7})},
    {nas.relaxation(function(z) return z:relu() end, {hard = true})},
  },
}

local kinds = {
  choice = function() return nas.choice("d", {"a", "b", "none", "c"}) end,
  subset = function() return nas.subset("d", {"a", "b", "c"}, {least = 0, most = 2}) end,
  number = function() return nas.number("d", 2, 8, {step = 2}) end,
  branches = function() return nas.branches("d", {"s", "t"}, {"a", "none", "b"}) end,
  paths = function() return nas.paths("d", {layers = 2, states = {4, 8, 16}, arrows = function(_, from, to) return to <= 2 * from end}) end,
  many = function() return nas.paths("d", {layers = 2, states = {4, 8}, start = {4, 8}, many = true}) end,
}

local function c(i) return 0.3 + math.sin(1.7 * i) end

--- A space of one decision, whose network gives f, Σ_i 0.1 i p_i, and all weights and probabilities, [2 + 2n].
local function space_of(kind)
  local arrows = {}
  local space = nas.space(function()
    local d = kinds[kind]()
    local n = 1
    for _, size in ipairs(d.shape) do n = n * size end
    local is_paths = d.kind == "paths"
    if is_paths then
      arrows = {}
      for layer = 1, 2 do for from, to, id in d:arrows(layer) do arrows[id] = {layer = layer, from = from, to = to} end end
    end
    return nn.lambda(function(x)
      local terms, probability, weights, probabilities = {}, {}, {}, {}
      for i = 1, n do
        local gate = d:weight(i)
        probability[i], weights[i], probabilities[i] = gate.p * (0.1 * i), gate.w, gate.p
        if not is_paths then terms[i] = nas.when(gate, function() return x * c(i) end) end
      end
      if is_paths then
        local now = {}
        for s, gate in d:reached(0) do now[s] = nas.when(gate, function() return x * 1 end) end
        for layer = 1, arrows[#arrows].layer do
          local after = {}
          for s in d:reached(layer) do
            local into = {}
            for from, gate, id in d:into(layer, s) do into[#into + 1] = nas.when(gate, function() return now[from] * c(id) end) end
            after[s] = nas.sum(into)
          end
          now = after
        end
        for s, gate in d:reached(arrows[#arrows].layer) do terms[#terms + 1] = nas.when(gate, function() return now[s] + 0 end) end
      end
      return tensor.concat({nas.sum(terms), nas.sum(probability), tensor.concat(weights), tensor.concat(probabilities)})
    end)
  end)
  --- f of weights, in plain numbers.
  local function f(w)
    if #arrows == 0 then
      local sum = 0
      for i, x in ipairs(w) do sum = sum + x * c(i) end
      return sum
    end
    local now = {[4] = 1, [8] = kind == "many" and 1 or 0, [16] = 0}
    for layer = 1, arrows[#arrows].layer do
      local after = {[4] = 0, [8] = 0, [16] = 0}
      for id, a in ipairs(arrows) do if a.layer == layer then after[a.to] = after[a.to] + w[id] * c(id) * now[a.from] end end
      now = after
    end
    return now[4] + now[8] + now[16]
  end
  return space, f
end

local x = tensor.ones(1)
--- What the network gives at logits z, by the same draws each time: f, the sum of probabilities, weights, probabilities.
local function evaluate(net, z, seed)
  trellis.no_grad(function() local logits = net:logits("d") logits:mul_(0):add_(tensor.from(z):reshape(logits.shape)) end)
  tensor.manual_seed(seed)
  local y = net(x)
  local numbers, weights, probabilities = y:detach():to_table(), {}, {}
  local n = (#numbers - 2) // 2
  for i = 1, n do weights[i], probabilities[i] = numbers[2 + i], numbers[2 + n + i] end
  return {f = numbers[1], p = numbers[2], weights = weights, probabilities = probabilities, tensor = y}
end

--- The slopes of g(z), a list of numbers, by fourth-order differences: [logit][number].
local function slopes(z, g)
  local rows = {}
  for j = 1, #z do
    local function at(step)
      local moved = {table.unpack(z)}
      moved[j] = moved[j] + step
      return g(moved)
    end
    local a, b, d, e = at(-2 * H), at(-H), at(H), at(2 * H)
    rows[j] = {}
    for i = 1, #a do rows[j][i] = (a[i] - 8 * b[i] + 8 * d[i] - e[i]) / (12 * H) end
  end
  return rows
end

--- Which weights are 0, and which probabilities have reached a bound: where that changes there is no slope.
local function pattern(y)
  local marks = {}
  for i, w in ipairs(y.weights) do marks[#marks + 1] = (w == 0 and "0" or "w") .. (y.probabilities[i] >= 1 and "1" or "p") end
  return table.concat(marks)
end

local function close(got, wanted, what)
  for j, d in ipairs(wanted) do
    if not (math.abs(got[j] - d) <= 2e-3 + 5e-3 * math.abs(d)) then error(("%s, logit %d: the derivative is %g, differences give %g"):format(what, j, got[j], d), 0) end
  end
end

--- Derivatives of outputs 1 (f) or 2 (probabilities): at once, and in a step that runs as a plan.
local function derivatives(net, z, seed, output)
  local y = evaluate(net, z, seed).tensor:narrow(1, output, 1):sum()
  local logits = net:logits("d")
  local at_once = {}
  logits.grad = nil
  if y.requires_grad then y:backward() end
  at_once = logits.grad and logits.grad:flatten():to_table() or {}
  logits.grad = nil
  local sgd = optim.sgd(net:architecture(), {lr = 1})
  tensor.manual_seed(seed)
  if y.requires_grad then net:step(sgd, x, x, {loss = function(net, x) return net(x):narrow(1, output, 1):sum() end}) end
  local after, planned = logits:detach():flatten():to_table(), {}
  for j, number in ipairs(z) do planned[j], at_once[j] = number - after[j], at_once[j] or 0 end
  return at_once, planned
end

local function differentiate(kind, space, f, case, what)
  local function supernet(relaxation) return space:supernet{seed = 1, relax = {d = relaxation}} end
  local relaxation = type(case[1]) == "function" and case[1](space.decisions[1].shape) or case[1]
  local net, soft = supernet(relaxation), case.soft and supernet(case.soft())
  local tested = 0
  for seed = 1, 20 do
    local start = tensor.randn(net:logits("d").shape, {seed = seed}):flatten()
    local z = start:to_table()
    local here = evaluate(net, z, seed)
    local is_smooth = true
    local function looked(z)
      local y = evaluate(net, z, seed)
      is_smooth = is_smooth and pattern(y) == pattern(here)
      return y
    end
    near(here.f, f(here.weights), 1e-4)
    local by_logit = slopes(z, function(z) local y = looked(z) return {y.f, y.p} end)
    if is_smooth then
      tested = tested + 1
      local of_f, of_p = {}, {}
      for j, row in ipairs(by_logit) do of_f[j], of_p[j] = row[1], row[2] end
      if soft then
        local by_weight = slopes(z, function(z) return evaluate(soft, z, seed).weights end)
        for j, row in ipairs(by_weight) do
          of_f[j] = 0
          for i, slope in ipairs(row) do
            local with, without = {table.unpack(here.weights)}, {table.unpack(here.weights)}
            with[i], without[i] = 1, 0
            if here.weights[i] ~= 0 or not case.drawn then of_f[j] = of_f[j] + (f(with) - f(without)) * slope end
          end
        end
      end
      for output, wanted in ipairs{of_f, of_p} do
        local at_once, planned = derivatives(net, z, seed, output)
        close(at_once, wanted, ("%s, seed %d, %s"):format(what, seed, output == 1 and "weights" or "probabilities"))
        close(planned, wanted, ("%s as a plan, seed %d, %s"):format(what, seed, output == 1 and "weights" or "probabilities"))
      end
      if tested == 1 then return end
    end
  end
  error(what .. ": logits without a kink nearby were found " .. tested .. " times in 20", 0)
end

local known = {}
for _, name in ipairs(registered) do
  known[name] = true
  assert(cases[name], "nas." .. name .. " has no case here: give one, so that its derivatives are looked at")
end
for name, list in pairs(cases) do
  assert(known[name], "nas." .. name .. " is no relaxation")
  for i, case in ipairs(list) do
    for kind in pairs(kinds) do
      local space, f = space_of(kind)
      differentiate(kind, space, f, case, ("nas.%s, case %d, of %s"):format(name, i, kind))
    end
  end
end
