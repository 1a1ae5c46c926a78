-- Recursion without end, errors in what handles errors, coroutines that die while the library waits: each is an error, and everything works afterwards.
local overflow = 'stack overflow'
local function ends(text, f)
  fails(text, f)
  fails(text, coroutine.wrap(f))
  same(tensor.ones(2):sum(), 2.0)
end

-- Through Lua, Lua's library, and the library's functions that call back.
local function deep() return 1 + deep() end
ends(overflow, deep)
ends(overflow, function() local function f(x) return (x:gsub('.', f)) end f('x') end)
ends(overflow, function() local function f(x) for y in x:gmatch('.') do f(y) end end f('x') end)
ends(overflow, function() local t t = setmetatable({}, {__index = function(_, k) return t[k .. 'x'] end}) return t.a end)
ends(overflow, function() local t t = setmetatable({}, {__newindex = function(_, k, v) t[k] = v end}) t.a = 1 end)
ends(overflow, function() local t t = setmetatable({}, {__concat = function(a, b) return a .. b end}) return t .. t end)
ends(overflow, function() local t t = setmetatable({}, {__tostring = function() return tostring(t) end}) return tostring(t) end)
ends(overflow, function() local t = {} for i = 1, 20 do t[i] = i end local function f() table.sort(t, f) return true end f() end)
ends(overflow, function() local function f() return coroutine.wrap(f)() end f() end)
ends(overflow, function() package.preload.endless = function() return require 'endless' end require 'endless' end)
ends('chain too long', function() local t = {} for i = 1, 5000 do t = setmetatable({}, {__index = t}) end return t.x end)
ends(overflow, function() local f f = nn.lambda(function(x) return f(x) end) f(tensor.zeros(1)) end)
ends(overflow, function() local f f = nn.sequential{nn.lambda(function(x) return f(x) end)} f(tensor.zeros(1)) end)
ends(overflow, function() local f f = nn.module{forward = function(self, x) return self(x) end} f(tensor.zeros(1)) end)
ends(overflow, function() local function f() return tensor.no_grad(f) end f() end)
ends(overflow, function() local p = nn.linear(1, 1):parameters() local function f() return p:filter(f) end f() end)
ends(overflow, function() local f f = trellis.compile(function(x) return f(x) end) f(tensor.zeros(1)) end)
same(load(('('):rep(10000) .. '1' .. (')'):rep(10000)), nil)
-- A chain of pcalls comes to its end too, and says so at the bottom.
local depth = 0
local function chain() depth = depth + 1 return pcall(chain) end
chain()
assert(depth > 100)

-- Errors in what handles errors, and error values that are no text.
same({xpcall(error, function() error('again') end, 'x')}, {false, 'error in error handling'})
fails('in close', function() local a <close> = setmetatable({}, {__close = function() error('in close') end}) error('body') end)
local marks = {}
for _, value in ipairs{marks, print, 1.5, true, tensor.zeros(1), nn.relu(), coroutine.create(print)} do
  for _, through in ipairs{
    function(f) return f() end, function(f) return tensor.no_grad(f) end, function(f) return nn.lambda(f)(tensor.zeros(1)) end,
    function(f) return trellis.compile(f)(tensor.zeros(1)) end, function(f) return nn.linear(1, 1):parameters():filter(f) end,
    function(f) return coroutine.wrap(function() return tensor.no_grad(coroutine.wrap(f)) end)() end,
    function(f) return tensor.no_grad(function() return tensor.no_grad(f) end) end,
  } do
    local fine, got = pcall(through, function() error(value) end)
    assert(not fine and rawequal(got, value) or got == value)
  end
end
same({pcall(tensor.no_grad, function() error() end)}, {false})
fails('bad', function() print(setmetatable({}, {__tostring = function() error('bad') end})) end)
fails("'__tostring' must return a string", function() print(setmetatable({}, {__tostring = function() return {} end})) end)
setmetatable({}, {__gc = function() error('in a finaliser') end})
collectgarbage()

-- Coroutines.
fails('attempt to yield across a C-call boundary', coroutine.wrap(function() return nn.lambda(function(x) coroutine.yield(1) return x end)(tensor.zeros(1)) end))
fails('attempt to yield across a C-call boundary', coroutine.wrap(function() return tensor.no_grad(coroutine.yield) end))
do
  local co
  co = coroutine.create(function() return tensor.no_grad(function() return coroutine.close(co) end) end)
  local fine, message = coroutine.resume(co)
  assert(not fine and message:find('cannot close a running coroutine'), message)
  co = coroutine.create(function() return tensor.no_grad(function() return coroutine.resume(co) end) end)
  same({coroutine.resume(co)}, {true, false, 'cannot resume non-suspended coroutine'})
  co = coroutine.create(function() tensor.no_grad(function() error('died') end) end)
  fine, message = coroutine.resume(co)
  assert(not fine and message:find('died'))
  same(coroutine.status(co), 'dead')
  assert(not coroutine.close(co))
  fails('odd_errors.lua:' .. debug.getinfo(1).currentline .. ': cannot resume dead coroutine', coroutine.wrap(function() local w = coroutine.wrap(print) w() w() end))
  -- What a coroutine leaves behind works on.
  local walk
  coroutine.wrap(function() walk = nn.sequential{nn.lambda(function(x) return x end)}:children() end)()
  collectgarbage()
  same(select(2, walk())(tensor.ones(1)), {1.0})
end
