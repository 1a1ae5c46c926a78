-- Sets, losses and metrics of a task of one's own: data.from, fit, evaluate, steps, resume.
local function exact(a, b, what)
  assert(a.dtype == b.dtype and table.concat(a.shape, " ") == table.concat(b.shape, " ") and a:equal(b), (what or "tensors") .. " differ")
end

-- Samples, as the function and as tensors give them.
local H, W = 12, 16
local function make(i, random)
  local ground = nn.functional.resize(tensor.rand({1, 1, 3, 4}, {seed = i}), {size = {H, W}}):squeeze(1)
  return {
    image = tensor.concat({ground, 1 - ground, ground * ground}, 1), depth = 1 + 4 * ground:squeeze(1),
    near = ground:squeeze(1):gt(0.5):int(), points = tensor.from{{0, 0, 1}, {W - 1, H - 1, 0}, {i % W, 3, 1}}, weight = tensor.full({}, random()),
  }
end
local spec = {
  count = 10, inputs = {"image"}, targets = {"depth", "near", "points", "weight"}, normalise = false, kinds = {points = "points", weight = "same"}, sample = make, seed = 4,
}
local set = data.from(spec)
same(#set, 10)
same(table.concat(set.targets, " "), "depth near points weight")
same(set.classes, 0)
same(tostring(set), "own data: 10 samples, image to depth, near, points, weight, the first 12x16")
local image, depth, near_, points, weight = set:sample(3)
same(near_.dtype, "int32")
exact(weight, select(5, set:sample(3)), "random numbers of a sample")
exact(weight, select(5, data.from(spec):sample(3)))
assert(weight:item() ~= select(5, set:sample(4)):item())
spec.seed = 5
assert(select(5, data.from(spec):sample(3)):item() ~= weight:item(), "another seed draws others")
spec.seed = 4
local columns = {}
for k = 1, 5 do
  local rows = {}
  for i = 1, 10 do rows[i] = select(k, set:sample(i)) end
  columns[k] = tensor.stack(rows, 1)
end
local stored = data.from{
  sample = {image = columns[1], depth = columns[2], near = columns[3], points = columns[4], weight = columns[5]}, inputs = spec.inputs, targets = spec.targets,
  normalise = false, kinds = spec.kinds,
}
same(#stored, 10)
for i = 1, 10 do
  local a, b = {set:sample(i)}, {stored:sample(i)}
  for k = 1, 5 do exact(a[k], b[k]) end
end

-- Whole samples stay as they are, bit for bit; batches depend on seed and place alone, in the background or not.
local whole = set:batches{size = 1, shuffle = false}
for i = 1, 3 do
  local batch = {whole:next()}
  for k = 1, 5 do exact(batch[k]:select(1, 1), (select(k, set:sample(i)))) end
end
local how = {size = 3, seed = 2, crop = {8, 10}, scale = {0.8, 1.5}, flip = true, pad = true}
local a, b = set:batches(how), stored:batches(how)
for step = 1, 7 do
  local x, y = {a:next()}, {b:next()}
  for k = 1, 5 do exact(x[k], y[k], "batch " .. step .. " part " .. k) end
end
local state = a:state()
local later = {a:next()}
a:load_state(state)
exact(later[2], (select(2, a:next())))

-- Each kind follows the image: the first plane is the ground, the depth 1 + 4 of it; labels are those of the nearest pixel; points move along.
local moved = data.from{
  count = 6, inputs = {"image"}, targets = {"depth", "mask", "points"}, normalise = false, kinds = {points = "points"},
  sample = function(i)
    local row, column = i % 5 + 2, i % 7 + 4
    local plane = tensor.zeros(H, W)
    plane[row][column] = 1
    return {image = tensor.stack({plane, plane, plane}, 1), depth = 1 + 4 * plane, mask = plane:int(), points = tensor.from{{column - 1, row - 1}}}
  end,
}
local seen = 0
for x, d, m, p in moved:batches{size = 6, seed = 3, crop = {9, 12}, flip = true}:pass() do
  for n = 1, 6 do
    local u, v = p[n][1][1], p[n][1][2]
    if u >= 0 and v >= 0 and u < 12 and v < 9 then
      seen = seen + 1
      same({x[n][1][v + 1][u + 1], d[n][v + 1][u + 1], m[n][v + 1][u + 1]}, {1.0, 5.0, 1})
    end
    near(d[n]:sum(), 9 * 12 + 4 * x[n][1]:sum():item(), 1e-3)
    same(m[n]:sum():item(), x[n][1]:sum():item() > 0 and 1 or 0)
  end
end
assert(seen >= 3, "points were seen")
local half, small = moved:scaled(0.5):sample(1)
same({half:size(2), half:size(3), small:size(1)}, {6, 8, 6})
near(half[1]:sum(), 0.25)
-- Bilinear and nearest by hand, twice the size.
local ramp = data.from{sample = {x = tensor.from{0, 1, 2, 3}:reshape(1, 1, 1, 4), y = tensor.from({0, 1, 2, 3}, {dtype = "int32"}):reshape(1, 1, 4)}, inputs = {"x"}, targets = {"y"}}
local x, y = ramp:batches{size = 1, scale = 2, crop = {2, 8}}:next()
same(x[1][1][1], tensor.from{0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3})
same(y[1][2], tensor.from({0, 0, 1, 1, 2, 2, 3, 3}, {dtype = "int32"}))
-- Outside of the image: the mean colour, what `outside` says, 255.
local padded = data.from{
  sample = {image = tensor.ones(1, 3, 2, 2), depth = tensor.ones(1, 2, 2), labels = tensor.ones(1, 2, 2):int()}, inputs = {"image"}, targets = {"depth", "labels"}, outside = {depth = -1},
}
local i, d, l = padded:batches{size = 1, crop = {2, 3}, pad = true}:next()
near(d:sum(), 4 - 2)
same(l:sum():item(), 4 + 2 * 255)
near(i[1][1]:sum(), 4 * (1 - 0.485) / 0.229, 1e-4)
-- A function says what becomes of a part.
local own = data.from{
  sample = {image = tensor.rand(2, 3, 8, 8), side = tensor.from{1, -1}}, inputs = {"image"}, targets = {"side"},
  kinds = {side = function(value, w) assert(w.height == 4 and w.scaled_width == 8) return w.mirrored and -value or value end},
}
local sides = {}
for _, side in own:batches{size = 2, seed = 1, crop = {4, 4}, flip = true}:pass() do sides[#sides + 1] = side[1] end
same(math.abs(sides[1]), 1.0)

-- A transform sees what goes into the batch; of files and scenes too.
local doubled = set:batches{size = 2, shuffle = false, transform = function(s, random) s.depth = s.depth * 2 return s end}
exact(select(2, doubled:next())[1], depth and select(2, set:sample(1)) * 2)
local scenes = data.shapes{images = 4, size = {16, 24}, classes = 3, seed = 1}
local function noisy() return scenes:batches{size = 2, seed = 1, transform = function(s, random) return {images = s.images + random(), labels = s.labels:eq(0):int()} end} end
local one, other = noisy(), noisy()
for _ = 1, 3 do exact((one:next()), (other:next()), "a transform's random numbers") end
local noise, flags = one:next()
assert(flags:le(1):all())

-- Errors name the sample and the line.
local function broken(f, options)
  local all = {count = 4, inputs = {"x"}, targets = {"y"}, sample = f, name = "mine"}
  for k, v in pairs(options or {}) do all[k] = v end
  return data.from(all)
end
local function good() return {x = tensor.zeros(1, 4, 4), y = tensor.zeros(4, 4)} end
local late = broken(function(i)
  if i == 3 then error("no such file") end
  return good()
end)
fails("sample 3 of mine: ", function() late:check() end)
fails("no such file", function() local l = late:batches{size = 4} l:next() end)
fails("own_tasks.lua:", function() late:batches{size = 4}:next() end)
fails("sample 1 of mine: sample should return a tensor as 'y', got nil", function() broken(function() return {x = tensor.zeros(1)} end) end)
fails("returned 'z', which is neither an input nor a target", function() broken(function() return {x = tensor.zeros(1), y = tensor.zeros(1), z = 1} end) end)
fails("got float32 [3]", function() broken(function(i) return {x = tensor.zeros(1, 4, 4), y = i == 1 and tensor.zeros(4, 4) or tensor.zeros(3)} end):check() end)
fails("others of its batch are", function() broken(function(i) return {x = tensor.zeros(1, 4, i > 2 and 4 or 5), y = tensor.zeros(4, i > 2 and 4 or 5)} end):batches{size = 4}:next() end)
fails("it is not known what becomes of y", function() broken(function() return {x = tensor.zeros(1, 4, 4), y = tensor.zeros(2)} end):batches{size = 1, flip = true} end)
fails("int32 cannot be 'bilinear'", function() broken(function() return {x = tensor.zeros(1, 4, 4), y = tensor.zeros(4, 4):int()} end, {kinds = {y = "bilinear"}}) end)
fails("x is 4x4, y is 4x5", function() broken(function() return {x = tensor.zeros(1, 4, 4), y = tensor.zeros(4, 5)} end, {kinds = {y = "bilinear"}}) end)
fails("the number of samples expected", function() data.from{inputs = {"x"}, sample = good} end)
fails("has no classes", function() set:frequencies() end)
fails("has no classes", function() metrics.evaluate(nn.identity(), set) end)

-- With names of classes it is a set as any other.
local two = data.from{sample = {image = columns[1], labels = columns[3]}, inputs = {"image"}, targets = {"labels"}, names = {"far", "near"}}
same(two.classes, 2)
tensor.manual_seed(1)
local net = nn.conv2d(3, 2, {kernel = 1})
net:fit(two, {steps = 60, batch = 5, lr = 1})
assert(net:evaluate(two).miou > 0.9, "the first plane says it")
fails("expected labels 0 to 0 or 255, got 1", function() data.from{sample = {image = columns[1], labels = columns[3]}, inputs = {"image"}, targets = {"labels"}, names = {"far"}}:check() end)

-- Losses and metrics: two heads with weights, recorded once; accumulation, validation, the best, patience.
local train, test = set:split(0.6, {seed = 1})
local function model(seed)
  tensor.manual_seed(seed or 1)
  return nn.module({
    body = nn.sequential{nn.conv2d(3, 6, {kernel = 3, padding = 1}), nn.batch_norm(6), nn.relu(), nn.dropout(0.1)}, depth = nn.conv2d(6, 1, {kernel = 1}), near = nn.conv2d(6, 1, {kernel = 1}),
    forward = function(self, x)
      local h = self.body(x)
      return self.depth(h):squeeze(2):exp(), self.near(h):squeeze(2)
    end,
  }, {name = "two heads"})
end
local log = io.open("calls", "w")                             -- a variable would be an input of the recording
local function loss(net, image, depth, near, points, weight)
  log:write("x")
  local d, n = net(image)
  return nn.silog_loss(d, depth, {lambda = 0.5}) + 0.1 * nn.bce_with_logits(n, near:float()) + 0 * (points:mean() + weight:mean())
end
local metric = {
  abs_rel = function(net, image, depth) return metrics.abs_rel((net(image)), depth) end,
  right = function(net, image, _, near) return (select(2, net(image))):gt(0):eq(near:float()):float():mean() end,
}
local options = {steps = 40, batch = 3, lr = 0.05, clip = 5, loss = loss, validation = test, metric = metric, metric_goal = {abs_rel = "min"}, every = 10, use = "best", flip = true}
local trained = model()
local history = trained:fit(train, options)
log:close()
same(io.open("calls"):read("a"), "x", "calls of the loss")
log = {write = function() end}
same(#history.rows, 4)
assert(history.last.abs_rel and history.last.right and not history.last.miou)
assert(history.best.abs_rel <= history.rows[1].abs_rel and history.last.loss < history.rows[1].loss, tostring(history))
same(history:csv():match("[^\n]+"), "step,epoch,lr,loss,abs_rel,right")
assert(tostring(history):find("best abs_rel", 1, true))
local result = trained:evaluate(test, {metric = metric})
near(result.values.abs_rel, history.best.abs_rel, 1e-6)
same({result.value, result.miou, result.images}, {nil, nil, 4})
trained:eval()
local sum = 0
for i = 1, #test do
  local image, depth = test:sample(i)
  sum = sum + metrics.abs_rel((trained(image:unsqueeze(1))), depth:unsqueeze(1)):item()
end
trained:train()
near(result.values.abs_rel, sum / #test, 1e-5)
near(trained:evaluate(test, {metric = metric.abs_rel, batch = 4}).value, result.values.abs_rel, 1e-5)
options.accumulate, options.patience, options.use = 3, 1, nil
assert(#model():fit(train, options).rows >= 1)
options.accumulate = nil
fails("has no classes, which the cross entropy goes by; give a loss", function() model():fit(train, {steps = 1}) end)
fails("has no classes, which the mean IoU goes by; give a metric", function() model():evaluate(test) end)
fails("give a metric", function() model():fit(train, {steps = 1, loss = loss, validation = test}) end)
fails("'min' or 'max' expected", function() model():fit(train, {steps = 1, loss = loss, validation = test, metric = metric, use = "best"}) end)
fails("one of abs_rel, right", function() model():fit(train, {steps = 1, loss = loss, validation = test, metric = metric, metric_goal = {abs = "min"}}) end)
fails("a validation set expected", function() model():fit(train, {steps = 1, loss = loss, metric = metric}) end)
fails("reduce it, with mean() say", function() model():fit(train, {steps = 1, loss = function(net, x, y) return (net(x)) - y end}) end)
fails("sample 3 of mine: ", function() nn.conv2d(1, 1, {kernel = 1}):fit(late, {steps = 9, batch = 2, loss = function(net, x, y) return (net(x):squeeze(2) - y):square():mean() end}) end)

-- A run that dies goes on bit for bit; with another loss, metric or sample it does not.
local function texts(net)
  local parts = {}
  for name, x in pairs(net:state()) do parts[#parts + 1] = name .. tostring(x:sum():item()) .. tostring(x:abs():sum():item()) end
  table.sort(parts)
  return table.concat(parts, " ")
end
options.patience = nil
local straight = model()
local wanted = straight:fit(train, options)
options.out = "run"
options.each = function(row) if row.step == 20 then error("killed") end end
fails("killed", function() model():fit(train, options) end)
options.each, options.resume = nil, true
local first_loss, first_metric = options.loss, options.metric
options.loss = function(net, image, depth) return nn.l1_loss((net(image)), depth) end
fails("the run has loss function loss(net, image, depth, near, points, weight)", function() model():fit(train, options) end)
options.loss, options.metric = first_loss, {abs_rel = metric.abs_rel, right = function(net, image, _, near) return near:float():mean() end}
fails("the run has metric", function() model():fit(train, options) end)
options.metric = first_metric
local again = model()
local found = again:fit(train, options)
same(found:csv(), wanted:csv())
same(texts(again), texts(straight))

-- Steps of a supernet take as many tensors as its loss.
local space = nas.space(function()
  local op = nas.choice("op", {"skip_connect", "sep_conv_3x3"})
  local net = {mix = nas.mix(op, function(name) return nas.parts.operator(name, 3) end), head = nn.conv2d(3, 1, {kernel = 1})}
  function net.forward(self, x, scale) return self.head(self.mix(x)) * (scale or 1) end
  return nn.module(net, {name = "scaled"})
end)
local super = space:supernet{seed = 1}
local sgd = optim.sgd(super:weights(), {lr = 0.05})
local function scaled_loss(net, x, scale, y) return (net(x, scale) - y):square():mean() end
local x, scale, y = tensor.ones(2, 3, 4, 4), tensor.full({2, 1, 1, 1}, 2), tensor.zeros(2, 1, 4, 4)
local before = super:step(sgd, x, scale, y, {loss = scaled_loss}):item()
assert(super:step(sgd, x, scale, y, {loss = scaled_loss}):item() < before)
same(super:recordings(), 1)
fails("images and labels expected", function() super:step(sgd, x) end)

-- Images as tensors.
local grey, colours = tensor.rand({5, 7}, {seed = 1}), tensor.rand({3, 5, 7}, {seed = 2})
for bits, most in pairs{[8] = 255, [16] = 65535} do
  for _, t in ipairs{grey, colours} do
    t:save("image.png", {bits = bits})
    local back = tensor.load("image.png")
    same(back.rank, 3)
    assert((back:reshape(t.shape) * most):round():equal((t * most):round()), bits .. " bits")
    local whole = tensor.load("image.png", {stored = true})
    same({whole.dtype, whole.rank}, {"int32", t.rank})
    whole:save("again.png", {bits = bits})
    exact(tensor.load("again.png", {stored = true}), whole)
  end
end
colours:save("image.jpg")
assert((tensor.load("image.jpg") - colours):abs():mean():item() < 0.2)
fails("no NaN", function() tensor.full({2, 2}, 0 / 0):save("image.png") end)
fails("expected 0 to 255, got 256", function() tensor.full({2, 2}, 256, {dtype = "int32"}):save("image.png") end)
fails("as an image", function() tensor.zeros(2, 2, 2):save("image.png") end)
fails("16 of a PNG", function() grey:save("image.jpg", {bits = 16}) end)
