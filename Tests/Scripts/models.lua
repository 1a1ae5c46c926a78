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
local path = {}
for layer, arrow in ipairs(card.architecture.decisions.paths) do path[layer] = tonumber(arrow[2]) end
same(path, architecture().path)
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
broken("model/card.json: damaged or edited: its data", (good:gsub('"sky"', '"sea"', 1)))
nas.network("model")
-- A flipped bit in the weights, or in the card that they hold.
local weights = contents("model/weights.safetensors")
for _, at in ipairs{100, assert(weights:find("sky", 1, true)), #weights // 2, #weights} do
  write("model/weights.safetensors", weights:sub(1, at - 1) .. string.char(weights:byte(at) ~ 1) .. weights:sub(at + 1))
  fails("model/weights.safetensors: ", function() nas.network("model") end)
end
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

-- Runs are not mixed up: a checkpoint of another run in the directory is not continued, and neither log nor networks are overwritten.
options.lr, options.resume, options.out, options.seed = 0.05, false, "other", 5
network():fit(set, options)
options.out, options.resume = "run", true
local own = {checkpoint = contents("run/checkpoint.safetensors"), log = contents("run/log.csv"), last = contents("run/last/weights.safetensors")}
write("run/checkpoint.safetensors", contents("other/checkpoint.safetensors"))
local fresh = network()
local before = fresh:parameters()[1]:clone()
fails("run/best is of another run", function() fresh:fit(set, options) end)
for _, name in ipairs{"best", "last"} do os.execute("mv run/" .. name .. " run/" .. name .. "-mine") end
fails("run/log.csv is the log of another run than run/checkpoint.safetensors: they differ in line 2", function() fresh:fit(set, options) end)
same(contents("run/log.csv"), own.log)
assert(fresh:parameters()[1]:equal(before), "nothing has changed")
-- A log that lacks the last row (a kill) or has more rows (an earlier checkpoint was put back) is this run's.
for _, name in ipairs{"best", "last"} do os.execute("mv run/" .. name .. "-mine run/" .. name) end
write("run/checkpoint.safetensors", own.checkpoint)
write("run/log.csv", own.log:match("^(.-\n.-\n)"))
options.seed = nil
network():fit(set, options)
same(contents("run/log.csv"), own.log)
-- A log without a checkpoint is somebody's.
os.execute("mkdir stray")
write("stray/log.csv", "mine")
options.out = "stray"
fails("stray holds the log of another run", function() network():fit(set, options) end)
same(contents("stray/log.csv"), "mine")
-- Other images of the same number are another data set.
options.out = "run"
fails("the run has images", function() network():fit(data.shapes{images = 8, size = {24, 32}, classes = 3, seed = 2}, options) end)
-- A run of another process.
write("run/run.lock", "process 12\nhost elsewhere-7\nsince 2020-01-02 03:04:05 UTC\n")
fails("run: process 12 on elsewhere-7 writes into it since 2020-01-02 03:04:05 UTC", function() network():fit(set, options) end)
os.remove("run/run.lock")
network():fit(set, options)
assert(not io.open("run/run.lock"))
-- The run's identity is with its networks; a run that begins alike has the same.
same(nas.network("run/last"):card().training.run, checkpoint.load("run/checkpoint.safetensors").run)
same(#checkpoint.load("run/checkpoint.safetensors").run, 16)
assert(checkpoint.load("run/checkpoint.safetensors").run ~= checkpoint.load("other/checkpoint.safetensors").run)
plain:fit(set, {steps = 2, validation = set, every = 1, out = "plain2", seed = 3})
write("plain2/best.safetensors", contents("plain/best.safetensors"))
fails("plain2/best is of another run", function() plain:fit(set, {steps = 2, validation = set, every = 1, out = "plain2", seed = 3, resume = true}) end)
