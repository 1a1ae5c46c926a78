-- A search that is saved and loaded into fresh objects goes on bit for bit; a checkpoint of another space is refused before anything changes.
local set = data.shapes{images = 8, size = {24, 24}, classes = 3, seed = 1}
local A, B = set:split(0.5, {seed = 2})

local function space(operators, layers, arrows)
  return nas.trellis{layers = layers or 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = operators}, arrows = arrows}
end
local operators = {'none', 'max_pool_3x3', 'avg_pool_3x3', 'skip_connect', 'sep_conv_3x3'}

local function fresh(seed, s)
  local supernet = (s or space(operators)):supernet{classes = 3, seed = seed}
  return {
    supernet = supernet, sgd = optim.sgd(supernet:weights(), {lr = 0.1, momentum = 0.9, clip = 5}), adam = optim.adam(supernet:architecture(), {lr = 0.1}),
    a = A:batches{size = 2, seed = 6, crop = 16, flip = true}, b = B:batches{size = 2, seed = 7, crop = 16},
  }
end
local function train(run, steps)
  local losses = {}
  for i = 1, steps do
    losses[#losses + 1] = run.supernet:step(run.sgd, run.a:next()):item()
    losses[#losses + 1] = run.supernet:step(run.adam, run.b:next()):item()
  end
  return losses
end

local whole = fresh(1)
train(whole, 3)
local expected = train(whole, 3)

local half = fresh(1)
train(half, 3)
checkpoint.save('search.safetensors', half)
local other = fresh(2)
local values = checkpoint.load('search.safetensors', other)
same(next(values), nil)
same(train(other, 3), expected)
local state = other.supernet:state()
for name, t in pairs(whole.supernet:state()) do assert(t:equal(state[name]), name) end
same(other.supernet:decode().path, whole.supernet:decode().path)
same(metrics.evaluate(other.supernet, set):counts(), metrics.evaluate(whole.supernet, set):counts())
same(other.supernet.training, true)
-- Training goes on after an evaluation as if there had been none.
same(train(other, 1), train(whole, 1))

local function refused(text, s)
  local run = fresh(3, s)
  local before = run.supernet:state()
  fails(text, function() checkpoint.load('search.safetensors', {supernet = run.supernet}) end)
  for name, t in pairs(run.supernet:state()) do assert(t:equal(before[name])) end
  run.a:close(); run.b:close()
end
refused('operators is none, max_pool_3x3, avg_pool_3x3, skip_connect, sep_conv_3x3 there, none, avg_pool_3x3',
  space{'none', 'avg_pool_3x3', 'max_pool_3x3', 'skip_connect', 'sep_conv_3x3'})
refused('layers is 2 there, 3 here', space(operators, 3))
refused('no arrow 4 -> 4 into layer 2 here', space(operators, 2, function(layer, from, to) return not (layer == 2 and to == 4) end))
for _, run in ipairs{whole, half, other} do run.a:close(); run.b:close() end

-- Pictures of what was found.
local supernet = whole.supernet
local function svg(figure) figure:save('f.svg'); return figure:svg() end
assert(svg(plot.trellis(supernet, {title = 'beta'})):find('beta'))
svg(plot.trellis(supernet, {path = false}))
svg(plot.trellis(supernet.space, {path = {4, 8}}))
svg(plot.trellis(supernet:decode()))
svg(plot.trellis(supernet:decode(), {space = supernet.space, theme = 'dark'}))
assert(svg(plot.cell(supernet:decode())):find('block'))
svg(plot.cell(supernet))
assert(svg(plot.alpha(supernet)):find('sep_conv_3x3'))
fails('got tensor', function() plot.trellis(tensor.zeros(1)) end)
fails('is none of', function() plot.trellis(supernet, {path = {4, 7}}) end)
