-- The findings report of a run: made up here, with names that HTML must not take for its own.
local names = {"sky", "<b>road & \"kerb\"", "tree's"}
local operators = {"none", "skip_connect", "sep_conv_3x3"}
local epochs, edges, layers, strides = 4, 2, 3, 2

local function metadata(changes)
  local all = {
    data = "<script>alert(1)</script>", train = "made up: 8 images", validation = "made up: 2 images", classes = table.concat(names, "\n"),
    colours = "1 2 3\n200 0 0\n0 200 0", halves = "4 4", steps = "2", arch_from = "1", version = trellis.version, ["settings.layers"] = "3",
    ["settings.strides"] = "4,8", ["settings.filters"] = "2", ["settings.blocks"] = "1", ["settings.operators"] = table.concat(operators, ","),
    ["settings.epochs"] = "6", ["settings.crop"] = "16,24", ["settings.batch"] = "2", ["settings.seed"] = "7", ["settings.note"] = "a & b",
  }
  for name, value in pairs(changes or {}) do all[name] = value or nil end
  return all
end

local space = nas.trellis{layers = layers, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = operators}}
local supernet = space:supernet{classes = 3, seed = 1}
local function stack(t) return tensor.stack({t, t, t, t}, 1) end
local function ints(n) return tensor.from(n, {dtype = "int32"}) end
local function tensors()
  return {
    epochs = ints{0, 1, 2, 3}, alpha = stack(supernet:alpha()), beta = stack(supernet:beta()), shown = ints{1, 3},
    image_1 = tensor.full({3, 4, 6}, 100, {dtype = "int32"}), labels_1 = tensor.full({4, 6}, 255, {dtype = "int32"}),
    predictions_1 = tensor.full({2, 4, 6}, 2, {dtype = "int32"}),
  }
end
local function write(changes, text, values)
  tensor.save("run/history.safetensors", values or tensors(), {metadata = metadata(changes)})
  local file = assert(io.open("run/log.csv", "w"))
  file:write(text or "epoch,lr,loss,arch_loss,miou,accuracy,path\n1,0.1,1.5,,0.1,0.2,4 4 4\n2,0.1,1.25,1.75,0.25,0.5,4 8 4\n3,0.1,1,1.5,0.5,0.75,4 8 8\n")
  file:close()
end
local function read(path)
  local file = assert(io.open(path))
  local page = file:read("a")
  file:close()
  return page
end
local function has(page, text) assert(page:find(text, 1, true), "the page does not say '" .. text .. "'") end

assert(os.execute("mkdir -p run"))
write()
same(nas.report("run"), "run/report.html")
local page = read("run/report.html")
for _, id in ipairs{"summary", "curves", "beta", "operators", "architecture", "images", "cost", "settings"} do
  has(page, '<section id="' .. id .. '">')
  has(page, '<a href="#' .. id .. '">')
end
has(page, "unfinished: 3 of 6 epochs")
has(page, "The run is not done")
has(page, "50.0 %")
has(page, "Search on &lt;script&gt;alert(1)&lt;/script&gt;")
has(page, "&lt;b&gt;road &amp; &quot;kerb&quot;")
has(page, "tree&#39;s")
has(page, "<dt>note</dt><dd>a &amp; b</dd>")
-- Nothing is fetched and nothing runs; pictures are in the page.
for _, text in ipairs{"http:", "https:", "<script", "<b>road", "<link", "@import", "url("} do
  assert(not page:find(text, 1, true), text)
end
for source in page:gmatch(' src="([^"]*)"') do assert(source:match("^data:image/[a-z]+;base64,[%w+/=]+$"), source:sub(1, 60)) end
local _, pictures = page:gsub("<img ", "")
same(pictures, 4)
-- The same run, the same page.
nas.report("run", {path = "again.html"})
same(read("again.html"), page)

-- A run that is done; one that has just begun, without log entries and images.
write{["settings.epochs"] = "3"}
nas.report("run")
page = read("run/report.html")
has(page, "done: 3 epochs")
assert(not page:find("not done", 1, true) and not page:find("unfinished", 1, true))
local start = {epochs = ints{0}, alpha = supernet:alpha():unsqueeze(1), beta = supernet:beta():unsqueeze(1)}
write(nil, "epoch,lr,loss,miou\n", start)
nas.report("run")
page = read("run/report.html")
has(page, "unfinished: 0 of 6 epochs")
has(page, "the architecture is noise")
has(page, "No images yet")

-- Epochs that were not measured.
write(nil, "epoch,lr,loss,miou,accuracy\n1,0.1,1.5,,\n2,0.1,1.25,0.25,0.5\n3,0.1,1,,\n")
nas.report("run")
page = read("run/report.html")
has(page, "25.0 %")
has(page, "the best, after epoch 2")
assert(not page:find("nan", 1, true))

-- What does not fit.
fails("nowhere/history.safetensors", function() nas.report("nowhere") end)
fails("expected the directory of a run of scripts/search.lua", function() nas.report("nowhere") end)
write{["settings.layers"] = "4"}
fails("'beta' should be [4, 4, 2, 3] by the run's settings", function() nas.report("run") end)
write{["settings.blocks"] = "many"}
fails("the setting 'blocks' should be an integer, it is 'many'", function() nas.report("run") end)
write{colours = "1 2 3"}
fails("names and colours of the classes", function() nas.report("run") end)
write(nil, "no table")
fails("run/log.csv: expected a table", function() nas.report("run") end)
write(nil, "epoch,loss\n1\n")
fails("run/log.csv, line 2: expected 2 columns, got 1", function() nas.report("run") end)
fails("No such file", function() write() nas.report("run", {path = "nowhere/page.html"}) end)

-- A space of one's own: its network, how its decisions went, what they would be.
local own = nas.space(function(c)
  local paths = nas.paths("way", {layers = 2, states = {"a", "b"}, start = {"a"}})
  local net = {stem = nn.conv2d(3, 4, {kernel = 1}), into = {}, mix = nas.mix(nas.choice("op/<1>", {"none", "skip_connect", "sep_conv_3x3"}), function(op) return nas.parts.operator(op, 4) end)}
  for layer = 1, 2 do for _, _, id in paths:arrows(layer) do net.into[id] = nn.conv2d(4, 4, {kernel = 1}) end end
  function net.forward(self, x)
    local now = {a = self.mix(self.stem(x))}
    for layer = 1, 2 do
      local after = {}
      for s in paths:reached(layer) do
        local terms = {}
        for from, weight, id in paths:into(layer, s) do terms[#terms + 1] = nas.when(weight, function() return self.into[id](now[from]) end) end
        after[s] = nas.sum(terms)
      end
      now = after
    end
    local ends = {}
    for s, weight in paths:reached(2) do ends[#ends + 1] = nas.when(weight, function() return now[s] end) end
    return nas.sum(ends)
  end
  return nn.module(net, {name = "own"})
end)
local net = own:supernet{seed = 1}
local function stacked(name) return stack(net:probabilities(name)) end
local values = {epochs = ints{0, 1, 2, 3}}
for i, decision in ipairs(own.decisions) do values["p_" .. i] = stacked(decision.name) end
local about = {space = own:record(), flow = own:flow(), ["settings.layers"] = false, ["settings.strides"] = false, ["settings.operators"] = false, ["found.parameters"] = "1234"}
write(about, nil, values)
nas.report("run")
page = read("run/report.html")
for _, id in ipairs{"summary", "curves", "decisions", "architecture", "images", "settings"} do has(page, '<section id="' .. id .. '">') end
assert(not page:find('<section id="beta">', 1, true) and not page:find("<script", 1, true))
has(page, "op/&lt;1&gt;")
has(page, "sep_conv_3x3")
has(page, "1,234")
has(page, "8</b><span>architectures")
nas.report("run", {path = "again.html"})
same(read("again.html"), page)
values.p_1 = values.p_1:narrow(1, 1, 3)
write(about, nil, values)
fails("'p_1' should be [4, ", function() nas.report("run") end)
about.space = "{}"
write(about, nil, values)
fails("run/history.safetensors: space", function() nas.report("run") end)
