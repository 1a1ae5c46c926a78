-- A run that is saved, loaded into fresh objects and continued is the run that was not interrupted, bit for bit.
local set = data.shapes{images = 8, size = {16, 16}, classes = 3, seed = 1}

local function fresh(seed)
  tensor.manual_seed(seed)
  local net = nn.sequential{nn.conv2d(3, 6, {kernel = 3, padding = 1, bias = false}), nn.batch_norm(6), nn.relu(), nn.dropout(0.2), nn.conv2d(6, 3, {kernel = 1})}
  local p = net:parameters()
  local run = {
    net = net, sgd = optim.sgd({{p:filter('^[12]%.'), lr = 0.1}, {p:filter('^5'), lr = 0.2}}, {lr = 0.1, momentum = 0.9, clip = 1}),
    adam = optim.adam(net:parameters():filter('bias'), {lr = 1e-3}),
    loader = set:batches{size = 2, seed = 6, crop = 12, flip = true},
  }
  run.step = trellis.compile(function(x, y)
    local loss = nn.cross_entropy(net(x), y, {ignore = 255})
    run.sgd:zero_grad(); loss:backward(); run.sgd:step()
    return loss
  end)
  return run
end

local function train(run, steps, from)
  local rate = optim.cosine{from = 0.1, to = 0.001, steps = 20}
  local losses = {}
  for i = from, from + steps - 1 do
    run.sgd.lr = rate(i) / 3
    losses[#losses + 1] = run.step(run.loader:next()):item()
    local noise = tensor.rand(2)
    run.adam:step()
  end
  return losses
end

local whole = fresh(1)
local expected = train(whole, 5, 1)
for _, loss in ipairs(train(whole, 6, 6)) do expected[#expected + 1] = loss end

local half = fresh(1)
local got = train(half, 5, 1)
local third = 1 / 3
checkpoint.save('half.safetensors', {
  net = half.net, sgd = half.sgd, adam = half.adam, loader = half.loader, step = 5, losses = got, third = third, huge = 1e308, tiny = 5e-324,
  none = 0 / 0, endless = -1 / 0, minus = -0.0, whole = 3.0, large = math.maxinteger, name = 'läuft "so"\n', flags = {true, false}, empty = {},
  sparse = {[1] = 'a', [7] = 'b', x = {y = {1, 2.5}}},
})
local other = fresh(99)
train(other, 3, 1)
other = fresh(99)
local values = checkpoint.load('half.safetensors', {net = other.net, sgd = other.sgd, adam = other.adam, loader = other.loader})
for _, loss in ipairs(train(other, 6, values.step + 1)) do got[#got + 1] = loss end
same(got, expected)
for name, t in pairs(whole.net:state()) do assert(t:equal(other.net:state()[name]), name) end
same(whole.loader:state().batch, other.loader:state().batch)
same(whole.loader:state().epoch, other.loader:state().epoch)
assert(tensor.rand(4):equal(tensor.rand(4)) == false)

-- Plain values keep every bit and their kind.
same(values.third == third, true)
same(values.huge, 1e308)
same(values.tiny, 5e-324)
assert(values.none ~= values.none)
same(values.endless, -1 / 0)
same(tostring(values.minus), '-0.0')
same(math.type(values.whole), 'float')
same(values.large, math.maxinteger)
same(math.type(values.large), 'integer')
same(values.name, 'läuft "so"\n')
same(values.flags, {true, false})
same(next(values.empty), nil)
same(values.sparse[7], 'b')
same(values.sparse.x.y, {1, 2.5})
same(#values.losses, 5)
for i = 1, 5 do same(values.losses[i] == expected[i], true) end

-- What does not fit is refused before anything changes.
local p = other.net[1].weight:clone()
local function refused(text, objects)
  local state = other.loader:state()
  fails(text, function() checkpoint.load('half.safetensors', objects) end)
  assert(other.net[1].weight:equal(p))
  same(other.loader:state().batch, state.batch)
end
refused('of another network', {net = nn.sequential{nn.conv2d(3, 6, {kernel = 3})}, loader = other.loader})
refused('of another loader', {net = other.net, loader = set:batches{size = 2, seed = 7, crop = 12, flip = true}})
refused('of another loader', {net = other.net, loader = set:batches{size = 2, seed = 6, crop = 8, flip = true}})
refused('of another optimiser', {net = other.net, sgd = optim.sgd(other.net:parameters(), {lr = 1})})
refused('optimiser there, module here', {sgd = other.net})
refused("no object 'nett'; it has 'adam', 'loader', 'net', 'sgd'", {nett = other.net})
refused("'x' should be an object to put back, got a number", {x = 3})
fails('cannot be kept in a checkpoint', function() checkpoint.save('x.safetensors', {x = optim.constant(1)}) end)
fails("'a.b[2]' is a function", function() checkpoint.save('x.safetensors', {a = {b = {1, print}}}) end)
fails('give it a name of its own', function() checkpoint.save('x.safetensors', {a = {other.net}}) end)
local loop = {}
loop.loop = loop
fails('contains itself', function() checkpoint.save('x.safetensors', {loop = loop}) end)
fails('has to end in .safetensors', function() checkpoint.save('x.npz', {a = 1}) end)
fails('did not write it', function() other.net:save('net.safetensors'); checkpoint.load('net.safetensors') end)
fails('No such file', function() checkpoint.load('nowhere.safetensors') end)

-- Tensors that are not asked for come back as values.
local t = tensor.randn(2, 3, {seed = 4})
checkpoint.save('t.safetensors', {t = t, i = tensor.full({2}, 7, {dtype = 'int32'})})
local back = checkpoint.load('t.safetensors')
assert(back.t:equal(t) and back.i[2] == 7)
whole.loader:close(); half.loader:close(); other.loader:close()
