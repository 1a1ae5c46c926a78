-- Writes in place: what is seen where, and what would lose a history.
local w = tensor.from({1, 2, 3}, {requires_grad = true})
local z = tensor.zeros(3)
local lost = 'has a history (it requires a gradient), which a write in place would lose'
for _, write in ipairs{
  function() z:copy_(w * 2) end, function() z:copy(w * 2) end, function() z:add_(w) end, function() z:sub_(w) end, function() z:mul_(w) end, function() z:div_(w) end,
  function() z[1] = w:sum() end, function() z[{{1, 2}}] = w:narrow(1, 1, 2) end,
} do
  fails(lost, write)
  same(z, {0.0, 0.0, 0.0})
end
for _, write in ipairs{
  function() w:fill_(2) end, function() w:zero_() end, function() w:add_(1) end, function() w:copy_(z) end, function() w[1] = 0 end,
} do
  fails('a tensor that requires a gradient cannot be written in place', write)
  same(w, {1.0, 2.0, 3.0})
end
tensor.no_grad(function()
  z:copy_(w * 2)
  w:mul_(2)
end)
same(z, {2.0, 4.0, 6.0})
same(w, {2.0, 4.0, 6.0})
z:copy_((w * 3):detach())
same(z, {6.0, 12.0, 18.0})

-- Several elements that are one number in memory.
for _, write in ipairs{
  function(x) x:fill_(1) end, function(x) x:copy_(tensor.ones(2, 3)) end, function(x) x:add_(1) end, function(x) x:zero_() end,
} do fails('are one number in memory', function() write(tensor.zeros(1, 3):expand(2, 3)) end) end
local column = tensor.zeros(2, 1)
column:expand(2, 1):fill_(1)
same(column, {{1.0}, {1.0}})

-- A view sees what is written, a copy does not. What is a view does not depend on how the elements lie.
local m = tensor.arange(6):reshape(2, 3)
local views = {m:t(), m:t():t(), m:narrow(2, 2, 2), m[1], m:view(6), m:flatten(), m:unsqueeze(1), m:t():unsqueeze(1):squeeze(1), m:detach(), m:expand(2, 3), m:slice(2, 1, 3, 2)}
local copies = {m:clone(), m:t():reshape(6), m:t():contiguous(), m * 1, m:flip(1), nn.functional.resize(m:reshape(1, 1, 2, 3), {size = {2, 3}})}
m:fill_(9)
for i, x in ipairs(views) do assert(x:eq(9):all(), 'view ' .. i) end
for i, x in ipairs(copies) do assert(not x:eq(9):any(), 'copy ' .. i) end
fails('do not lie in one piece', function() return m:t():view(6) end)

-- A source and a target that overlap.
local line = tensor.arange(5)
line:narrow(1, 2, 4):copy_(line:narrow(1, 1, 4))
same(line, {0.0, 0.0, 1.0, 2.0, 3.0})

-- Derivatives of values that were overwritten.
local function overwritten(change)
  local leaf = tensor.from({1, 2}, {requires_grad = true})
  local h = leaf * 2
  local y = (h * h):sum()
  tensor.no_grad(function() change(h, leaf) end)
  y:backward()
  return leaf.grad
end
same(overwritten(function() end), {8.0, 16.0})
for _, change in ipairs{
  function(h) h:fill_(3) end, function(h) h[1] = 3 end, function(h) h:detach():add_(1) end, function(h) h:narrow(1, 1, 1):zero_() end, function(h) h:view(1, 2):zero_() end,
} do fails('a value that the derivative of mul needs was changed in place after it was used', function() overwritten(change) end) end
-- What the derivative does not need may go.
same(overwritten(function(_, leaf) leaf:fill_(7) end), {8.0, 16.0})
