-- Operations that run at once, by operation and by module.
local net = nn.sequential{
  nn.sequential{nn.conv2d(3, 8, {kernel = 3, padding = 1}), nn.batch_norm(8), nn.relu()},
  nn.sequential{nn.conv2d(8, 4, {kernel = 3, padding = 1}), nn.batch_norm(4), nn.relu()},
  nn.conv2d(4, 2, {kernel = 1}),
}:eval()
local x = tensor.randn(1, 3, 16, 16, {seed = 1})
local p = trellis.profile(function() for i = 1, 5 do net(x) end end)
same(p.runs, 0)
same(p.calls, 35)
assert(p.seconds > 0 and p.elapsed >= p.seconds)
local function of(rows, name)
  for _, row in ipairs(rows) do if row.name == name then return row end end
  error('there is no ' .. name)
end
local conv = of(p:operations(), 'conv2d')
same(conv.calls, 15)
same(conv.multiply_adds, 5 * 16 * 16 * (27 * 8 + 72 * 4 + 4 * 2))
assert(conv.gflops > 0)
same(of(p:operations(), 'batch_norm').gflops, nil)
local share = 0
for _, row in ipairs(p:operations()) do share = share + row.share end
near(share, 1)
same(of(p:modules{merge = false}, '2.1').calls, 5)
same(of(p:modules(), '*.*').calls, 30)
same(of(p:modules(), '*').calls, 5)

-- Plans, kernel by kernel: norms and ReLUs belong to the convolutions.
local function classes(x) return trellis.no_grad(function() return net(x) end) end
local f = trellis.compile(classes)
f(x)
local q = trellis.profile(function() f(x); f(x) end)
same(q.runs, 2)
same(of(q:operations(), 'conv2d (fused)').calls, 4)
same(of(q:operations(), 'conv2d').calls, 2)
same(of(q:modules{merge = false}, '1.1').multiply_adds, 2 * 16 * 16 * 27 * 8)

-- One within another: the outer one knows all.
local inner
local outer = trellis.profile(function()
  net(x)
  inner = trellis.profile(function() net(x) end)
end)
same(inner.calls, 7)
same(outer.calls, 14)

-- Optimisers and derivatives have a place too.
net:train()
local sgd = optim.sgd(net:parameters(), {lr = 0.1})
local step = trellis.compile(function(x)
  local loss = net(x):pow(2):mean()
  sgd:zero_grad(); loss:backward(); sgd:step()
  return loss
end)
step(x)
local r = trellis.profile(function() step(x) end)
same(of(r:operations(), 'optimiser').calls, 1)
assert(of(r:modules{merge = false}, '2.1').multiply_adds >= 3 * 16 * 16 * 72 * 4)

-- Nothing ran; what is no function; errors pass and leave nothing behind.
same(tostring(trellis.profile(function() end)), 'no tensor operation was run')
fails('function expected', function() trellis.profile(1) end)
fails('boom', function() trellis.profile(function() net(x); error('boom') end) end)
fails('0 or more expected', function() p:modules{depth = -1} end)

-- As text and as a picture.
assert(tostring(p):find('module, whatever its numbers', 1, true) and tostring(p):find('GFLOP/s', 1, true))
assert(tostring(q):find('2 plan runs', 1, true))
assert(p:figure{title = 'a network', rows = 2}:svg():find('by operation', 1, true))
fails('1 to 200 expected', function() p:figure{rows = 0} end)
