-- Networks in model directories: what is kept, what comes back, what is refused.
local function contents(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end
local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end
local function architecture() return nas.trellis{layers = 3, strides = {4, 8}, cell = nas.cell{blocks = 1}}:random{seed = 1} end
local function network(options)
  local all = {filters = 2, classes = 3, stem = 4, stem_output = 6, aspp = 8, low_level = 4, decoder = 8, seed = 3}
  for name, value in pairs(options or {}) do all[name] = value end
  return architecture():network(all)
end

local set = data.shapes{images = 8, size = {24, 32}, classes = 3, seed = 1}
local net = network{momentum = 0.2, eps = 1e-4}
local history = net:fit(set, {steps = 4, batch = 4, lr = 0.05, validation = set, every = 2, use = "best", drop_path = 0.1, mean = {0.5, 0.5, 0.5}, std = {0.2, 0.2, 0.2}})
net:save("model")

-- The same network comes back: weights, statistics, classes, normalisation, what was measured.
local again = nas.network("model")
for name, x in pairs(net:parameters()) do assert(x:equal(again:parameters()[name]), name) end
for name, x in pairs(net:buffers()) do assert(x:equal(again:buffers()[name]), name) end
same(tostring(again), tostring(net))
local card = again:card()
same(card.version, 1)
same(card.network.filters, 2)
same(card.counts.parameters, net:count().parameters)
same(card.counts.multiply_adds, net:count{height = 24, width = 32}.multiply_adds)
same(card.data.classes[1].name, "sky")
same(card.data.classes[1].colour, set.colours[1])
same(card.training.step, history.best.step)
same(card.result.miou, history.best.miou)
same(card.architecture.path, architecture().path)
local a, b = net:evaluate(set), again:evaluate(set)
same(b.confusion:counts(), a.confusion:counts(), "it is normalised as it was trained")
assert(tostring(again:evaluate(set, {normalise = true}).confusion:counts()) ~= nil)

-- What is measured is kept with it.
again:save("again")
same(nas.network("again"):card().result.how, "one scale")
same(contents("again/card.json"):sub(1, 1), "{")

-- Images of files, in their own size.
local image = set:sample(1)
local labels = net:segment(image, {labels = "labels.png", overlay = "overlay.png", window = 16, scales = {0.75, 1}, flip = true})
same(labels.shape, {24, 32})
same(again:segment("overlay.png").shape, {24, 32})
os.remove("labels.png")
os.remove("overlay.png")

-- Others keep their weights only.
local plain = nn.sequential{nn.conv2d(3, 3, {kernel = 1})}
fails("a sequential is no network of an architecture", function() plain:save("plain") end)
fails("save its weights to a file, plain.safetensors", function() plain:save("plain") end)
plain:fit(set, {steps = 2, validation = set, every = 1, out = "plain"})
assert(nn.sequential{nn.conv2d(3, 3, {kernel = 1})}:load("plain/best.safetensors"))
same(plain:card(), nil)

-- A directory can be loaded into a network that fits.
assert(network{seed = 9}:load("model").training)
fails("shape", function() network{filters = 3}:load("model") end)

-- What is refused, and how it is told.
fails("there is no such directory", function() nas.network("nowhere") end)
os.execute("mkdir empty")
fails("empty: this is no model directory", function() nas.network("empty") end)
fails("expected the name of a directory", function() net:save("") end)
local good = contents("model/card.json")
local function broken(text, change)
  write("model/card.json", change)
  fails(text, function() nas.network("model") end)
  write("model/card.json", good)
end
broken("a model of version 2, this program reads up to 1", (good:gsub('"version": 1', '"version": 2', 1)))
broken("the card is damaged", good:sub(1, #good // 2))
broken("this is no card of a model", "{}")
broken("the card and the weights are of different networks", (good:gsub('"filters": 2', '"filters": 3', 1)))
nas.network("model")
local weights = contents("model/weights.safetensors")
write("model/weights.safetensors", weights:sub(1, -100))
fails("model/weights.safetensors", function() nas.network("model") end)
plain:save("model/weights.safetensors")
fails("these weights belong to no model directory", function() nas.network("model") end)
os.remove("model/weights.safetensors")
fails("model/weights.safetensors", function() nas.network("model") end)

-- A card that was written before the last weights: theirs goes.
write("model/weights.safetensors", weights)
local stale = good:gsub('"step": %d', '"step": 1', 1)
write("model/card.json", stale)
same(nas.network("model"):card().training.step, history.best.step)

-- A run in a directory: both networks, the log, and the checkpoint with the script's own values.
local run = network()
local options = {steps = 4, batch = 4, lr = 0.05, validation = set, every = 2, out = "run", note = {name = "mine", list = {1, 2.5}}}
local first = run:fit(set, options)
same(checkpoint.load("run/checkpoint.safetensors").note.list[2], 2.5)
same(nas.network("run/last"):card().training.step, 4)
same(nas.network("run/best"):card().result.miou, first.best.miou)
same(contents("run/log.csv"), first:csv())
fails("run holds a run already", function() network():fit(set, options) end)
options.resume = true
local resumed = network()
same(resumed:fit(set, options):csv(), first:csv())
for name, x in pairs(run:parameters()) do assert(x:equal(resumed:parameters()[name]), name) end
options.lr = 0.06
fails("schedule", function() network():fit(set, options) end)
