-- nn.branch: running statistics for each place that shares a layer.
local function randn(seed, shift) return tensor.randn(4, 3, 5, 5, {seed = seed}) + (shift or 0) end
local a, b = randn(1), randn(2, 3)
do
  local shared, left, right = nn.batch_norm(3), nn.batch_norm(3), nn.batch_norm(3)
  for _ = 1, 3 do
    local one = nn.branch('left', shared, a)
    local two = nn.branch('right', function() return shared(b) end)
    assert(one:equal(left(a)) and two:equal(right(b)))
  end
  same(shared:buffers():names(), {'running_mean', 'running_var', 'running_mean.left', 'running_var.left', 'running_mean.right', 'running_var.right'})
  assert(shared:buffers()['running_mean.left']:equal(left.running_mean) and shared:buffers()['running_var.right']:equal(right.running_var))
  same(shared.running_mean, {0.0, 0.0, 0.0})
  shared:eval() left:eval()
  assert(nn.branch('left', shared, a):equal(left(a)))
  -- Results pass through, errors leave the branch, branches nest.
  same({nn.branch('x', function(...) return ... end, 1, nil, 'c')}, {1, nil, 'c'})
  fails('own words', function() nn.branch('x', function() error('own words') end) end)
  assert(not shared:buffers()['running_mean.x'])
  shared:train()
  nn.branch('p', function() nn.branch('q', shared, a) end)
  assert(shared:buffers()['running_mean.p/q'])
  fails("a name without dots expected, got 'a.b'", function() nn.branch('a.b', print) end)
  fails("a name without dots expected, got ''", function() nn.branch('', print) end)
end

-- A network of a script whose one operator serves several arrows.
local function make()
  return nn.module{
    op = nn.sequential{nn.conv2d(3, 3, {kernel = 1, bias = false, seed = 1}), nn.batch_norm(3)},
    forward = function(self, x, names)
      local total
      for i, name in ipairs(names) do
        local y = nn.branch(name, self.op, x * i)
        total = total and total + y or y
      end
      return total
    end,
  }
end
local function statistics(net)
  local text = {}
  for name, t in pairs(net:buffers()) do text[#text + 1] = name .. ' ' .. t:sum():item() end
  table.sort(text)
  return table.concat(text, '\n')
end
do
  -- A plan that meets a new branch, and statistics that its recording made, which later runs move.
  local eager, planned = make(), make()
  local names = {'up'}
  local run = trellis.compile(function(x) return planned(x, names) end)
  for i, list in ipairs{{'up'}, {'up'}, {'up', 'same'}, {'up', 'same'}, {'up', 'same'}, {'up'}, {'down'}, {'down'}, {'up', 'same'}} do
    names = list
    local x = randn(10 + i, i)
    assert(run(x):allclose(eager(x, list), {atol = 1e-5}))
    for name, t in pairs(eager:buffers()) do assert(t:allclose(planned:buffers()[name], {atol = 1e-5}), name) end
  end
  same(planned:buffers():names(), eager:buffers():names())
  -- Where the compiled function itself is called in a branch, its plan is of that branch.
  local norm, twin = nn.batch_norm(3), nn.batch_norm(3)
  local plan = trellis.compile(function(x) return norm(x), nn.branch('in', norm, x) end)
  for i = 1, 3 do
    for _, name in ipairs{'a', 'b'} do
      local x = randn(i, i)
      nn.branch(name, plan, x)
      nn.branch(name, function() twin(x) nn.branch('in', twin, x) end)
    end
    plan(randn(i)) twin(randn(i)) nn.branch('in', twin, randn(i))
  end
  same(norm:buffers():names(), twin:buffers():names())
  for name, t in pairs(twin:buffers()) do assert(t:allclose(norm:buffers()[name], {atol = 1e-5}), name) end
  same(#norm:buffers(), 2 * 6)
end

-- Files, states and checkpoints have the branches that were met; a fresh network gets them.
do
  local net = make()
  net(a, {'up', 'same'}) net(b, {'up'})
  net:save('branches.safetensors')
  checkpoint.save('branches-run.safetensors', {net = net})
  net:eval()
  for i, put in ipairs{
    function(other) other:load('branches.safetensors') end, function(other) other:load_state(net:state()) end,
    function(other) checkpoint.load('branches-run.safetensors', {net = other}) end,
  } do
    local other = make()
    put(other)
    same(statistics(other), statistics(net))
    assert(other:eval()(a, {'up', 'same'}):equal(net(a, {'up', 'same'})))
  end
  -- A file that does not fit leaves a network as it was.
  local other = nn.module{op = nn.sequential{nn.conv2d(3, 3, {kernel = 1, bias = false}), nn.batch_norm(3)}, more = nn.linear(2, 2), forward = print}
  fails('missing', function() other:load('branches.safetensors') end)
  same(#other:buffers(), 2)
  -- One that lacks branches which were met does not fit either.
  local plain = make()
  plain:save('plain.safetensors')
  fails('missing', function() net:load('plain.safetensors') end)
end

-- Training and its checkpoint.
do
  local set = data.shapes{images = 4, size = {16, 16}, classes = 3, seed = 1}
  local function network()
    tensor.manual_seed(3)
    return nn.module{
      conv = nn.conv2d(3, 4, {kernel = 3, padding = 1}), norm = nn.batch_norm(4), head = nn.conv2d(4, 3, {kernel = 1}),
      forward = function(self, x)
        local h = self.conv(x)
        return self.head(nn.branch('once', self.norm, h) + nn.branch('twice', self.norm, h * 2))
      end,
    }
  end
  local whole, part = network(), network()
  local options = {steps = 6, batch = 2, every = 2, validation = set, use = 'best', seed = 5, out = 'whole', progress = false}
  whole:fit(set, options)
  options.out = 'part'
  options.each = function(row) if row.step == 4 then error('killed') end end
  pcall(function() part:fit(set, options) end)
  options.each, options.resume = nil, true
  local again = network()
  again:fit(set, options)
  same(statistics(again), statistics(whole))
  assert(whole.norm:buffers()['running_mean.twice'])
end

-- In the network of an architecture one arrow leads into a cell, whose norms keep one pair of statistics, called as any norm's. What supernets and former files have under the
-- arrow's name comes in.
do
  local space = nas.trellis{layers = 3, strides = {4, 8}, filters = 2, blocks = 1, head_reach = 4, cell = function(channels)
    local body = nn.sequential{{'conv', nn.conv2d(channels, channels, {kernel = 1, bias = false})}, {'norm', nn.batch_norm(channels)}}
    return nn.module{body = body, forward = function(self, two, previous) return self.body(previous) end}
  end}
  local x, place = tensor.randn(2, 3, 16, 16, {seed = 1}), 'nodes.3.8.cell.body.norm.running_var'
  local supernet = space:supernet{classes = 2, seed = 1}
  supernet:step(optim.sgd(supernet:weights(), {lr = 0.01}), x, tensor.full({2, 16, 16}, 1, {dtype = 'int32'}))
  local found, seed = nil, 0
  repeat
    seed = seed + 1
    found = space:random{seed = seed}
    local names = space:network(found, {classes = 2}):buffers()
  until names['nodes.2.4.cell.body.norm.running_mean'] and names[place]
  local network = space:network(found, {classes = 2, from = supernet})
  local taken = supernet:buffers()[place .. '.down']
  assert(network:buffers()[place]:equal(taken) and not taken:equal(tensor.ones(taken.shape)))
  network:train()(x)
  for name in pairs(network:buffers()) do assert(not name:find('running_%w+%.'), name) end
  network:eval()
  -- As they were called: those of no branch were there besides, and never used.
  local state, former = network:state(), {}
  for name, t in pairs(state) do
    former[name] = t:clone()
    if name:find('^nodes%.3%.8%.cell.*running_') then former[name], former[name .. '.down'] = tensor.zeros(t.shape), t:clone() end
  end
  tensor.save('former.safetensors', former)
  local other = space:network(found, {classes = 2, seed = 2}):eval()
  other:load('former.safetensors')
  assert(other(x):equal(network(x)))
  checkpoint.save('derived.safetensors', {net = network})
  local again = space:network(found, {classes = 2, seed = 3}):eval()
  checkpoint.load('derived.safetensors', {net = again})
  assert(again(x):equal(network(x)))
end
