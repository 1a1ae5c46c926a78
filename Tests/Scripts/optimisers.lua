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
fails('has shape [2] in the file, [3] here', function() optim.adam{tensor.zeros(3, {requires_grad = true})}:load_state(state) end)

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
