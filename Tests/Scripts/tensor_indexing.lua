-- Torch7's indexing, read and written.
local x = tensor.from{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}

-- Positions.
same(x[1], {1.0, 2.0, 3.0})
same(x[-1], {7.0, 8.0, 9.0})
same(x[2][3], 6.0)
same(x[{2, 3}], 6.0)
same(x[{-1, -2}], 8.0)
same(x[2.0], {4.0, 5.0, 6.0})
same(math.type(tensor.from({1}, {dtype = 'int32'})[1]), 'integer')

-- Ranges.
same(x[{{1, 2}}], {{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}})
same(x[{{}, {2, 3}}], {{2.0, 3.0}, {5.0, 6.0}, {8.0, 9.0}})
same(x[{{2}, {}}], {{4.0, 5.0, 6.0}})
same(x[{{-2, -1}, 1}], {4.0, 7.0})
same(x[{{}, -1}], {3.0, 6.0, 9.0})
same(x[{}], x)
same(x[{3}], {7.0, 8.0, 9.0})

-- Masks.
same(x[x:gt(6)], {7.0, 8.0, 9.0})
same(x[x:gt(100)]:size(1), 0)
fails('mask [3] should have the shape of the tensor [3, 3]', function() return x[tensor.ones(3)] end)

-- Errors.
fails('index 5 is outside of dimension 1 of size 3 (indices start at 1)', function() return x[5] end)
fails('index 0 is outside of dimension 1 of size 3 (indices start at 1)', function() return x[0] end)
fails('index -4 is outside of dimension 1 of size 3 (indices start at 1)', function() return x[-4] end)
fails('index 4 is outside of dimension 2 of size 3 (indices start at 1)', function() return x[{1, 4}] end)
fails('index 1.7 is not an integer', function() return x[1.7] end)
fails('3 indices for a tensor of 2 dimensions [3, 3]', function() return x[{1, 1, 1}] end)
fails('range {3, 2} of dimension 1 ends before it starts', function() return x[{{3, 2}}] end)
fails('a tensor without dimensions has no positions', function() return x:sum()[1] end)
fails('index 1 is a string, expected a number or a range', function() return x[{'a'}] end)
same(x[4], nil)
fails("tensor has no 'nothing'; help \"tensor\" lists what it has", function() return x.nothing end)
fails("tensor has no 'maen'; did you mean x:mean()?", function() return x:maen() end)
fails("no field 'nothing' to set in a tensor", function() x.nothing = 1 end)
fails("field 'shape' of a tensor can only be read", function() x.shape = {1} end)

-- Walking.
local rows = 0
for i, row in ipairs(x) do rows = rows + 1; same(row[1], 3.0 * i - 2) end
same(rows, 3)
local total = 0
for _, v in pairs(x[1]) do total = total + v end
same(total, 6.0)
same(#x, 3)
fails('a tensor without dimensions has no length', function() return #x:sum() end)

-- Assignment, through views too.
local y = x:clone()
y[1] = 0
same(y[1], {0.0, 0.0, 0.0})
y[{2, 2}] = 50
same(y[2][2], 50.0)
y[3][1] = 70
same(y[3][1], 70.0)
y[{{}, 3}] = tensor.from{10, 20, 30}
same(y, {{0.0, 0.0, 10.0}, {4.0, 50.0, 20.0}, {70.0, 8.0, 30.0}})
y[1] = {1, 2, 3}
same(y[1], {1.0, 2.0, 3.0})
y[y:gt(10)] = -1
same(y, {{1.0, 2.0, 3.0}, {4.0, -1.0, -1.0}, {-1.0, 8.0, -1.0}})
y[y:lt(0)] = tensor.from{100, 200, 300, 400}
same(y[2], {4.0, 100.0, 200.0})
y:t()[1][2] = 44
same(y[2][1], 44.0)
fails('index 4 is outside of dimension 1 of size 3', function() y[4] = 1 end)
fails('the mask selects 3 elements, the value has 2', function() local z = tensor.ones(3); z[z:gt(0)] = tensor.ones(2) end)
fails('does not expand to [3]', function() y[1] = tensor.ones(2) end)
local labels = tensor.zeros(3, {dtype = 'int32'})
labels[2] = 7
labels[labels:eq(0)] = 255
same(labels, {255, 7, 255})

-- A leaf that requires a gradient is written in no_grad only; the number of an element has no history, select has.
local w = tensor.from({1, 2}, {requires_grad = true})
fails('cannot be written in place', function() w[1] = 3 end)
tensor.no_grad(function() w[1] = 3 end)
same(w, {3.0, 2.0})
w:select(1, 1):pow(2):backward()
same(w.grad, {6.0, 0.0})

-- A fraction is no int32, on its own or in a tensor.
do
  local t = tensor.zeros(3, {dtype = 'int32'})
  fails('1.5 is no int32', function() t[1] = 1.5 end)
  fails('assign: 1.5 is no int32', function() t[{{1, 2}}] = tensor.from{1.5, 2.5} end)
  fails('assign: 2.5 is no int32', function() t[t:eq(0)] = tensor.from{2.5} end)
  t[{{1, 2}}] = tensor.from{1, 2}
  same(t, {1, 2, 0})
end
