-- %% [markdown]
-- # 9. Training and measuring
--
-- A found architecture is a drawing until somebody trains it, and a trained network is a promise until somebody measures
-- it. This tutorial does both by hand: it trains a small network, reads its table of classes, looks at what it gets
-- wrong, and uses it on an image it has never seen. `scripts/retrain.lua`, `scripts/evaluate.lua` and
-- `scripts/segment.lua` are the same as commands.
--
-- Run it with `scripts/trellis tutorials/9-training-and-measuring.lua`. Variables are globals because the cells of a
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
-- ## Images that are not looked at
--
-- What a network is trained on it may learn by heart. So there are two sets without a common image: one to train with,
-- one to measure with. Here they are generated scenes; `data.camvid`, `data.cityscapes` and others give the same kind of
-- object.

-- %%
size = short and {48, 64} or {96, 128}
train = data.shapes{images = short and 16 or 96, size = size, classes = 5, seed = 1}
validation = data.shapes{images = short and 4 or 16, size = size, classes = 5, seed = 2}
print(train, validation)
for class, share in ipairs(train:frequencies()) do print(("%-10s %4.1f %%"):format(train.names[class], 100 * share)) end

-- %% [markdown]
-- Poles are a hundredth of the pixels. A network that never says "pole" loses nothing that the accuracy would notice;
-- the mean IoU gives each class the same voice, which is why it is what papers compare.
--
-- ## A network
--
-- Any architecture will do; tutorial 5 found one by searching. This one is a path down to stride 16 and back, with a cell
-- of three blocks. Widths far below the published ones keep it small.

-- %%
space = nas.trellis{layers = 4, strides = {4, 8, 16}, cell = nas.cell{blocks = 3}}
architecture = nas.architecture{
  space = space, path = {4, 8, 16, 8},
  cell = {
    {{"sep_conv_3x3", 1}, {"atrous_conv_3x3", 2}}, {{"skip_connect", 2}, {"sep_conv_3x3", 3}},
    {{"atrous_conv_3x3", 3}, {"sep_conv_5x5", 2}},
  },
}
function build(seed)
  return architecture:network{
    filters = short and 2 or 6, classes = 5, seed = seed, stem = 12, stem_output = 16, aspp = 24, low_level = 12, decoder = 24,
    head_reach = short and 10 or 19,              -- 0.3 of the crops' height, as the published 96 of 321
  }
end
network = build(1)
print(network:count{height = size[1], width = size[2]})

-- %% [markdown]
-- ## Training
--
-- `fit` is stochastic gradient descent with momentum, compiled into a plan at its first step. Its options are DeepLab's
-- habits:
--
-- - `crop`, `scale`, `flip`: no image is seen twice in the same way, which is worth more than any weight decay. Where a
--   random scale makes an image smaller than the crop it is filled up, and what was filled counts for nothing.
-- - `schedule = "poly"`: the rate falls as (1 - step/steps)^0.9, to nothing.
-- - `validation`, `every`: whole images, measured again and again, and the best weights kept (`use = "best"`).
-- - `accumulate` would send a batch through the network in parts when memory is short; `class_weights` make rare classes
--   count more (see the exercise); `patience` ends a run that gets no better; `out` keeps a run that can be killed.

-- %%
steps = short and 12 or 240
recipe = {
  steps = steps, batch = short and 4 or 8, lr = 0.05, schedule = "poly", crop = short and {32, 32} or {64, 96}, scale = {0.5, 2},
  flip = true, drop_path = 0.05, validation = validation, every = steps // 6, use = "best", seed = 1,
}
history = network:fit(train, recipe)
print(history)
show(history:plot(), "9-curves")
assert(history.last.loss < history.rows[1].loss)

-- %% [markdown]
-- ## The table
--
-- IoU is what label and prediction share, over what either claims. The last two lines are what papers print, and here
-- one sees why both are needed.

-- %%
result = network:evaluate(validation)
print(result)
assert(math.abs(result.miou - history.best.miou) < 1e-12)
mean, count = 0, 0
for _, class in ipairs(result.classes) do
  if class.iou == class.iou then mean, count = mean + class.iou, count + 1 end     -- NaN: occurs nowhere
end
assert(math.abs(mean / count - result.miou) < 1e-12)

-- %% [markdown]
-- The confusion matrix says what was taken for what: a row for each label, in per cent of its pixels.

-- %%
show(plot.confusion(result.confusion, {title = "labels (rows) and predictions"}), "9-confusion")

-- %% [markdown]
-- ## Looking at mistakes
--
-- Numbers say how much is wrong, pictures say where. Pixels that are right are blanked out below (255 draws nothing):
-- what is left are mostly seams a pixel or two wide, and things that are thinner than the network's grid.

-- %%
function mistakes(image, labels)
  local predicted = network:segment(image)
  local right = predicted:eq(labels)
  return predicted, predicted * (1 - right) + right * 255
end
tiles, wrong = {}, {}
for i = 1, 3 do
  image, labels = validation:sample(i)
  predicted, errors = mistakes(image, labels)
  wrong[i] = predicted:ne(labels):mean():item()
  tiles[#tiles + 1] = {image = image, labels = labels, caption = "truth"}
  tiles[#tiles + 1] = {image = image, labels = predicted, caption = "network"}
  tiles[#tiles + 1] = {image = image, labels = errors, caption = ("wrong: %.0f %%"):format(100 * wrong[i])}
end
show(plot.images(tiles, {set = validation, columns = 3}), "9-mistakes")

-- %% [markdown]
-- ## Looking again, and larger
--
-- The same image in three sizes and mirrored gives six opinions; their mean is usually worth a point or two of mIoU, for
-- ten times the work. An image that is too large for memory is cut into windows that overlap.

-- %%
again = network:evaluate(validation, {scales = {0.75, 1, 1.25}, flip = true})
print(("once %.1f %%, six times %.1f %%"):format(100 * result.miou, 100 * again.miou))
pieces = network:evaluate(validation, {window = {size[1] * 2 // 3, size[2] * 2 // 3}})
print(("in windows %.1f %%"):format(100 * pieces.miou))
assert(again.confusion.total == result.confusion.total and pieces.confusion.total == result.confusion.total)

-- %% [markdown]
-- ## Using it
--
-- `save` writes a directory: the weights, and a card that says how to build the network, which classes it knows and what
-- it achieved. Whoever has the directory needs nothing else.

-- %%
network:save(out .. "/9-model")
copy = nas.network(out .. "/9-model")
print(("measured last on %s, %s: mIoU %.3f"):format(copy:card().result.data, copy:card().result.how, copy:card().result.miou))

street = data.shapes{images = 1, size = {size[1] * 3 // 2, size[2] * 2}, classes = 5, seed = 77}
image = street:sample(1)
labels = copy:segment(image, {overlay = out .. "/9-street.png", labels = out .. "/9-street-labels.png"})
show(plot.images({{image = image}, {image = image, labels = labels}}, {set = street, columns = 2}), "9-street")
assert(labels:equal(network:segment(image)))
assert(labels:size(1) == size[1] * 3 // 2)

-- %% [markdown]
-- ## Exercise
--
-- Train the same network with `class_weights = "balanced"`, everything else as before. What happens to the accuracy of
-- the rarest class, what to its IoU, and why do they not move alike?

-- %% [markdown]
-- ## Solution

-- %%
rarest = 1
for class, share in ipairs(train:frequencies()) do if share < train:frequencies()[rarest] then rarest = class end end
balanced = build(1)
recipe.class_weights = "balanced"
balanced:fit(train, recipe)
weighted = balanced:evaluate(validation)
for _, pair in ipairs{{"plain", result}, {"balanced", weighted}} do
  local class = pair[2].classes[rarest]
  print(("%-8s %s: accuracy %4.1f %%, IoU %4.1f %%; mIoU %4.1f %%, pixels %4.1f %%"):format(
    pair[1], class.name, 100 * class.accuracy, 100 * class.iou, 100 * pair[2].miou, 100 * pair[2].accuracy))
end
-- More pixels of the class are found, and more of others are taken for it: accuracy sees only the first, IoU both.
if not short then assert(weighted.classes[rarest].accuracy > result.classes[rarest].accuracy) end
assert(weighted.confusion.total == result.confusion.total)
