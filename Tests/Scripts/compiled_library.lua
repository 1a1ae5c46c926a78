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
