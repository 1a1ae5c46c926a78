-- DCNAS-like (Zhang and others, 2021): every node reads any set of earlier nodes of any stride; an operator a node; a zero-one price on the connections.
local short = os.getenv("TRELLIS_SHORT") == "1"
local strides, F, layers = {4, 8, 16}, 8, short and 2 or 3
local operators = {"skip_connect", "sep_conv_3x3", "dil_conv_3x3", "sep_conv_5x5"}
local function width(s) return F * s // 4 end
local function project(from, to) return nn.sequential{nn.relu(), nn.conv2d(from, to, {kernel = 1, bias = false}), nn.batch_norm(to)} end
local function resize(x, size) return nn.functional.resize(x, {size = size}) end

local space = nas.space(function(c)
  local net, nodes, before = {stem = nas.parts.stem{channels = F}, into = {}, mixed = {}, heads = {}}, {}, {{layer = 0, stride = 4}}
  for layer = 1, layers do
    local made = {}
    for _, s in ipairs(strides) do
      local names, key = {}, layer .. "/" .. s
      for i, source in ipairs(before) do names[i] = source.layer .. "/" .. source.stride end
      local from = nas.subset("in." .. key, names, {least = 1})
      for i, source in ipairs(before) do
        if from:on(i) then net.into[key .. "<" .. names[i]] = project(width(source.stride), width(s)) end
      end
      net.mixed[key] = nas.mix(nas.choice("op." .. key, operators), function(name) return nas.parts.operator(name, width(s)) end)
      nodes[#nodes + 1] = {key = key, stride = s, names = names, from = from}
      made[#made + 1] = {layer = layer, stride = s}
    end
    table.move(made, 1, #made, #before + 1, before)
  end
  for i, s in ipairs(strides) do net.heads[i] = nn.conv2d(width(s), c.classes, {kernel = 1}) end
  function net.forward(self, x)
    local values = {["0/4"] = self.stem(x)}
    for _, node in ipairs(nodes) do
      local size, terms, weights = {(x.shape[3] + node.stride - 1) // node.stride, (x.shape[4] + node.stride - 1) // node.stride}, {}, {}
      for i, name in ipairs(node.names) do
        local weight = node.from:weight(i)
        weights[i] = weight and weight.w
        terms[i] = nas.when(weight, function() return self.into[node.key .. "<" .. name](resize(values[name], size)) end)
      end
      values[node.key] = self.mixed[node.key](nas.sum(terms) / nas.sum(weights))        -- the mean of what is on
    end
    local scores = {}
    for i, s in ipairs(strides) do scores[i] = resize(self.heads[i](values[layers .. "/" .. s]), {x.shape[3], x.shape[4]}) end
    return nas.sum(scores)
  end
  return nn.module(net, {name = "dense"})
end, {classes = 5})
print(space)

local A, B = data.shapes{images = 16, size = {64, 96}, classes = 5, seed = 3}:split(0.5, {seed = 4})
local a, b = A:batches{size = 2, seed = 6}, B:batches{size = 2, seed = 7}
local net = space:supernet{seed = 1, relax = {["in.*"] = nas.sigmoid()}}
local sgd, adam = optim.sgd(net:weights(), {lr = 0.025, momentum = 0.9, clip = 5}), optim.adam(net:architecture(), {lr = 0.05})
local function zero_one(net, x, y)
  local terms = {}
  for i, d in ipairs(space.decisions) do
    terms[i] = d.kind == "subset" and -(net:logits(d.name):sigmoid() - 0.5):square():mean()
  end
  return nn.cross_entropy(net(x), y) + nas.sum(terms)
end
for i = 1, short and 8 or 120 do
  net:step(sgd, a:next())
  local x, y = b:next()
  if i > 4 then net:step(adam, x, y, {loss = zero_one}) end
end
local found = net:decode()
local network = space:network(found, {from = net})
network:fit(A, {steps = short and 4 or 60, batch = 2, lr = 0.02})
print(found, network:evaluate(B).miou)
