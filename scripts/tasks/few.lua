-- Segmentation with few images: Dice and the hardest pixels in one loss, a search of one decision, boundaries measured beside the mean IoU.
-- scripts/trellis scripts/tasks/few.lua [DIRECTORY]
local out, short = arg[1] or "few-out", os.getenv("TRELLIS_SHORT") == "1"
os.execute("mkdir -p '" .. out .. "'")
local H, W, F, classes = 64, 96, 16, 4
local train = data.shapes{images = 8, size = {H, W}, classes = classes, seed = 1}
local test = data.shapes{images = short and 4 or 24, size = {H, W}, classes = classes, seed = 2}

local space = nas.space(function(c)
  local op = nas.choice("op", {"sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"})
  local skip = nas.choice("skip", {"none", "skip_connect"})
  local net = {
    stem = nas.parts.stem{channels = F, stride = 4}, body = nas.mix(op, function(name) return nas.parts.operator(name, F) end),
    past = nas.mix(skip, function() return nn.conv2d(F, F, {kernel = 1}) end), head = nn.conv2d(F, c.classes, {kernel = 1}),
  }
  function net.forward(self, x)
    local h = self.stem(x)
    return nn.functional.resize(self.head((self.body(h) + self.past(h)):relu()), {size = {x.shape[3], x.shape[4]}})
  end
  return nn.module(net, {name = "few"})
end, {classes = classes})
print(space)

-- Dice sees classes, however small; the hardest pixels are those at edges and of rare things.
local function loss(net, images, labels)
  local scores = net(images)
  return nn.dice_loss(scores, labels) + nn.ohem_loss(scores, labels, {threshold = 0.7, share = 0.25})
end

local A, B = train:split(0.5, {seed = 1})
local how = {size = 2, crop = {48, 64}, scale = {0.75, 1.5}, flip = true, jitter = 0.2, pad = true}
how.seed = 1
local a = A:batches(how)
how.seed = 2
local b = B:batches(how)
local net = space:supernet{seed = 1}
local sgd = optim.sgd(net:weights(), {lr = 0.05, momentum = 0.9, clip = 5})
local adam = optim.adam(net:architecture(), {lr = 0.02})
for i = 1, short and 8 or 100 do
  local images, labels = a:next()
  net:step(sgd, images, labels, {loss = loss})
  if i > 4 then
    images, labels = b:next()
    net:step(adam, images, labels, {loss = loss})
  end
end
local found = net:decode()
print("found", found)

local function fit(loss)
  local network = space:network(found, {seed = 1})
  network:fit(train, {
    steps = short and 6 or 200, batch = 4, lr = 0.05, clip = 5, crop = {48, 64}, scale = {0.75, 1.5}, flip = true, jitter = 0.2, loss = loss, every = 1000,
  })
  local boundary = network:evaluate(test, {metric = function(net, images, labels) return metrics.boundary_iou(net(images), labels) end})
  return network, network:evaluate(test), boundary.value
end
local network, result, boundary = fit(loss)
local _, plain, plain_boundary = fit(nil)
print(result)
print(("Dice and hard pixels: mIoU %.3f, boundaries %.3f; cross entropy: %.3f, %.3f"):format(result.miou, boundary, plain.miou, plain_boundary))
local image, labels = test:sample(1)
plot.images({{image = image, labels = labels, caption = "labels"}, {image = image, labels = network:segment(image), caption = "found"}}, {set = test}):save(out .. "/few.svg")
network:export(out .. "/few.onnx", {height = H, width = W})
