-- Key points: where the corners of a triangle are. Samples are drawn in Lua; a network of heat maps is searched, trained, measured and exported.
-- scripts/trellis scripts/tasks/keypoints.lua [DIRECTORY]
local out, short = arg[1] or "keypoints-out", os.getenv("TRELLIS_SHORT") == "1"
os.execute("mkdir -p '" .. out .. "'")
local H, W, F, K = 48, 48, 16, 3
local ys, xs = tensor.arange(0, H):reshape(H, 1):expand(H, W), tensor.arange(0, W):reshape(1, W):expand(H, W)

-- A filled triangle of some colour on noise; red, green and blue grow towards one corner each, so the corners can be told apart.
local function sample(i, random)
  local p, area = {}, 0
  while math.abs(area) < 250 do
    for k = 1, K do p[k] = {4 + random() * (W - 9), 4 + random() * (H - 9)} end
    area = (p[2][1] - p[1][1]) * (p[3][2] - p[1][2]) - (p[3][1] - p[1][1]) * (p[2][2] - p[1][2])
  end
  local shares = {}                                            -- of each corner at each pixel: all three are above 0 inside
  for k = 1, K do
    local a, b = p[k % K + 1], p[(k + 1) % K + 1]
    shares[k] = ((xs - a[1]) * (b[2] - a[2]) - (ys - a[2]) * (b[1] - a[1])) / -area
  end
  local colours = tensor.stack(shares, 1)
  local inside = shares[1]:minimum(shares[2]):minimum(shares[3]):gt(0)
  local noise = tensor.rand({K, H, W}) * 0.3
  return {image = (noise + inside * (0.3 + 0.4 * colours)):clamp(0, 1), points = tensor.from(p)}
end
local set = data.from{count = short and 16 or 160, inputs = {"image"}, targets = {"points"}, kinds = {points = "points"}, normalise = false, sample = sample}
local train, test = set:split(0.75, {seed = 1})

-- Scores of each corner at each pixel, and their mean place under softmax (Sun et al., 2018).
local space = nas.space(function()
  local net, first, second = {}, nas.choice("first", {"sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3"}), nas.subset("second", {1, 2, 4}, {least = 1, most = 2})
  net.stem = nn.sequential{nn.conv2d(3, F, {kernel = 3, stride = 2, padding = 1, bias = false}), nn.batch_norm(F), nn.relu()}
  net.first, net.around = nas.mix(first, function(name) return nas.parts.operator(name, F) end), {}
  net.head = nn.sequential{nn.batch_norm(F), nn.relu(), nn.conv2d(F, K, {kernel = 3, padding = 1})}
  for i, rate in ipairs(second.options) do
    if second:on(i) then net.around[i] = nn.conv2d(F, F, {kernel = 3, padding = rate, dilation = rate, bias = false}) end
  end
  function net.forward(self, x)
    local h, terms = self.first(self.stem(x)), {}
    for i in ipairs(second.options) do terms[i] = nas.when(second:weight(i), function() return self.around[i](h) end) end
    local heat = nn.functional.resize(self.head(nas.sum(terms)), {size = {H, W}})
    heat = heat:reshape(x.shape[1], K, H * W):softmax(3):reshape(x.shape[1], K, H, W)
    return tensor.stack({(heat * xs):sum({3, 4}), (heat * ys):sum({3, 4})}, 3)
  end
  return nn.module(net, {name = "corners"})
end)
local function loss(net, image, points) return nn.smooth_l1_loss(net(image), points, {beta = 2}) end
local function pck(net, image, points) return metrics.pck(net(image), points, {distance = 0.1 * W}) end

local A, B = train:split(0.5, {seed = 2})
local a, b, net = A:batches{size = 6, seed = 1}, B:batches{size = 6, seed = 2}, space:supernet{seed = 1, relax = {second = nas.sigmoid()}}
local sgd, adam = optim.adam(net:weights(), {lr = 0.01}), optim.adam(net:architecture(), {lr = 0.02})
for i = 1, short and 6 or 100 do
  local image, points = a:next()
  net:step(sgd, image, points, {loss = loss})
  image, points = b:next()
  if i > 3 then net:step(adam, image, points, {loss = loss}) end
end
local found = net:decode()
local network = space:network(found, {from = net})
local history = network:fit(train, {steps = short and 6 or 400, batch = 6, lr = 0.02, clip = 1, loss = loss, validation = test, metric = pck, metric_goal = "max", use = "best"})
local value = network:evaluate(test, {metric = pck}).value
print(found, history, ("PCK at a tenth of the width %.3f"):format(value))
network:eval()
local image, points = test:sample(1)
local marks = tensor.full({H, W}, 255, {dtype = "int32"})      -- crosses; 255 leaves a pixel as it is
for kind, list in ipairs{points, network(image:unsqueeze(1)):detach()[1]} do
  for k = 1, K do
    local x, y = math.floor(list[k][1] + 1.5), math.floor(list[k][2] + 1.5)
    for d = -2, 2 do
      marks[y][math.max(1, math.min(W, x + d))] = kind - 1
      marks[math.max(1, math.min(H, y + d))][x] = kind - 1
    end
  end
end
plot.images({{image = image}, {image = image, labels = marks}}, {names = {"true", "found"}}):save(out .. "/keypoints.svg")
network:export(out .. "/keypoints.onnx", {height = H, width = W})
