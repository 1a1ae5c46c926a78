-- From architectures to networks, in Lua.
local narrow = {stem = 4, stem_output = 6, aspp = 5, low_level = 3, decoder = 7}
local function with(options)
  for name, value in pairs(narrow) do options[name] = value end
  return options
end

-- Every design of the gallery: counted, built, run at an odd size, trained for a step.
local seen = 0
local images, labels = tensor.randn(2, 3, 35, 49, {seed = 1}), tensor.full({2, 35, 49}, 1, {dtype = "int32"})
for name, architecture in pairs(nas.gallery) do
  seen = seen + 1
  local net = architecture:network(with{filters = 1, classes = 3, seed = 2, drop_path = 0.2})
  local count = net:count{height = 35, width = 49}
  local estimate = architecture:estimate(with{filters = 1, classes = 3, height = 35, width = 49})
  assert(count.parameters == estimate.parameters and count.multiply_adds == estimate.multiply_adds, name)
  assert(#count.parts == 15 and count.parts[4].multiply_adds == estimate.parts[4].multiply_adds, name)
  assert(tostring(count):find("layer 12", 1, true) and tostring(net):find("cells.12", 1, true))
  local sgd = optim.sgd(net:parameters(), {lr = 0.01})
  local step = trellis.compile(function(images, labels)
    local loss = nn.cross_entropy(net(images), labels, {ignore = 255})
    sgd:zero_grad(); loss:backward(); sgd:step()
    return loss
  end)
  local first = step(images, labels):item()
  net:advance(0.5)
  assert(first == first and step(images, labels):item() < math.huge, name)
  net:eval()
  assert(table.concat(net(tensor.zeros(1, 3, 33, 47)).shape, " ") == "1 3 33 47")
end
assert(seen == 8 and nas.gallery.deeplab_v3.name == "deeplab_v3")
assert(nas.gallery.auto_deeplab:network{filters = 20, classes = 19}:count().parameters == 10147427)

-- count without a size, of other modules, and its errors.
local plain = nn.sequential{nn.conv2d(3, 4, {kernel = 3}), nn.relu(), nn.sequential{nn.conv2d(4, 2, {kernel = 1, bias = false})}}
local count = plain:count()
assert(count.parameters == 112 + 8 and count.multiply_adds == nil and #count.parts == 3 and count.parts[3].parameters == 8)
assert(plain:count{height = 5, width = 6}.multiply_adds == 12 * 108 + 12 * 8)
assert(nn.linear(4, 2):count{input = {7, 4}}.multiply_adds == 56)
local function fails(pattern, f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok and tostring(message):find(pattern), tostring(message))
end
fails("height and width", plain.count, plain, {height = 5})
fails("sizes from 1", plain.count, plain, {height = 0, width = 5})

-- An operator of a script on a down arrow: one that knows strides, and one that ignores them.
nas.operator("test_strided", function(c, o)
  return nn.sequential{nn.relu(), nn.conv2d(c, c, {kernel = 3, stride = o.stride, padding = 1, bias = false}), nn.batch_norm(c, {affine = o.affine})}
end)
nas.operator("test_plain", function(c, o)
  return nn.sequential{nn.conv2d(c, c, {kernel = 3, padding = 1, bias = false}), nn.batch_norm(c, {affine = o.affine})}
end)
local space = nas.trellis{layers = 3, strides = {2, 4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {"test_strided", "test_plain"}}}
local mine = nas.architecture{space = space, path = {4, 8, 4}, cell = {{{"test_strided", 1}, {"test_plain", 2}}}}
local net = mine:network(with{filters = 2, classes = 4})
assert(table.concat(net(tensor.randn(2, 3, 21, 18)).shape, " ") == "2 4 21 18")
assert(net:child("cells.1.block.1.2.test_plain.resize").kind == "resize" and net:child("cells.3.block.1.2.test_plain")[1].kind == "conv2d")
assert(net:count{height = 21, width = 18}.multiply_adds == mine:estimate(with{filters = 2, classes = 4, height = 21, width = 18}).multiply_adds)

-- A supernet's weights.
local supernet = space:supernet{classes = 4, seed = 3}
local started, taken = supernet:decode():network(with{filters = 2, classes = 4, from = supernet})
assert(taken > 10 and taken < started:count().tensors * 2)
local found = supernet:decode()
local branch = found.cell[1][1]
if found.path[1] == 2 and branch.operator == "test_plain" then
  local theirs = supernet.module:child("nodes.1.2.block.1." .. branch.state .. ".test_plain")
  assert(started:child("cells.1.block.1.1.test_plain")[1].weight:equal(theirs[1].weight))
end

-- Errors before any work.
fails("2 or more", mine.network, mine, {filters = 2, classes = 1})
fails("classes", mine.network, mine, {filters = 2})
fails("did you mean 'filters'", mine.network, mine, {filter = 2, classes = 3})
fails("16x16 or more", function() nas.gallery.deeplab_v3:network(with{filters = 1, classes = 2})(tensor.zeros(1, 3, 15, 40)) end)
fails("path", mine.network, mine, {filters = 2, classes = 3, from = nas.trellis{layers = 2, filters = 2}:supernet{classes = 3}})

-- How far the heads look is a number of the space: it goes with the architecture, into its network, its card and its checkpoint.
do
  local cell = nas.cell{blocks = 1, operators = {"skip_connect", "sep_conv_3x3"}}
  local function space(reach) return nas.trellis{layers = 3, strides = {4, 8}, filters = 2, cell = cell, head_reach = reach} end
  local published, near = space():random{seed = 1}, space(19):random{seed = 1}
  same(published.head_reach, 96)
  same(near.head_reach, 19)
  assert(not published:json():find("head_reach"), "files of the published reach are as they were")
  near:save("near.json")
  same(nas.load("near.json").head_reach, 19)
  assert(near:fits(space()) and near:same(published))
  local function network(architecture, options)
    local all = {filters = 2, classes = 3, stem = 4, stem_output = 6, aspp = 8, low_level = 4, decoder = 8, seed = 3}
    for name, value in pairs(options or {}) do all[name] = value end
    return architecture:network(all)
  end
  local function rates(net) return tostring(net):match("rates ([%d, ]+),") end
  local last = near.path[3]
  local function expected(reach) local r = math.max(1, reach // last) return ("%d, %d, %d"):format(r, 2 * r, 3 * r) end
  same(rates(network(published)), expected(96))
  same(rates(network(near)), expected(19))
  same(rates(network(published, {head_reach = 40})), expected(40))
  same(rates(network(near, {head_reach = 96})), expected(96))
  fails("expected 1 to 65536, got 0", function() network(near, {head_reach = 0}) end)
  -- A card keeps the network's own; one that says nothing means the published.
  network(published, {head_reach = 40}):save("forty")
  same(rates(nas.network("forty")), expected(40))
  network(near):save("nineteen")
  same(rates(nas.network("nineteen")), expected(19))
  network(near, {head_reach = 96}):save("published")
  same(rates(nas.network("published")), expected(96))
  assert(not io.open("published/card.json"):read("a"):find("head_reach"))
  -- A checkpoint of one is not one of another.
  checkpoint.save("near.safetensors", {net = network(near)})
  checkpoint.load("near.safetensors", {net = network(near)})
  fails("its head_reach is 19 there, this one has the usual one", function() checkpoint.load("near.safetensors", {net = network(published)}) end)
  checkpoint.save("published.safetensors", {net = network(published)})
  fails("it says nothing of its head_reach", function() checkpoint.load("published.safetensors", {net = network(near)}) end)
end
