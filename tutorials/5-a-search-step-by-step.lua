-- %% [markdown]
-- # 5. A search, step by step
--
-- `scripts/search.lua` does all of this with a progress bar and checkpoints. Here we take the search apart, so that
-- you can put it together in another way: data, supernet, the two alternating steps, what to watch while it runs, and
-- what to read out of it in the end.
--
-- Run it with `scripts/trellis tutorials/5-a-search-step-by-step.lua`; it takes a few minutes on two cores. With the
-- environment variable TRELLIS_SHORT=1 everything is tiny and takes seconds. Variables are globals because the cells
-- of a notebook are chunks of their own (tutorial 1).

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
-- ## Data
--
-- `data.shapes` generates street scenes in which colour alone decides nothing: textures, places and neighbours do,
-- and poles and wires are a pixel wide. So both detail and context are needed, which is what a trellis is about.
-- `data.camvid` and `data.folder` read real pictures.
--
-- The search needs *two* training sets without a common image: one for the weights, one for the architecture. And a
-- third one to look at.

-- %%
size = short and {32, 48} or {64, 96}
scenes = data.shapes{images = short and 16 or 48, size = size, classes = 5, seed = 3}
A, B = scenes:split(0.5, {seed = 4})
validation = data.shapes{images = short and 4 or 12, size = size, classes = 5, seed = 99}
print(scenes, A, B)

tiles = {}
for i = 1, 3 do
  local image, labels = scenes:sample(i)
  tiles[#tiles + 1] = {image = image, caption = scenes:source(i)}
  tiles[#tiles + 1] = {image = image, labels = labels}
end
show(plot.images(tiles, {set = scenes, columns = 2}), "5-scenes")

sources = {}
for i = 1, #A do sources[A:source(i)] = true end
for i = 1, #B do assert(not sources[B:source(i)]) end
assert(#A + #B == #scenes)

-- %% [markdown]
-- ## Supernet
--
-- One network that holds every architecture of the space. Its parameters fall into two groups: the weights, and alpha
-- and beta. One number of the space follows the size of the images: how far the heads at the end look around. The
-- paper's 96 pixels are 0.3 of its crops of 321; on small images such taps would lie outside of the picture, and never
-- be trained. (A supernet says so at its first step.)

-- %%
space = nas.trellis{
  layers = short and 3 or 5, strides = short and {4, 8, 16} or {4, 8, 16, 32}, filters = short and 2 or 4,
  cell = nas.cell{blocks = 2, operators = {"none", "skip_connect", "max_pool_3x3", "sep_conv_3x3", "atrous_conv_3x3"}},
  head_reach = 3 * size[1] // 10,
}
supernet = space:supernet{classes = 5, seed = 5}
print(space)
print(supernet:count().parameters .. " weights, " .. supernet:count().architecture .. " numbers in alpha and beta")

-- %% [markdown]
-- ## One step, by hand
--
-- What is a step? Loss, derivatives with respect to one group only, update. In words of tutorial 2:

-- %%
batch = {size = short and 2 or 4, seed = 6}
images, labels = A:batches(batch):next()
print("images " .. table.concat(images.shape, " ") .. ", labels " .. table.concat(labels.shape, " "))

loss = supernet:loss(images, labels)
loss:backward()
print(("loss %.4f; an even guess has log 5 = %.4f"):format(loss:item(), math.log(5)))
by_hand = supernet:beta{raw = true}.grad:clone()
supernet:parameters():zero_grad()

-- `supernet:gradients` computes the same as a plan: written down once, fused, without Lua. `step` adds the update.
adam = optim.adam(supernet:architecture(), {lr = short and 3e-2 or 1e-2, weight_decay = 1e-3})
planned = supernet:gradients(adam, images, labels)
assert(math.abs(planned:item() - loss:item()) < 1e-3)
scale = by_hand:abs():max():item()
assert((by_hand - supernet:beta{raw = true}.grad):abs():max():item() < 0.02 * scale)

-- %% [markdown]
-- And the two groups keep out of each other's way. A step of the weights leaves the architecture alone, and the other
-- way round:

-- %%
sgd = optim.sgd(supernet:weights(), {lr = 0.025, momentum = 0.9, weight_decay = 3e-4, clip = 5})
before = supernet:state()
supernet:step(sgd, images, labels)
after = supernet:state()
assert(before.alpha:equal(after.alpha) and before.beta:equal(after.beta))
assert(not before["stem.1.conv.weight"]:equal(after["stem.1.conv.weight"]))
supernet:load_state(before);                      -- as if nothing had happened

-- %% [markdown]
-- ## The search
--
-- For the first half only the weights move: an architecture that is judged before its operators have learnt anything
-- falls for `skip_connect`, which needs to learn nothing. Then a step of each kind in turn. We write down what a
-- search should be watched by: the loss, the mIoU of the supernet on new scenes, and how undecided alpha and beta are
-- (their entropy, 1 = undecided).

-- %%
steps = short and 24 or 240
rate = optim.cosine{from = 0.025, to = 0.001, steps = steps}
sgd = optim.sgd(supernet:weights(), {lr = 0.025, momentum = 0.9, weight_decay = 3e-4, clip = 5})
a = A:batches{size = batch.size, seed = 6, flip = true}
b = B:batches{size = batch.size, seed = 7, flip = true}

log = {step = {}, loss = {}, miou = {}, alpha = {}, beta = {}}
losses = {}
function look(step)
  local n, recent = #log.step + 1, 0
  for i = math.max(1, #losses - 9), #losses do recent = recent + losses[i] / math.min(10, #losses) end
  log.step[n], log.loss[n] = step, recent
  log.miou[n] = metrics.evaluate(supernet.module, validation).miou
  local entropy = supernet:entropy()
  log.alpha[n], log.beta[n] = entropy.alpha_relative, entropy.beta_relative
  print(("step %3d  loss %.3f  mIoU %.3f  entropy of alpha %.3f, beta %.3f"):format(step, recent, log.miou[n], log.alpha[n], log.beta[n]))
end

bar = progress.bar{total = steps, label = "search"}
for step = 1, steps do
  sgd.lr = rate(step)
  losses[step] = supernet:step(sgd, a:next()):item()
  if step > steps / 2 then supernet:step(adam, b:next()) end
  bar:update(step, {loss = losses[step]})
  if step == 1 or step % (steps // 6) == 0 then
    bar:clear()
    look(step)
  end
end
bar:finish()

last = #log.step
assert(log.loss[last] < log.loss[1])
assert(short or log.miou[last] > log.miou[1] + 0.1)
assert(log.alpha[2] > 0.999 and log.alpha[last] < log.alpha[2])       -- nothing is decided before the second half begins

-- %%
show(plot.grid{{
  plot.curves({{"loss", log.loss}, {"mIoU", log.miou}}, {x = log.step, title = "weights", x_label = "step", y_range = {0, 2}}),
  plot.curves({{"alpha", log.alpha}, {"beta", log.beta}}, {x = log.step, title = "how undecided", x_label = "step"}),
}}, "5-curves")

-- %% [markdown]
-- ## What it found
--
-- `decode` takes the most probable path (tutorial 6) and the strongest cell (tutorial 3). Look at the pictures before
-- you believe in it: arrows that are all of one width say that the search has not decided, whatever `decode` returns.
--
-- And look at the cell. At the normal setting of this tutorial it tends to be `skip_connect` almost everywhere, and
-- the last line printed here warns: in the few steps that the weights had, an operator without weights has the lead.
-- It is the best known weakness of differentiable search. More steps before the architecture moves help; so do the
-- means of tutorial 7.

-- %%
found = supernet:decode{data = "shapes", name = "tutorial 5"}
print(found)
show(plot.trellis(supernet, {title = "beta, and the best path"}), "5-trellis")
show(plot.alpha(supernet, {title = "alpha"}), "5-alpha")
show(plot.cell(found, {title = "the cell"}), "5-cell")
print(found.warning or ("share of skip_connect: %.2f"):format(found.skip_share))

found:save(out .. "/5-found.json")
assert(nas.load(out .. "/5-found.json"):same(found))
assert(found:fits(space) and #found.path == space.layers)

-- %% [markdown]
-- What the supernet itself says about new scenes. (The network of the architecture that was found is trained anew
-- afterwards; the supernet was only the instrument.)

-- %%
images, labels = validation:batches{size = 3, shuffle = false}:next()
predicted = supernet:predict(images)
tiles = {}
for i = 1, 3 do
  tiles[#tiles + 1] = {image = images[i], caption = i == 1 and "scene" or ""}
  tiles[#tiles + 1] = {labels = labels[i], caption = i == 1 and "labels" or ""}
  tiles[#tiles + 1] = {labels = predicted[i], caption = i == 1 and "predicted" or ""}
end
show(plot.images(tiles, {set = scenes, columns = 3}), "5-predictions")

-- %% [markdown]
-- `scripts/search.lua` keeps alpha, beta and such pictures after every epoch, and leaves them as one page, `report.html`:
-- open it beside what you have seen here. `nas.report(directory)` makes the page at any time, of a run that goes on too.

-- %% [markdown]
-- ## Exercise
--
-- How much of an architecture is the search, how much the dice? Run the search again with another seed of the
-- supernet (fewer steps will do) and compare: how many strides of the path agree, and how much do two *random*
-- architectures of the space agree?

-- %% [markdown]
-- ## Solution

-- %%
function search(seed, steps)
  local supernet = space:supernet{classes = 5, seed = seed}
  local sgd = optim.sgd(supernet:weights(), {lr = 0.025, momentum = 0.9, weight_decay = 3e-4, clip = 5})
  local adam = optim.adam(supernet:architecture(), {lr = 1e-2, weight_decay = 1e-3})
  local a, b = A:batches{size = batch.size, seed = 6}, B:batches{size = batch.size, seed = 7}
  for step = 1, steps do
    supernet:step(sgd, a:next())
    if step > steps / 2 then supernet:step(adam, b:next()) end
  end
  return supernet:decode()
end

function agreement(one, other)
  local same = 0
  for layer = 1, #one.path do
    if one.path[layer] == other.path[layer] then same = same + 1 end
  end
  return same / #one.path
end

again = search(50, steps // 3)
by_chance, pairs_of = 0, 200
for i = 1, pairs_of do by_chance = by_chance + agreement(space:random{seed = 2 * i}, space:random{seed = 2 * i + 1}) / pairs_of end
print("first search: " .. table.concat(found.path, " "))
print("second:       " .. table.concat(again.path, " "))
print(("%.2f of the strides agree; of random architectures %.2f"):format(agreement(found, again), by_chance))
assert(by_chance > 0.1 and by_chance < 0.9)
assert(agreement(found, found) == 1)
