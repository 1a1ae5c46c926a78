-- The tour of the design from "a search space" to "what it found", fewer steps, without pictures, on made-up data.
-- a search space, altered without recompiling anything
nas.operator("sep_conv_7x7", function(channels)
  return nn.sequential{
    nn.relu(), nn.conv2d(channels, channels, {kernel = 7, padding = 3, groups = channels, bias = false}),
    nn.conv2d(channels, channels, {kernel = 1, bias = false}), nn.batch_norm(channels, {affine = false}),
  }
end)
local space = nas.trellis{
  layers = 6, strides = {4, 8, 16, 32}, filters = 4,
  cell = nas.cell{blocks = 3, operators = {"none", "skip_connect", "sep_conv_3x3", "sep_conv_7x7", "atrous_conv_3x3"}},
  arrows = function(layer, from, to) return not (layer == 6 and to == 32) end,
}
print(space:count().paths, space:count().cells, space:estimate{crop = {96, 128}, batch = 4})

-- a search
local stripes = (tensor.arange(96) / 19.2):floor()
local function batches(seed)  -- in place of data.shapes: a class in each fifth of the picture, with noise
  local n = seed * 1000
  return {next = function()
    n = n + 1
    return tensor.randn(4, 3, 96, 128, {seed = n}) + stripes:reshape(1, 1, 96, 1), stripes:reshape(1, 96, 1):expand(4, 96, 128):contiguous():int()
  end}
end
local supernet = space:supernet{classes = 5, seed = 5}
local sgd = optim.sgd(supernet:weights(), {lr = 0.025, momentum = 0.9, weight_decay = 3e-4, clip = 5})
local adam = optim.adam(supernet:architecture(), {lr = 3e-3, weight_decay = 1e-3})
local rate = optim.cosine{from = 0.025, to = 0.001, steps = 80}
local a, b = batches(6), batches(7)
local first, last
for step = 1, STEPS or 6 do
  sgd.lr = rate(step)
  local loss = supernet:step(sgd, a:next())          -- compiled once, then no Lua inside
  first, last = first or loss:item(), loss:item()
  if step > 3 then supernet:step(adam, b:next()) end
end

-- what it found
local found = supernet:decode()
print(found)                                          -- path, cell, score
print(table.concat(found.path, " "))                  -- strides, one per layer
found:save("found.json")
local path, score = nas.viterbi(supernet:beta())      -- the bare algorithm, on any table of transition probabilities

-- What must have come out.
same({space:count().paths, space:count().cells}, {195, 9000000})
assert(last < first, ("%g to %g"):format(first, last))
same(#found.path, 6)
assert(found.path[6] ~= 32)
local strides = {}
for i, state in ipairs(path) do strides[i] = space.strides[state] end
same(strides, found.path)
near(score, found.score, 1e-5)
assert(nas.load("found.json"):same(found))
