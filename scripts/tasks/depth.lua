-- Depth from one picture: a context module is searched, trained with the scale-invariant loss, measured as depth is, drawn and exported.
-- scripts/trellis scripts/tasks/depth.lua [DIRECTORY]
local out, short = arg[1] or "depth-out", os.getenv("TRELLIS_SHORT") == "1"
os.execute("mkdir -p '" .. out .. "'")

-- Generated streets know how far away everything is: metres, 0 for the sky, which has no depth and counts nowhere.
local H, W, F = 64, 96, 16
local train, test = data.shapes{images = short and 12 or 64, size = {H, W}, seed = 1, depth = true}:split(0.75, {seed = 1})

local space = nas.space(function()
  local rates = nas.subset("rates", {1, 2, 4, 8}, {least = 1, most = 3})
  local op = nas.choice("op", {"sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3"})
  local net = {
    stem = nn.sequential{
      nn.conv2d(3, F, {kernel = 3, stride = 2, padding = 1, bias = false}), nn.batch_norm(F), nn.relu(),
      nn.conv2d(F, F, {kernel = 3, stride = 2, padding = 1, bias = false}), nn.batch_norm(F), nn.relu(),
    },
    body = nas.mix(op, function(name) return nas.parts.operator(name, F) end), around = {},
    head = nn.sequential{nn.batch_norm(F), nn.relu(), nn.conv2d(F, 1, {kernel = 1})},
  }
  for i, rate in ipairs(rates.options) do
    if rates:on(i) then net.around[i] = nn.conv2d(F, F, {kernel = 3, padding = rate, dilation = rate, bias = false}) end
  end
  function net.forward(self, x)
    local h, terms = self.body(self.stem(x)), {}
    for i in ipairs(rates.options) do terms[i] = nas.when(rates:weight(i), function() return self.around[i](h) end) end
    local logarithm = nn.functional.resize(self.head(nas.sum(terms)), {size = {x.shape[3], x.shape[4]}})
    return (logarithm + 2):exp():squeeze(2)                    -- a depth is above 0; some 7 m to begin with
  end
  return nn.module(net, {name = "depth"})
end)
print(space)

-- A loss and a metric get the network, then inputs and targets in the set's order.
local function loss(net, images, labels, depth) return nn.silog_loss(net(images), depth, {lambda = 0.85, root = true, mask = depth:gt(0)}) end
local metric = {
  abs_rel = function(net, images, labels, depth) return metrics.abs_rel(net(images), depth, {mask = depth:gt(0)}) end,
  delta = function(net, images, labels, depth) return metrics.delta(net(images), depth, {mask = depth:gt(0)}) end,
}

-- Search: weights on one half, logits on the other.
local A, B = train:split(0.5, {seed = 2})
local a, b = A:batches{size = 3, seed = 1, flip = true}, B:batches{size = 3, seed = 2, flip = true}
local net = space:supernet{seed = 1, relax = {rates = nas.sigmoid()}}
local sgd = optim.sgd(net:weights(), {lr = 0.02, momentum = 0.9, clip = 5})
local adam = optim.adam(net:architecture(), {lr = 0.02})
local function step(optimiser, loader)
  local images, labels, depth = loader:next()
  return net:step(optimiser, images, labels, depth, {loss = loss})
end
for i = 1, short and 12 or 150 do
  step(sgd, a)
  if i > (short and 6 or 50) then step(adam, b) end
end
local found = net:decode()
print("found", found, "rates", net:probabilities("rates"))

-- Train what was found, keep the best, measure, draw, export.
local network = space:network(found, {from = net})
local history = network:fit(train, {
  steps = short and 12 or 300, batch = 4, lr = 0.02, clip = 5, flip = true, loss = loss, validation = test, every = short and 6 or 50,
  metric = metric, metric_goal = {abs_rel = "min"}, use = "best",
})
print(history)
local result = network:evaluate(test, {metric = metric})
print(result)
local image, _, depth = test:sample(1)
network:eval()
local seen = (image - tensor.from{0.485, 0.456, 0.406}:reshape(3, 1, 1)) / tensor.from{0.229, 0.224, 0.225}:reshape(3, 1, 1)
local guess = network(seen:unsqueeze(1)):detach()[1]
local function shade(d) return 1 / (1 + d / 8) * d:gt(0) end    -- near is bright, the sky dark
plot.images({{image = image, caption = "scene"}, {image = shade(depth), caption = "depth"}, {image = shade(guess), caption = "guess"}}, {columns = 3}):save(out .. "/depth.svg")
local stored = guess / 256
stored:save(out .. "/depth.png", {bits = 16})
history:plot():save(out .. "/training.svg")
network:export(out .. "/depth.onnx", {height = H, width = W})
