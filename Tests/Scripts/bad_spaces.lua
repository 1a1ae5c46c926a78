-- What goes wrong with spaces of decisions says what was expected and what to do.
local function small(options, extra)
  return nas.space(function(c)
    local op = nas.choice('op', options or {'none', 'skip_connect', 'sep_conv_3x3'})
    if extra then extra(op) end
    local net = {mixed = nas.mix(op, function(name) return nas.parts.operator(name, 3) end), head = nn.conv2d(3, c.classes, {kernel = 1})}
    function net.forward(self, x) return self.head(self.mixed(x)) end
    return nn.module(net, {name = 'small'})
  end, {classes = 2})
end
local space = small()
local x, y = tensor.rand(1, 3, 6, 6, {seed = 1}), tensor.zeros(1, 6, 6, {dtype = 'int32'})
local function weights(net) return optim.sgd(net:weights(), {lr = 0.1}) end

-- A decision outside of a build: of every kind, also in a forward function, which runs when the build is over.
local outside = {
  function() nas.choice('a', {'b', 'c'}) end, function() nas.subset('a', {'b', 'c'}) end, function() nas.number('a', 1, 2) end, function() nas.branches('a', {'b', 'c'}, {'d'}) end,
  function() nas.paths('a', {layers = 2, states = {4, 8}}) end,
}
for _, f in ipairs(outside) do fails("make decisions in the function that you give to nas.space", f) end
local late = nas.space(function() nas.choice('a', {'b', 'c'}) return nn.lambda(function(x) nas.choice('b', {'b', 'c'}) return x end) end)
fails('make decisions in the function', function() late:supernet{}(x) end)

-- Two domains for one name: both places are named.
fails('bad_spaces.lua:', function() small({'skip_connect', 'sep_conv_3x3'}, function() nas.choice('op', {'skip_connect', 'max_pool_3x3'}) end) end)
fails('one name is one decision', function() small({'skip_connect', 'sep_conv_3x3'}, function() nas.subset('op', {'skip_connect', 'sep_conv_3x3'}) end) end)

-- A relaxation of another shape, of another type, or that is NaN: at once, in a step, and at the second one.
fails("of the logits' shape: decision 'op' has float32 [3], got float32 [1]", function() space:supernet{relax = {op = function(z) return z:narrow(1, 1, 1) end}}(x) end)
fails("of the logits' shape", function() space:supernet{relax = {op = function(z) return z:int() end}}(x) end)
fails("probabilities of the logits' shape", function() space:supernet{relax = {op = function(z) return z, z:narrow(1, 1, 1) end}}(x) end)
fails('must return a tensor of weights', function() space:supernet{relax = {op = function() end}}(x) end)
local function nan(z) return z:softmax(1) * (0 / 0) end
fails("the weights of decision 'op' hold 3 NaN", function() space:supernet{relax = {op = nan}}(x) end)
for _, other in ipairs{function(z) return z:narrow(1, 1, 1) end, nan} do
  local net = space:supernet{relax = {op = other}}
  local before = net:state()
  fails(other == nan and 'the loss is nan' or "of the logits' shape", function() net:step(weights(net), x, y) end)
  for name, tensor in pairs(net:state()) do assert(tensor:equal(before[name]), name) end
end
fails('a number above 0', function() nas.softmax{temperature = 0} end)
fails('both fit', function() space:supernet{relax = {['o*'] = nas.softmax(), ['*p'] = nas.softmax()}}(x) end)

-- A region read from outside, and a value of a region that a plan is asked for.
local leak
local leaky = nas.space(function()
  local d = nas.choice('d', {'b', 'c'})
  return nn.lambda(function(x)
    local y = nas.when(d:weight(1), function() leak = x * 2 return leak end)
    return leaks_inside and y + leak or y
  end)
end)
for _, relax in ipairs{nas.gumbel{hard = true}, nas.sparsemax()} do
  local net = leaky:supernet{relax = {d = relax}}
  leaks_inside = true
  fails("inside of a region (`when`)", function() trellis.compile(function(x) return net(x) end)(tensor.ones(2)) end)
  fails('only the result of `when` may be read', function() net:scores(tensor.ones(2)) end)
  leaks_inside = false
  fails('return the value from its function', function() trellis.compile(function(x) net(x) return leak end)(tensor.ones(2)) end)
end
leaks_inside = nil

-- Builds that are not repeatable: other names, other domains, another order is the same space.
local builds = 0
local function moody(make)
  builds = 0
  return nas.space(function() builds = builds + 1 make(builds) return nn.relu() end)
end
fails('the same decisions each time', function() moody(function(n) nas.choice('d' .. n, {'b', 'c'}) end):supernet{} end)
fails('the same decisions each time', function() moody(function(n) nas.number('d', 1, n + 1) end):supernet{} end)
fails('the same decisions each time', function() moody(function(n) if n == 1 then nas.choice('d', {'b', 'c'}) end end):supernet{} end)
local grown = moody(function(n) nas.choice('d', {'b', 'c'}) if n > 1 then nas.choice('e', {'b', 'c'}) end end)
fails('the same decisions each time', function() grown:network(grown:random{seed = 1}) end)

-- An architecture of another space, wherever one is taken.
local other = small({'skip_connect', 'max_pool_3x3'})
local net, foreign = space:supernet{seed = 1}, nas.space(function() nas.choice('x', {'b', 'c'}) return nn.relu() end):random{seed = 1}
local mine = space:random{seed = 1}
for name, f in pairs{
  at = function(a) net:at(a) end, network = function(a) space:network(a) end, cost = function(a) space:cost(a, nas.cost.parameters) end, mutate = function(a) space:mutate(a) end,
  cross = function(a) space:cross(mine, a) end, neighbours = function(a) space:neighbours(a) end, encode = function(a) space:encode(a) end, distance = function(a) space:distance(mine, a) end,
} do
  local fine, message = pcall(f, foreign)
  assert(not fine and tostring(message):find("'x'", 1, true) or tostring(message):find('op', 1, true), name .. ': ' .. tostring(message))
end
local file = os.tmpname()
other:random{seed = 1}:save(file)
fails('an architecture of another space', function() space:load(file) end)
os.remove(file)
fails("did you mean 'op'", function() space:fix{opp = 'skip_connect'} end)
fails('skip_connect', function() space:fix{op = 'skip'} end)

-- A budget that nothing meets says how close it comes: in the same numbers as the limit and space:cost.
local work = {cost = nas.cost.parameters, limit = 1}
local least = math.huge
for a in space:each() do least = math.min(least, space:cost(a, nas.cost.parameters)) end
fails(('at least %d, the smallest parameters'):format(least), function() net:decode{budget = work} end)
local dear = space:fix{op = 'sep_conv_3x3'}
local price = space:cost(dear:random{}, nas.cost.parameters)
fails(('at least %d, the smallest cost that can be reached'):format(price), function() net:decode{within = dear, budget = {cost = nas.cost.parameters, limit = price - 1}} end)
fails(('got %d'):format(price - 1), function() net:decode{within = dear, budget = {cost = nas.cost.parameters, limit = price - 1}} end)
local exact = net:decode{count = 9, within = dear, budget = {cost = nas.cost.parameters, limit = price}}
same({#exact, exact[1].cost}, {1, price + 0.0})
fails('which it refused', function() net:decode{within = space:where(function() return false end)} end)
fails('{cost = nas.cost.multiply_adds', function() net:decode{budget = {limit = 3}} end)
fails('the shape of the input', function() net:decode{budget = {cost = nas.cost.multiply_adds, limit = 3}} end)
