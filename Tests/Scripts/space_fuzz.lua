-- Random spaces with every kind of decision, nested and shared, through all that can be done with one: build, step (first and second order), at, decode, save, load, derive, fit, export.
-- TRELLIS_FUZZ says how many (10), TRELLIS_FUZZ_SEED with which seed it begins (1), TRELLIS_FUZZ_ONNX a directory for the exported networks and what they give, for other programs to check.
local count, first = tonumber(os.getenv("TRELLIS_FUZZ") or 10), tonumber(os.getenv("TRELLIS_FUZZ_SEED") or 1)
local onnx = os.getenv("TRELLIS_FUZZ_ONNX")
local C, CLASSES, SIZE = 3, 3, {16, 16}

-- MARK: Chance: a stream of its own for each space (xorshift*), so that a build draws the same each time.
local function stream(seed)
  local state = (seed * 0x9E3779B97F4A7C15) | 1
  local function draw(n)
    state = state ~ state << 13
    state = state ~ state >> 7
    state = state ~ state << 17
    return (state * 0x2545F4914F6CDD1D >> 33) % n + 1
  end
  for _ = 1, 4 do draw(2) end
  return draw
end

-- MARK: Parts: a plan of a part, drawn once; `build` makes its module, also of one architecture.
local operators = {"skip_connect", "max_pool_3x3", "avg_pool_3x3", "sep_conv_3x3", "dil_conv_3x3", "atrous_conv_3x3"}
local build

local function part(draw, name, depth)
  local kind = ({"choice", "subset", "number", "branches", "paths", "many", "channels"})[draw(7)]
  local p = {kind = kind, name = name, inner = {}, operators = {}}
  local start = draw(#operators)
  for i = 1, 2 + draw(2) do p.operators[i] = operators[(start + i) % #operators + 1] end
  if draw(2) == 1 then p.operators[#p.operators + 1] = "none" end
  for i = 1, #p.operators do p.inner[i] = depth > 0 and draw(3) == 1 and part(draw, name .. "." .. i, depth - 1) or false end
  p.least, p.most = draw(2) - 1, 1 + draw(2)
  p.layers, p.jumps = 1 + draw(2), draw(2) == 1
  p.shared = draw(4) == 1
  return p
end

local function width(state) return state == 4 and C or C + 1 end
local function step(from, to) return nn.sequential{nn.relu(), nn.conv2d(width(from), width(to), {kernel = 1, bias = false}), nn.batch_norm(width(to))} end

local builders = {}

function builders.choice(p)
  local name = p.shared and "shared" or p.name
  local options = p.shared and {"skip_connect", "sep_conv_3x3"} or p.operators
  local mixed = nas.mix(nas.choice(name, options), function(operator, i)
    local own = nas.parts.operator(operator, C)
    if p.shared or not p.inner[i] then return own end
    return nn.sequential{own, build(p.inner[i])}
  end)
  return nn.module({mixed = mixed, forward = function(self, x) return x + self.mixed(x) end}, {name = "choice"})
end

function builders.subset(p)
  local rates = {1, 2, 3}
  local d = nas.subset(p.name, rates, {least = p.least, most = math.max(p.most, p.least)})
  local net = {}
  for i, rate in ipairs(rates) do if d:on(i) then net[i] = nn.conv2d(C, C, {kernel = 3, padding = rate, dilation = rate}) end end
  function net.forward(self, x)
    local terms = {x}
    for i in ipairs(rates) do terms[#terms + 1] = nas.when(d:weight(i), function() return self[i](x) end) end
    return nas.sum(terms)
  end
  return nn.module(net, {name = "subset"})
end

function builders.number(p)
  local d = nas.number(p.name, 1, 2 + p.layers)
  return nn.lambda(function(x) return x * nas.expect(d, d.options) end, {name = "scale"})
end

--- A searched number of channels, as masks.
function builders.channels(p)
  local d = nas.number(p.name, 1, 4, {step = 2, log = true})
  local masks = {}
  for i, n in ipairs(d.options) do masks[i] = tensor.concat({tensor.ones(n), tensor.zeros(4 - n)}):reshape(1, 4, 1, 1) end
  local net = {up = nn.conv2d(C, 4, {kernel = 1}), norm = nn.batch_norm(4), down = nn.conv2d(4, C, {kernel = 1})}
  function net.forward(self, x) return x + self.down(self.norm(self.up(x)):relu() * nas.expect(d, masks)) end
  return nn.module(net, {name = "channels"})
end

function builders.branches(p)
  local states = {"a", "b", "c"}
  local d = nas.branches(p.name, states, p.operators, {keep = p.most})
  local net = {before = nn.conv2d(C, C, {kernel = 1}), ops = {}}
  for i = 1, #states * #p.operators do
    local operator = p.operators[(i - 1) % #p.operators + 1]
    if operator ~= "none" and d:on(i) then net.ops[i] = nas.parts.operator(operator, C) end
  end
  function net.forward(self, x)
    local before = self.before(x)
    local now, terms = {x, before, x * 0.5}, {before}
    for i = 1, #states * #p.operators do
      local op = self.ops[i]
      if op then terms[#terms + 1] = nas.when(d:weight(i), function() return op(now[(i - 1) // #p.operators + 1]) end) end
    end
    return nas.sum(terms)
  end
  return nn.module(net, {name = "branches"})
end

local function paths(p, many)
  local d = nas.paths(p.name, {
    layers = p.layers, states = {4, 8}, start = many and {4, 8} or {4}, many = many, arrows = function(layer, from, to) return p.jumps or from == to or layer > 1 end,
  })
  local net = {start = {}, into = {}, heads = {}, choices = {}}
  for s in d:reached(0) do net.start[s] = step(4, s) end
  for layer = 1, p.layers do
    for from, to, id in d:arrows(layer) do
      net.into[id] = step(from, to)
      if p.inner[1] and id % 2 == 1 then
        local op = nas.choice(p.name .. ".on." .. id, {"skip_connect", "sep_conv_3x3"}, {within = {d, id}})
        net.choices[id] = nas.mix(op, function(operator) return nas.parts.operator(operator, width(to)) end)
      end
    end
  end
  for s in d:reached(p.layers) do net.heads[s] = nn.conv2d(width(s), C, {kernel = 1}) end
  function net.forward(self, x)
    local now = {}
    for s, gate in d:reached(0) do now[s] = nas.when(gate, function() return self.start[s](x) end) end
    for layer = 1, p.layers do
      local after = {}
      for s in d:reached(layer) do
        local terms = {}
        for from, gate, id in d:into(layer, s) do
          terms[#terms + 1] = nas.when(gate, function()
            local y = self.into[id](now[from])
            return self.choices[id] and y + self.choices[id](y) or y
          end)
        end
        after[s] = nas.sum(terms)
      end
      now = after
    end
    local scores = {}
    for s, gate in d:reached(p.layers) do scores[#scores + 1] = nas.when(gate, function() return self.heads[s](now[s]) end) end
    return nas.sum(scores)
  end
  return nn.module(net, {name = "paths"})
end
function builders.paths(p) return paths(p, false) end
function builders.many(p) return paths(p, true) end

function build(p) return builders[p.kind](p) end

-- MARK: One space

local function input(seed, n) return tensor.randn(n or 2, 3, SIZE[1], SIZE[2], {seed = seed}) end
local function labels(n) return tensor.full({n or 2, SIZE[1], SIZE[2]}, 1, {dtype = "int32"}) end
local function close(a, b, what)
  local worst, scale = (a - b):abs():max():item(), b:abs():max():item()
  assert(worst <= 2e-4 * math.max(1, scale), ("%s: differs by %g of %g"):format(what, worst, scale))
end

local function relaxations(draw, space)
  local soft = {nas.softmax, nas.sigmoid, nas.gumbel, nas.dirichlet, nas.sparsemax, nas.one_active, function() return nas.gumbel{hard = true} end, function() return nas.gumbel{hard = true, estimator = "all"} end}
  local relax = {}
  for _, d in ipairs(space.decisions) do relax[d.name] = soft[draw(#soft)]() end
  return relax
end

local function try(seed, directory)
  local draw = stream(seed)
  local plans = {}
  for i = 1, 1 + draw(2) do plans[i] = part(draw, "d" .. i, 1) end
  local space = nas.space(function(c)
    local layers = {nn.conv2d(3, C, {kernel = 3, padding = 1, bias = false}), nn.batch_norm(C)}
    for i, p in ipairs(plans) do layers[i + 2] = build(p) end
    layers[#layers + 1] = nn.conv2d(C, c.classes, {kernel = 1})
    return nn.sequential(layers)
  end, {classes = CLASSES})
  local kinds = {}
  for i, p in ipairs(plans) do kinds[i] = p.kind end
  local where = ("seed %d (%s, %s architectures)"):format(seed, table.concat(kinds, ", "), space:count())

  -- Steps: of the weights, of the logits, with the weights a step ahead; recorded once each.
  local net = space:supernet{seed = seed, relax = relaxations(draw, space)}
  local sgd, adam = optim.sgd(net:weights(), {lr = 0.02, momentum = 0.9, clip = 5}), optim.adam(net:architecture(), {lr = 0.05})
  local x, y, vx, vy = input(seed), labels(), input(seed + 1), labels()
  for i = 1, 2 do
    net:step(sgd, x, y)
    net:step(adam, vx, vy)
    net:step(adam, vx, vy, {second_order = {sgd, x, y}})
  end
  same(net:recordings(), 3, where .. ": recordings")
  local dominant, largest, smallest = net:curvature("*", vx, vy)
  assert(largest >= smallest and (dominant == largest or dominant == smallest), where)

  -- Decoding: best first; the best of those that a score sees; a sample is an architecture.
  local list = net:decode{count = 5}
  for i = 2, #list do assert(list[i].score <= list[i - 1].score + 1e-9, where .. ": decoded out of order") end
  local target = list[#list].architecture
  local found, _, how = net:decode{score = function(a) return a:same(target) and 1 or 0 end, candidates = 5}
  assert(found:same(target) and how.tried == #list, where)
  local architectures = {list[1].architecture, space:random{seed = seed}, net:sample{seed = seed}, space:mutate(list[1].architecture, {seed = seed})}
  for _, a in ipairs(space:neighbours(list[1].architecture)) do
    assert(space:distance(a, list[1].architecture) > 0, where)
    architectures[5] = a
  end

  -- Files: of architectures, of the supernet's weights.
  for i, a in ipairs(architectures) do
    a:save(directory .. "/a.json")
    assert(space:load(directory .. "/a.json"):same(a), where .. ": an architecture changed in its file")
  end
  checkpoint.save(directory .. "/net.safetensors", {net = net, sgd = sgd, adam = adam})
  local twin = space:supernet{seed = seed + 1, relax = relaxations(draw, space)}
  checkpoint.load(directory .. "/net.safetensors", {net = twin})
  for name, tensor in pairs(net:state()) do assert(twin:state()[name]:equal(tensor), where .. ": " .. name) end

  -- The supernet at an architecture is its network, in numbers and in cost; as a plan and at once.
  local before = net:recordings()
  for i, a in ipairs(architectures) do
    local network = space:network(a, {from = net})
    local what = ("%s, architecture %d: %s"):format(where, i, tostring(a))
    net:at(a):eval()
    close(trellis.no_grad(function() return net(x) end), trellis.no_grad(function() return network:eval()(x) end), what)
    close(net:scores(x), trellis.no_grad(function() return network:train()(x) end), what .. ", as a plan, by the batch's statistics")
    local work = {input = {1, 3, SIZE[1], SIZE[2]}}
    local cost = space:cost(a, nas.cost.multiply_adds, work)
    local counted, own = network:count{height = SIZE[1], width = SIZE[2]}.multiply_adds, net:cost(nas.cost.multiply_adds, work):item()
    assert(cost == counted and math.abs(own - cost) <= 1e-6 * cost, ("%s: space:cost %d, counted %d, net:cost %d"):format(what, cost, counted, own))
    net:train()
    net:step(sgd, x, y)
  end
  net:at(nil)
  assert(net:recordings() - before <= 2, where .. ": one recording serves all architectures")
  net:step(sgd, x, y)

  -- The network of one: trained, saved and read, exported.
  local network = space:network(architectures[2], {seed = seed})
  network:fit(data.shapes{images = 4, size = SIZE, classes = CLASSES, seed = seed}, {steps = 2, batch = 2, lr = 0.01})
  network:eval()
  local planned = trellis.compile(function(x) return network(x) end)
  trellis.no_grad(function() close(planned(x), network(x), where .. ": as a plan") end)
  network:export(directory .. "/network.onnx", {height = SIZE[1], width = SIZE[2]})
  if onnx then
    network:export(("%s/space_%d.onnx"):format(onnx, seed), {height = SIZE[1], width = SIZE[2]})
    local arrays = {}
    for _, n in ipairs{1, 2, 5} do arrays["images_" .. n], arrays["output_" .. n] = input(n, n), trellis.no_grad(function() return network(input(n, n)):clone() end) end
    tensor.save(("%s/space_%d.npz"):format(onnx, seed), arrays)
  end
  return where
end

local directory = os.tmpname()
os.remove(directory)
assert(os.execute("mkdir " .. directory))
for seed = first, first + count - 1 do
  local fine, message = xpcall(try, function(message) return debug.traceback(tostring(message), 2) end, seed, directory)
  if not fine then error(("seed %d (TRELLIS_FUZZ=1 TRELLIS_FUZZ_SEED=%d repeats it): %s"):format(seed, seed, message), 0) end
  if count > 10 then print(message) end
end
os.execute("rm -r " .. directory)
