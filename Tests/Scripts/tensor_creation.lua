-- Every form in which a tensor can be made.
same(tensor.zeros(2, 3).shape, {2, 3})
same(tensor.zeros{2, 3}.shape, {2, 3})
same(tensor.zeros({2, 3}, {dtype = 'int32'}).dtype, 'int32')
same(tensor.zeros(2, 3, {requires_grad = true}).requires_grad, true)
same(tensor.zeros().shape, {})
same(tensor.ones(2), {1.0, 1.0})
same(tensor.ones(0, 3).shape, {0, 3})
same(tensor.full({2}, 2.5), {2.5, 2.5})
same(tensor.full(2, 3, {dtype = 'int32'}), {3, 3})
fails("bad argument #1 to 'zeros' (sizes should be 0 or more, got -1)", function() tensor.zeros(-1) end)
fails("GB of memory", function() tensor.zeros(1000000, 1000000) end)
fails("GB of memory", function() tensor.zeros(2^40 // 1 | 0, 2^40 // 1 | 0) end)
fails("GB of memory", function() return tensor.ones(1000000, 1) + tensor.ones(1, 1000000) end)
fails("no int32", function() tensor.full(1, 0.5, {dtype = 'int32'}) end)
fails("only float32 tensors have derivatives", function() tensor.zeros(1, {dtype = 'int32', requires_grad = true}) end)

-- From tables.
same(tensor.from{1, 2}.shape, {2})
same(tensor.from{{1, 2}, {3, 4}, {5, 6}}.shape, {3, 2})
same(tensor.from{{{1}}}.shape, {1, 1, 1})
same(tensor.from(3).shape, {})
same(tensor.from{}.shape, {0})
same(tensor.from{true, false}, {1.0, 0.0})
same(tensor.from({1, 2}, {dtype = 'int32'}), {1, 2})
fails('row [2] has 1 element, row [1] has 2', function() tensor.from{{1, 2}, {3}} end)
fails('row [2][1] has 3 elements, row [2][1] has 2', function() tensor.from{{{1, 2}}, {{3, 4, 5}}} end)
fails('[2] is a number, expected a list of 2', function() tensor.from{{1, 2}, 3} end)
fails('element [1][2] is a string, expected a number', function() tensor.from{{1, 'x'}} end)
fails('element [2] is 1.5, which is no int32', function() tensor.from({1, 1.5}, {dtype = 'int32'}) end)
local loop = {}
loop[1] = loop
fails('nested more than 16 deep', function() tensor.from(loop) end)

-- Sequences.
same(tensor.arange(4), {0.0, 1.0, 2.0, 3.0})
same(tensor.arange(1, 2, 0.5), {1.0, 1.5})
same(tensor.arange(3, 0, -1), {3.0, 2.0, 1.0})
same(tensor.arange(0), {})
same(tensor.arange(0, 1, 0.1).shape, {10})
same(tensor.arange(3, {dtype = 'int32'}), {0, 1, 2})
same(tensor.range(1, 3), {1.0, 2.0, 3.0})
same(tensor.range(1, 2, 0.5), {1.0, 1.5, 2.0})
same(tensor.linspace(0, 1, 3), {0.0, 0.5, 1.0})
same(tensor.linspace(2, 5, 1), {2.0})
same(tensor.eye(2, 3), {{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}})
fails('a finite step other than 0 expected', function() tensor.arange(0, 1, 0) end)

-- Random numbers.
local a, b = tensor.randn(4, 5, {seed = 1}), tensor.randn({4, 5}, {seed = 1})
assert(a:equal(b))
assert(not a:equal(tensor.randn(4, 5, {seed = 2})))
tensor.manual_seed(3)
local c, d = tensor.rand(5), tensor.rand(5)
assert(not c:equal(d))
tensor.manual_seed(3)
assert(c:equal(tensor.rand(5)))
near(tensor.randn(10000, {seed = 1}):mean(), 0, 0.05)
near(tensor.randn(10000, {seed = 1, mean = 2, std = 3}):std(), 3, 0.1)
local u = tensor.rand(1000, {seed = 1, low = -1, high = 3})
assert(u:min():item() >= -1 and u:max():item() < 3)
local dice = tensor.randint(1, 6, {600}, {seed = 1})
same(dice.dtype, 'int32')
for side = 1, 6 do assert(dice:eq(side):sum():item() > 60, side) end
same(tensor.permutation(5, {seed = 1}):sort(), {1, 2, 3, 4, 5})
same(tensor.zeros_like(dice).dtype, 'int32')

-- At most 64 dimensions, whatever makes them.
local most, more = {}, {}
for i = 1, 64 do most[i], more[i] = 1, 1 end
more[65] = 1
same(#tensor.zeros(most).shape, 64)
assert(#tostring(tensor.ones(most)) > 0)
for _, f in ipairs{
  function() tensor.zeros(more) end, function() tensor.rand(more) end, function() tensor.full(more, 1, {dtype = 'int32'}) end,
  function() tensor.ones(1):reshape(more) end, function() tensor.ones(1):expand(more) end, function() tensor.ones(most):unsqueeze(1) end,
  function() tensor.stack({tensor.ones(most), tensor.ones(most)}, 1) end, function() tensor.zeros(most):one_hot(2) end,
} do assert(not pcall(f)) end
fails('a tensor has at most 64 dimensions, got 65', function() tensor.zeros(more) end)
fails('a tensor has at most 64 dimensions, got 65', function() tensor.ones(1):reshape(more) end)

-- Distributions that are none; nothing is cut to the largest float32.
for _, options in ipairs{
  {low = -3e38, high = 3e38}, {high = 1e300}, {low = 1, high = 0}, {low = -math.huge}, {high = math.huge}, {low = 0 / 0}, {high = 0 / 0},
} do fails('expected', function() tensor.rand(2, options) end) end
for _, options in ipairs{{std = -1}, {std = 0 / 0}, {std = 1e300}, {mean = math.huge}, {mean = 0 / 0}} do
  fails('expected', function() tensor.randn(2, options) end)
end
same(tensor.rand(2, {low = 3, high = 3}), {3.0, 3.0})

-- What is at fault is named.
fails("bad argument #2 to 'arange' (a finite number expected, got inf)", function() tensor.arange(0, math.huge) end)
fails("bad argument #1 to 'arange' (a finite number expected, got inf)", function() tensor.arange(math.huge) end)
fails("bad argument #2 to 'full' (2147483648.0 is no int32", function() tensor.full({1}, 2 ^ 31, {dtype = 'int32'}) end)
