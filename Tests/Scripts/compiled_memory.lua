-- Writes in place, frozen parameters, gradients that somebody holds: compiled as it is without.
local function pair(...) return tensor.from({...}) end

-- A captured tensor is read after it was written, also through views of before and of inside.
local sum = tensor.zeros(2)
local add = trellis.compile(function(x) sum:add_(x); return sum * 1, sum end)
for i = 1, 3 do
  local copy, itself = add(tensor.ones(2))
  same(copy, {i + 0.0, i + 0.0})
  assert(rawequal(itself, sum) or itself == sum)
end
local all = tensor.zeros(4)
local middle = all[{{2, 3}}]
local f = trellis.compile(function(x)
  local old, square = all * 1, all:reshape(2, 2)
  middle:add_(x)
  all[1] = 7
  square[2][2] = x:sum()
  return old, square * 1, middle * 2, all:sum()
end)
for i = 1, 2 do
  local old, square, double, total = f(tensor.ones(2))
  same(old, i == 1 and {0.0, 0.0, 0.0, 0.0} or {7.0, 1.0, 1.0, 2.0})
  same(square, {{7.0, i + 0.0}, {i + 0.0, 2.0}})
  same(double, {2.0 * i, 2.0 * i})
  same(total, 7.0 + 2 * i + 2.0)
end
same(all, {7.0, 2.0, 2.0, 2.0})

-- Exchange, and what is made inside.
local a, b = pair(1, 1), pair(5, 5)
local swap = trellis.compile(function() local t = a:clone(); a:copy_(b); b:copy_(t) end)
swap()
same({a[1], b[1]}, {5.0, 1.0})
swap()
same({a[1], b[1]}, {1.0, 5.0})
local fresh = trellis.compile(function(x)
  local t = tensor.zeros(3)
  for i = 1, 3 do t[i] = x:sum() * i end
  t[t:gt(4)] = 0
  return t, t
end)
for i = 1, 2 do same(fresh(pair(1, 1)), {2.0, 4.0, 0.0}) end

-- Computed values and arguments may be written, too.
local g = trellis.compile(function(x)
  local y = x * 2
  local z = y[{{1, 1}}]
  y:add_(1)
  x:mul_(10)
  return y, z, x + 0
end)
for i = 1, 2 do
  local x = pair(1, 2)
  local y, z, w = g(x)
  same({y, z, w, x}, {pair(3, 5), pair(3), pair(10, 20), pair(10, 20)})
end
fails('shares memory', function() local x = pair(1, 2); return trellis.compile(function(u, v) u:add_(v); return v * 1 end)(x, x) end)
fails('computed a second time', function() trellis.compile(function(x) local u, v = x * 2, x * 2; u:add_(1); return v end)(pair(1, 2)) end)
fails('expanded tensor', function() tensor.zeros(1):expand(3):add_(1) end)

-- Numbers of a captured tensor that the function looks at.
local switch = tensor.zeros(1)
local looks = trellis.compile(function(x) if switch:item() > 0 then return x * 2 end return x end)
same(looks(pair(1, 1)), {1.0, 1.0})
switch[1] = 1
same(looks(pair(1, 1)), {2.0, 2.0})
local positions = tensor.from({1, 2}, {dtype = 'int32'})
local picks = trellis.compile(function(x) return x:index_select(1, positions) end)
same(picks(pair(3, 4)), {3.0, 4.0})
positions[1] = 2
same(picks(pair(3, 4)), {4.0, 4.0})
fails('is not known while it is compiled', function()
  trellis.compile(function(x) switch:add_(x); return x * switch:item() end)(tensor.ones(1))
end)

-- Frozen and thawed.
local w, v = tensor.from({1, 2}, {requires_grad = true}), tensor.from({3, 4}, {requires_grad = true})
local sgd = optim.sgd({w, v}, {lr = 0.1})
local step = trellis.compile(function(x) sgd:zero_grad(); local l = (w * v * x):sum(); l:backward(); sgd:step(); return l end)
step(tensor.ones(2))
local before = v:clone():detach()
v:requires_grad_(false)
step(tensor.ones(2))
assert(v:equal(before))
v.requires_grad = true
step(tensor.ones(2))
assert(not v:equal(before))

-- Gradients: added to, forgotten also where the function brings none, read inside, held outside.
local u = tensor.from({1, 2}, {requires_grad = true})
local other = tensor.ones(2, {requires_grad = true})
local back = trellis.compile(function(x) (u * x):sum():backward() end)
back(pair(1, 1))
back(pair(2, 2))
same(u.grad, {3.0, 3.0})
local held = u.grad
local part = held[{{1, 1}}]
back(pair(1, 1))
same({held, part, u.grad}, {pair(3, 3), pair(3), pair(4, 4)})
local both = optim.sgd({u, other}, {lr = 1})
other.grad = pair(9, 9)
local turn = trellis.compile(function(x) both:zero_grad(); (u * x):sum():backward(); both:step() end)
turn(pair(1, 1))
same({u, other, u.grad}, {pair(0, 1), pair(1, 1), pair(1, 1)})
same(other.grad, nil)
local first = u.grad
turn(pair(5, 5))
same({first, u.grad}, {pair(1, 1), pair(5, 5)})
local by_hand = trellis.compile(function(x)
  u.grad = nil
  local loss = (u * u * x):sum()
  loss:backward()
  u.grad:mul_(0.5)
  trellis.no_grad(function() u:sub_(u.grad * 0.1) end)
  return loss, u.grad
end)
local plain = pair(1, 2)
trellis.no_grad(function() u:copy_(plain) end)
for i = 1, 3 do
  local loss, grad = by_hand(pair(1, 1))
  near(loss, plain:square():sum(), 1e-4)
  assert(grad:allclose(plain, {atol = 1e-5}))
  plain = plain - plain * 0.1
  assert(u:detach():allclose(plain, {atol = 1e-5}))
end
-- Two leaves, one derivative: each has its own.
local p, q = tensor.ones(2, {requires_grad = true}), tensor.ones(2, {requires_grad = true})
local seed = pair(1, 2);
(p + q):backward{gradient = seed}
p.grad:mul_(0)
same({p.grad, q.grad, seed}, {pair(0, 0), pair(1, 2), pair(1, 2)})

-- Memory that is given back.
local gone = tensor.ones(2)
local uses = trellis.compile(function(x) return x + gone end)
uses(pair(1, 1))
gone:free()
fails('after free', function() uses(pair(1, 1)) end)

-- Arguments that require a gradient: derivatives flow, without a plan.
local k = tensor.from({2}, {requires_grad = true})
local double = trellis.compile(function(x) return x * 2 end)
double(k):sum():backward()
same(k.grad, {2.0})

-- A gradient that is written in place, before and between derivatives.
local function momentum(compile)
  local w, u = tensor.from({1, 2}, {requires_grad = true}), tensor.ones(2)
  local f = compile(function(x)
    if w.grad then w.grad:mul_(0.5) end
    (w * u):sum():backward()
    if x:dim() == 1 then w.grad:mul_(0.5) end
    (w * w):sum():backward()
    return x * 1
  end)
  for i = 1, 3 do f(tensor.ones(1)) end
  return w.grad:to_table()
end
same(momentum(trellis.compile), momentum(function(f) return f end))

-- An argument that is written may not be a tensor that the function captured.
do
  local w = tensor.ones(2)
  local f = trellis.compile(function(a) a:add_(1) return w * 1 end)
  same(f(tensor.zeros(2)), {1.0, 1.0})
  fails("shares memory with a tensor", function() f(w) end)
  same(w, {1.0, 1.0})
end

-- Numbers that a run is yet to write cannot be read, saved or printed.
do
  local w = tensor.ones(2, {requires_grad = true})
  local sgd = optim.sgd({w}, {lr = 0.5})
  local net = nn.linear(2, 2)
  local adam = optim.adam(net:parameters())
  local unknown = "has written into a tensor is not known"
  for _, read in ipairs{
    function(v) v:save("w.npy") end, function(v) checkpoint.save("w.safetensors", {v = v}) end, function(v) return v:item() end, function(v) return v:to_table() end,
    function(v) return v[1] end, function(v) plot.line(v) end,
  } do
    local v = tensor.ones(1)
    fails(unknown, function() trellis.compile(function(x) v:add_(x) read(v) return x end)(tensor.ones(1)) end)
    same(v, {1.0})
  end
  local v = tensor.ones(1)
  local text
  trellis.compile(function(x) v:add_(x) text = tostring(v) return x end)(tensor.ones(1))
  assert(text:find("written by a compiled function"), text)
  for _, read in ipairs{
    function() net:save("n.safetensors") end, function() adam:save("o.safetensors") end, function() checkpoint.save("c.safetensors", {adam, net}) end, function() return adam:state() end,
    function() return adam.steps end, function() return adam.gradient_norm end, function() return net:evaluate(1) end, function() return net.weight * 1 end, function() return net.weight:to_table() end,
  } do
    fails("", function()
      trellis.compile(function(x)
        net(x):sum():backward()
        adam:step()
        read()
        return x
      end)(tensor.ones(1, 2))
    end)
  end
end

-- Marks that the function sets are set each time.
do
  local w = tensor.ones(1, {requires_grad = true})
  local f = trellis.compile(function(x)
    local y = (w * x):sum()
    y:backward()
    w:requires_grad_(false)
    return x
  end)
  for i = 1, 3 do
    w:requires_grad_(true)
    f(tensor.ones(1))
    same(w.requires_grad, false)
  end
  same(w.grad, {3.0})
  local drop = nn.drop_path(0.5)
  fails("advance cannot be called in a compiled function", function() trellis.compile(function(x) drop:advance(0) return drop(x) end)(tensor.ones(2, 1)) end)
end
