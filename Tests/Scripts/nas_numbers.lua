-- nas.sum and nas.price.
local a, b = tensor.from{1, 2}, tensor.from{10, 20}
same(nas.sum{a, b}, {11.0, 22.0})
same(nas.sum{[7] = b, [2] = a, [100] = false}, {11.0, 22.0})
same(nas.sum({nil, a, nil, b, false}), {11.0, 22.0})
same(nas.sum{}, nil)
same(nas.sum{nil, false}, nil)
same(nas.sum{1, 2.5, false}, 3.5)
same(nas.sum{a, 1}, {2.0, 3.0})
assert(nas.sum{a} == a or nas.sum{a}:equal(a))
same(nas.sum{tensor.ones(2, 1), tensor.ones(1, 3)}:size(2), 3)
fails("got the key 'x'", function() nas.sum{x = a} end)
fails('got a key that is a boolean', function() nas.sum{[true] = a} end)
fails('got a key that is a number', function() nas.sum{[1.5] = a} end)
fails('element [3] is a string', function() nas.sum{a, b, 'c'} end)
fails('element [2]:', function() nas.sum{a, tensor.ones(3)} end)
fails('table expected', function() nas.sum(a) end)
-- Added in the order of positions, however the table came to be.
do
  local list = {}
  for i = 1, 40 do list[i] = tensor.randn(8, {seed = i}) * 10 ^ (i % 7) end
  local total
  for i = 1, 40 do total = total and total + list[i] or list[i] end
  local other = {}
  for i = 40, 1, -1 do other[i * 3] = list[i] end
  assert(nas.sum(other):equal(total))
end

-- Prices.
same(nas.price(2e9, 1e9):item(), 1.0)
same(nas.price(0.5e9, 1e9):item(), 0.0)
near(nas.price(0.5e9, 1e9, {shape = 'both', weight = 3}), 1.5)
near(nas.price(0.5e9, 1e9, {shape = 'log'}), math.log(2))
near(nas.price(tensor.full({1, 1}, 4e12), 1e12, {shape = 'log', weight = 2}), 2 * math.log(4))
same(#nas.price(tensor.full({1}, 4), 1).shape, 0)
for _, shape in ipairs{'above', 'both', 'log'} do
  for _, scale in ipairs{1e-6, 1, 1e12} do
    for _, at in ipairs{0.3, 0.9, 1.1, 2.5} do
      local target, weight = scale, 2.5
      local function value(r) return ({above = math.max(r - 1, 0), both = math.abs(r - 1), log = math.abs(math.log(r))})[shape] * weight end
      local cost = tensor.full({}, at * scale, {requires_grad = true})
      local price = nas.price(cost, target, {shape = shape, weight = weight})
      near(price, value(at), 1e-5)
      price:backward()
      local h = 1e-3
      near(cost.grad:item() * scale, (value(at + h) - value(at - h)) / (2 * h), 1e-3 * weight)
      -- By differences of the price itself.
      local up, down = nas.price(at * scale + h * scale, target, {shape = shape, weight = weight}), nas.price(at * scale - h * scale, target, {shape = shape, weight = weight})
      near(cost.grad:item() * scale, (up:item() - down:item()) / (2 * h), 2e-2)
    end
  end
end
-- In a plan.
do
  local w = tensor.full({1}, 3e11, {requires_grad = true})
  local step = trellis.compile(function(x) return nas.price(w * x, 1e11, {shape = 'both'}) + nas.sum{x, nil, x} end)
  near(step(tensor.ones(1)):sum():item(), 2 + 2, 1e-4)
  near(step(tensor.full({1}, 2)):sum():item(), 5 + 4, 1e-4)
end
fails('a target above 0 expected', function() nas.price(1, 0) end)
fails('a target above 0 expected', function() nas.price(1, 0 / 0) end)
fails('one number expected', function() nas.price(tensor.ones(2), 1) end)
fails('a cost of 0 or more', function() nas.price(-1, 1) end)
fails('a cost above 0', function() nas.price(0, 1, {shape = 'log'}) end)
fails("option 'shape'", function() nas.price(1, 1, {shape = 'below'}) end)
