-- DiNTS-like (He and others, 2021): several paths at once through a trellis, an operator for each arrow, topology and operators searched together, a price
-- on expected multiply-adds.
local short = os.getenv("TRELLIS_SHORT") == "1"
local strides, F, layers = {4, 8, 16}, 8, short and 2 or 4
local operators = {"none", "skip_connect", "max_pool_3x3", "sep_conv_3x3", "dil_conv_3x3"}
local function width(s) return F * s // 4 end
local function project(from, to) return nn.sequential{nn.relu(), nn.conv2d(from, to, {kernel = 1, bias = false}), nn.batch_norm(to)} end
local function resize(x, size) return nn.functional.resize(x, {size = size}) end

local space = nas.space(function(c)
  local paths = nas.paths("paths", {
    layers = layers, states = strides, start = strides, many = true, arrows = function(layer, from, to) return to <= 2 * from and from <= 2 * to end,
  })
  local net = {stem = nas.parts.stem{channels = F}, start = {}, into = {}, mixed = {}, heads = {}}
  for s in paths:reached(0) do net.start[s] = project(F, width(s)) end
  for s in paths:reached(layers) do net.heads[s] = nn.conv2d(width(s), c.classes, {kernel = 1}) end
  for layer = 1, layers do
    for from, to, id in paths:arrows(layer) do
      net.into[id] = project(width(from), width(to))
      local which = nas.choice(("op.%d.%d.%d"):format(layer, from, to), operators, {within = {paths, id}})      -- matters where its arrow is on
      net.mixed[id] = nas.mix(which, function(name) return nas.parts.operator(name, width(to)) end)
    end
  end
  function net.forward(self, x)
    local function size(s) return {(x.shape[3] + s - 1) // s, (x.shape[4] + s - 1) // s} end
    local h, now = self.stem(x), {}
    for s, weight in paths:reached(0) do now[s] = nas.when(weight, function() return self.start[s](resize(h, size(s))) end) end
    for layer = 1, layers do
      local after = {}
      for s in paths:reached(layer) do
        local terms = {}
        for from, weight, id in paths:into(layer, s) do
          terms[#terms + 1] = nas.when(weight, function() return self.mixed[id](self.into[id](resize(now[from], size(s)))) end)
        end
        after[s] = nas.sum(terms)
      end
      now = after
    end
    local scores = {}
    for s, weight in paths:reached(layers) do                    -- a head adds nothing where no path ends
      scores[#scores + 1] = nas.when(weight, function() return resize(self.heads[s](now[s]), {x.shape[3], x.shape[4]}) end)
    end
    return nas.sum(scores)
  end
  return nn.module(net, {name = "dints"})
end, {classes = 5})
print(space)

local A, B = data.shapes{images = 16, size = {64, 96}, classes = 5, seed = 3}:split(0.5, {seed = 4})
local a, b = A:batches{size = 2, seed = 6}, B:batches{size = 2, seed = 7}
local net = space:supernet{seed = 1, relax = {paths = nas.one_active()}}
local sgd, adam = optim.sgd(net:weights(), {lr = 0.025, momentum = 0.9, clip = 5}), optim.adam(net:architecture(), {lr = 0.05})
local work = {input = {1, 3, 64, 96}}
local target = 0.8 * net:cost(nas.cost.multiply_adds, work):item()
local function priced(net, x, y) return nn.cross_entropy(net(x), y) + nas.price(net:cost(nas.cost.multiply_adds, work), target, {weight = 2}) end
for i = 1, short and 8 or 150 do
  net:step(sgd, a:next())
  local x, y = b:next()
  if i > 4 then net:step(adam, x, y, {loss = priced}) end
end
print("expected multiply-adds", net:cost(nas.cost.multiply_adds, work):item(), "target", target)
local found = net:decode()
local network = space:network(found, {from = net})
network:fit(A, {steps = short and 4 or 60, batch = 2, lr = 0.02})
print(found, network:evaluate(B).miou)
