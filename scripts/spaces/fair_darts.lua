-- FairDARTS (Chu and others, 2020): operators of an edge do not compete. Each has a sigmoid of its own and may be on beside others; a zero-one price decides.
local short = os.getenv("TRELLIS_SHORT") == "1"
local operators, blocks = {"skip_connect", "max_pool_3x3", "sep_conv_3x3", "dil_conv_3x3"}, 2
local function cell(channels, place)
  local parts, edges = {ops = {}}, {}
  for b = 1, blocks do
    for s = place.two_back and 1 or 2, b + 1 do
      local edge = {name = b .. "_" .. s, block = b, state = s, which = nas.subset(("edge.%d.%d"):format(b, s), operators, {least = 0})}
      for i, name in ipairs(operators) do
        if edge.which:on(i) then parts.ops[edge.name .. "_" .. name] = nas.parts.operator(name, channels) end
      end
      edges[#edges + 1] = edge
    end
  end
  function parts.forward(self, two, previous)
    local states = {two or false, previous}
    for b = 1, blocks do
      local terms = {}
      for _, edge in ipairs(edges) do
        if edge.block == b and states[edge.state] then
          for i, name in ipairs(operators) do
            terms[#terms + 1] = nas.when(edge.which:weight(i), function() return self.ops[edge.name .. "_" .. name](states[edge.state]) end)
          end
        end
      end
      states[b + 2] = nas.sum(terms) or previous * 0
    end
    return tensor.concat({table.unpack(states, 3)}, 2)
  end
  return nn.module(parts, {name = "fair_cell"})
end
local space = nas.trellis{layers = 3, strides = {4, 8}, filters = 4, blocks = blocks, cell = cell, head_reach = 19}
print(space)

local A, B = data.shapes{images = 16, size = {64, 96}, classes = 5, seed = 3}:split(0.5, {seed = 4})
local a, b = A:batches{size = 2, seed = 6}, B:batches{size = 2, seed = 7}
local net = space:supernet{classes = 5, seed = 1, relax = {["edge.*"] = nas.sigmoid(), paths = nas.softmax()}}
local sgd = optim.sgd(net:weights(), {lr = 0.025, momentum = 0.9, clip = 5})
local adam = optim.adam(net:architecture(), {lr = 0.05})
local function zero_one(net, x, y)
  local terms = {}
  for _, d in ipairs(space.decisions) do
    if d.kind == "subset" then terms[#terms + 1] = -(net:logits(d.name):sigmoid() - 0.5):square():mean() end
  end
  return nn.cross_entropy(net(x), y) + nas.sum(terms)
end
for i = 1, short and 8 or 120 do
  net:step(sgd, a:next())
  if i > 4 then
    local x, y = b:next()
    net:step(adam, x, y, {loss = zero_one})
  end
end
local found = net:decode()
print(found)
local network = space:network(found, {classes = 5, from = net})
network:fit(A, {steps = short and 4 or 60, batch = 2, lr = 0.02})
print("mIoU", network:evaluate(B).miou)
