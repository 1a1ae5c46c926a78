-- -*- coding: utf-8 -*-
-- %% [markdown]
-- # 3. Operators and cells
--
-- A search chooses among operators. What do they differ in? Not mainly in quality: in what they *see* and what they
-- *cost*. This tutorial measures both, lets a derivative choose between operators in thirty lines of Lua, and then
-- looks at the cell of the library: the small graph that is repeated at every node of the trellis, and the rule that
-- reads an architecture out of it.
--
-- Run it with `scripts/trellis tutorials/3-operators-and-cells.lua`. Variables are globals because the cells of a
-- notebook are chunks of their own (tutorial 1).

-- %%
out = os.getenv("TRELLIS_OUT") or "out"           -- pictures go there
os.execute("mkdir -p '" .. out .. "'")
short = os.getenv("TRELLIS_SHORT") == "1"         -- fewer steps

function show(figure, name)
  figure:save(out .. "/" .. name .. ".svg")
  display(figure)
  print("saved " .. out .. "/" .. name .. ".svg")
end

-- %% [markdown]
-- ## The operators of the library
--
-- All of them keep the number of channels and the size, so that any can stand on any edge. `none` is the zero: no
-- connection. To get our hands on the very modules that a search uses, we build the smallest supernet and take them
-- out of its first node.

-- %%
print(table.concat(nas.operators(), "  "))
names = {
  "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5",
  "atrous_conv_3x3", "atrous_conv_5x5", "dil_conv_3x3", "dil_conv_5x5",
}
bench_space = nas.trellis{layers = 1, strides = {4, 8}, filters = 8, cell = nas.cell{blocks = 1, operators = names}}
workbench = bench_space:supernet{classes = 2, seed = 1}
function operator(name) return workbench:child("nodes.1.4.block.1.2." .. name) end
print(operator("sep_conv_3x3"))

-- %% [markdown]
-- ## What an operator sees
--
-- The receptive field is a derivative: those inputs that one output depends on. So ask for it. We take a batch of
-- noise, sum the channels of the output in the middle, go back, and look where the derivative is not zero. (More than
-- a hundred-thousandth of the largest: a fast convolution computes several pixels from common sums, so that a zero may
-- come out as a rounding error.)
-- (Evaluation mode, because batch statistics tie all pixels together; a batch, because ReLU and maximum hide some
-- inputs for some images.)

-- %%
workbench:eval()
function field(name)
  local x = tensor.randn(32, 8, 13, 13, {seed = 2, requires_grad = true})
  operator(name)(x)[{{}, {}, {7}, {7}}]:sum():backward()
  return x.grad:abs():sum({1, 2})
end

print(("%-16s %10s %6s %6s"):format("operator", "parameters", "side", "taps"))
seen, maps = {}, {}
for i, name in ipairs(names) do
  local map = field(name)
  local touched = map:gt(1e-5 * map:max():item())
  local at = tensor.range(1, 13)[touched:sum(1):gt(0)]            -- the columns that are touched
  seen[name] = {
    side = at[-1] - at[1] + 1, taps = touched:sum():item(), parameters = operator(name):count().parameters,
  }
  maps[i] = plot.heatmap(touched * map / map:max():item(), {title = name, values = false})
  print(("%-16s %10d %6.0f %6.0f"):format(name, seen[name].parameters, seen[name].side, seen[name].taps))
end

-- %% [markdown]
-- Read the table as a researcher: `sep_conv_3x3` runs twice, so it sees 5x5. `atrous_conv_3x3` reaches just as far
-- with 9 taps, because they stand two pixels apart; it is dense over channels and therefore the dearest.
-- `dil_conv_3x3` is its depthwise kin.

-- %%
expected = {
  max_pool_3x3 = {3, 9}, avg_pool_3x3 = {3, 9}, skip_connect = {1, 1}, sep_conv_3x3 = {5, 25}, sep_conv_5x5 = {9, 81},
  atrous_conv_3x3 = {5, 9}, atrous_conv_5x5 = {9, 25}, dil_conv_3x3 = {5, 9}, dil_conv_5x5 = {9, 25},
}
for name, pair in pairs(expected) do assert(seen[name].side == pair[1] and seen[name].taps == pair[2], name) end
assert(seen.atrous_conv_3x3.parameters == 8 * 8 * 9 and seen.dil_conv_3x3.parameters == 8 * 9 + 8 * 8)
assert(seen.skip_connect.parameters == 0)

show(plot.grid({{maps[1], maps[3], maps[4]}, {maps[5], maps[6], maps[7]}}), "3-receptive-fields")

-- %% [markdown]
-- ## Choosing by derivative
--
-- The mixed operator of DARTS: give every candidate k a number alpha_k and compute the sum of softmax(alpha)_k ·
-- O_k(x). Then alpha is a parameter like any other, with one difference: it is trained on *other* images than the
-- weights, because a choice that is judged by the images its weights were fitted to will favour what fits, not what
-- generalises.
--
-- `nn.module` makes a module of a Lua table: modules and tensors in it are its parts, `forward` is what it does.

-- %%
function mixed(channels, candidates)
  local operators = {}
  for i, name in ipairs(candidates) do
    if name == "skip_connect" then
      operators[i] = nn.identity()
    elseif name == "avg_pool_3x3" then
      operators[i] = nn.avg_pool2d{kernel = 3, stride = 1, padding = 1, count_padding = false}
    elseif name == "conv_3x3" then
      operators[i] = nn.sequential{
        nn.relu(), nn.conv2d(channels, channels, {kernel = 3, padding = 1, bias = false}), nn.batch_norm(channels, {affine = false}),
      }
    end
  end
  return nn.module({
    operators = operators, alpha = tensor.zeros(#candidates, {requires_grad = true}),
    forward = function(self, x)
      local p, sum = self.alpha:softmax(1), 0
      for k = 1, #candidates do sum = sum + p:select(1, k) * self.operators[k](x) end
      return sum
    end,
  }, {name = "mixed"})
end

-- %% [markdown]
-- The task is that of tutorial 2: stripes of two directions, which nobody can tell by a single pixel. Stem and
-- classifier are 1x1, so only the mixed operator can look around. Averaging looks around too, but blurs the stripes
-- away. Which candidate will win is no question; that alpha finds it by itself is the point. (In the picture the
-- curves of `skip_connect` and `avg_pool_3x3` lie on each other.)

-- %%
size = 24
function pictures(count, seed)
  local rows, columns = tensor.arange(size):reshape(size, 1), tensor.arange(size):reshape(1, size)
  local random, images, labels = tensor.rand(count, 3, {seed = seed}), {}, {}
  for n = 1, count do
    local angle = random[n][1] * 2 * math.pi
    local side = ((rows - size / 2) * math.sin(angle) + (columns - size / 2) * math.cos(angle)):gt(0)
    local horizontal, vertical = (rows + random[n][2] * 6):sin():expand(size, size), (columns + random[n][3] * 6):sin():expand(size, size)
    images[n], labels[n] = tensor.where(side, horizontal, vertical):unsqueeze(1), side:int()
  end
  return tensor.stack(images), tensor.stack(labels)
end

candidates = {"skip_connect", "avg_pool_3x3", "conv_3x3"}
tensor.manual_seed(3)
net = nn.sequential{
  {"stem", nn.conv2d(1, 8, {kernel = 1})}, {"mixed", mixed(8, candidates)},
  {"act", nn.relu()}, {"classifier", nn.conv2d(8, 2, {kernel = 1})},
}
print(net)

-- Weights and architecture apart, images apart.
weights = {}
for name, w in pairs(net:parameters()) do
  if name ~= "mixed.alpha" then weights[#weights + 1] = w end
end
alpha = net.mixed.alpha
sgd, adam = optim.sgd(weights, {lr = 0.05, momentum = 0.9}), optim.adam({alpha}, {lr = 0.02})
a_images, a_labels = pictures(8, 1)               -- for the weights
b_images, b_labels = pictures(8, 2)               -- for alpha

-- The derivatives of a step with respect to its own optimiser's parameters only.
function stepper(optimiser, parameters)
  return trellis.compile(function(images, labels)
    local loss = nn.cross_entropy(net(images), labels)
    optimiser:zero_grad()
    loss:backward{inputs = parameters}
    optimiser:step()
    return loss
  end)
end
weight_step, alpha_step = stepper(sgd, weights), stepper(adam, {alpha})

history = {{"skip_connect", {}}, {"avg_pool_3x3", {}}, {"conv_3x3", {}}}
for step = 1, short and 60 or 150 do
  weight_step(a_images, a_labels)
  alpha_step(b_images, b_labels)
  for k, p in ipairs(alpha:detach():softmax(1):to_table()) do history[k][2][step] = p end
end
show(plot.curves(history, {title = "softmax(alpha)", x_label = "step", y_range = {0, 1}}), "3-alpha")
assert(alpha:argmax():item() == 3)                -- conv_3x3

-- %% [markdown]
-- ## The cell
--
-- The cell of the library is a small graph. Its inputs are two tensors: the output of the layer before (state 2) and
-- of the one before that (state 1). Block b adds up the mixed operators of *all* states before it and becomes a state
-- itself. The output is all blocks, concatenated. One alpha, [edges, operators], is shared by every node of the
-- trellis: we search one cell, not one for each place.

-- %%
cell = nas.cell{blocks = 3, operators = {"none", "skip_connect", "sep_conv_3x3", "atrous_conv_3x3"}}
print(cell)
for row, edge in ipairs(cell.edges) do io.write(("row %d: state %d -> block %d\n"):format(row, edge.state, edge.block)) end
assert(#cell.edges == 2 + 3 + 4)

space = nas.trellis{layers = 3, strides = {4, 8, 16}, filters = 4, cell = cell}
supernet = space:supernet{classes = 4, seed = 2}
assert(supernet:alpha().shape[1] == 9 and supernet:alpha().shape[2] == 4)

-- A fresh alpha is almost even, which is where a search has to start. Ours gets some opinions, for want of a search.
even = supernet:alpha()
assert((even - 1 / 4):abs():max():item() < 0.01)
tensor.no_grad(function() supernet:alpha{raw = true}:copy_(tensor.randn(9, 4, {seed = 12})) end)
show(plot.alpha(supernet, {title = "softmax(alpha)"}), "3-cell-alpha")

-- %% [markdown]
-- ## Reading the cell
--
-- The rule of the paper: for every block keep the two states whose strongest operator is strongest, with that
-- operator. `none` takes part in the softmax (a weak edge shows as a strong `none`) but can never be chosen. In Lua:

-- %%
function decode(p, cell)
  local blocks, row = {}, 0
  for block = 1, cell.blocks do
    local states = {}
    for state = 1, block + 1 do
      row = row + 1
      local best
      for k, name in ipairs(cell.operators) do
        if name ~= "none" and (not best or p[row][k] > p[row][best]) then best = k end
      end
      states[state] = {state = state, operator = cell.operators[best], strength = p[row][best]}
    end
    table.sort(states, function(a, b)
      if a.strength ~= b.strength then return a.strength > b.strength end
      return a.state < b.state
    end)
    local first, second = states[1], states[2]
    if second.state < first.state then first, second = second, first end
    blocks[block] = {first, second}
  end
  return blocks
end

mine, theirs = decode(supernet:alpha():to_table(), cell), supernet:decode()
for block = 1, cell.blocks do
  for branch = 1, 2 do
    local a, b = mine[block][branch], theirs.cell[block][branch]
    assert(a.operator == b.operator and a.state == b.state and a.operator ~= "none")
  end
end
print(theirs)
show(plot.cell(theirs, {title = "what we read"}), "3-cell")
show(plot.cell(nas.gallery.auto_deeplab, {title = "the published cell"}), "3-published-cell")

-- %% [markdown]
-- ## Exercise
--
-- How many cells are there? The paper counts, for a block that sees n states with K operators, n² · K² choices, and
-- multiplies: 5.6e14 for five blocks and eight operators. But its own rule for reading a cell never takes the same
-- state twice nor `none`. How many cells can be read? Compare with `space:count()`.

-- %% [markdown]
-- ## Solution

-- %%
function cells(blocks, operators)
  local counted, readable = 1, 1
  for n = 2, blocks + 1 do
    counted = counted * n ^ 2 * operators ^ 2
    readable = readable * (n * (n - 1) // 2) * (operators - 1) ^ 2     -- two different states, an operator other than none for each
  end
  return math.tointeger(counted), math.tointeger(readable)
end

counted, readable = cells(5, 8)
print(("the paper counts %d cells; %d can be read, %.1f %%"):format(counted, readable, 100 * readable / counted))
paper = nas.trellis{}:count()
assert(counted == 556627761561600 and counted == paper.cells and readable == paper.decodable_cells)
