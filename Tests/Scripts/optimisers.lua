-- Rules against their equations.
local function descend(make, gradients)
  local w = tensor.from({1}, {requires_grad = true})
  local opt = make({w})
  for _, g in ipairs(gradients) do w.grad = tensor.from{g}; opt:step() end
  return w[1], opt
end
near(descend(function(p) return optim.sgd(p, {lr = 0.1}) end, {2}), 0.8)
near(descend(function(p) return optim.sgd(p, {lr = 0.1, momentum = 0.5}) end, {2, 2}), 1 - 0.2 - 0.3)
near(descend(function(p) return optim.sgd(p, {lr = 0.1, momentum = 0.5, nesterov = true}) end, {2}), 1 - 0.1 * 3)
near(descend(function(p) return optim.sgd(p, {lr = 0.1, weight_decay = 0.5}) end, {2}), 1 - 0.1 * 2.5)
local w, opt = descend(function(p) return optim.sgd(p, {lr = 0.1, clip = 1}) end, {4})
near(w, 0.9)
near(opt.gradient_norm, 4)
near(descend(function(p) return optim.adam(p, {lr = 0.1}) end, {2}), 0.9)
near(descend(function(p) return optim.adamw(p, {lr = 0.1, weight_decay = 0.5}) end, {2}), 0.95 - 0.1)

-- Fields.
same(opt.lr, 0.1)
opt.lr = 0.01
same(opt.groups[1].lr, 0.01)
same(opt.steps, 1)
same(opt.clip, 1.0)
opt.clip = nil
same(opt.clip, nil)
same(opt.rule, 'sgd')

-- What parameters may be.
local net = nn.sequential{nn.linear(2, 3), nn.linear(3, 1)}
optim.sgd(net:parameters(), {lr = 1})
optim.sgd(net:parameters():list(), {lr = 1})
optim.sgd({a = net[1].weight, b = net[1].bias}, {lr = 1})
local groups = optim.sgd({{net[1]:parameters(), lr = 0.5, weight_decay = 0}, {{net[2].weight}, momentum = 0.9}}, {lr = 0.1, weight_decay = 1e-4})
same(#groups.groups, 2)
same(groups.groups[1].lr, 0.5)
same(groups.groups[1].weight_decay, 0.0)
same(groups.groups[2].lr, 0.1)
same(groups.groups[2].momentum, 0.9)
groups.groups[2].lr = 0.3
same(groups.groups[2].lr, 0.3)
same(#groups.groups[1].parameters, 2)
fails("option 'lr': number expected, got nothing", function() optim.sgd(net:parameters()) end)
fails("'x' is a number", function() optim.sgd({x = 3}, {lr = 1}) end)
fails("a group of sgd has no setting 'betas'", function() optim.sgd({{net:parameters(), betas = {0, 0}}}, {lr = 1}) end)
fails('it should be a leaf that requires a gradient', function() optim.sgd({tensor.zeros(1)}, {lr = 1}) end)
fails('is given twice', function() optim.sgd({net[1].weight, net[1].weight}, {lr = 1}) end)
fails('expects at least one parameter', function() optim.sgd({}, {lr = 1}) end)
fails("option 'lr': 0 or more expected, got -1.0", function() optim.sgd(net:parameters(), {lr = -1}) end)
fails("option 'betas': two numbers in [0, 1) expected", function() optim.adam(net:parameters(), {betas = {1, 2}}) end)

-- State, in memory and in a file: the third step is the same after a restart.
local function start()
  local weight = tensor.from({1, 2}, {requires_grad = true})
  return weight, optim.adam({weight}, {lr = 0.1})
end
local function turn(weight, adam) adam:zero_grad(); (weight ^ 2):sum():backward(); adam:step() end
local a, first = start()
turn(a, first); turn(a, first)
first:save('adam.safetensors')
local state = first:state()
local b, second = start()
local c, third = start()
tensor.no_grad(function() b:copy(a); c:copy(a) end)
second:load_state(state)
third:load('adam.safetensors')
same(third.steps, 2)
turn(a, first); turn(b, second); turn(c, third)
assert(a:equal(b) and a:equal(c))
fails('1.first has shape [2] in the state, [3] here', function() optim.adam{tensor.zeros(3, {requires_grad = true})}:load_state(state) end)

-- A state of another rule, of other parameters or damaged is refused, and changes nothing.
do
  local function used(make, count)
    local list = {}
    for i = 1, count or 1 do list[i] = tensor.from({1, 2}, {requires_grad = true}) end
    local o = make(list)
    for i = 1, count or 1 do list[i].grad = tensor.ones(2) end
    o:step()
    return o
  end
  local makes = {
    adam = function(p) return optim.adam(p, {lr = 0.1}) end, adamw = function(p) return optim.adamw(p, {lr = 0.1}) end,
    sgd = function(p) return optim.sgd(p, {lr = 1, momentum = 0.9}) end, plain = function(p) return optim.sgd(p, {lr = 1}) end,
  }
  for from, made in pairs(makes) do
    for to, make in pairs(makes) do
      local state, target = used(made):state(), used(make)
      local before = target:state()
      if target.rule == state.rule then
        target:load_state(state)
      else
        fails(('it is of the rule %s, not %s'):format(state.rule, target.rule), function() target:load_state(state) end)
        state.rule = nil  -- as it was stored before states said it: the moments tell, but not Adam from AdamW
        if target.rule == 'sgd' or state.tensors['1.second'] == nil then fails('is it of another rule?', function() target:load_state(state) end) end
        same(target:state().steps, before.steps)
      end
    end
  end
  local function named(...)
    local list = {}
    for _, name in ipairs{...} do list[name] = tensor.from({1}, {requires_grad = true}) end
    return optim.adam(list)
  end
  fails('parameters a missing, b not known', function() named('a'):load_state(named('b'):state()) end)
  fails('parameters b missing, none not known', function() named('a', 'b'):load_state(named('a'):state()) end)
  fails('parameters none missing, b not known', function() named('a'):load_state(named('a', 'b'):state()) end)
  local function change(text, f)
    local state, o = used(makes.adam, 2):state(), used(makes.adam, 2)
    f(state)
    fails(text, function() o:load_state(state) end)
    same(o.steps, 1)
  end
  change('1.first has shape [3] in the state, [2] here', function(s) s.tensors['1.first'] = tensor.zeros(3) end)
  change('2.second is missing', function(s) s.tensors['2.second'] = nil end)
  change('none missing, x not known', function(s) s.tensors['x.first'] = tensor.zeros(2) end)
  change('none missing, x not known', function(s) s.counts.x = 1 end)
  change('its counts of steps are not 0 to', function(s) s.steps = -1 end)
  change("the rule 'lion', which is not known", function(s) s.rule = 'lion' end)
  change('a table with tensors, counts and steps expected', function(s) s.steps = 0.5 end)

  -- The same from files, also of a release that did not store the rule.
  local adam = used(makes.adam)
  adam:save('adam.safetensors')
  fails('adam.safetensors: optim.sgd: the state does not fit: it is of the rule adam, not sgd', function() used(makes.sgd):load('adam.safetensors') end)
  local tensors, metadata = tensor.load('adam.safetensors')
  metadata.rule, metadata.parameters = nil, nil
  tensor.save('old.safetensors', tensors, {metadata = metadata})
  same(used(makes.adam):load('old.safetensors').steps, 1)
  fails('old.safetensors: optim.sgd', function() used(makes.sgd):load('old.safetensors') end)
  metadata['count.1'] = 'x'
  tensor.save('bad.safetensors', tensors, {metadata = metadata})
  fails('bad.safetensors: the state is damaged', function() used(makes.adam):load('bad.safetensors') end)
  fails('not the state of an optimiser', function() nn.linear(1, 1):save('net.safetensors'); adam:load('net.safetensors') end)
end

-- Training works.
local x = tensor.randn(64, 2, {seed = 1})
local y = x:matmul(tensor.from{{1}, {-2}}) + 0.5
for _, make in ipairs{
  function(p) return optim.sgd(p, {lr = 0.1, momentum = 0.9}) end, function(p) return optim.adam(p, {lr = 0.1}) end,
  function(p) return optim.adamw(p, {lr = 0.1, weight_decay = 0}) end,
} do
  local line = nn.linear(2, 1, {seed = 1})
  local o = make(line:parameters())
  for i = 1, 150 do
    local loss = nn.mse_loss(line(x), y)
    o:zero_grad(); loss:backward(); o:step()
  end
  near(line.bias, 0.5, 0.01)
  near(line.weight[{1, 2}], -2, 0.01)
end

-- Rates and the like are numbers of 0 or more, wherever they are set.
for text, wrong in pairs{['nan'] = 0 / 0, ['inf'] = math.huge, ['-1'] = -1} do
  local w = tensor.ones(1, {requires_grad = true})
  local o = optim.sgd({w}, {lr = 1, momentum = 0.5})
  for what, f in pairs{
    ['lr of sgd'] = function() optim.sgd({w}, {lr = wrong}) end, ['weight_decay'] = function() optim.adam({w}, {weight_decay = wrong}) end,
    ['momentum'] = function() optim.sgd({w}, {lr = 1, momentum = wrong}) end, ['eps'] = function() optim.adam({w}, {eps = wrong}) end,
    ['of a group'] = function() optim.sgd({{w, lr = wrong}}, {lr = 1}) end, ['field lr'] = function() o.lr = wrong end,
    ['group lr'] = function() o.groups[1].lr = wrong end, ['group decay'] = function() o.groups[1].weight_decay = wrong end,
    ['group momentum'] = function() o.groups[1].momentum = wrong end, ['constant'] = function() optim.constant(wrong) end,
    ['cosine from'] = function() optim.cosine{from = wrong, steps = 3} end, ['cosine to'] = function() optim.cosine{from = 1, to = wrong, steps = 3} end,
    ['poly from'] = function() optim.poly{from = wrong, steps = 3} end, ['poly to'] = function() optim.poly{from = 1, to = wrong, steps = 3} end,
    ['power'] = function() optim.poly{from = 1, steps = 3, power = wrong} end, ['step'] = function() optim.step{from = wrong, every = 3} end,
    ['factor'] = function() optim.step{from = 1, every = 3, factor = wrong} end, ['the step'] = function() optim.constant(1)(wrong) end,
    ['the step of a warm-up'] = function() optim.warm_up{steps = 3, next = optim.constant(1)}(wrong) end,
  } do
    local fine, message = pcall(f)
    if fine or not message:find(text, 1, true) or not message:find('expected, got') then error(what .. ' ' .. text .. ': ' .. tostring(message)) end
  end
  if wrong ~= math.huge then
    fails('a number above 0 expected', function() optim.sgd({w}, {lr = 1, clip = wrong}) end)
    fails('a number above 0 expected', function() o.clip = wrong end)
  end
  same(o.lr, 1.0)
end
for _, steps in ipairs{0, -3} do
  for _, f in ipairs{
    function() optim.cosine{from = 1, steps = steps} end, function() optim.poly{from = 1, steps = steps} end, function() optim.step{from = 1, every = steps} end,
    function() optim.warm_up{steps = steps, next = optim.constant(1)} end,
  } do fails('1 step or more expected', f) end
end

-- Schedules.
local cosine = optim.cosine{from = 0.025, to = 0.001, steps = 80}
near(cosine(0), 0.025)
near(cosine(40), 0.013)
near(cosine(80), 0.001)
near(cosine(1000), 0.001)
near(optim.poly{from = 0.05, steps = 100}(50), 0.05 * 0.5 ^ 0.9)
near(optim.step{from = 1, every = 10, factor = 0.5}(29), 0.25)
near(optim.constant(0.3)(5), 0.3)
local warm = optim.warm_up{steps = 10, next = cosine}
near(warm(5), cosine(10) / 2)
near(warm(20), cosine(20))
same(tostring(warm), 'warm-up of 10 steps, then cosine from 0.025 to 0.001 in 80 steps')
fails("option 'steps': 1 step or more expected, got 0", function() optim.cosine{from = 1, steps = 0} end)

-- States that no optimiser leaves are refused, and nothing changes.
do
  local layer = nn.linear(2, 1)
  local adam = optim.adam(layer:parameters())
  local function turn()
    adam:zero_grad()
    layer(tensor.ones(3, 2)):sum():backward()
    adam:step()
  end
  turn()
  for text, spoil in pairs{
    ['has seen no step'] = function(s) s.counts = {} end,
    ['weight has seen 9 steps of 1'] = function(s) s.counts.weight = 9 end,
    ['weight.first is int32, float32 expected'] = function(s) s.tensors['weight.first'] = tensor.ones(1, 2, {dtype = 'int32'}) end,
    ['weight.first holds 1 NaN'] = function(s) s.tensors['weight.first'][{1, 1}] = 0 / 0 end,
    ['weight.second holds -1.0, 0 or more expected'] = function(s) s.tensors['weight.second'][{1, 2}] = -1 end,
  } do
    local state = adam:state()
    spoil(state)
    fails(text, function() adam:load_state(state) end)
  end
  adam:load_state(adam:state())

  -- A bit of the file that is another one is an error.
  adam:save('adam.safetensors')
  local file = io.open('adam.safetensors', 'rb')
  local bytes = file:read('a')
  file:close()
  for position = 9, #bytes do
    files.write('flipped.safetensors', bytes:sub(1, position - 1) .. string.char(bytes:byte(position) ~ 1) .. bytes:sub(position + 1))
    assert(not pcall(function() adam:load('flipped.safetensors') end), position)
  end
  adam:load('adam.safetensors')
end

-- A gradient whose squares overflow float32 is clipped as any other.
do
  local w = tensor.zeros(3, {requires_grad = true})
  local sgd = optim.sgd({w}, {lr = 1, clip = 1})
  local loss = (w * tensor.from{3e30, 0, -4e30}):sum()
  loss:backward()
  sgd:step()
  near(sgd.gradient_norm / 5e30, 1, 1e-6)
  near(w[1], -0.6, 1e-5)
  near(w[3], 0.8, 1e-5)
end

-- Counts of steps that a state cannot have; those that it can are gone on from.
do
  local layer = nn.linear(2, 2)
  for _, rule in ipairs{'sgd', 'adam', 'adamw'} do
    local optimiser = optim[rule](layer:parameters(), {lr = 0.1})
    layer(tensor.ones(1, 2)):sum():backward()
    optimiser:step()
    for _, count in ipairs{math.maxinteger, math.mininteger, (1 << 53) + 1, -1} do
      local state = optimiser:state()
      state.steps = count
      fails('counts of steps', function() optimiser:load_state(state) end)
      state = optimiser:state()
      for name in pairs(state.counts) do state.counts[name] = count end
      if next(state.counts) then fails('counts of steps', function() optimiser:load_state(state) end) end
    end
    local state = optimiser:state()
    state.steps = 1 << 53
    optimiser:load_state(state)
    optimiser:step()
    same(optimiser.steps, (1 << 53) + 1)
  end
end
