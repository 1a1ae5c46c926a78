-- -*- coding: utf-8 -*-
-- %% [markdown]
-- # 2. Derivatives and a first network
--
-- Differentiable architecture search rests on one trick: make every decision a number, and ask the derivative which
-- way to move it. So before any search, this tutorial makes sure that you trust the derivatives, then trains a small
-- network for a dense task, and ends with the reason why a network needs *context*: the thing that the operators and
-- strides of the later tutorials compete to provide.
--
-- Run it with `scripts/trellis tutorials/2-derivatives-and-a-first-network.lua`. Variables are globals because the
-- cells of a notebook are chunks of their own (tutorial 1).

-- %%
out = os.getenv("TRELLIS_OUT") or "out"           -- pictures go there
os.execute("mkdir -p '" .. out .. "'")
short = os.getenv("TRELLIS_SHORT") == "1"         -- a few seconds instead of a minute

function show(figure, name)
  figure:save(out .. "/" .. name .. ".svg")
  display(figure)
  print("saved " .. out .. "/" .. name .. ".svg")
end

-- %% [markdown]
-- ## One derivative, three ways
--
-- A tensor made with `requires_grad = true` is a parameter. What is computed from it remembers how; `backward()`
-- walks back and leaves the derivative of a single number in each parameter's `grad`. Believe it only after checking:
-- by the formula, and by moving one entry a little and looking at the difference.

-- %%
logits = tensor.from({0.5, -1, 2}, {requires_grad = true})
values = tensor.from{3, 1, 2}

function mixture(a) return (a:softmax(1) * values):sum() end    -- the weighted mean that every mixed operator is

mixture(logits):backward()
print(logits.grad)

-- By the formula: p_i · (v_i - mean).
p = logits:softmax(1):detach()
formula = p * (values - mixture(logits):item())
assert(logits.grad:allclose(formula, {atol = 1e-6}))

-- By differences. float32 has 7 digits, so a step of 1e-2 and two sides.
for i = 1, 3 do
  local step = tensor.zeros(3)
  step[i] = 1e-2
  local slope = (mixture(logits:detach() + step):item() - mixture(logits:detach() - step):item()) / 2e-2
  assert(math.abs(slope - logits.grad[i]) < 1e-4)
end

-- %% [markdown]
-- The sign tells the story of a search: the entry whose value (3) lies above the mean gets a positive derivative, the
-- one below a negative one, and none is forgotten. Derivatives can be differentiated again, which second-order DARTS
-- needs:

-- %%
assert(logits.grad[1] > 0 and logits.grad[2] < 0)
t = tensor.from(3, {requires_grad = true})
first = tensor.grad(t ^ 3, t, {create_graph = true})
assert(first:item() == 27 and tensor.grad(first, t):item() == 18)

-- %% [markdown]
-- ## A dense task that needs context
--
-- Each picture has two regions, one with horizontal and one with vertical stripes; the network shall say for every
-- pixel which. The grey value of a single pixel carries no information at all, because both textures use the same
-- ones. Only a neighbourhood does.

-- %%
size = 32
function pictures(count, seed)
  local images, labels = {}, {}
  local rows, columns = tensor.arange(size):reshape(size, 1), tensor.arange(size):reshape(1, size)
  local random = tensor.rand(count, 3, {seed = seed})
  for n = 1, count do
    local angle, a, b = random[n][1] * 2 * math.pi, random[n][2] * 6, random[n][3] * 6
    local side = ((rows - size / 2) * math.sin(angle) + (columns - size / 2) * math.cos(angle)):gt(0)
    local horizontal, vertical = (rows + a):sin():expand(size, size), (columns + b):sin():expand(size, size)
    images[n] = tensor.where(side, horizontal, vertical):unsqueeze(1)
    labels[n] = side:int()
  end
  return tensor.stack(images) + tensor.randn(count, 1, size, size, {seed = seed + 1, std = 0.2}), tensor.stack(labels)
end

train_images, train_labels = pictures(32, 10)
test_images, test_labels = pictures(16, 20)
print("images " .. table.concat(train_images.shape, " ") .. ", labels " .. table.concat(train_labels.shape, " "))

-- %% [markdown]
-- ## Two networks
--
-- Modules hold parameters and can be called. The first sees single pixels (1x1 convolutions), the second looks around
-- (3x3, and one of them atrous: its taps are two pixels apart, so it sees 5x5 at the price of 3x3). A module prints
-- itself.

-- %%
tensor.manual_seed(1)                             -- initial weights come from here
networks = {
  ["single pixels"] = nn.sequential{
    nn.conv2d(1, 16, {kernel = 1, bias = false}), nn.batch_norm(16), nn.relu(),
    nn.conv2d(16, 16, {kernel = 1, bias = false}), nn.batch_norm(16), nn.relu(), nn.conv2d(16, 2, {kernel = 1}),
  },
  ["with context"] = nn.sequential{
    nn.conv2d(1, 16, {kernel = 3, padding = 1, bias = false}), nn.batch_norm(16), nn.relu(),
    nn.conv2d(16, 16, {kernel = 3, padding = 2, dilation = 2, bias = false}), nn.batch_norm(16), nn.relu(), nn.conv2d(16, 2, {kernel = 1}),
  },
}
print(networks["with context"])

-- %% [markdown]
-- ## Training
--
-- A step is: loss, derivatives, update. Written in Lua it is three lines. `trellis.compile` runs those lines once,
-- writes the operations down and turns them into a plan; from the second call on no Lua runs, and neighbouring
-- operations are fused. That is how a search stays fast while every part of it is a script. Numbers, fields and globals
-- that the lines read are looked at again at each call: when one has changed, the lines are recorded anew.

-- %%
steps = short and 40 or 200
function train(net)
  local sgd = optim.sgd(net:parameters(), {lr = 0.1, momentum = 0.9, weight_decay = 1e-4})
  local rate = optim.cosine{from = 0.1, to = 0.001, steps = steps}
  local step = trellis.compile(function(images, labels)
    local loss = nn.cross_entropy(net(images), labels)
    sgd:zero_grad()
    loss:backward()
    sgd:step()
    return loss
  end)
  local losses = {}
  for i = 1, steps do
    sgd.lr = rate(i)
    local first = (i - 1) * 8 % 32 + 1            -- batches of eight, in order
    losses[i] = step(train_images:narrow(1, first, 8), train_labels:narrow(1, first, 8)):item()
  end
  return losses
end

function predict(net, images)
  net:eval()                                      -- batch norms use their running statistics
  local classes = tensor.no_grad(function() return nn.functional.classes(net(images)) end)
  net:train()
  return classes
end

curves, accuracy = {}, {}
for _, name in ipairs{"single pixels", "with context"} do
  local net = networks[name]
  curves[name] = train(net)
  accuracy[name] = predict(net, test_images):eq(test_labels):mean():item()
  print(("%-14s loss %.3f -> %.3f, accuracy on new pictures %.3f"):format(name, curves[name][1], curves[name][steps], accuracy[name]))
end

-- A guess is right half of the time; single pixels do no better.
assert(math.abs(accuracy["single pixels"] - 0.5) < 0.1)
assert(accuracy["with context"] > 0.85)

-- %% [markdown]
-- ## Pictures

-- %%
show(plot.curves(curves, {title = "cross entropy", x_label = "step", y_range = {0, 1}}), "2-losses")

tiles = {}
for n = 1, 3 do
  local grey = (test_images[n] + 1.5) / 3          -- into 0 to 1
  tiles[#tiles + 1] = {image = grey:clamp(0, 1), caption = "picture " .. n}
  tiles[#tiles + 1] = {labels = test_labels[n], caption = "labels"}
  for _, name in ipairs{"single pixels", "with context"} do
    tiles[#tiles + 1] = {labels = predict(networks[name], test_images:narrow(1, n, 1))[1], caption = name}
  end
end
show(plot.images(tiles, {columns = 4, names = {"vertical", "horizontal"}, tile = 128}), "2-predictions")

-- %% [markdown]
-- ## Exercise
--
-- `optim.sgd` is no magic. Write the update with momentum in Lua, v = 0.9 · v + g and w = w - lr · v, train a copy of
-- a network with it for a few steps, and show that it does the same as the library. (Writing into parameters happens
-- inside `tensor.no_grad`.)

-- %% [markdown]
-- ## Solution

-- %%
function fresh()
  return nn.sequential{nn.conv2d(1, 4, {kernel = 3, padding = 1, seed = 5}), nn.relu(), nn.conv2d(4, 2, {kernel = 1, seed = 6})}
end

by_library, by_hand = fresh(), fresh()
sgd = optim.sgd(by_library:parameters(), {lr = 0.1, momentum = 0.9})
velocity = {}
for i = 1, 5 do
  sgd:zero_grad()
  nn.cross_entropy(by_library(train_images), train_labels):backward()
  sgd:step()

  nn.cross_entropy(by_hand(train_images), train_labels):backward()
  tensor.no_grad(function()
    for name, w in pairs(by_hand:parameters()) do
      velocity[name] = velocity[name] and velocity[name] * 0.9 + w.grad or w.grad:clone()
      w:sub_(velocity[name] * 0.1)
      w.grad = nil
    end
  end)
end
for name, w in pairs(by_hand:parameters()) do
  local difference = (w - by_library:parameters()[name]):abs():max():item()
  print(("%-9s largest difference %g"):format(name, difference))
  assert(difference < 1e-6)
end
