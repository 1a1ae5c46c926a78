-- A compiled function gives what the function gives, whatever of the world it reads or writes besides tensors: Lua's upvalues, fields and globals,
-- chance, modes, properties, what it keeps outside.
local one = tensor.ones(1)
local function value(f, x) return f(x or one):item() end
--- How often it was recorded; at each call on a Lua whose code cannot be followed (TraceTests says which).
local function recorded(f, n) if not unlike then same(f:plan().recordings, n) end end

-- Upvalues; a plan is used again where its values are back.
local tau = 2
local f = trellis.compile(function(x) return x * tau end)
same(value(f), 2.0)
tau = 5
same(value(f), 5.0)
tau = 2
same(value(f), 2.0)
recorded(f, 2)
tau = 2.0   -- another number for Lua: it prints differently
same(value(f), 2.0)
recorded(f, 3)

-- Fields of tables, of their metatables, elements, lengths; what the function does not read does not matter.
local Scale = {}
Scale.__index = Scale
function Scale:apply(x) return x * self.tau + self.list[self.i] + #self.list end
local object = setmetatable({tau = 3, list = {1, 2}, i = 1, steps = 0}, Scale)
local g = trellis.compile(function(x) return object:apply(x) end)
same(value(g), 6.0)
object.tau = 7
same(value(g), 10.0)
object.i = 2
same(value(g), 11.0)
object.list[2] = 10
same(value(g), 19.0)
object.list[3] = 0
same(value(g), 20.0)
local before = g:plan().recordings
for i = 1, 5 do
  object.steps = object.steps + 1
  value(g)
end
recorded(g, before)
function Scale:apply(x) return x - self.tau end
same(value(g), -6.0)

-- Globals, functions among them; branches.
TAU = 2
function helper(x) return x + 1 end
local h = trellis.compile(function(x)
  if TAU > 3 then return x - TAU end
  return helper(x) * TAU
end)
same(value(h), 4.0)
TAU = 4
same(value(h), -3.0)
TAU = 2
function helper(x) return x + 2 end
same(value(h), 6.0)
TAU, helper = nil, nil

-- All of a table, by pairs or as an argument.
local weights = {a = 1, b = 2}
local p = trellis.compile(function(x)
  local sum = 0
  for _, w in pairs(weights) do sum = sum + w end
  return x * sum
end)
same(value(p), 3.0)
weights.c = 4
same(value(p), 7.0)
weights.a = nil
same(value(p), 6.0)
local shape = {1, 2}
local q = trellis.compile(function(x) return x:reshape(shape) end)
same(q(tensor.ones(2)).shape, {1, 2})
shape[1], shape[2] = 2, 1
same(q(tensor.ones(2)).shape, {2, 1})

-- Functions made inside read the same upvalues; so do modules of Lua.
local deep = 1
local d = trellis.compile(function(x)
  local function inner() return deep end
  return x * inner()
end)
same(value(d), 1.0)
deep = 9
same(value(d), 9.0)
local gain = 2
local network = nn.sequential{nn.lambda(function(x) return x * gain end)}
local m = trellis.compile(function(x) return network(x) end)
same(value(m), 2.0)
gain = 3
same(value(m), 3.0)

-- A function that counts is recorded at each call, and so right.
local count = 0
local c = trellis.compile(function(x)
  count = count + 1
  return x * count
end)
for i = 1, 5 do same(value(c), i + 0.0) end
same(count, 5)

-- Chance: numbers of Lua and of tensors, permutations, layers made inside.
local r = trellis.compile(function(x) return x * math.random() end)
assert(value(r) ~= value(r))
local e = trellis.compile(function(x) return x:gather(1, tensor.permutation(64)) end)
local x = tensor.arange(64)
assert(not e(x):equal(e(x)))
recorded(e, 1)
local l = trellis.compile(function(y) return nn.linear(1, 1)(y:reshape(1, 1)) end)
assert(value(l) ~= value(l))
--- The stream of random numbers goes on as it does without a plan, whatever is used of it.
local function draws(compile)
  tensor.manual_seed(7)
  local draw = compile(function(a)
    local unused = tensor.rand(3)
    local order = tensor.permutation(5)
    local noise = tensor.randn(5)
    return (a + noise):gather(1, order), tensor.rand(2), tensor.randint(1, 100, 3)
  end)
  local all = {}
  for i = 1, 3 do for _, t in ipairs{draw(tensor.zeros(5))} do all[#all + 1] = t:float() end end
  all[#all + 1] = tensor.rand(2)
  return tensor.concat(all, 1)
end
assert(draws(trellis.compile):equal(draws(function(f) return f end)))
fails('manual_seed', function() trellis.compile(function() tensor.manual_seed(1) return one end)() end)

-- What the function keeps outside: tensors with the numbers of each run, other values as they were; tensors that it makes and keeps.
-- (Where code cannot be followed those stay unknown: reading them is an error.)
if not unlike then
  local state, last, list = {}, nil, {}
  local w = trellis.compile(function(a)
    state.h, state.n, last, state.t = a * 2, 5, a + 1, {a = a * 3}
    list[#list + 1] = a * 4
    table.insert(list, a * 5)
    return a
  end)
  for i = 1, 3 do
    state.n = 0
    w(one * i)
    same({state.h:item(), state.n, last:item(), state.t.a:item()}, {2.0 * i, 5, i + 1.0, 3.0 * i})
  end
  same({#list, list[1]:item(), list[2]:item(), list[5]:item(), list[6]:item()}, {6, 4.0, 5.0, 12.0, 15.0})
end
local cache
local z = trellis.compile(function(a)
  cache = cache or tensor.zeros(1)
  cache:add_(a)
  return cache * 1
end)
for i = 1, 4 do same(value(z), i + 0.0) end
same(cache:item(), 4.0)

-- Modes: switched outside, switched by the function itself.
local norm = nn.batch_norm(1)
local b = trellis.compile(function(a) return norm(a) end)
local spread = tensor.from{{1}, {3}}
near(b(spread)[1][1], -1.0, 1e-4)
norm:eval()
assert(math.abs(b(spread)[1][1]) < 1)
norm:train()
near(b(spread)[1][1], -1.0, 1e-4)
local s = trellis.compile(function(a)
  norm:eval()
  local y = norm(a)
  norm:train()
  return y
end)
for i = 1, 3 do
  s(spread)
  assert(norm.training)
end
recorded(s, 1)

-- Properties of the host's objects, and settings.
local v = tensor.ones(1, {requires_grad = true})
local sgd = optim.sgd({v}, {lr = 0.5})
local o = trellis.compile(function(a) return a * sgd.lr end)
same(value(o), 0.5)
sgd.lr = 0.25
same(value(o), 0.25)
local step = trellis.compile(function(a)
  local loss = (v * a):sum()
  loss:backward()
  sgd:step()
  sgd:zero_grad()
  return loss
end)
step(one)
sgd.lr = 1
step(one)
near(v, 1 - 0.25 - 1)
same(v.grad, nil)
fails("cannot be set in a compiled function after an optimiser's step", function()
  trellis.compile(function(a) (v * a):sum():backward(); sgd:step(); sgd.lr = 2; return a end)(one)
end)
