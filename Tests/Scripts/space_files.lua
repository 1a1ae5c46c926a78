-- Spaces of one's own in files: architectures, model directories, and the script that makes the space, which runs only if told to.
local function write(path, text)
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
end
local function read(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

local source = [[
ran = (ran or 0) + 1
local function build(c)
  local op = nas.choice("op", {"skip_connect", "sep_conv_3x3", "max_pool_3x3"})
  local width = nas.number("width", 2, 4)
  local net = {stem = nn.conv2d(3, 4, {kernel = 3, padding = 1}), mix = nas.mix(op, function(name) return nas.parts.operator(name, 4) end), head = nn.conv2d(4, c.classes, {kernel = 1})}
  local masks = {}
  for i, n in ipairs(width.options) do masks[i] = tensor.concat({tensor.ones(n), tensor.zeros(4 - n)}, 1):reshape(1, 4, 1, 1) end
  function net.forward(self, x) return self.head(self.mix(self.stem(x)) * nas.expect(width, masks)) end
  return nn.module(net, {name = "mine"})
end
local space = nas.space(build, {classes = 3})
after = (after or 0) + 1
return space
]]
write("mine.lua", source)
local space = dofile("mine.lua")
same({ran, after}, {1, 1})
local found = space:random{seed = 4}

-- Architectures: by the space, and by the file alone.
found:save("found.json")
local text = read("found.json")
assert(text:find('"version": 2', 1, true) and text:find("nas.choice", 1, true) and text:find('"name": "mine.lua"', 1, true), text)
assert(space:load("found.json"):same(found))
local loaded = nas.load("found.json")
assert(loaded:same(found) and loaded.op == found.op)
same(loaded:json(), text)
same(ran, 1)
-- Another space: what differs.
local other = nas.space(function()
  return nas.mix(nas.choice("op", {"skip_connect", "sep_conv_3x3"}), function(name) return nas.parts.operator(name, 3) end)
end)
fails("found.json: decision 'op': expected a choice of skip_connect, sep_conv_3x3, got a choice of skip_connect, sep_conv_3x3, max_pool_3x3", function() other:load("found.json") end)
-- An edited value, an edited script.
write("edited.json", (text:gsub('"op": "' .. found.op .. '"', '"op": "conv_3x3"')))
fails("edited.json: decisions.op: expected a known option, got 'conv_3x3'", function() nas.load("edited.json") end)
write("edited.json", (text:gsub("nas.choice", "nas.chioce")))
fails("it was edited", function() nas.load("edited.json") end)
-- A file of the stock trellis is none of this space.
nas.trellis{layers = 2}:random{seed = 1}:save("stock.json")
fails("decision 'op'", function() space:load("stock.json") end)

-- The script runs only if told to, and only up to the space.
fails("no file runs code unasked", function() loaded:space() end)
same(ran, 1)
local again = loaded:space{run = true}
same({ran, after}, {2, 1})
same(again:record(), space:record())
assert(again:load("found.json"):same(found))

-- Model directories.
local network = space:network(found, {seed = 2})
local set = data.shapes{images = 6, size = {16, 16}, classes = 3, seed = 1}
network:fit(set, {steps = 2, batch = 2, lr = 0.01, out = "space_run"})
network:save("model")
local card = network:card()
same({card.network.classes, card.network.seed}, {3, "2"})
same(card.data.classes[1].name, set.names[1])
same(card.architecture.space.script.name, "mine.lua")
fails("model/card.json: its network is made by a script, 'mine.lua' of 13 lines", function() nas.network("model") end)
fails("say nas.network('model', {run = true})", function() nas.network("model") end)
local back = nas.network("model", {run = true})
local images = tensor.randn(2, 3, 9, 8, {seed = 3})
assert(back:eval()(images):equal(network:eval()(images)))
same({back:card().architecture.decisions.op, back:card().training.step}, {found.op, 2})
-- It trains on, is measured and exported as any other, and its own directory can be written again.
back:fit(set, {steps = 1, batch = 2, lr = 0.01})
assert(back:evaluate(set).miou >= 0)
assert(back:export("back.onnx", {height = 8, width = 8}).nodes > 3)
back:save("again")
assert(nas.network("again", {run = true}):count().parameters == network:count().parameters)
assert(nas.network("space_run/last", {run = true}):count().parameters == network:count().parameters)

-- A script that makes another space now says how it differs; one that makes none says that.
local function broken(words, changed)
  write("broken.lua", changed)
  local record = space:record()
  local file = text:gsub('"text": ".-[^\\]"', function() return '"text": ' .. json(changed) end, 1):gsub('"hash": "%x+"', function() return '"hash": "' .. checkpoint.identity(changed) .. '"' end, 1)
  write("broken.json", file)
  fails(words, function() nas.load("broken.json"):space{run = true} end)
end
function json(s) return '"' .. s:gsub('[\\"\n]', {["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n"}) .. '"' end
broken("makes another space: decision 'op'", (source:gsub(', "max_pool_3x3"', "")))
broken("made no space", "local x = 1\nreturn x\n")
broken("attempt to", "local x = nil + 1\nreturn x\n")

-- Without a script: nothing that a directory could keep.
local loose = load("return nas.space(function(c) return nas.mix(nas.choice('op', {'skip_connect', 'sep_conv_3x3'}), function(n) return nas.parts.operator(n, 3) end) end)")()
fails("made at the prompt", function() loose:network(loose:random{}):save("loose") end)
fails("no script is kept", function() loose:random{}:space{run = true} end)
