-- What scripts drop is collected, also where Lua values and objects of the library hold each other. Each kind some hundred times: no bytes
-- of tensors, no objects and no Lua heap may be left.
local function measure()
  for i = 1, 3 do collectgarbage() end
  return {live = tensor.memory().live, objects = trellis.memory().objects, heap = collectgarbage('count') * 1024}
end

local function flat(name, rounds, round)
  rounds = math.max(rounds, tonumber(os.getenv('TRELLIS_ROUNDS') or 0))  -- to try more of each
  for i = 1, 30 do round(i) end
  local before = measure()
  for i = 1, rounds do
    round(i)
    -- Anchors alive at once make their tables grow for good: a bound on them shows what else grows.
    if i % 30 == 0 then collectgarbage() end
  end
  local after = measure()
  for what, most in pairs{live = 0, objects = 0, heap = 4096} do
    local more = after[what] - before[what]
    if more > most then error(('%s: %d rounds leave %d of %s'):format(name, rounds, more, what)) end
  end
end

-- A table that holds an object whose function captures the table.
flat('lambda', 300, function()
  local self = {w = tensor.zeros(100)}
  self.module = nn.lambda(function(x) return x + self.w end)
  self.module(self.w)
end)
flat('module', 300, function()
  local self = {w = tensor.zeros(100)}
  self.module = nn.module{
    linear = nn.linear(4, 4), sizes = {1, 2}, back = self, helper = function() return self end,
    forward = function(me, x) return me.linear(x) + me.back.module.sizes[1] end,
  }
  self.module(tensor.zeros(1, 4))
end)
flat('module inside modules', 300, function()
  local self = {w = tensor.zeros(100)}
  self.net = nn.sequential{nn.parallel{nn.sequential{nn.lambda(function(x) return x + (self.net and 1) end)}}, nn.relu()}
  self.net(tensor.zeros(1, 1, 2, 2))
end)
flat('module of which only a part is held', 300, function()
  local self = {w = tensor.zeros(100)}
  self.part = nn.sequential{nn.sequential{nn.lambda(function(x) return x + #self end)}}[1][1]
  self.part(self.w)
end)
flat('compiled function', 200, function()
  local self = {w = tensor.zeros(100)}
  self.step = trellis.compile(function(x) return x + self.w end)
  self.step(self.w)
end)
flat('compiled function that keeps what it makes', 200, function()
  local self = {w = tensor.zeros(100), list = {}}
  self.step = trellis.compile(function(x)
    self.h, self.made = x + self.w, {self, x * 2}
    self.list[#self.list + 1] = self.h
    return self.h
  end)
  self.step(self.w)
  self.step(self.w)
end)
flat('compiled function that gets and returns modules', 200, function()
  local self = {w = tensor.zeros(100)}
  self.module = nn.lambda(function(x) return x + self.w end)
  self.step = trellis.compile(function(m, x) return m(x), {m}, #self end)
  local y, list = self.step(self.module, self.w)
  assert(list[1] == self.module)
end)
flat('iterator over modules', 300, function()
  local self = {}
  self.net = nn.sequential{nn.lambda(function(x) return x + #self end), nn.relu()}
  self.next = self.net:children()
  assert(select(2, self.next())(tensor.zeros(1)))
end)
flat('iterators', 300, function()
  local self = {p = nn.linear(2, 2):parameters(), x = tensor.zeros(3)}
  for _, f in ipairs{pairs, ipairs} do self[f] = {f(self.p)}; self[f][1](table.unpack(self[f], 2)) end
  self.each = {ipairs(self.x)}
end)

-- Callbacks.
local set = data.shapes{images = 2, size = {16, 16}, classes = 3, seed = 1}
flat('fit, evaluate', 20, function()
  local self = {seen = 0}
  self.net = nn.sequential{nn.lambda(function(x) return x + #self end), nn.conv2d(3, 3, {kernel = 1})}
  self.each = function() self.seen = self.seen + 1 end
  self.history = self.net:fit(set, {steps = 2, batch = 2, every = 1, each = self.each, progress = false})
  self.result = self.net:evaluate(set, {each = self.each, progress = false})
  self.counts = metrics.evaluate(self.net, set, {each = self.each})
  assert(self.seen >= 4)
end)
flat('filters, profiles, masks', 100, function()
  local self = {}
  self.p = nn.linear(2, 2):parameters():filter(function(name) return self and name == 'bias' end)
  self.profile = trellis.profile(function() return self.p[1] + 1 end)
  self.space = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, arrows = function() return self and true end,
    cell = nas.cell{blocks = 1, operators = {'skip_connect'}}}
end)

-- Operators of scripts: the definition stays until the next one of that name, supernets and networks go.
flat('operators', 20, function()
  local self = {}
  nas.operator('cyclic', function(channels) return nn.lambda(function(x) return x * 1 + #self end) end)
  self.space = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {'cyclic', 'skip_connect'}}}
  self.supernet = self.space:supernet{classes = 3, seed = 1}
  self.supernet(tensor.zeros(1, 3, 8, 8))
  self.module = self.supernet.module
  self.network = self.space:random{seed = 1}:network{filters = 2, classes = 3}
  nas.operator('cyclic', function(channels) return nn.relu() end)
end)

flat('steps with an operator of a script', 10, function()
  local self = {}
  nas.operator('cyclic', function(channels) return nn.lambda(function(x) self.seen = x return x * 1 end) end)
  self.supernet = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {'cyclic', 'skip_connect'}}}:supernet{classes = 3, seed = 1}
  self.sgd = optim.sgd(self.supernet:weights(), {lr = 0.01})
  for i = 1, 2 do self.supernet:step(self.sgd, tensor.zeros(2, 3, 16, 16), tensor.zeros(2, 16, 16, {dtype = 'int32'})) end
  nas.operator('cyclic', function(channels) return nn.relu() end)
end)

-- What else a run makes.
flat('optimisers, loaders, tensors', 100, function()
  local self = {net = nn.linear(2, 2)}
  self.adam = optim.adam(self.net:parameters())
  self.rate = optim.warm_up{steps = 2, next = optim.constant(1)}
  self.net(tensor.ones(1, 2)):sum():backward()
  self.adam:step()
  self.adam:load_state(self.adam:state())
  self.net:load_state(self.net:state())
  self.loader = set:batches{size = 1, ahead = 1}
  self.pass = self.loader:pass()
  self.pass()
end)
flat('errors', 300, function()
  local self = {}
  self.module = nn.lambda(function(x) error(self) end)
  local ok, value = pcall(self.module, tensor.zeros(1))
  assert(value == self)
  self.step = trellis.compile(function(x) error(self) end)
  assert(select(2, pcall(self.step, tensor.zeros(1))) == self)
end)
flat('figures', 30, function()
  local self = {}
  self.figure = plot.line{1, 2, 3}
  self.text = tostring(self.figure)
end)
flat('progress', 100, function()
  local self = {}
  self.bar = progress.bar{total = 1000}
  self.bar:update(1, {what = function() return self end})
end)
flat('coroutines', 300, function()
  local self = {}
  self.co = coroutine.wrap(function()
    self.module = nn.lambda(function(x) return x + #self end)
    coroutine.yield(self.module(tensor.zeros(1)))
  end)
  self.co()
end)

-- What is about to die can be called by finalisers of scripts, and may come back to life as a value that is used up.
local called, back = 0
do
  local self = {w = tensor.ones(1)}
  self.net = nn.sequential{nn.lambda(function(x) return x + self.w end)}
  setmetatable(self, {__gc = function() called = self.net(self.w):item(); back = self.net end})
end
measure()
same(called, 2.0)
fails('module used after free', function() back(tensor.ones(1)) end)

-- What the library holds of Lua stays alive without any userdata: a network that only a supernet or a container has.
do
  local net
  do
    local shift = tensor.ones(1)
    local part = nn.lambda(function(x) return x + shift end)
    net = nn.sequential{nn.sequential{part}}
  end
  measure()
  same(net(tensor.ones(1)), {2.0})
  same(net[1][1](tensor.ones(1)), {2.0})
  local deep = net[1][1]
  net = nil
  measure()
  same(deep(tensor.ones(1)), {2.0})
end
