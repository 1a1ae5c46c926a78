-- A run that is saved, loaded into fresh objects and continued is the run that was not interrupted, bit for bit.
local set = data.shapes{images = 8, size = {16, 16}, classes = 3, seed = 1}

local function fresh(seed)
  tensor.manual_seed(seed)
  local net = nn.sequential{nn.conv2d(3, 6, {kernel = 3, padding = 1, bias = false}), nn.batch_norm(6), nn.relu(), nn.dropout(0.2), nn.conv2d(6, 3, {kernel = 1})}
  local p = net:parameters()
  local run = {
    net = net, sgd = optim.sgd({{p:filter('^[12]%.'), lr = 0.1}, {p:filter('^5'), lr = 0.2}}, {lr = 0.1, momentum = 0.9, clip = 1}),
    adam = optim.adam(net:parameters():filter('bias'), {lr = 1e-3}),
    loader = set:batches{size = 2, seed = 6, crop = 12, flip = true},
  }
  run.step = trellis.compile(function(x, y)
    local loss = nn.cross_entropy(net(x), y, {ignore = 255})
    run.sgd:zero_grad(); loss:backward(); run.sgd:step()
    return loss
  end)
  return run
end

local function train(run, steps, from)
  local rate = optim.cosine{from = 0.1, to = 0.001, steps = 20}
  local losses = {}
  for i = from, from + steps - 1 do
    run.sgd.lr = rate(i) / 3
    losses[#losses + 1] = run.step(run.loader:next()):item()
    local noise = tensor.rand(2)
    run.adam:step()
  end
  return losses
end

local whole = fresh(1)
local expected = train(whole, 5, 1)
for _, loss in ipairs(train(whole, 6, 6)) do expected[#expected + 1] = loss end

local half = fresh(1)
local got = train(half, 5, 1)
local third = 1 / 3
checkpoint.save('half.safetensors', {
  net = half.net, sgd = half.sgd, adam = half.adam, loader = half.loader, step = 5, losses = got, third = third, huge = 1e308, tiny = 5e-324,
  none = 0 / 0, endless = -1 / 0, minus = -0.0, whole = 3.0, large = math.maxinteger, name = 'läuft "so"\n', flags = {true, false}, empty = {},
  sparse = {[1] = 'a', [7] = 'b', x = {y = {1, 2.5}}},
})
local other = fresh(99)
train(other, 3, 1)
other = fresh(99)
local values = checkpoint.load('half.safetensors', {net = other.net, sgd = other.sgd, adam = other.adam, loader = other.loader})
for _, loss in ipairs(train(other, 6, values.step + 1)) do got[#got + 1] = loss end
same(got, expected)
for name, t in pairs(whole.net:state()) do assert(t:equal(other.net:state()[name]), name) end
same(whole.loader:state().batch, other.loader:state().batch)
same(whole.loader:state().epoch, other.loader:state().epoch)
assert(tensor.rand(4):equal(tensor.rand(4)) == false)

-- Plain values keep every bit and their kind.
same(values.third == third, true)
same(values.huge, 1e308)
same(values.tiny, 5e-324)
assert(values.none ~= values.none)
same(values.endless, -1 / 0)
same(tostring(values.minus), '-0.0')
same(math.type(values.whole), 'float')
same(values.large, math.maxinteger)
same(math.type(values.large), 'integer')
same(values.name, 'läuft "so"\n')
same(values.flags, {true, false})
same(next(values.empty), nil)
same(values.sparse[7], 'b')
same(values.sparse.x.y, {1, 2.5})
same(#values.losses, 5)
for i = 1, 5 do same(values.losses[i] == expected[i], true) end

-- What does not fit is refused before anything changes.
local p = other.net[1].weight:clone()
local function refused(text, objects)
  local state = other.loader:state()
  fails(text, function() checkpoint.load('half.safetensors', objects) end)
  assert(other.net[1].weight:equal(p))
  same(other.loader:state().batch, state.batch)
end
refused('of another network', {net = nn.sequential{nn.conv2d(3, 6, {kernel = 3})}, loader = other.loader})
refused('of another loader', {net = other.net, loader = set:batches{size = 2, seed = 7, crop = 12, flip = true}})
refused('of another loader', {net = other.net, loader = set:batches{size = 2, seed = 6, crop = 8, flip = true}})
refused('of another optimiser', {net = other.net, sgd = optim.sgd(other.net:parameters(), {lr = 1})})
refused('optimiser there, module here', {sgd = other.net})
refused("no object 'nett'; it has 'adam', 'loader', 'net', 'sgd'", {nett = other.net})
refused("'x' should be an object to put back, got a number", {x = 3})
fails('cannot be kept in a checkpoint', function() checkpoint.save('x.safetensors', {x = optim.constant(1)}) end)
fails("'a.b[2]' is a function", function() checkpoint.save('x.safetensors', {a = {b = {1, print}}}) end)
fails('give it a name of its own', function() checkpoint.save('x.safetensors', {a = {other.net}}) end)
local loop = {}
loop.loop = loop
fails('contains itself', function() checkpoint.save('x.safetensors', {loop = loop}) end)
fails('has to end in .safetensors', function() checkpoint.save('x.npz', {a = 1}) end)
fails('did not write it', function() other.net:save('net.safetensors'); checkpoint.load('net.safetensors') end)
fails('No such file', function() checkpoint.load('nowhere.safetensors') end)

-- Tensors that are not asked for come back as values.
local t = tensor.randn(2, 3, {seed = 4})
checkpoint.save('t.safetensors', {t = t, i = tensor.full({2}, 7, {dtype = 'int32'})})
local back = checkpoint.load('t.safetensors')
assert(back.t:equal(t) and back.i[2] == 7)
-- Every value that is taken comes back equal, of the same kind, or is refused: numbers, strings of any bytes, tables of all shapes.
local bytes = {}
for i = 0, 255 do bytes[i + 1] = string.char(i) end
bytes = table.concat(bytes)
local kinds = {
  nothing = {n = {}}, yes = true, no = false, zero = 0, minus_zero = -0.0, one = 1, one_point = 1.0, largest = math.maxinteger, least = math.mininteger,
  beyond = 2.0 ^ 63, exact = 2.0 ^ 53 + 2, third = 1 / 3, huge = 1.7976931348623157e308, tiny = 5e-324, minus_tiny = -5e-324, inf = math.huge, minus_inf = -math.huge, nan = 0 / 0,
  empty = "", zeros = "\0\0a\0", quotes = '"\\/\b\f\n\r\t\127', bytes = bytes, broken = "\xff\xfe", half = "a\xc3", surrogate = "\xed\xa0\x80",
  long = "\xf4\x90\x80\x80", accents = "e\u{301} \u{e9} \u{2028} \u{ffff} \u{10ffff} \u{0}", list = {1, "two", {3.0, {}}, false}, holes = {1, nil, 3},
  keys = {[true] = 1, [false] = 2, [0] = 0, [-1] = "x", [1.5] = "y", [math.huge] = "z", [-math.huge] = "w", [2 ^ 53] = "float key", a = {}, ["$"] = "mark"},
  mark = {["$"] = "nan"}, marked = {["$"] = "table", list = {1}}, both = {1, 2, x = 3}, sparse = {[1] = 1, [1000] = 2},
  names = {["\xff"] = 1, ["e\u{301}"] = 2, ["\u{e9}"] = 3, [""] = 4, ["a.b/c"] = 5, ["\0"] = 6},
  numbers = {["1"] = "text", [1] = "number"},
}
local deep = {}
local bottom = deep
for i = 1, 37 do bottom[true] = {} bottom = bottom[true] end
kinds.deep = deep
local function equal(a, b, path)
  if a ~= a then return assert(b ~= b, path) end
  assert(math.type(a) == math.type(b) and type(a) == type(b), path .. ": another kind")
  if type(a) ~= "table" then
    assert(a == b, path)
    return assert(math.type(a) ~= "float" or 1 / a == 1 / b, path .. ": another zero")
  end
  for k, v in pairs(a) do equal(v, b[k], path .. "." .. tostring(k)) end
  for k in pairs(b) do assert(a[k] ~= nil, path .. " has more: " .. tostring(k)) end
end
checkpoint.save('kinds.safetensors', kinds)
local read = checkpoint.load('kinds.safetensors')
equal(kinds, read, "kinds")
-- What came back can be kept again, and the same values give the same file.
local function contents(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('a')
  file:close()
  return text
end
checkpoint.save('again.safetensors', read)
same(contents('again.safetensors') == contents('kinds.safetensors'), true)
for name, value in pairs(kinds) do
  checkpoint.save('one.safetensors', {[name] = value})
  equal({[name] = value}, checkpoint.load('one.safetensors'), name)
end
-- A table that is reached in two ways comes back as two equal ones.
local shared = {1, 2}
checkpoint.save('one.safetensors', {x = {shared, {shared}}})
equal({shared, {shared}}, checkpoint.load('one.safetensors').x, 'shared')

local function unkept(text, value)
  os.remove('one.safetensors')
  fails(text, function() checkpoint.save('one.safetensors', {a = {b = value}}) end)
  assert(not io.open('one.safetensors'), text)
end
unkept("'a.b' is a function", print)
unkept("'a.b.c[2]' is a thread", {c = {1, coroutine.create(print)}})
unkept("'a.b' is a FILE*, which a checkpoint cannot keep", io.stdout)
unkept("'a.b' has a table as a key", {[{}] = 1})
unkept("'a.b' has a metatable", setmetatable({}, {__index = {x = 1}}))
for i = 1, 40 do bottom = {bottom} end
unkept("is nested more than 40 deep", bottom)
local wide = {1}
for i = 1, 30 do wide = {wide, wide} end
unkept("holds more than 1000000 values", wide)
fails("a table with names expected", function() checkpoint.save('one.safetensors', {1}) end)
fails("is not UTF-8, or is there twice", function() checkpoint.save('one.safetensors', {["\xff"] = 1}) end)
fails("is not UTF-8, or is there twice", function() checkpoint.save('one.safetensors', {["e\u{301}"] = 1, ["\u{e9}"] = 2}) end)

-- Tensors of all kinds, every bit.
local tensors = {
  scalar = tensor.from(1), none = tensor.zeros(0, 3), ints = tensor.from({2147483647, -2147483648, 16777217}, {dtype = 'int32'}),
  numbers = tensor.from{0 / 0, 1 / 0, -1 / 0, -0.0, 1e-45, 3.4028234e38}, view = tensor.randn(4, 6, {seed = 1}):transpose(1, 2)[{{2, 5}}],
}
checkpoint.save('tensors.safetensors', tensors)
local found = checkpoint.load('tensors.safetensors')
for name, t in pairs(tensors) do
  same(found[name].shape, t.shape, name)
  same(found[name].dtype, t.dtype, name)
  same(tostring(found[name]), tostring(t), name)
end
same(1 / found.numbers[4], -math.huge)
same(found.ints:to_table(), {2147483647, -2147483648, 16777217})

-- A flipped bit is an error that names the file, wherever it is.
local good = contents('half.safetensors')
local function flipped(at)
  local file = assert(io.open('flipped.safetensors', 'wb'))
  file:write(good:sub(1, at - 1), string.char(good:byte(at) ~ 4), good:sub(at + 1))
  file:close()
  local weight = other.net[1].weight:clone()
  fails('flipped.safetensors: ', function() checkpoint.load('flipped.safetensors', {net = other.net}) end)
  assert(other.net[1].weight:equal(weight))
end
for at = 9, #good, 97 do flipped(at) end
flipped(#good)

-- NaN and infinity are kept, unless the script says that nothing could go on from them.
local broken = nn.linear(2, 2)
checkpoint.save('net.safetensors', {net = broken}, {finite = true})
local before = contents('net.safetensors')
trellis.no_grad(function() broken.weight[1][2] = 0 / 0 end)
fails("'net': weight holds 1 NaN among 4 numbers; the checkpoint is not written", function() checkpoint.save('net.safetensors', {net = broken}, {finite = true}) end)
same(contents('net.safetensors') == before, true)
checkpoint.save('net.safetensors', {net = broken})
whole.loader:close(); half.loader:close(); other.loader:close()
