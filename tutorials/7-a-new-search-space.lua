-- -*- coding: utf-8 -*-
-- %% [markdown]
-- # 7. A new search space
--
-- The space of a paper is a guess about what matters. Yours will be another, and changing it should not mean changing
-- a program. Here we invent two operators, cut the trellis to the shapes we want, search, touch the heart of the method
-- (the softmax, and what the architecture is asked to minimise), and finally leave the trellis: any network becomes a
-- space by naming what is open in it. All in Lua; nothing is compiled but the steps themselves.
--
-- Run it with `scripts/trellis tutorials/7-a-new-search-space.lua`. Variables are globals because the cells of a
-- notebook are chunks of their own (tutorial 1).

-- %%
out = os.getenv("TRELLIS_OUT") or "out"           -- pictures go there
os.execute("mkdir -p '" .. out .. "'")
short = os.getenv("TRELLIS_SHORT") == "1"

function show(figure, name)
  figure:save(out .. "/" .. name .. ".svg")
  display(figure)
  print("saved " .. out .. "/" .. name .. ".svg")
end

-- %% [markdown]
-- ## New operators
--
-- Streets are full of long thin things, and a square kernel spends most of its taps beside them. So: a strip
-- convolution, 1x7 and 7x1 after one another, depthwise. It costs 14 taps a channel and sees 7x7.
--
-- The second is a gate: the mean of each channel over the whole picture decides how much of the channel passes
-- (squeeze and excitation, Hu and others, 2018). No operator of the library sees everything at once.
--
-- An operator is a function of the number of channels that returns a *new* module each time. It is asked for `affine`
-- batch norms when a found network is built, and for `stride` 2 where that network halves the picture.

-- %%
nas.operator("strip_conv_7", function(channels, options)
  return nn.sequential{
    nn.relu(),
    nn.conv2d(channels, channels, {kernel = {1, 7}, padding = {0, 3}, stride = {1, options.stride}, groups = channels, bias = false}),
    nn.conv2d(channels, channels, {kernel = {7, 1}, padding = {3, 0}, stride = {options.stride, 1}, groups = channels, bias = false}),
    nn.conv2d(channels, channels, {kernel = 1, bias = false}), nn.batch_norm(channels, {affine = options.affine}),
  }
end)

nas.operator("gate", function(channels, options)
  local parts = {
    squeeze = nn.conv2d(channels, channels, {kernel = 1}), norm = nn.batch_norm(channels, {affine = options.affine}),
    shrink = options.stride > 1 and nn.avg_pool2d{kernel = 3, stride = options.stride, padding = 1} or nn.identity(),
  }
  function parts.forward(self, x)
    local amount = self.squeeze(x:mean({3, 4}, {keep = true})):sigmoid()
    return self.norm(self.shrink(x * amount))
  end
  return nn.module(parts, {name = "gate"})
end)

-- %% [markdown]
-- `nas.operator` tries what it is given at once, so mistakes show here and not after an hour: this one forgets its
-- padding.

-- %%
fine, message = pcall(nas.operator, "careless", function(channels) return nn.conv2d(channels, channels, {kernel = 3}) end)
print(message)
assert(not fine and message:find("must keep the shape"))
fine, message = pcall(nas.cell, {operators = {"none", "strip_conv_77"}})
print(message)
assert(not fine and message:find("did you mean 'strip_conv_7'", 1, true))

-- %% [markdown]
-- ## A new trellis
--
-- Suppose that we want a fine branch for detail, that we forbid dithering, and that the picture has to be back at
-- stride 4 or 8 in the end: strides may only change in every second layer, and the last layer is fine. Both are one
-- function.

-- %%
layers, size = 6, short and {32, 48} or {64, 96}
space = nas.trellis{
  head_reach = 3 * size[1] // 10,                 -- the heads look 0.3 of the image's height around, as in the paper
  layers = layers, strides = {4, 8, 16}, filters = short and 2 or 4,
  cell = nas.cell{blocks = 2, operators = {"none", "skip_connect", "sep_conv_3x3", "strip_conv_7", "gate"}},
  arrows = function(layer, from, to)
    if layer == layers and to == 16 then return false end
    return from == to or layer % 2 == 0
  end,
}
print(space)
show(plot.trellis(space, {title = "strides change in every second layer"}), "7-space")

-- The mask does what we meant: on no path do two neighbouring layers both change the stride.
for seed = 1, 50 do
  local path = space:random{seed = seed}.path
  assert(path[layers] ~= 16 and path[1] == 4)
  for layer = 3, layers, 2 do assert(path[layer] == path[layer - 1]) end
end
print(space:estimate{crop = size, batch = 4, classes = 5})

-- %% [markdown]
-- ## Searching it
--
-- Nothing about a search changes (tutorial 5). The function takes the two steps as arguments, because we are going to
-- exchange one of them.

-- %%
scenes = data.shapes{images = short and 8 or 32, size = size, classes = 5, seed = 3}
A, B = scenes:split(0.5, {seed = 4})

function library_step(supernet, adam) return function(images, labels) return supernet:step(adam, images, labels) end end

function search(architecture_step, steps, relax)
  local supernet = space:supernet{classes = 5, seed = 5, relax = relax}
  local sgd = optim.sgd(supernet:weights(), {lr = 0.025, momentum = 0.9, weight_decay = 3e-4, clip = 5})
  local adam = optim.adam(supernet:architecture(), {lr = short and 0.1 or 0.03})
  local a, b = A:batches{size = 2, seed = 6}, B:batches{size = 2, seed = 7}
  local step, losses, entropy = architecture_step(supernet, adam), {}, {}
  for i = 1, steps do
    losses[i] = supernet:step(sgd, a:next()):item()
    if i > steps / 3 then step(b:next()) end
    entropy[i] = supernet:entropy().alpha_relative
  end
  return supernet, losses, entropy
end

steps = short and 12 or 90
supernet, losses, entropy = search(library_step, steps)
found = supernet:decode()
print(found)
assert(found:fits(space) and losses[steps] < losses[1])
show(plot.grid{{plot.trellis(supernet), plot.cell(found)}}, "7-found")

-- It is data like any other: JSON out and in. Whoever loads it has to define the operators first.
found:save(out .. "/7-found.json")
assert(nas.load(out .. "/7-found.json"):same(found))

-- %% [markdown]
-- ## Asking for something else
--
-- What a supernet minimises need not be what we want. It is trained as a mixture but used as a choice, and the wider
-- the mixture at the end, the more is lost by deciding. So let the architecture pay for indecision: loss + entropy of
-- alpha. `supernet:loss` and `supernet:alpha{raw = true}` are tensors with a history like all others, so the step of
-- the architecture is ours to write, and `trellis.compile` makes it a plan.

-- %%
function decisive_step(supernet, adam)
  local alpha, beta = supernet:alpha{raw = true}, supernet:beta{raw = true}
  return trellis.compile(function(images, labels)
    local p = alpha:softmax(2)
    local entropy = -(p * alpha:log_softmax(2)):sum(2):mean()
    local loss = supernet:loss(images, labels)
    local total = loss + entropy
    adam:zero_grad()
    total:backward{inputs = {alpha, beta}}
    adam:step()
    return loss
  end)
end

decisive, _, lower = search(decisive_step, steps)
show(plot.curves({{"cross entropy alone", entropy}, {"with a price on indecision", lower}}, {
  title = "how undecided alpha is", x_label = "step",
}), "7-entropy")
print(("entropy of alpha at the end: %.3f, with its price %.3f"):format(entropy[steps], lower[steps]))
assert(lower[steps] < entropy[steps])
show(plot.grid{{
  plot.alpha(supernet, {title = "cross entropy alone"}), plot.alpha(decisive, {title = "with a price on indecision"}),
}}, "7-alphas")

-- %% [markdown]
-- ## Another relaxation
--
-- What makes weights of logits is a value, too. The trellis has the decisions `paths` (the arrows) and `cell.1`,
-- `cell.2` (the operators of each block); `relax` says by name or pattern what weighs them. A hard Gumbel sample draws
-- one operator for each edge at each step, and only what was drawn is computed: the others are zeros in a plan that is
-- recorded once. Its temperature is a stored number, which a schedule may write.

-- %%
drawn = nas.gumbel{temperature = 5, hard = true}
gumbel = space:supernet{classes = 5, seed = 5, relax = {["cell.*"] = drawn}}
sgd, adam = optim.sgd(gumbel:weights(), {lr = 0.025, momentum = 0.9, clip = 5}), optim.adam(gumbel:architecture(), {lr = 0.03})
a, b = A:batches{size = 2, seed = 6}, B:batches{size = 2, seed = 7}
for i = 1, short and 4 or 60 do
  drawn.temperature = 5 - 4.9 * i / 60
  gumbel:step(sgd, a:next())
  gumbel:step(adam, b:next())
end
print(gumbel:recordings(), "recordings")
assert(gumbel:recordings() == 2)
print(gumbel:decode())

-- %% [markdown]
-- One architecture is the hardest sample of all. `at` makes a supernet that architecture's network, again without a new
-- recording; that is how evolution uses a supernet as its judge.

-- %%
for trial in nas.trials{strategy = nas.strategy.evolution(space, {population = 4, sample = 2, seed = 1}), count = short and 6 or 20} do
  trial:finish{score = metrics.evaluate(gumbel:at(trial.architecture), B).miou}
end
gumbel:at(nil);

-- %% [markdown]
-- ## Any network
--
-- Nothing here needs the trellis. A space is a function that builds a network in which named decisions occur: `choice`,
-- `subset`, `paths`, `number`. It runs once for the supernet, where everything is built, and once for each network of an
-- architecture, where `on` says what is. `nas.when` is "weight times this, and nothing of it where the weight is 0".

-- %%
context = nas.space(function(c)
  local op = nas.choice("op", {"none", "skip_connect", "sep_conv_3x3", "strip_conv_7"})
  local rates = nas.subset("rates", {1, 2, 4}, {least = 1, most = 2})
  local net = {
    stem = nas.parts.stem{channels = 8}, mixed = nas.mix(op, function(name) return nas.parts.operator(name, 8) end), around = {},
    head = nn.conv2d(8, c.classes, {kernel = 1}),
  }
  for i, rate in ipairs(rates.options) do
    if rates:on(i) then net.around[i] = nn.conv2d(8, 8, {kernel = 3, padding = rate, dilation = rate}) end
  end
  function net.forward(self, x)
    local h, terms = self.mixed(self.stem(x)), {}
    for i in ipairs(rates.options) do terms[i] = nas.when(rates:weight(i), function() return self.around[i](h) end) end
    return nn.functional.resize(self.head(nas.sum(terms)), {size = {x.shape[3], x.shape[4]}})
  end
  return nn.module(net, {name = "context"})
end, {classes = 5})
print(context)
assert(context:count() == 3 * (3 + 3))
for architecture in context:each() do assert(architecture.op ~= "none" and #architecture.rates <= 2) end

supernet = context:supernet{seed = 1, relax = {rates = nas.sigmoid()}}
sgd, adam = optim.sgd(supernet:weights(), {lr = 0.05, momentum = 0.9}), optim.adam(supernet:architecture(), {lr = 0.05})
work = {input = {1, 3, size[1], size[2]}}
target = 0.8 * supernet:cost(nas.cost.multiply_adds, work):item()
function priced(net, images, labels)                 -- an expected cost is a tensor with a history like all others
  return nn.cross_entropy(net(images), labels) + nas.price(net:cost(nas.cost.multiply_adds, work), target)
end
for i = 1, short and 4 or 60 do
  supernet:step(sgd, a:next())
  local images, labels = b:next()
  supernet:step(adam, images, labels, {loss = priced})
end
for i, one in ipairs(supernet:decode{count = 3}) do print(i, one.architecture, ("%.3f"):format(one.score)) end

-- The network of an architecture has the supernet's numbers: both come from one function.
best = supernet:decode()
show(plot.space(supernet, {architecture = best, input = work.input, title = "bars: how probable; outlined: decided"}), "7-context")
network = context:network(best, {from = supernet}):eval()
images = B:batches{size = 2, shuffle = false}:next()
assert(supernet:at(best):eval()(images):allclose(network(images), {atol = 1e-4}))
assert(context:cost(best, nas.cost.multiply_adds, work) == network:count{height = size[1], width = size[2]}.multiply_adds)

-- %% [markdown]
-- ## Exercise
--
-- The softmax never says no: every operator keeps a little weight for ever. Sparsemax (Martins and Astudillo, 2016)
-- is the alternative that can: the point of the probability simplex that is nearest to the logits, p = max(z - t, 0)
-- with t such that the sum is 1. The library has it as `nas.sparsemax()`. Write it for a vector with tensor operations, so
-- that the derivative comes by itself. Check the derivative, let it choose in a small mixture, and compare it with the
-- library's.
--
-- (Sort z downwards; the k largest take part, where k is the last position with 1 + k·z_k > z_1 + ... + z_k; t =
-- (their sum - 1) / k.)

-- %% [markdown]
-- ## Solution

-- %%
function sparsemax(z)
  local sorted = z:detach():sort(1, {descending = true})
  local k = tensor.range(1, #sorted)
  local count = (1 + k * sorted):gt(sorted:cumsum(1)):sum():item()
  local support = z:detach():ge(sorted[math.tointeger(count)])
  local threshold = ((z * support):sum() - 1) / count
  return (z - threshold):relu()
end

p = sparsemax(tensor.from{1.2, 0.9, -0.5, 0.1})
print(p)
assert(math.abs(p:sum():item() - 1) < 1e-6 and p[3] == 0 and p[4] == 0 and math.abs(p[1] - 0.65) < 1e-6)

-- Nearest point of the simplex: nearer than any other that we can think of.
z = tensor.randn(6, {seed = 8})
p = sparsemax(z)
for seed = 1, 100 do
  local other = tensor.randn(6, {seed = seed, std = 2}):softmax(1)
  assert((p - z):norm():item() <= (other - z):norm():item())
end

-- The derivative, against differences.
z = tensor.from({0.3, 0.5, -1, 0.2}, {requires_grad = true})
values = tensor.from{1, 4, 2, -3}
mixture = (sparsemax(z) * values):sum()
mixture:backward()
for i = 1, 4 do
  local step = tensor.zeros(4)
  step[i] = 1e-2
  local function f(x) return (sparsemax(x) * values):sum():item() end
  assert(math.abs((f(z:detach() + step) - f(z:detach() - step)) / 2e-2 - z.grad[i]) < 1e-3)
end

-- Choosing: three functions are mixed to follow x². The softmax keeps all of them, sparsemax ends with one.
x = tensor.linspace(-1, 1, 41)
functions = tensor.stack{x, x ^ 2, x:abs()}
function choose(relaxation)
  local z = tensor.zeros(3, {requires_grad = true})
  local adam = optim.adam({z}, {lr = 0.02})
  local history = {}
  for step = 1, 300 do
    local p = relaxation(z)
    adam:zero_grad()
    nn.mse_loss(p:matmul(functions), x ^ 2):backward()
    adam:step()
    for k, v in ipairs(p:detach():to_table()) do
      history[k] = history[k] or {}
      history[k][step] = v
    end
  end
  return relaxation(z:detach()), history
end
soft, soft_history = choose(function(z) return z:softmax(1) end)
sparse, sparse_history = choose(sparsemax)
print(soft, sparse)
assert(soft:min():item() > 0 and sparse:equal(tensor.from{0, 1, 0}))

function curves(history, title)
  return plot.curves({{"x", history[1]}, {"x^2", history[2]}, {"|x|", history[3]}}, {title = title, x_label = "step", y_range = {0, 1}})
end
show(plot.grid{{curves(soft_history, "softmax"), curves(sparse_history, "sparsemax")}}, "7-sparsemax")

-- The library's, of the logits that the space above begins with.
theirs = context:supernet{seed = 1, relax = {op = nas.sparsemax(), rates = nas.sigmoid()}}
assert(theirs:probabilities("op"):allclose(sparsemax(theirs:logits("op"):detach()), {atol = 1e-6}))
print(theirs:probabilities("op"))
