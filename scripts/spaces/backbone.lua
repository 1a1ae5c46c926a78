-- A supernet on a fixed backbone: a ResNet-18 with weights from elsewhere gives features, a searched head makes classes of them.
-- scripts/trellis scripts/spaces/backbone.lua [resnet18.safetensors]     (torchvision's state; without it the backbone is random)
local short = os.getenv("TRELLIS_SHORT") == "1"
local resnet = require("resnet18")
local width, classes, F = short and 8 or 64, 5, 16
local backbone = resnet.build(width)
if arg[1] then resnet.load(backbone, arg[1]) end
backbone:eval()

local space = nas.space(function(c)
  local rates = nas.subset("rates", {1, 2, 3}, {least = 1, most = 2})
  local op = nas.choice("op", {"skip_connect", "sep_conv_3x3", "sep_conv_5x5"})
  local net = {squeeze = nn.conv2d(2 * width, F, {kernel = 1, bias = false}), norm = nn.batch_norm(F), around = {}, head = nn.conv2d(F, c.classes, {kernel = 1})}
  net.mixed = nas.mix(op, function(name) return nas.parts.operator(name, F) end)
  for i, rate in ipairs(rates.options) do
    if rates:on(i) then net.around[i] = nn.conv2d(F, F, {kernel = 3, padding = rate, dilation = rate, bias = false}) end
  end
  function net.forward(self, features)
    local h, terms = self.mixed(self.norm(self.squeeze(features)):relu()), {}
    for i in ipairs(rates.options) do terms[i] = nas.when(rates:weight(i), function() return self.around[i](h) end) end
    return self.head(nas.sum(terms):relu())
  end
  return nn.module(net, {name = "head"})
end, {classes = classes})

-- What is fixed is computed once: a data set of features, at stride 8, with labels of the same size.
local H, W = 64, 96
local scenes = data.shapes{images = short and 6 or 40, size = {H, W}, classes = classes, seed = 1}
local features = trellis.compile(function(x)
  local h = nn.functional.max_pool2d(backbone.bn1(backbone.conv1(x)):relu(), {kernel = 3, stride = 2, padding = 1})
  return backbone.layer2(backbone.layer1(h)):detach()
end)
local mean, deviation = tensor.from{0.485, 0.456, 0.406}:reshape(1, 3, 1, 1), tensor.from{0.229, 0.224, 0.225}:reshape(1, 3, 1, 1)
local set = data.from{
  count = #scenes, inputs = {"features"}, targets = {"labels"},
  sample = function(i)
    local image, labels = scenes:sample(i)
    return {features = features((image:unsqueeze(1) - mean) / deviation):squeeze(1):clone(), labels = labels:slice(1, 4, H, 8):slice(2, 4, W, 8)}
  end,
}
local train, test = set:split(0.75, {seed = 1})
local function loss(net, x, y) return nn.cross_entropy(net(x), y) end
local function accuracy(net, x, y) return nn.functional.classes(net(x)):eq(y):float():mean() end
local A, B = train:split(0.5, {seed = 2})
local a, b, net = A:batches{size = 2, seed = 1}, B:batches{size = 2, seed = 2}, space:supernet{seed = 1, relax = {rates = nas.sigmoid()}}
local sgd, adam = optim.sgd(net:weights(), {lr = 0.05, momentum = 0.9, clip = 5}), optim.adam(net:architecture(), {lr = 0.02})
for i = 1, short and 6 or 100 do
  local x, y = a:next()
  net:step(sgd, x, y, {loss = loss})
  if i > 3 then
    x, y = b:next()
    net:step(adam, x, y, {loss = loss})
  end
end
local network = space:network(net:decode(), {from = net})
print(net:decode(), network:fit(train, {steps = short and 6 or 200, batch = 4, lr = 0.05, loss = loss, validation = test, metric = accuracy, metric_goal = "max"}))
