-- DARTS, second order (Liu and others, 2019): the logits move by how the weights would follow them, one step ahead; stopped by the curvature of the validation loss, as RobustDARTS
-- (Zela and others, 2020) does it.
local short = os.getenv("TRELLIS_SHORT") == "1"
local F, nodes, cells = 6, 2, short and 2 or 4
local operators = {"none", "skip_connect", "max_pool_3x3", "sep_conv_3x3", "dil_conv_3x3"}

-- Each node of a cell sums what the states before it give, over edges that mix the operators. What is named alike is one decision of all cells.
local function cell(channels)
  local blocks, parts = {}, {first = nn.conv2d(channels[1], F, {kernel = 1, bias = false}), second = nn.conv2d(channels[2], F, {kernel = 1, bias = false}), edges = {}}
  for b = 1, nodes do
    local states = {}
    for s = 1, b + 1 do states[s] = s end
    blocks[b], parts.edges[b] = nas.branches("node." .. b, states, operators), {}
    for i = 1, #states * #operators do
      local name = operators[(i - 1) % #operators + 1]
      if name ~= "none" and blocks[b]:on(i) then parts.edges[b][i] = nas.parts.operator(name, F) end
    end
  end
  function parts.forward(self, two_back, previous)
    local states = {self.first(two_back), self.second(previous)}
    for b = 1, nodes do
      local terms = {}
      for i = 1, (b + 1) * #operators do
        local operator = self.edges[b][i]
        if operator then terms[#terms + 1] = nas.when(blocks[b]:weight(i), function() return operator(states[(i - 1) // #operators + 1]) end) end
      end
      states[b + 2] = nas.sum(terms)
    end
    return tensor.concat({table.unpack(states, 3)}, 2)
  end
  return nn.module(parts, {name = "cell"})
end
local space = nas.space(function(c)
  local net = {stem = nas.parts.stem{channels = F}, cells = {}, head = nn.conv2d(nodes * F, c.classes, {kernel = 1})}
  for i = 1, cells do net.cells[i] = cell{i > 2 and nodes * F or F, i > 1 and nodes * F or F} end
  function net.forward(self, x)
    local h = self.stem(x)
    local two_back, previous = h, h
    for i = 1, cells do two_back, previous = previous, self.cells[i](two_back, previous) end
    return nn.functional.resize(self.head(previous), {size = {x.shape[3], x.shape[4]}})
  end
  return nn.module(net, {name = "darts"})
end, {classes = 5})
print(space)

local A, B = data.shapes{images = 16, size = {64, 96}, classes = 5, seed = 3}:split(0.5, {seed = 4})
local a, b = A:batches{size = 2, seed = 6}, B:batches{size = 2, seed = 7}
local net = space:supernet{seed = 1}
local sgd, adam = optim.sgd(net:weights(), {lr = 0.025, momentum = 0.9, weight_decay = 3e-4, clip = 5}), optim.adam(net:architecture(), {lr = 3e-3, betas = {0.5, 0.999}, weight_decay = 1e-3})
local first
for i = 1, short and 6 or 100 do
  local x, y = a:next()
  local vx, vy = b:next()
  local loss = net:step(adam, vx, vy, {second_order = {sgd, x, y}}):item()
  net:step(sgd, x, y)
  if i % (short and 3 or 20) == 0 then
    local _, largest = net:curvature("*", vx, vy)
    print(("step %3d  validation loss %.3f  largest eigenvalue %.4f"):format(i, loss, largest))
    first = first or largest
    if largest > 10 * math.abs(first) then print("the validation loss is sharp by now: stopped") break end
  end
end
assert(net:recordings() == 3, "one for the weights, one for the logits, one for the curvature")

-- Of the most probable cells, that which does best with the supernet's weights.
local vx, vy = b:next()
local found, score, how = net:decode{candidates = short and 4 or 16, score = function(a) return -nn.cross_entropy(net:at(a):scores(vx), vy):item() end}
print(found, ("validation loss %.3f, the least of %d"):format(-score, how.tried))
print("multiply-adds", space:cost(found, nas.cost.multiply_adds, {input = {1, 3, 64, 96}}))
