-- Derivatives.
local w = tensor.from({1, 2, 3}, {requires_grad = true})
local y = (w * w):sum()
same(y.requires_grad, true)
same(y.is_leaf, false)
same(w.is_leaf, true)
same(w.grad, nil)
y:backward()
same(w.grad, {2.0, 4.0, 6.0})
;(w * 2):sum():backward()
same(w.grad, {4.0, 6.0, 8.0})
w.grad = nil
same(w.grad, nil)
w.grad = tensor.ones(3)
same(w.grad, {1.0, 1.0, 1.0})
fails('a float32 tensor [3] or nil expected, got float32 [2]', function() w.grad = tensor.ones(2) end)
fails("bad value for field 'grad' (tensor expected, got number)", function() w.grad = 1 end)
w.grad = nil
;(w * 3):backward{gradient = tensor.from{1, 0, 2}}
same(w.grad, {3.0, 0.0, 6.0})
fails('reduce it to one number first', function() (w * 2):backward() end)
fails('requires a gradient; create one with {requires_grad = true}', function() tensor.ones(1):backward() end)

-- Of some inputs only, and of second order.
local a, b = tensor.from(2, {requires_grad = true}), tensor.from(5, {requires_grad = true})
local z = a ^ 3 * b
same(tensor.grad(z, a):item(), 60.0)
local both = tensor.grad(z, {a, b})
same({both[1]:item(), both[2]:item()}, {60.0, 8.0})
local first = tensor.grad(z, a, {create_graph = true})
same(tensor.grad(first, {a, b})[2]:item(), 12.0)
same(tensor.grad(a * 1, {b})[1]:item(), 0.0)
same(a.grad, nil)
z = a * b
z:backward{inputs = {b}}
same(a.grad, nil)
same(b.grad:item(), 2.0)
fails('tensors that require a gradient expected, got one of [1]', function() tensor.grad(z, tensor.ones(1)) end)
fails('shape [] expected, got [2]', function() tensor.grad(z, a, {gradient = tensor.ones(2)}) end)

-- Without history.
same(tensor.no_grad(function(p, q) return (p * q).requires_grad, 7, nil end, a, b), false)
same(select('#', tensor.no_grad(function() return 1, nil, nil end)), 3)
fails('own words', function() tensor.no_grad(function() error('own words') end) end)
same((a * b).requires_grad, true)
same(a:detach().requires_grad, false)
same(a:clone().requires_grad, true)
fails('only a leaf can be marked', function() (a * b):requires_grad_(false) end)
local plain = tensor.zeros(2)
plain.requires_grad = true
same((plain * 2).requires_grad, true)
fails('was changed in place', function()
  local p = tensor.ones(2, {requires_grad = true})
  local q = (p * p):sum()
  tensor.no_grad(function() p:fill(3) end)
  q:backward()
end)

-- A chain of 100,000 steps is followed and freed.
local long = w
for i = 1, 100000 do long = long + 1 end
w.grad = nil
long:sum():backward()
same(w.grad, {1.0, 1.0, 1.0})
long = nil

-- Files.
local x = tensor.randn(2, 3, {seed = 1})
for _, ending in ipairs{'npy', 'npz', 'safetensors'} do
  x:save('x.' .. ending)
  assert(tensor.load('x.' .. ending):equal(x), ending)
end
x:t():save('t.npy')
assert(tensor.load('t.npy'):equal(x:t()))
tensor.save('many.safetensors', {x = x, n = tensor.from({1, 2}, {dtype = 'int32'})}, {metadata = {author = 'me'}})
local many, metadata = tensor.load('many.safetensors')
assert(many.x:equal(x))
same(many.n.dtype, 'int32')
same(metadata.author, 'me')
fails('.npy, .npz or .safetensors', function() x:save('x.txt') end)
fails('absent.npy', function() tensor.load('absent.npy') end)
fails("'a' is a number", function() tensor.save('a.npz', {a = 1}) end)

-- Memory.
local before = tensor.memory().live
local big = tensor.zeros(1000)
same(tensor.memory().live - before, 4000)
big:free()
same(tensor.memory().live - before, 0)
fails('tensor used after free', function() return big + 1 end)
do
  local closed <close> = tensor.zeros(1000)
  same(tensor.memory().live - before, 4000)
end
same(tensor.memory().live - before, 0)
assert(tensor.memory().peak >= before + 4000)

-- Printing.
same(tostring(tensor.from(0.25)), 'tensor(0.250000)')
assert(tostring(tensor.zeros(2, 3)):find('tensor float32 [2, 3]', 1, true))
assert(#tostring(tensor.zeros(1000, 1000)) < 2000)

-- Dropped tensors are collected before they fill the memory.
tensor.memory{reset_peak = true}
for i = 1, 1000 do local dropped = tensor.zeros(1024, 1024) end
assert(tensor.memory().peak < 600e6, tensor.memory().peak)

-- Long rows are folded.
for line in (tostring(tensor.randn(3, 40, {seed = 1})) .. '\n' .. tostring(tensor.arange(100))):gmatch('[^\n]+') do
  assert(#line <= 80, line)
end
