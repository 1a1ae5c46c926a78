-- Functions of Lua's library, iterators and coroutines inside of compiled functions: each call gives what the function gives.
local one = tensor.ones(1)
local function value(f) return f(one):item() end

-- What changes a table of before changes it at each call.
local order = {3, 1, 2}
local f = trellis.compile(function(a) table.sort(order) return a * order[1] end)
for i = 1, 2 do
  order[1], order[2], order[3] = 3, 1, 2
  same(value(f), 1.0)
  same(order, {1, 2, 3})
end
order[1], order[2], order[3] = 9, 7, 5
same(value(f), 5.0)
local from, to = {1, 2}, {}
f = trellis.compile(function(a) table.move(from, 1, 2, 1, to) return a * to[2] end)
for _, x in ipairs{2, 2, 4} do
  from[2], to[1], to[2] = x, 0, 0
  same(value(f), x + 0.0)
  same(to, {1, x})
end

-- What only looks is looked at again.
local words, text, subject, with = {"1", "2"}, "return 2", "aXb", {X = "7"}
local joined = trellis.compile(function(a) return a * tonumber(table.concat(words)) end)
local loaded = trellis.compile(function(a) return a * load(text)() end)
local replaced = trellis.compile(function(a) return a * ((subject:gsub("%u", with):match("%d")) + 0) end)
same({value(joined), value(loaded), value(replaced)}, {12.0, 2.0, 7.0})
words[2], text, with.X = "3", "return 3", "8"
same({value(joined), value(loaded), value(replaced)}, {13.0, 3.0, 8.0})
local list, key = {10, 20, 30}, nil
local successor = trellis.compile(function(a) return a * select(2, next(list, key)) end)
same(value(successor), 10.0)
key = 1
same(value(successor), 20.0)
local counted = trellis.compile(function(a)
  local n = 0
  for word in ("x y z"):gmatch("%a") do n = n + 1 end
  for _, code in utf8.codes("ab") do n = n + code end
  for i in ipairs(list) do n = n + i end
  return a * n
end)
for i = 1, 3 do same(value(counted), 3 + 97 + 98 + 6.0) end
same(counted:plan().recordings, 1)

-- Iterators and coroutines of before go on.
local match, reader = ("abc"):gmatch("."), coroutine.wrap(function() for i = 1, 10 do coroutine.yield(i) end end)
f = trellis.compile(function(a) return a * match():byte() end)
same({value(f), value(f), value(f)}, {97.0, 98.0, 99.0})
f = trellis.compile(function(a) return a * reader() end)
same({value(f), value(f), value(f)}, {1.0, 2.0, 3.0})
local child = nn.sequential{nn.relu(), nn.sequential{nn.tanh()}, nn.sigmoid()}:children()
f = trellis.compile(function(a)
  local _, module = child()
  return a * (module and #module.kind or 0)
end)
same({value(f), value(f), value(f), value(f)}, {4.0, 10.0, 7.0, 0.0})
local file = assert(io.open("lines.txt", "w"))
file:write("1\n22\n333\n")
file:close()
local line = io.lines("lines.txt")
f = trellis.compile(function(a) return a * #line() end)
same({value(f), value(f), value(f)}, {1.0, 2.0, 3.0})
local set = data.shapes{images = 4, size = {16, 16}, classes = 3, seed = 1}
local function sums(compile)
  local batches, next_batch = set:batches{size = 1, seed = 2}, nil
  local pass = batches:pass()
  local g = compile(function(a) return (pass()):sum() end)
  return {value(g), value(g), value(g)}
end
same(sums(trellis.compile), sums(function(g) return g end))

-- Metamethods, metatables and methods of strings are looked at again.
local vector = setmetatable({}, {})
local meta = getmetatable(vector)
local cases = {
  __add = function(v) return v + 1 end, __unm = function(v) return -v end, __len = function(v) return #v end, __call = function(v) return v(1) end,
  __concat = function(v) return v .. "x" end, __lt = function(v) return v < vector and 1 or 0 end, __mul = function(v) return 2 * v end,
}
for event, use in pairs(cases) do
  meta[event] = function() return 3 end
  local g = trellis.compile(function(a) return a * use(vector) end)
  local before = value(g)
  meta[event] = function() return event ~= "__lt" and 5 end
  assert(value(g) ~= before, event)
end
local tagged = setmetatable({}, {tau = 2})
f = trellis.compile(function(a) return a * getmetatable(tagged).tau end)
same(value(f), 2.0)
setmetatable(tagged, {tau = 7})
same(value(f), 7.0)
function string.weight() return 3 end
f = trellis.compile(function(a) return a * ("x"):weight() end)
same(value(f), 3.0)
function string.weight() return 4 end
same(value(f), 4.0)
string.weight = nil

-- What a function leaves outside: the same value again, new tables and functions each time, the sign of zero.
local state = {n = 5}
f = trellis.compile(function(a) state.n = 5 return a end)
for i = 1, 3 do
  value(f)
  same(state.n, 5)
  state.n = 7
end
f = trellis.compile(function(a)
  local y = a * 2
  state.new = {n = 1, y = y}
  state.get = function() return y end
  table.move({y}, 1, 1, 1, state)
  return a
end)
local earlier
for i = 1, 3 do
  f(one * i)
  same({state.new.n, state.new.y:item(), state.get():item(), state[1]:item()}, {1, 2.0 * i, 2.0 * i, 2.0 * i})
  assert(state.new ~= earlier)
  state.new.n, earlier = 51, state.new
end
local zero = 0.0
f = trellis.compile(function(a) return a / zero end)
same(value(f), math.huge)
zero = -0.0
same(value(f), -math.huge)

-- What cannot be known is an error, also behind pcall.
f = trellis.compile(function(a)
  local fine, number = pcall(function() return a:item() end)
  return fine and a * number or a
end)
fails("the value of a tensor is not known", function() f(one) end)
