-- %% [markdown]
-- # 11. A task of your own
--
-- Nothing so far said that a pixel has a class. This tutorial leaves classes behind: it measures how far away things are.
-- It makes a data set of tensors, writes a loss and a metric as Lua functions, trains with them, and looks at what came out.
-- `scripts/tasks` has three such tasks from end to end, with a search in each.
--
-- Run it with `scripts/trellis tutorials/11-a-task-of-your-own.lua`.

-- %%
out = os.getenv("TRELLIS_OUT") or "out"           -- pictures and files go there
os.execute("mkdir -p '" .. out .. "'")
short = os.getenv("TRELLIS_SHORT") == "1"

function show(figure, name)
  figure:save(out .. "/" .. name .. ".svg")
  display(figure)
  print("saved " .. out .. "/" .. name .. ".svg")
end

-- %% [markdown]
-- ## A set is a function
--
-- Balls in a fog: what is near is bright. A sample is a table of tensors under the names of inputs and targets. The numbers
-- that `random` gives depend on the sample alone, so it is the same whenever it is asked for, in whatever order.

-- %%
H, W = 32, 48
ys = tensor.arange(0, H):float():reshape(H, 1):expand(H, W)
xs = tensor.arange(0, W):float():reshape(1, W):expand(H, W)

function sample(i, random)
  local depth = tensor.full({H, W}, 10)
  for ball = 1, 4 do
    local x, y, radius, far = random() * W, random() * H, 4 + random() * 6, 1 + random() * 8
    local inside = ((xs - x):square() + (ys - y):square()):lt(radius ^ 2)
    depth = tensor.where(inside, depth:minimum(far), depth)
  end
  local light = (depth * -0.2):exp()                            -- the fog takes light with the distance
  local noise = tensor.rand({3, H, W}) * 0.1
  return {image = noise + light:unsqueeze(1) * 0.9, depth = depth}
end

set = data.from{count = short and 16 or 80, inputs = {"image"}, targets = {"depth"}, normalise = false, sample = sample}
train, test = set:split(0.75, {seed = 1})
print(set, #train, #test)
image, depth = set:sample(3)
show(plot.images({{image = image, caption = "image"}, {image = depth / 10, caption = "depth"}}), "a-sample")
assert(depth:equal((select(2, set:sample(3)))))

-- %% [markdown]
-- ## Crops know what a depth is
--
-- Images and depths are blended where they are resized, labels would be taken from the nearest pixel, and mirrors turn all of
-- them. That is a matter of the part's kind, which `data.from` finds by itself here.

-- %%
loader = train:batches{size = 4, seed = 1, crop = {16, 24}, scale = {0.75, 1.5}, flip = true}
images, depths = loader:next()
print(table.concat(images.shape, " "), table.concat(depths.shape, " "))
-- Brightness still says the depth, wherever the crop lies.
light = images:mean(2)
assert(((light - 0.05) / 0.9 - (depths * -0.2):exp()):abs():mean():item() < 0.06)

-- %% [markdown]
-- ## A loss, a metric
--
-- Both get the network, then inputs and targets in the set's order. They are called once: what they compute is written down
-- and runs as a plan, so a loss of one's own is as fast as the stock one.

-- %%
tensor.manual_seed(1)
function fog()
  local function conv(inputs, outputs) return nn.conv2d(inputs, outputs, {kernel = 3, padding = 1}) end
  return nn.module({
    body = nn.sequential{conv(3, 12), nn.relu(), conv(12, 12), nn.relu(), nn.conv2d(12, 1, {kernel = 1})},
    forward = function(self, x) return (self.body(x):squeeze(2) + 1):exp() end,
  }, {name = "fog"})
end
network = fog()
function loss(net, image, depth) return nn.silog_loss(net(image), depth, {lambda = 0.5}) end
metric = {
  abs_rel = function(net, image, depth) return metrics.abs_rel(net(image), depth) end,
  delta = function(net, image, depth) return metrics.delta(net(image), depth) end,
}
before = network:evaluate(test, {metric = metric}).values.abs_rel
history = network:fit(train, {
  steps = short and 40 or 300, batch = 4, lr = 0.05, clip = 1, flip = true, loss = loss,
  validation = test, metric = metric, metric_goal = {abs_rel = "min"}, use = "best",
})
print(history)
result = network:evaluate(test, {metric = metric})
print(result)
assert(result.values.abs_rel < before)
show(history:plot(), "own-training")

-- %% [markdown]
-- ## What it sees

-- %%
network:eval()
image, depth = test:sample(1)
guess = network(image:unsqueeze(1)):detach()[1]
pictures = {{image = image, caption = "image"}, {image = depth / 10, caption = "depth"}, {image = guess / 10, caption = "guess"}}
show(plot.images(pictures, {columns = 3}), "own-guess")
stored = guess / 10
stored:save(out .. "/guess.png", {bits = 16})                   -- 16 bits: a depth has more than 256 steps
back = tensor.load(out .. "/guess.png")
assert((back[1] * 10 - guess:clamp(0, 10)):abs():max():item() < 1e-3)

-- %% [markdown]
-- ## Exercise
--
-- The fog weakens colours as well as light. Which loss is best for the metric: the scale-invariant one, `nn.l1_loss`, or `nn.berhu_loss`?
-- Train the same network with each, from the same seed, and compare `abs_rel`.
--
-- ## Solution

-- %%
function trained(loss)
  tensor.manual_seed(1)
  local net = fog()
  net:fit(train, {
    steps = short and 10 or 300, batch = 4, lr = 0.02, clip = 1, flip = true,
    loss = function(net, x, y) return loss(net(x), y) end,
  })
  return net:evaluate(test, {metric = metric.abs_rel}).value
end
for _, name in ipairs{"silog_loss", "l1_loss", "berhu_loss"} do print(name, trained(nn[name])) end
