-- Supernets through Lua.
local space = nas.trellis{layers = 3, filters = 2, strides = {4, 8, 16}, cell = nas.cell{blocks = 2, operators = {"none", "max_pool_3x3", "skip_connect", "sep_conv_3x3"}}}
local supernet = space:supernet{classes = 3, seed = 5}
same({supernet.classes, supernet.seed, supernet.ignore, supernet.training}, {3, 5, 255, true})
same(supernet:alpha().shape, {5, 4})
same(supernet:beta().shape, {3, 3, 3})
assert(supernet:alpha{raw = true}.requires_grad and not supernet:alpha().requires_grad)

-- Probabilities of the arrows that leave a node sum to 1, others are 0.
local beta = supernet:beta()
local outgoing = {}
for _, arrow in ipairs(space.arrows) do outgoing[arrow.layer .. " " .. arrow.from] = true end
for l = 1, 3 do
  for s, stride in ipairs(space.strides) do near(beta[l][s]:sum(), outgoing[l .. " " .. stride] and 1 or 0) end
end
same(beta[{1, 1, 1}], 0.0)

-- Steps
local images, labels = tensor.randn(2, 3, 32, 24, {seed = 1}), tensor.randint(0, 2, {2, 32, 24}, {seed = 2})
local sgd = optim.sgd(supernet:weights(), {lr = 0.025, momentum = 0.9, weight_decay = 3e-4, clip = 5})
local adam = optim.adam(supernet:architecture(), {lr = 3e-3, weight_decay = 1e-3})
local function snapshot(list)
  local copy = {}
  for name, t in pairs(list) do copy[name] = t:detach():clone() end
  return copy
end
local function changed(list, copy)
  local n = 0
  for name, t in pairs(list) do if not t:detach():equal(copy[name]) then n = n + 1 end end
  return n
end
local weights, architecture = snapshot(supernet:weights()), snapshot(supernet:architecture())
local loss = supernet:step(sgd, images, labels)
assert(loss:item() > 0.5 and loss:item() < 3, loss)
same(changed(supernet:architecture(), architecture), 0)
same(changed(supernet:weights(), weights), #supernet:weights())
weights = snapshot(supernet:weights())
supernet:step(adam, images, labels)
same(changed(supernet:weights(), weights), 0)
same(changed(supernet:architecture(), architecture), 2)
fails("is not this supernet's", function() supernet:step(optim.sgd(nn.linear(2, 3):parameters(), {lr = 1}), images, labels) end)
fails("expects images [N, 3, H, W]", function() supernet:step(sgd, tensor.zeros(2, 1, 8, 8), labels) end)
fails("label", function() supernet:step(sgd, images, labels + 7) end)

-- Evaluation between steps compiles nothing anew.
local function arena() return supernet:plan(sgd, images, labels).kernels end
local kernels = arena()
local scores = supernet:scores(images)
same(scores.shape, {2, 3, 32, 24})
supernet:eval()
assert((supernet(images) - scores):abs():max():item() < 1e-4)
supernet:train()
same(supernet:predict(images), nn.functional.classes(scores))
same(arena(), kernels)

-- The eager loss is what a step minimises.
near(supernet:loss(images, labels), supernet:gradients(adam, images, labels), 1e-4)

-- Decoding
local found = supernet:decode{data = "noise", date = "2026-11-23", name = "mine"}
same({found.name, found.provenance.data, found.provenance.date, found.provenance.seed}, {"mine", "noise", "2026-11-23", 5})
assert(found:fits(space) and found.score < 0 and #found.strengths == 4)
local states, score = nas.viterbi(supernet:beta())
local path = {}
for i, state in ipairs(states) do path[i] = space.strides[state] end
same(path, found.path)
near(score, found.score, 1e-5)
for _, block in ipairs(found.cell) do for _, branch in ipairs(block) do assert(branch.operator ~= "none") end end
local entropy = supernet:entropy()
assert(entropy.alpha_relative > 0.99 and entropy.alpha_relative <= 1 and entropy.beta > 0.6)

-- Files
supernet:save("supernet.safetensors")
local other = space:supernet{classes = 3, seed = 6}
assert(not other:alpha():equal(supernet:alpha()))
same(other:load("supernet.safetensors"):scores(images), supernet:scores(images))
other = space:supernet{classes = 3, seed = 6}
other:load_state(supernet:state())
same(other:scores(images), supernet:scores(images))
fails("supernet.safetensors: classes: expected 4, got 3", function() space:supernet{classes = 4}:load("supernet.safetensors") end)
local smaller = nas.trellis{layers = 2, filters = 2, strides = {4, 8, 16}, cell = space.cell}
fails("the file is of another search space", function() smaller:supernet{classes = 3}:load("supernet.safetensors") end)
tensor.save("wrong.safetensors", {a = tensor.zeros(3)})
fails("wrong.safetensors: expected all", function() smaller:supernet{classes = 3}:load("wrong.safetensors") end)
fails("missing.safetensors", function() smaller:supernet{classes = 3}:load("missing.safetensors") end)

-- Printing is short, whatever the size.
local text = tostring(nas.trellis{layers = 6, cell = nas.cell{blocks = 2}, filters = 2}:supernet{classes = 3})
local _, lines = text:gsub("\n", "")
assert(lines < 20 and text:find("layer 6: stride 4 8 16 32", 1, true), text)
same(supernet:child("nodes.2.8").kind, "node")
same(supernet:count().architecture, 20 + 27)
same(supernet.module:count().parameters, supernet:count().parameters + 47)
fails("classes should be 2 or more", function() space:supernet{classes = 1} end)
fails("classes", function() space:supernet{} end)

-- A step that fails leaves parameters and running statistics as they were.
do
  local net = space:supernet{classes = 3, seed = 1}
  local sgd = optim.sgd(net:weights(), {lr = 0.01})
  local good, targets = tensor.randn(2, 3, 24, 16, {seed = 1}), tensor.randint(0, 2, {2, 24, 16}, {seed = 2})
  net:step(sgd, good, targets)
  local before, scores = net:state(), net:scores(good)
  local bad = good:clone()
  bad[{1, 1, 1, 1}] = 0 / 0
  for _, f in ipairs{function() net:step(sgd, bad, targets) end, function() net:gradients(sgd, bad, targets) end} do
    fails("the loss is nan", f)
    for name, tensor in pairs(net:state()) do assert(tensor:equal(before[name]), name) end
    same(net:scores(good), scores)
  end
  net:step(sgd, good, targets)
  tensor.no_grad(function() net:alpha{raw = true}:fill_(0 / 0) end)
  fails("decision 'cell.1' hold", function() plot.alpha(net) end)
  tensor.no_grad(function() net:beta{raw = true}:fill_(0 / 0) end)
  fails("decision 'paths' hold", function() plot.trellis(net) end)
end

-- Counts of classes that are none.
for _, classes in ipairs{-1, 0, 1, math.mininteger, math.maxinteger} do
  fails("classes", function() nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {"skip_connect"}}}:supernet{classes = classes} end)
end

-- One architecture at a time.
do
  local net = space:supernet{classes = 3, seed = 7}
  local sgd = optim.sgd(net:weights(), {lr = 0.025, momentum = 0.9, weight_decay = 1e-3})
  local whole = net:scores(images)
  local before = net:state()
  local a = space:random{seed = 4}
  assert(net:at(a) == net and tostring(net:present()) == tostring(a))
  net:step(sgd, images, labels)
  local off = 0
  for name, weight in pairs(net:weights()) do
    assert(weight.grad, name)
    if weight.grad:abs():max():item() == 0 then
      assert(weight:detach():equal(before[name]), name)
      off = off + 1
    end
  end
  assert(off > #net:weights() / 2, off)
  for seed = 5, 12 do net:at(space:random{seed = seed}):step(sgd, images, labels) end
  same(net:recordings(), 2)  -- the scores of all, a step of one
  local set = data.shapes{images = 4, size = {32, 24}, classes = 3, seed = 1}
  local scores = {}
  for seed = 1, 4 do scores[seed] = metrics.evaluate(net:at(space:random{seed = seed}), set, {batch = 2}).miou end
  same(net:recordings(), 3)
  net:at(a)
  local by_batch = net:scores(images)
  assert((net:recalibrate{images}:scores(images) - by_batch):abs():max():item() > 0)
  same(net:recordings(), 5)
  net:recalibrate(set:batches{size = 2, seed = 1})
  same(net:at(a):scores(images), by_batch)
  assert(net:at(nil):present() == nil)
  same(net:recordings(), 5)
  assert(not net:scores(images):equal(whole))
  fails("at no architecture", function() net:recalibrate{images} end)
  fails("at least one batch", function() net:at(a):recalibrate{} end)
  fails("path: expected 3 strides", function() net:at(nas.trellis{layers = 4, filters = 2, strides = {4, 8, 16}, cell = space.cell}:random{seed = 1}) end)
  fails("architecture", function() net:at(3) end)
end
