-- A compiled function gives what the function gives.
local function f(x, k) return (x * k):relu():sum(2) + 1 end
local g = trellis.compile(f)
local x = tensor.randn(4, 5, {seed = 1})
assert(g(x, 2):equal(f(x, 2)))
assert(g(x, 2):equal(f(x, 2)))
assert(g(x, 3):equal(f(x, 3)))
same(g:plan().plans, 2)
assert(g(tensor.ones(2, 2), 2):equal(f(tensor.ones(2, 2), 2)))
same(g:plan().plans, 3)
assert(tostring(g):find('3 plans'))
assert(g:plan().kernels <= 3)
assert(g:describe():find('kernel'))
fails('nothing is compiled yet', function() trellis.compile(f):plan() end)

-- The Lua function runs once for each kind of arguments.
local counted = trellis.compile(function(a) return a + 1 end)
for i = 1, 5 do counted(tensor.full(3, i)) end
same(counted:plan().recordings, 1)
same(counted(tensor.full(3, 9)), {10.0, 10.0, 10.0})

-- Tables, several results, plain values.
local many = trellis.compile(function(batch, mode) return {sum = batch.a + batch[1], n = 2}, batch.a * 2, mode end)
local result, twice, mode = many({tensor.ones(2), a = tensor.full(2, 3)}, 'fast')
same(result.sum, {4.0, 4.0})
same(result.n, 2)
same(twice, {6.0, 6.0})
same(mode, 'fast')

-- A training step: the same numbers as without a plan, bit for bit or nearly.
local function train(compiled)
  tensor.manual_seed(5)
  local net = nn.sequential{nn.conv2d(3, 4, {kernel = 3, padding = 1}), nn.batch_norm(4), nn.relu(), nn.conv2d(4, 2, {kernel = 1})}
  local sgd = optim.sgd(net:parameters(), {lr = 0.1, momentum = 0.9})
  local function step(images, labels)
    local loss = nn.cross_entropy(net(images), labels)
    sgd:zero_grad(); loss:backward(); sgd:step()
    return loss
  end
  if compiled then step = trellis.compile(step) end
  local images, labels = tensor.randn(2, 3, 6, 6, {seed = 1}), tensor.randint(0, 1, {2, 6, 6}, {seed = 2})
  local losses = {}
  for i = 1, 10 do
    sgd.lr = 0.1 / i
    losses[i] = step(images, labels):item()
  end
  return losses, net, sgd
end
local plain, plain_net = train(false)
local fast, fast_net, sgd = train(true)
for i = 1, 10 do near(fast[i], plain[i], 1e-5) end
assert(fast_net[2]:buffers().running_mean:allclose(plain_net[2]:buffers().running_mean, {atol = 1e-5}))
same(sgd.steps, 10)
assert(fast[10] < fast[1])

-- Random numbers are new at each run; modes make recordings of their own.
local drop = nn.dropout(0.5)
local noisy = trellis.compile(function(a) return drop(a) end)
local ones = tensor.ones(100)
assert(not noisy(ones):equal(noisy(ones)))
drop:eval()
assert(noisy(ones):equal(ones))
drop:train()
assert(not noisy(ones):equal(ones))

-- What cannot be compiled says so, with the user's lines.
fails('is not known while a function is being compiled', function() trellis.compile(function(a) return a:sum():item() end)(ones) end)
fails('compiled.lua:70', function()
  trellis.compile(function(a)
    return a + tensor.ones(7)
  end)(ones)
end)
fails('own words', function() trellis.compile(function() error('own words') end)(ones) end)
fails('function cannot be an argument', function() g(print) end)
fails('returned a function', function() trellis.compile(function() return print end)(ones) end)
same(trellis.compile(function(a) return counted(a) * 2 end)(tensor.ones(1)), {4.0})
assert(g(x, 2):equal(f(x, 2)))

-- Without history.
local w = tensor.ones(2, {requires_grad = true})
local h = trellis.compile(function(a) return a * w end)
same(trellis.no_grad(function() return h(tensor.ones(2)) end), {1.0, 1.0})
-- With history the result looks as that of the function itself, but nothing can be differentiated through it.
same(h(tensor.ones(2)).requires_grad, true)
fails('has no history outside of it', function() h(tensor.ones(2)):sum():backward() end)
fails('has no history outside of it', function() (h(tensor.ones(2)) + w):sum():backward() end)

-- Captured tensors are read at each run.
local scale = tensor.ones(1)
local scaled = trellis.compile(function(a) return a * scale end)
same(scaled(tensor.ones(2)), {1.0, 1.0})
scale[1] = 5
same(scaled(tensor.ones(2)), {5.0, 5.0})

-- Threads.
local before = trellis.threads()
trellis.threads(1)
local one = f(x, 2)
trellis.threads(2)
assert(one:equal(f(x, 2)))
trellis.threads(before)
fails('1 to 256 threads expected, got 0', function() trellis.threads(0) end)

-- Whatever can be called can be called without history.
same(trellis.no_grad(trellis.compile(function(x) return x * 2 end), tensor.ones(1)), {2.0})
same(trellis.no_grad(nn.relu(), tensor.from{-1, 2}), {0.0, 2.0})
fails('attempt to call a number value', function() tensor.no_grad(3) end)
