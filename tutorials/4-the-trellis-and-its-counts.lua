-- %% [markdown]
-- # 4. The trellis and its counts
--
-- Classification networks shrink the picture and never grow it again; dense prediction needs detail at the end, and
-- whether to go down, stay or come back up is a design question that people answered by hand: U-Net, hourglass,
-- DeepLab. The trellis makes it a choice: layers to the right, strides downwards, an arrow wherever a layer may pass
-- its result on. A path through it is a network.
--
-- Before searching a space you should know how large it is and what its supernet will cost. Both are arithmetic;
-- nothing here computes with an image.
--
-- Run it with `scripts/trellis tutorials/4-the-trellis-and-its-counts.lua`. Variables are globals because the cells
-- of a notebook are chunks of their own (tutorial 1).

-- %%
out = os.getenv("TRELLIS_OUT") or "out"           -- pictures go there
os.execute("mkdir -p '" .. out .. "'")

function show(figure, name)
  figure:save(out .. "/" .. name .. ".svg")
  display(figure)
  print("saved " .. out .. "/" .. name .. ".svg")
end

-- %% [markdown]
-- ## The space of the paper
--
-- Without options `nas.trellis` is Auto-DeepLab's: 12 layers, strides 4 to 32, F = 8, five blocks, eight operators.
-- From a node one may go to the same stride or a neighbouring one; the stem stands at stride 4.

-- %%
paper = nas.trellis{}
print(paper)
print(paper:count())
show(plot.trellis(paper, {title = "12 layers, 4 strides"}), "4-paper")
assert(#paper.nodes == 45 and #paper.arrows == 105)

-- %% [markdown]
-- ## Counting paths
--
-- The number of paths into a node is the sum over its incoming arrows of the paths into their sources. That is one
-- addition for each arrow, and `space.arrows` lists them layer by layer.

-- %%
function paths(space)
  local into = {["0 4"] = 1}                      -- the stem: one way to be there
  for _, arrow in ipairs(space.arrows) do
    local from, to = (arrow.layer - 1) .. " " .. arrow.from, arrow.layer .. " " .. arrow.to
    into[to] = (into[to] or 0) + (into[from] or 0)
  end
  local total = 0
  for _, stride in ipairs(space.strides) do total = total + (into[space.layers .. " " .. stride] or 0) end
  return total
end

numbers = {}
for layers = 1, 12 do
  local space = nas.trellis{layers = layers}
  numbers[layers] = paths(space)
  assert(numbers[layers] == space:count().paths)
end
print(table.concat(numbers, " "))
assert(numbers[12] == 75025)

-- %% [markdown]
-- Every other Fibonacci number! Only the borders keep the factor below 3: it tends to 2.618, the square of the golden
-- ratio. The paper quotes 2.9e4 paths; that is the 28,657 of eleven moves, the trellis whose first layer is fixed at
-- stride 4. Both readings are in `count`.

-- %%
assert(math.abs(numbers[12] / numbers[11] - ((1 + 5 ^ 0.5) / 2) ^ 2) < 1e-6)
assert(paper:count().paths_from_finest == 28657 and numbers[11] == 28657)
show(plot.curves({{"paths", numbers}}, {title = "paths of a trellis", x_label = "layers", y_log = true}), "4-paths")

-- %% [markdown]
-- ## Networks that people drew
--
-- The point of the trellis is that known designs are paths in it. The gallery holds some, as data.

-- %%
for _, name in ipairs{"deeplab_v3", "conv_deconv", "stacked_hourglass", "auto_deeplab"} do
  print(name .. ": " .. table.concat(nas.gallery[name].path, " "))
end
show(plot.grid({
  {plot.trellis(nas.gallery.deeplab_v3, {title = "DeepLabv3"}), plot.trellis(nas.gallery.conv_deconv, {title = "conv-deconv"})},
  {
    plot.trellis(nas.gallery.stacked_hourglass, {title = "stacked hourglass"}),
    plot.trellis(nas.gallery.auto_deeplab, {title = "Auto-DeepLab, found"}),
  },
}), "4-gallery")
assert(nas.gallery.auto_deeplab:fits(paper))

-- %% [markdown]
-- ## Masks
--
-- A space is altered by a function: `arrows(layer, from, to)` says whether an arrow exists. Here: first down, then
-- up, as an encoder-decoder does, but free in when. Nodes that lie on no path from the stem to the last layer vanish
-- by themselves.

-- %%
there_and_back = nas.trellis{layers = 8, arrows = function(layer, from, to)
  return from == to or (layer <= 4 and to > from) or (layer > 4 and to < from)
end}
print(there_and_back:draw())
print(there_and_back:count().paths .. " of " .. nas.trellis{layers = 8}:count().paths .. " paths")
show(plot.trellis(there_and_back, {title = "down, then up"}), "4-there-and-back")

-- Trust, but check: walk every path of some spaces with masks drawn at random.
function walk(space, layer, stride)
  if layer == space.layers then return 1 end
  local total = 0
  for _, to in ipairs(space.strides) do
    if space:has(layer + 1, stride, to) then total = total + walk(space, layer + 1, to) end
  end
  return total
end
assert(walk(there_and_back, 0, 4) == there_and_back:count().paths)

checked, impossible = 0, 0
for seed = 1, 30 do
  math.randomseed(seed)
  local layers, kept = math.random(3, 6), {}
  -- A mask that leaves no path is an error, at once and with the layer; pcall catches it.
  local fine, space = pcall(nas.trellis, {layers = layers, arrows = function() return math.random() < 0.5 end})
  if fine then
    checked = checked + 1
    assert(walk(space, 0, 4) == space:count().paths and paths(space) == space:count().paths)
  else
    impossible = impossible + 1
    if impossible == 1 then print(space) end      -- the message
  end
end
print(checked .. " masks checked, " .. impossible .. " cut every path")
assert(checked > 5 and impossible > 0)

-- %% [markdown]
-- ## What it will cost
--
-- A supernet holds all operators of all nodes at once, which is why memory ends most searches before they begin.
-- `estimate` tells before anything is allocated.

-- %%
estimate = paper:estimate{crop = 321, batch = 2, classes = 19}
print(estimate)
layers = {}
for _, part in ipairs(estimate.parts) do layers[#layers + 1] = {part.name, part.multiply_adds / 1e9} end
show(plot.bar(layers, {title = "multiply-adds of an image, in billions"}), "4-cost")

-- The estimate is no guess. Build a small one and count: the supernet has less by exactly those edges whose input does not
-- exist, because no node of the same stride stands two layers before. The estimate counts whole cells.
small = nas.trellis{layers = 4, filters = 2, cell = nas.cell{blocks = 2, operators = {"none", "skip_connect", "sep_conv_3x3"}}}
exists = {["0 4"] = true}
for _, node in ipairs(small.nodes) do exists[node.layer .. " " .. node.stride] = true end
missing = 0
for _, node in ipairs(small.nodes) do
  local channels = 2 * node.stride // 4
  local sep_conv_3x3 = 2 * (9 * channels + channels ^ 2)          -- twice: depthwise, pointwise
  if not exists[(node.layer - 2) .. " " .. node.stride] then missing = missing + 2 * sep_conv_3x3 end
end
estimated, built = small:estimate{crop = 32, batch = 1, classes = 5}.parameters, small:supernet{classes = 5}:count().parameters
print(("estimated %d parameters, built %d, without input %d"):format(estimated, built, missing))
assert(estimated - built == missing)

-- Channels double where the area shrinks to a quarter, so a level costs the same as its finer neighbour or less: cutting the finest
-- stride saves the most memory, cutting the coarsest the most parameters.
function without(stride)
  local rest = nas.trellis{layers = 8, arrows = function(layer, from, to) return layer <= 3 or to ~= stride end}
  local e = rest:estimate{crop = 321, batch = 2}
  return e.parameters, e.activation_bytes
end
fine_parameters, fine_memory = without(4)
coarse_parameters, coarse_memory = without(32)
print(("from layer 4 on without stride 4: %.1f M parameters, %.1f GB; without stride 32: %.1f M, %.1f GB"):format(
  fine_parameters / 1e6, fine_memory / 1e9, coarse_parameters / 1e6, coarse_memory / 1e9))
assert(coarse_parameters < fine_parameters and fine_memory < coarse_memory)

-- %% [markdown]
-- ## Exercise
--
-- How many of the 75,025 paths ever come to stride 32? And how many end there? Use masks, and check the first answer
-- with a trellis of three strides.

-- %% [markdown]
-- ## Solution

-- %%
never = nas.trellis{arrows = function(layer, from, to) return to ~= 32 end}:count().paths
assert(never == nas.trellis{strides = {4, 8, 16}}:count().paths)
ending = nas.trellis{arrows = function(layer, from, to) return layer < 12 or to == 32 end}:count().paths
elsewhere = nas.trellis{arrows = function(layer, from, to) return layer < 12 or to ~= 32 end}:count().paths
print(("%d paths come to stride 32, %d end there"):format(75025 - never, ending))
assert(ending + elsewhere == 75025 and never < elsewhere)
