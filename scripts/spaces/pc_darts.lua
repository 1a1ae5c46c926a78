-- PC-DARTS (Xu and others, 2020) in Auto-DeepLab's trellis: a part of the channels goes through the operators, edges have weights of their own, and a price
-- pulls the expected multiply-adds down.
local short = os.getenv("TRELLIS_SHORT") == "1"
local share, blocks = 4, 2
local operators = {"none", "skip_connect", "max_pool_3x3", "sep_conv_3x3", "dil_conv_3x3"}
local function shuffle(x)
  local n, c, h, w = table.unpack(x.shape)
  return x:reshape(n, share, c // share, h, w):transpose(2, 3):reshape(n, c, h, w)
end

-- Called for each node with its channels and place; what is named alike is one decision of all cells.
local function cell(channels, place)
  local parts, from, few = {mixed = {}}, {}, channels // share
  for b = 1, blocks do
    local states = {}
    for s = 1, b + 1 do
      states[s] = s
      if s > 1 or place.two_back then
        parts.mixed[b .. "_" .. s] = nas.mix(nas.choice(("op.%d.%d"):format(b, s), operators), function(name) return nas.parts.operator(name, few) end)
      end
    end
    from[b] = nas.subset("edge." .. b, states, {least = 2, most = 2})
  end
  function parts.forward(self, two, previous)
    local states = {two or false, previous}
    for b = 1, blocks do
      local terms = {}
      for s = 1, b + 1 do
        local x = states[s]
        if x then
          terms[#terms + 1] = nas.when(from[b]:weight(s), function()
            return shuffle(tensor.concat({self.mixed[b .. "_" .. s](x:narrow(2, 1, few)), x:narrow(2, few + 1, channels - few)}, 2))
          end)
        end
      end
      states[b + 2] = nas.sum(terms)
    end
    return tensor.concat({table.unpack(states, 3)}, 2)
  end
  return nn.module(parts, {name = "pc_cell"})
end
local space = nas.trellis{layers = 4, strides = {4, 8, 16}, filters = 8, blocks = blocks, cell = cell, head_reach = 19}
print(space)

local A, B = data.shapes{images = 16, size = {64, 96}, classes = 5, seed = 3}:split(0.5, {seed = 4})
local a, b = A:batches{size = 2, seed = 6}, B:batches{size = 2, seed = 7}
local net = space:supernet{classes = 5, seed = 1}            -- softmax everywhere: operators, edges of a block, arrows of a node
local sgd, adam = optim.sgd(net:weights(), {lr = 0.025, momentum = 0.9, clip = 5}), optim.adam(net:architecture(), {lr = 0.05})
local work = {input = {1, 3, 64, 96}}
local start = net:cost(nas.cost.multiply_adds, work):item()
local function priced(net, x, y) return nn.cross_entropy(net(x), y) + nas.price(net:cost(nas.cost.multiply_adds, work), 0.9 * start, {weight = 2}) end
for i = 1, short and 8 or 120 do
  net:step(sgd, a:next())
  local x, y = b:next()
  if i > 4 then net:step(adam, x, y, {loss = priced}) end
end
print(("expected multiply-adds: %.0f, at first %.0f"):format(net:cost(nas.cost.multiply_adds, work):item(), start))
local found = net:decode()
print(found, space:network(found, {classes = 5}):count{height = 64, width = 96}.multiply_adds)
