-- -*- coding: utf-8 -*-
-- %% [markdown]
-- # 8. From a found architecture to a network
--
-- A search leaves plain data: a path through the trellis and a cell. Here it becomes a network: what its parts are, what
-- it costs and where, which width fits a budget, what the gallery's designs look like as paths, and how drop path works.
--
-- Run it with `scripts/trellis tutorials/8-from-found-to-network.lua`; TRELLIS_SHORT=1 takes seconds.

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
-- ## The published one
--
-- Auto-DeepLab's own architecture is in the gallery. A network of it needs two more numbers: F, the channels of a block
-- at stride 4 (twice as many at each coarser stride), and the classes. The paper has F = 20, 32 and 48 and 19 classes.

-- %%
published = nas.gallery.auto_deeplab
print(published)
net = published:network{filters = 20, classes = 19}
print(net)
assert(net:count().parameters == 10147427)        -- 10.15 million, as published

-- %% [markdown]
-- Each layer is the same cell at another stride. Where it goes down, the operators that read the cell's inputs have
-- stride 2; where it goes up, the input is resized first. Odd sizes are fine: sizes are halved and rounded up. How far
-- the ASPP looks is a number of its own, `head_reach`: 96 pixels are for crops of 321, ours will be 48 high.

-- %%
small = {filters = 2, classes = 3, stem = 8, stem_output = 16, aspp = 16, low_level = 8, decoder = 16, head_reach = 14, seed = 1}
tiny = published:network(small)
tiny:eval()
scores = tiny(tensor.randn(1, 3, 45, 67, {seed = 2}))
print(table.concat(scores.shape, " "))
assert(table.concat(scores.shape, " ") == "1 3 45 67")

-- %% [markdown]
-- ## What it costs
--
-- `count` writes the network down for a size without computing anything, so that a megapixel costs nothing. Cells were
-- what the search chose; but look where the work is.

-- %%
count = net:count{height = 513, width = 1025}
print(count)
cells, rest = 0, 0
for _, part in ipairs(count.parts) do
  if part.name:find("layer") then cells = cells + part.multiply_adds else rest = rest + part.multiply_adds end
end
print(("cells %.0f %%, stem, ASPP and decoder %.0f %%"):format(100 * cells / count.multiply_adds, 100 * rest / count.multiply_adds))
assert(rest > cells)                              -- so stem, aspp, low_level and decoder are options too

bars = {}
for i, part in ipairs(count.parts) do bars[i] = {part.name, part.multiply_adds / 1e9} end
show(plot.bar(bars, {label = "10^9 multiply-adds at 513x1025", title = "F = 20"}), "8-cost")

-- %% [markdown]
-- `architecture:estimate` says the same from sizes alone, without a network: to look for the F that fits a budget.

-- %%
function widest(architecture, parameters)
  local filters = 1
  while architecture:estimate{filters = filters + 1, classes = 19}.parameters <= parameters do filters = filters + 1 end
  return filters
end
for _, millions in ipairs{5, 10, 20} do print(millions .. " million parameters: F = " .. widest(published, millions * 1e6)) end
assert(widest(published, 10147427) == 20)
same = published:estimate{filters = 20, classes = 19, height = 513, width = 1025}
assert(same.parameters == count.parameters and same.multiply_adds == count.multiply_adds)

-- %% [markdown]
-- ## The gallery
--
-- What a trellis contains: other designs are other paths. The paths have a plain cell, the cells stand on Auto-DeepLab's
-- path; `notes` says what the space cannot express of them.

-- %%
figures = {}
for name, architecture in pairs(nas.gallery) do
  local estimate = architecture:estimate{filters = 20, classes = 19, height = 512, width = 512}
  print(("%-18s %5.1f M parameters  %6.1f G multiply-adds  path %s"):format(
    name, estimate.parameters / 1e6, estimate.multiply_adds / 1e9, table.concat(architecture.path, " ")))
  assert(#architecture.notes > 0 or name == "auto_deeplab")
end
for _, name in ipairs{"auto_deeplab", "deeplab_v3", "conv_deconv", "stacked_hourglass"} do
  figures[#figures + 1] = {plot.trellis(nas.gallery[name], {title = name})}
end
show(plot.grid(figures), "8-gallery")
show(plot.cell(nas.gallery.darts_v2, {title = "DARTS v2"}), "8-cell")

-- %% [markdown]
-- The same number of parameters is not the same work: a path that stays fine computes more with each weight.

-- %%
for _, name in ipairs{"auto_deeplab", "conv_deconv"} do
  local architecture = nas.gallery[name]
  local filters = widest(architecture, 5e6)
  local estimate = architecture:estimate{filters = filters, classes = 19, height = 512, width = 512}
  local weights, work = estimate.parameters / 1e6, estimate.multiply_adds / 1e9
  print(("%-14s F = %2d  %.1f M parameters, %.1f G multiply-adds"):format(name, filters, weights, work))
end

-- %% [markdown]
-- ## From a supernet
--
-- An architecture is usually trained from scratch. It may also start from the weights that its operators had in the
-- supernet, where shapes agree: `from`. The second result says how many tensors were taken.

-- %%
space = nas.trellis{layers = 3, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 2, operators = {"skip_connect", "sep_conv_3x3"}}}
supernet = space:supernet{classes = 3, seed = 5}
found = supernet:decode()
started, taken = found:network{filters = 2, classes = 3, from = supernet, aspp = 16, decoder = 16}
print(taken .. " tensors from the supernet")
assert(taken > 0 and taken < #started:parameters() + #started:buffers())

-- %% [markdown]
-- ## Drop path
--
-- Dropping whole branches of a cell, sample by sample, keeps branches from leaning on each other. It grows with the
-- training and with depth: cell i of n drops with probability share · i/n · p. `fit` does it with `drop_path = p`; a loop of
-- your own calls `network:advance(share)` before each step. What is kept is divided by the keep probability, so that
-- the mean stays.

-- %%
drop = nn.drop_path(0.5)
x = tensor.ones(10000, 1)
means = {}
for i, share in ipairs{0, 0.5, 1} do
  drop:advance(share)
  local y = drop(x)
  means[i] = y:mean():item()
  print(("share %.1f: %4.1f %% dropped, mean %.3f"):format(share, 100 * y:eq(0):mean():item(), means[i]))
end
assert(means[1] == 1 and math.abs(means[2] - 1) < 0.05 and math.abs(means[3] - 1) < 0.1)

-- In evaluation nothing is dropped; in training two looks at the same images differ.
dropping = published:network{
  filters = 1, classes = 3, stem = 4, stem_output = 8, aspp = 8, low_level = 4, decoder = 8, drop_path = 0.4, seed = 1,
}
images = tensor.randn(2, 3, 33, 33, {seed = 3})
assert(not dropping(images):equal(dropping(images)))
dropping:eval()
assert(dropping(images):equal(dropping(images)))

-- %% [markdown]
-- ## Training
--
-- Everything that trains a module trains this one. A few steps on the built-in scenes:

-- %%
scenes = data.shapes{images = short and 8 or 32, size = {48, 64}, classes = 3, seed = 3}
history = tiny:fit(scenes, {steps = short and 10 or 120, batch = 4, lr = 0.05, schedule = "poly", drop_path = 0.1, flip = true, seed = 1})
print(history)
print(tiny:evaluate(scenes))
assert(short or history.last.loss < history.rows[1].loss)

-- %% [markdown]
-- ## Exercise
--
-- Which strides of a path are expensive? Take the space of the paper and count, for paths that stay at one stride from
-- the moment they reach it, the multiply-adds of the cells at 512x512 with F = 8, once with the same F and once with the same
-- number of parameters.

-- %% [markdown]
-- ## Solution

-- %%
paper = nas.trellis{layers = 12}
function staying(level)
  local path = {}
  for layer = 1, 12 do path[layer] = 4 * 2 ^ math.min(layer, level - 1) // 1 | 0 end
  return nas.architecture{space = paper, path = path, cell = nas.gallery.auto_deeplab.cell}
end
function work(architecture, filters)
  local estimate, sum = architecture:estimate{filters = filters, classes = 19}, 0
  for _, part in ipairs(estimate.parts) do
    if part.name:find("layer") then sum = sum + part.multiply_adds end
  end
  return sum / 1e9, estimate.parameters
end
_, budget = work(staying(4), 8)
for level = 1, 4 do
  local architecture = staying(level)
  local filters = widest(architecture, budget)
  local stride, narrow, wide = architecture.path[12], (work(architecture, 8)), (work(architecture, filters))
  print(("stride %2d: %5.2f G with F = 8, %6.2f G with F = %d"):format(stride, narrow, wide, filters))
end
-- At the same F a stride costs about as much as another: twice the channels, half the height and width. With the same
-- parameters the fine one is dear.
fine, coarse = work(staying(1), 8), work(staying(4), 8)
assert(fine / coarse > 0.3 and fine / coarse < 3)
assert(work(staying(1), widest(staying(1), budget)) > 8 * coarse)
