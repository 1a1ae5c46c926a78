local x = tensor.from{{1, 5, 3}, {9, 2, 7}}

near(x:sum(), 27)
same(x:sum(1), {10.0, 7.0, 10.0})
same(x:sum(-1), {9.0, 18.0})
same(x:sum({1, 2}, {keep = true}).shape, {1, 1})
same(x:sum(1, {keep = true}).shape, {1, 3})
near(x:mean(), 4.5)
near(x:var(), 9.5)
near(x:var({correction = 0}), 47.5 / 6)
near(x:std(), math.sqrt(9.5))
same(x:var(1), {32.0, 4.5, 8.0})
near(x:max(), 9)
near(x:min(), 1)
local v, i = x:max(2)
same(v, {5.0, 9.0})
same(i, {2, 1})
v, i = x:min(1)
same(v, {1.0, 2.0, 3.0})
same(i, {1, 2, 1})
same(x:max(2, {keep = true}).shape, {2, 1})
same(x:argmax():item(), 4)
same(x:argmax(1), {2, 1, 2})
same(x:argmin(2), {1, 2})
near(x:prod(), 1890)
same(x:prod(1), {9.0, 10.0, 21.0})
same(x:cumsum(2), {{1.0, 6.0, 9.0}, {9.0, 11.0, 18.0}})
same(x:cumsum(1), {{1.0, 5.0, 3.0}, {10.0, 7.0, 10.0}})
near(tensor.from{3, 4}:norm(), 5)
near(tensor.from{3, -4}:norm(1), 7)
near(tensor.from{3, -4}:norm(math.huge), 4)
same(tensor.from{{3, 4}, {0, 0}}:norm(2, 2), {5.0, 0.0})
assert(x:all() and x:gt(8):any() and not x:gt(8):all())
same(x:softmax(2):sum(2):round(), {1.0, 1.0})
assert(x:log_softmax(1):exp():allclose(x:softmax(1), {atol = 1e-6}))
v, i = x:sort(2, {descending = true})
same(v, {{5.0, 3.0, 1.0}, {9.0, 7.0, 2.0}})
same(i, {{2, 3, 1}, {1, 3, 2}})
v, i = x:topk(2)
same(v, {{5.0, 3.0}, {9.0, 7.0}})
v = x:topk(1, 1, {largest = false})
same(v, {{1.0, 2.0, 3.0}})
same(tensor.from({4, 5}, {dtype = 'int32'}):sum():item(), 9)
same(tensor.from({4, 5}, {dtype = 'int32'}):mean():item(), 4.5)

fails("bad argument #1 to 'sum' (dimension 3 is outside of 1 to 2)", function() x:sum(3) end)
fails("bad argument #1 to 'sum' (dimension 0 is outside of 1 to 2 (dimensions start at 1))", function() x:sum(0) end)
fails("bad argument #1 to 'sum' (a dimension is named twice)", function() x:sum({1, -2}) end)
fails("bad argument #1 to 'topk' (0 to 3 elements of dimension 2 expected, got 4)", function() x:topk(4) end)
fails("unknown option 'kep', did you mean 'keep'?", function() x:sum(1, {kep = true}) end)

-- Products.
local a, b = tensor.randn(2, 3, {seed = 1}), tensor.randn(3, 4, {seed = 2})
local c = a:matmul(b)
for r = 1, 2 do for s = 1, 4 do near(c[r][s], (a[r] * b[{{}, s}]):sum()) end end
same(tensor.ones(3):matmul(tensor.ones(3)).shape, {})
same(tensor.ones(2, 3):matmul(tensor.ones(3)), {3.0, 3.0})
same(tensor.ones(5, 2, 3):matmul(tensor.ones(5, 3, 4)).shape, {5, 2, 4})
fails('inner sizes differ: [2, 3] has 3 columns, [2, 3] has 2 rows', function() a:matmul(a) end)

-- Derivatives of what is put together here.
local w = tensor.from({2, 3, 4}, {requires_grad = true})
w:prod():backward()
same(w.grad, {12.0, 8.0, 6.0})
w.grad = nil
w:cumsum():sum():backward()
same(w.grad, {3.0, 2.0, 1.0})
w.grad = nil
w:max():backward()
same(w.grad, {0.0, 0.0, 1.0})
w.grad = nil
w:flip(1):narrow(1, 1, 1):sum():backward()
same(w.grad, {0.0, 0.0, 1.0})

-- int32 is not rounded on the way to a mean or a variance; as NumPy has them.
local close = tensor.from({2147483647, 2147483645, 2147483643}, {dtype = 'int32'})
same(close:var{correction = 1}:item(), 4.0)
same(close:std():item(), 2.0)
same(close:mean():item(), 2147483648.0)
same(tensor.from({2147483647, -2147483646}, {dtype = 'int32'}):mean():item(), 0.5)
local whole = tensor.randint(-9, 9, {2, 3, 4, 5}, {seed = 1})
for _, axes in ipairs{{1}, {2}, {4}, {1, 3}, {2, 4}, {1, 2, 3, 4}} do
  for _, keep in ipairs{true, false} do
    assert(whole:mean(axes, {keep = keep}):allclose(whole:float():mean(axes, {keep = keep}), {atol = 1e-6}))
    assert(whole:var(axes, {keep = keep}):allclose(whole:float():var(axes, {keep = keep}), {rtol = 1e-5}))
  end
end
local compiled = trellis.compile(function(t) return t:mean(2) end)
assert(compiled(whole):equal(whole:mean(2)) and compiled(whole):equal(whole:mean(2)))
local empty = tensor.zeros(0, 2, {dtype = 'int32'}):mean(1)
assert(empty[1] ~= empty[1])

-- An infinity is close to itself only.
local inf = math.huge
for _, case in ipairs{{inf, -inf, false}, {1, inf, false}, {inf, 1, false}, {inf, inf, true}, {-inf, -inf, true}, {0 / 0, 0 / 0, false}} do
  same(tensor.from{case[1]}:allclose(tensor.from{case[2]}), case[3])
end

-- Overflows carry the name of what was called.
local large = tensor.from({2147483647, 2}, {dtype = 'int32'})
fails('cumsum: the result 2147483649 is no int32', function() large:cumsum() end)
fails('prod: the result 4294967294 is no int32', function() large:prod() end)
