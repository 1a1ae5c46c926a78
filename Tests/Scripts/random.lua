-- math.random and math.randomseed against numbers of Lua 5.4's own, bit by bit.
local function drawn()
  local t = {math.random(), math.random(), math.random(6), math.random(0), math.random(-3, 3), math.random(math.mininteger, math.maxinteger),
    math.random(1, 1 << 40), math.random(7, 7), math.random(1 << 62), math.random(256)}
  for i = 1, #t do t[i] = math.type(t[i]) == 'float' and ('%a'):format(t[i]) or tostring(t[i]) end
  return table.concat(t, ' ')
end
for _, case in ipairs{
  {{0}, '0x1.f9acea71bda18p-3 0x1.e0ee2c379aefp-3 4 -7628392839634014443 1 -2515053980584958889 610130679865 7 2854383942152437264 241'},
  {{42}, '0x1.dc9369eecc04ep-1 0x1.cea070426de14p-2 4 -3807604385970496171 2 -9046270629122405825 934954126599 7 452996575928767641 3'},
  {{-1}, '0x1.4ab1d6188f46p-1 0x1.deca184fdd74dp-1 4 -1971808131736728457 -3 -5360066708548511738 957380141278 7 4241983309588777325 152'},
  {{42, 7}, '0x1.a9f09c2ad98c9p-1 0x1.f1bc360385883p-1 2 -3377422445478072817 1 -1237560839212265203 44378840543 7 1591948936157904061 186'},
  {{3.0}, '0x1.e8f5b86c9b31ap-1 0x1.19d5f2d4bea18p-2 4 5956246008085191347 1 1120346561900908663 922002233573 7 2376981282819411272 51'},
} do
  local first, second = math.randomseed(table.unpack(case[1]))
  same({first, second}, {math.tointeger(case[1][1]), case[1][2] or 0})
  same(drawn(), case[2])
end
same(select('#', math.randomseed()), 2)
local a, b = math.randomseed()
local x = math.random(0)
math.randomseed(a, b)
same(math.random(0), x, 'the numbers that randomseed() returns')
for _, case in ipairs{
  {"bad argument #1 to 'random' (number has no integer representation)", math.random, 0.5},
  {"bad argument #1 to 'random' (number expected, got string)", math.random, 'x'},
  {"bad argument #1 to 'random' (interval is empty)", math.random, 2, 1},
  {"bad argument #1 to 'random' (interval is empty)", math.random, -5},
  {"bad argument #2 to 'random' (number expected, got string)", math.random, 1, 'x'},
  {'wrong number of arguments', math.random, 1, 2, 3},
  {"bad argument #1 to 'randomseed' (number has no integer representation)", math.randomseed, 0 / 0},
  {"bad argument #2 to 'randomseed' (number has no integer representation)", math.randomseed, 1, 0.5},
} do
  fails(case[1], function() local random, randomseed = case[2], case[2]; if case[2] == math.random then random(table.unpack(case, 3)) else randomseed(table.unpack(case, 3)) end end)
end
same(math.random('10') <= 10, true)

-- tensor.manual_seed seeds both streams.
tensor.manual_seed(42)
same(('%a'):format(math.random()), '0x1.dc9369eecc04ep-1')
local y = tensor.rand(3)
tensor.manual_seed(42)
math.random()
assert(tensor.rand(3):equal(y))

-- A checkpoint keeps where both stand.
local net = nn.linear(2, 2)
for i = 1, 3 do math.random() end
checkpoint.save('streams.safetensors', {net = net})
local wanted = {math.random(0), math.random(1000), tensor.rand(2):to_table()}
for i = 1, 5 do math.random() end
checkpoint.load('streams.safetensors', {net = net})
same({math.random(0), math.random(1000), tensor.rand(2):to_table()}, wanted)
checkpoint.load('streams.safetensors')
local next = math.random(0)
checkpoint.load('streams.safetensors', {net = net}, {random = false})
assert(math.random(0) ~= next)

-- One of an earlier release says nothing of math.random, which goes on.
local _, metadata = tensor.load('streams.safetensors')
local text, count = metadata['trellis.checkpoint']:gsub('"script":%s*%[.-%]', '"other": 0')
same(count, 1)
tensor.save('old.safetensors', {['net/weight'] = net.weight, ['net/bias'] = net.bias}, {metadata = {['trellis.checkpoint'] = text}})
math.randomseed(42)
checkpoint.load('old.safetensors', {net = net})
same(('%a'):format(math.random()), '0x1.dc9369eecc04ep-1')

-- What has a seed of its own leaves the streams alone: an operator's trial, a supernet's and a network's initial weights, a training.
local seen = {}
nas.operator('drawing', function(channels)
  local s = math.random()
  seen[#seen + 1] = s
  return nn.lambda(function(x) return x * s end)
end)
local space = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {'drawing', 'skip_connect'}}}
math.randomseed(5)
seen = {}
space:supernet{classes = 3, seed = 7}
local first = seen
seen = {}
space:supernet{classes = 3, seed = 7}
same(seen, first, 'operators of a supernet with the same seed')
local inside = math.random(0)
math.randomseed(5)
same(inside, math.random(0))

local set = data.shapes{images = 4, size = {16, 16}, classes = 3, seed = 1}
local function train(options, killed)
  local rows = {}
  options.each = function()
    rows[#rows + 1] = math.random(0)
    if #rows == killed then error('killed', 0) end
  end
  for k, v in pairs{steps = 6, batch = 2, every = 2, seed = 3, progress = false} do options[k] = v end
  local fine, message = pcall(function() nn.conv2d(3, 3, {kernel = 1, seed = 1}):fit(set, options) end)
  if not fine and message ~= 'killed' then error(message, 0) end
  return rows
end
math.randomseed(5)
local whole = train{}
same(#whole, 3)
same(train{}, whole, 'what a training draws')
same(math.random(0), inside, 'a training leaves the stream alone')
same(train({out = 'drawn'}, 2), {whole[1], whole[2]})
math.randomseed(9)
same(train{out = 'drawn', resume = true}, {whole[2]}, 'a row whose function failed is not told again')
