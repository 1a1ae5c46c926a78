-- Spaces of decisions in Lua: what they say of themselves, files, checkpoints, errors.
local function small(options)
  return nas.space(function(c)
    local op = nas.choice('op', options or {'none', 'skip_connect', 'sep_conv_3x3'})
    local net = {mixed = nas.mix(op, function(name) return nas.parts.operator(name, 3) end), head = nn.conv2d(3, c.classes, {kernel = 1})}
    function net.forward(self, x) return self.head(self.mixed(x)) end
    return nn.module(net, {name = 'small'})
  end, {classes = 2})
end
local space = small()
same(space:count(), 2)
same(space.decisions[1].kind, 'choice')
local a = space:random{seed = 2}
local file = os.tmpname()
a:save(file)
assert(space:load(file):same(a) and a.op ~= 'none' and a.absent == nil)
fails('an architecture of another space', function() small{'skip_connect', 'max_pool_3x3'}:load(file) end)
os.remove(file)

-- One recording for each optimiser and loss, whatever is drawn and however hot; another for architectures.
local x, y = tensor.rand(1, 3, 6, 6, {seed = 1}), tensor.zeros(1, 6, 6, {dtype = 'int32'})
local hot = nas.gumbel{temperature = 5, hard = true}
local net = space:supernet{seed = 1, relax = {op = hot}}
local sgd, adam = optim.sgd(net:weights(), {lr = 0.1}), optim.adam(net:architecture(), {lr = 0.1})
local function loss(net, x, y) return nn.cross_entropy(net(x), y) + nas.price(net:cost(nas.cost.multiply_adds, {input = {1, 3, 6, 6}}), 1000) end
for i = 1, 6 do
  hot.temperature = 5 / i
  net:step(sgd, x, y)
  net:step(adam, x, y, {loss = loss})
end
same(net:recordings(), 2)
for each in space:each() do
  net:at(each):step(sgd, x, y)
  assert(net:eval()(x):allclose(space:network(each, {from = net}):eval()(x), {atol = 1e-5}))
  assert(net:cost(nas.cost.multiply_adds, {input = {1, 3, 6, 6}}):item() == space:cost(each, nas.cost.multiply_adds, {input = {1, 3, 6, 6}}))
end
same(net:recordings(), 3)
net:at(nil)

-- State and checkpoints.
local before = net:state()
local path = os.tmpname() .. '.safetensors'
checkpoint.save(path, {net = net, sgd = sgd})
net:step(sgd, x, y)
net:step(adam, x, y)
checkpoint.load(path, {net = net, sgd = sgd})
for name, tensor in pairs(net:state()) do assert(tensor:equal(before[name]), name) end
os.remove(path)

-- A relaxation of one's own, and a cost of one's own.
local mine = space:supernet{seed = 1, relax = {op = function(z, d) return z:softmax(1) end}}
assert(mine(x):equal(space:supernet{seed = 1}(x)))
local calls = mine:cost(function(name, inputs, output) return name == 'conv2d' and 1 or 0 end, {input = {1, 3, 6, 6}}):item()
assert(calls > 1 and calls < 6, calls)

-- What stands outside of all regions and is read by closed ones alone is not computed, and does not count.
local outside = nas.space(function()
  local use = nas.choice('use', {'deep', 'plain'})
  local function forward(self, x)
    local h = self.first(self.before(x))
    return nas.sum{nas.when(use:weight(1), function() return self.deep(h) end), nas.when(use:weight(2), function() return self.plain(x) end)}
  end
  return nn.module{before = nn.relu(), first = nn.conv2d(3, 4, {kernel = 3, padding = 1}), deep = nn.conv2d(4, 2, {kernel = 1}), plain = nn.conv2d(3, 2, {kernel = 1}), forward = forward}
end)
local open, work, mean = outside:supernet{seed = 1}, {input = {1, 3, 6, 6}}, 0
local p = open:probabilities('use')
for each in outside:each() do
  local own = outside:cost(each, nas.cost.multiply_adds, work)
  assert(own == outside:network(each):count{height = 6, width = 6}.multiply_adds, own)
  assert(open:at(each):cost(nas.cost.multiply_adds, work):item() == own, own)
  mean = mean + own * p[each.use == 'deep' and 1 or 2]
end
open:at(nil)
assert(math.abs(open:cost(nas.cost.multiply_adds, work):item() / mean - 1) < 1e-6)

-- What goes wrong says what to do.
fails('a call while a network is built', function() nas.choice('a', {'b'}) end)
fails('one name is one decision', function()
  nas.space(function() nas.choice('a', {'b', 'c'}) nas.choice('a', {'b', 'd'}) return nn.relu() end)
end)
fails("of the logits' shape", function() space:supernet{relax = {op = function(z) return z:narrow(1, 1, 1) end}}(x) end)
fails('hold 3 NaN', function() space:supernet{relax = {op = function(z) return z * (0 / 0) end}}(x) end)
fails("did you mean 'op'", function() space:supernet{relax = {opp = nas.softmax()}} end)
fails('the smallest parameters', function() mine:decode{budget = {cost = nas.cost.parameters, limit = 1, input = {1, 3, 6, 6}}} end)
fails('a known decision', function() mine:at(nas.space(function() nas.choice('x', {'b', 'c'}) return nn.relu() end):random{}) end)
local builds = 0
local moody = nas.space(function() builds = builds + 1 nas.choice('d' .. builds, {'b', 'c'}) return nn.relu() end)
fails('the same decisions each time', function() moody:supernet{} end)
local leak
local leaky = nas.space(function()
  local d = nas.choice('d', {'b', 'c'})
  return nn.lambda(function(x)
    local y = nas.when(d:weight(1), function() leak = x * 2 return leak end)
    return y + leak
  end)
end)
fails('inside of a region', function()
  local net = leaky:supernet{relax = {d = nas.gumbel{hard = true}}}
  trellis.compile(function(x) return net(x) end)(tensor.ones(2))
end)
