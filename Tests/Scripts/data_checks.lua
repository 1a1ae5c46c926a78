-- What is said before any work: label images by colour, masks, damaged images, names, networks of several results.
local folder = data.folder
os.execute("mkdir -p i l p")
local any = nn.conv2d(3, 2, {kernel = 1})

--- Writes an image file of random pixels.
local function image(path, height, width, seed)
  any:segment(tensor.rand(3, height, width, {seed = seed}), {overlay = path, opacity = 0})
end

--- Writes class numbers with a palette of the colours of `set`.
local function labels(path, set, rows) set:save_labels(tensor.from(rows, {dtype = "int32"}), path) end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("a")
  file:close()
  return bytes
end

local function write(path, bytes)
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
end

for k = 1, 4 do image("i/" .. k .. ".jpg", 2, 3, k) end
local red_first = folder{images = "i", classes = {{"red", {255, 0, 0}}, {"green", {0, 255, 0}}}}
for k = 1, 4 do labels("l/" .. k .. ".png", red_first, {{0, 1, 1}, {0, 0, 1}}) end

-- The colour of a palette image counts, not the number that is stored.
local green_first = {{"green", {0, 255, 0}}, {"red", {255, 0, 0}}}
local _, found = folder{images = "i", labels = "l", classes = green_first, by_colour = true}:sample(1)
same(found:flatten():to_table(), {1, 0, 0, 1, 1, 0})
_, found = folder{images = "i", labels = "l", classes = green_first}:sample(1)
same(found:flatten():to_table(), {0, 1, 1, 0, 0, 1})
_, found = folder{images = "i", labels = "l", classes = {{"red", {255, 0, 0}}}, by_colour = true, ignore = {{0, 255, 0}}}:sample(1)
same(found:flatten():to_table(), {0, 255, 255, 0, 0, 255})
fails("belongs to no class (the file is palette of 8 bits)", function() folder{images = "i", labels = "l", classes = {{"red", {255, 0, 0}}}, by_colour = true} end)
fails("classes with a colour each expected", function() folder{images = "i", labels = "l", classes = {"a", "b"}, by_colour = true} end)
fails("both have the colour", function() folder{images = "i", labels = "l", classes = {{"a", {1, 1, 1}}, {"b", {1, 1, 1}}}, by_colour = true} end)
fails("by_colour reads colours", function() folder{images = "i", labels = "l", classes = green_first, by_colour = true, values = {[1] = 0}} end)
fails("labels of 0 to 65535 expected", function() folder{images = "i", labels = "l", classes = 2, ignore = {{1, 2, 3}}} end)
fails("{[value] = class} expected", function() folder{images = "i", labels = "l", classes = 2, values = {[70000] = 1}} end)
fails("{[value] = class} expected", function() folder{images = "i", labels = "l", classes = 2, values = {a = 1}} end)
fails("is to be class 2", function() folder{images = "i", labels = "l", classes = 2, values = {[9] = 2}} end)

-- Masks of 0 and 255 need a word on what 255 is; all void is an error whatever was said.
local function masks(rows) for k = 1, 4 do labels("l/" .. k .. ".png", red_first, rows) end end
masks{{0, 255, 255}, {0, 0, 255}}
local two = {"background", "foreground"}
fails("the only class that occurs is 0 (background), and 50.0 %", function() folder{images = "i", labels = "l", classes = two} end)
local set = folder{images = "i", labels = "l", classes = two, values = {[0] = 0, [255] = 1}}
same(set:frequencies(), {0.5, 0.5})
same(set.ids, {0, 255})
same(folder{images = "i", labels = "l", classes = two, ignore = 255}:frequencies(), {1.0, 0.0})
local later = folder{images = "i", labels = "l", classes = two, check = false}
local options = {steps = 1, batch = 2}
fails("the only class that occurs", function() any:fit(later, options) end)
fails("the only class that occurs", function() later:batches{size = 2} end)
fails("the only class that occurs", function() any:evaluate(later) end)
fails("the only class that occurs", function() metrics.evaluate(any, later) end)
fails("the only class that occurs", function() later:frequencies() end)
assert(later:batches{size = 2, check = false}:next())
any:fit(later, {steps = 1, batch = 2, check = false})
masks{{255, 255, 255}, {255, 255, 255}}
fails("no pixel has a class; all 24 pixels of 4 label images", function() folder{images = "i", labels = "l", classes = 2} end)
local void = folder{images = "i", labels = "l", classes = 2, ignore = 255, check = false}
fails("no pixel has a class", function() any:fit(void, options) end)
fails("no pixel has a class", function() any:evaluate(void) end)
fails("no pixel has a class", function() metrics.evaluate(any, void) end)
fails("no pixel has a class", function() void:batches{size = 2} end)
fails("no pixel has a class", function() void:check() end)

-- A class that never occurs is no error but a word; parts say what they lack.
masks{{0, 1, 1}, {0, 0, 1}}
local three = folder{images = "i", labels = "l", classes = {"a", "b", "c"}}
local again, words = three:check()
same(again, three)
same(#words, 1)
assert(words[1]:find("1 of 3 classes occurs nowhere in 4 label images and can be neither learned nor measured: 2 (c)", 1, true), words[1])
assert(select(2, three:subset(2, 3):check())[1]:find("in 2 label images", 1, true))
same(select(2, folder{images = "i", labels = "l", classes = 2}:check()), {})

-- A damaged image is found with its name by whatever would run into it.
local whole = read("i/3.jpg")
write("i/3.jpg", whole:sub(1, -12))
local cut = folder{images = "i", labels = "l", classes = 2}
for _, work in ipairs{
  function() cut:check() end, function() any:fit(cut, options) end, function() any:evaluate(cut) end, function() metrics.evaluate(any, cut) end,
  function() cut:batches{size = 2} end, function() cut:batches{size = 1, shuffle = false} end, function() cut:subset{3}:check() end,
  function() any:fit(folder{images = "i", labels = "l", classes = 2}:subset{1}, {steps = 1, batch = 1, validation = cut}) end,
} do fails("i/3.jpg: not a usable JPEG: Premature end of JPEG file", work) end
-- Who does not want to know meets it when its turn comes: with the file and the sample, in the same words each time.
local loader = cut:batches{size = 1, shuffle = false, check = false}
loader:next()
loader:next()
for _ = 1, 3 do fails("sample 3 of folder: i/3.jpg: not a usable JPEG", function() loader:next() end) end
same(loader.position, 2)
write("i/3.jpg", whole)
assert(loader:next())
assert(folder{images = "i", labels = "l", classes = 2}:check())

-- Names that are not UTF-8 are errors that show their bytes.
os.execute("cp i/1.jpg i/caf\xe9.jpg; cp l/1.png l/caf\xe9.png")
fails("i/caf\\xe9.jpg: the name is not UTF-8", function() folder{images = "i", labels = "l", classes = 2} end)
fails("got 'i/caf\\xe9.jpg', which is not UTF-8", function() any:segment("i/caf\xe9.jpg") end)
fails("option 'labels'", function() any:segment(tensor.rand(3, 2, 2), {labels = "\xff.png"}) end)
fails("got '\\xff', which is not UTF-8", function() set:save_labels(tensor.zeros(2, 2, {dtype = "int32"}), "\xff") end)
fails("which is not UTF-8", function() nas.load("\xe9.json") end)
fails("which is not UTF-8", function() folder{images = "\xe9", classes = 2} end)
fails("the string 'caf\\xe9' is not UTF-8 at [2]", function() folder{images = "i", classes = {"a", "caf\xe9"}} end)
os.execute("rm i/caf\xe9.jpg l/caf\xe9.png")

-- A network of several results measures none of them.
local forked = nn.module{main = nn.conv2d(3, 2, {kernel = 1}), forward = function(self, x) return self.main(x), x end}
local good = folder{images = "i", labels = "l", classes = 2}
for _, work in ipairs{
  function() metrics.evaluate(forked, good) end, function() forked:evaluate(good) end, function() forked:fit(good, options) end,
  function() forked:segment(tensor.rand(3, 4, 4)) end, function() metrics.evaluate(nn.lambda(function(x) return x, x end), good) end,
  function() nn.sequential{forked}(tensor.rand(1, 3, 4, 4)) end,
} do fails("must return one tensor, got 2 values", work) end
same(select("#", forked(tensor.rand(1, 3, 4, 4))), 2)
local first = nn.module{forked = forked, forward = function(self, x) return (self.forked(x)) end}
assert(metrics.evaluate(first, good).total == 24)

-- Predictions are whole numbers.
fails("expected scores [N, 2, H, W] or int32 predictions, got float32 [2]", function()
  metrics.confusion(2):add(tensor.ones(2), tensor.from({0, 1}, {dtype = "int32"}))
end)

-- Limits.
fails("1 to 1048576 images", function() data.shapes{images = 1 << 62} end)
fails("0 to 256 batches ahead", function() good:batches{size = 1, ahead = 1 << 62} end)
same(good:batches{size = math.maxinteger, drop_last = false}:next():size(1), 4)
fails("expected the state of a loader", function()
  local loader = good:batches{size = 1}
  local state = loader:state()
  state.epoch = math.maxinteger
  loader:load_state(state)
end)
