-- What context a fixed backbone wants: which atrous rates look around, and how wide they are. Decoding under a budget.
local short = os.getenv("TRELLIS_SHORT") == "1"
local F, classes = 12, 5
local space = nas.space(function(c)
  local rates = nas.subset("rates", {1, 2, 3, 4, 6}, {least = 1, most = 3})
  local width = nas.number("width", 4, F, {step = 4})
  local net = {
    stem = nas.parts.stem{channels = F, stride = 4}, backbone = nas.parts.operator("sep_conv_3x3", F), branches = {},
    head = nn.sequential{nn.batch_norm(F), nn.relu(), nn.conv2d(F, c.classes, {kernel = 1})},
  }
  for i, rate in ipairs(rates.options) do
    if rates:on(i) then net.branches[i] = nn.conv2d(F, F, {kernel = 3, padding = rate, dilation = rate, bias = false}) end
  end
  local masks = {}                                             -- widths share their weights: channels beyond are masked
  for i, n in ipairs(width.options) do masks[i] = tensor.concat({tensor.ones(n), tensor.zeros(F - n)}, 1):reshape(1, F, 1, 1) end
  function net.forward(self, x)
    local h, terms = self.backbone(self.stem(x)), {}
    for i in ipairs(rates.options) do
      terms[i] = nas.when(rates:weight(i), function() return self.branches[i](h) end)
    end
    return nn.functional.resize(self.head(nas.sum(terms) * nas.expect(width, masks)), {size = {x.shape[3], x.shape[4]}})
  end
  return nn.module(net, {name = "searched_aspp"})
end, {classes = classes})
print(space)

local A, B = data.shapes{images = 16, size = {64, 96}, classes = classes, seed = 3}:split(0.5, {seed = 4})
local a, b = A:batches{size = 2, seed = 6}, B:batches{size = 2, seed = 7}
local net = space:supernet{seed = 1, relax = {rates = nas.sigmoid()}}
local sgd = optim.sgd(net:weights(), {lr = 0.05, momentum = 0.9, clip = 5})
local adam = optim.adam(net:architecture(), {lr = 0.05})
for i = 1, short and 10 or 150 do
  net:step(sgd, a:next())
  if i > 5 then net:step(adam, b:next()) end
end
print("rates", net:probabilities("rates"), "width", net:probabilities("width"))

local input = {1, 3, 64, 96}
for _, one in ipairs(net:decode{count = 3}) do print(one.architecture, ("log probability %.3f"):format(one.score)) end
local limit = space:cost(space:fix{rates = {1}, width = 4}:random{}, nas.cost.multiply_adds, {input = input})
local cheap = net:decode{budget = {cost = nas.cost.multiply_adds, limit = limit, input = input}}
assert(space:cost(cheap, nas.cost.multiply_adds, {input = input}) <= limit)
print("with one branch's multiply-adds:", cheap)
local network = space:network(net:decode(), {from = net})
network:fit(A, {steps = short and 4 or 60, batch = 2, lr = 0.02})
print("mIoU", network:evaluate(B).miou)
