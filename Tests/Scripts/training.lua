-- Training and measuring networks: network:fit, network:evaluate, network:segment.
local function small(classes, seed)
  tensor.manual_seed(seed or 1)
  return nn.sequential{
    nn.conv2d(3, 8, {kernel = 3, stride = 2, padding = 1, bias = false}), nn.batch_norm(8), nn.relu(), nn.conv2d(8, classes, {kernel = 1}),
  }
end
local function texts(net)
  local parts = {}
  for name, x in pairs(net:parameters()) do parts[#parts + 1] = name .. tostring(x:sum():item()) .. tostring(x:abs():sum():item()) end
  return table.concat(parts, " ")
end
local set = data.shapes{images = 12, size = {24, 32}, classes = 4, seed = 1}
local other = data.shapes{images = 4, size = {24, 32}, classes = 4, seed = 2}

-- It learns; scores at half the size are resized to the labels.
local net = small(4)
local rows = 0
local history = net:fit(set, {steps = 30, batch = 4, lr = 0.1, schedule = "poly", validation = other, every = 10, each = function(row) rows = rows + 1 end})
same(rows, 3)
same(#history.rows, 3)
same(history.last.step, 30)
same(history.last.epoch, 10.0)
assert(history.last.loss < history.rows[1].loss, "the loss does not fall: " .. tostring(history))
assert(history.best.miou >= history.rows[1].miou)
near(history.rows[1].lr, 0.1 * (1 - 9 / 30) ^ 0.9, 1e-9)
assert(tostring(history):find("30 steps, loss", 1, true), tostring(history))
assert(net.training, "the mode is what it was")

-- What it measures is what metrics measure.
local result = net:evaluate(other)
near(result.miou, metrics.evaluate(nn.sequential{net, nn.resize{size = {24, 32}}}, other).miou, 1e-12)
near(result.miou, history.last.miou, 1e-12)
same(result.confusion.total, 4 * 24 * 32)
same(#result.classes, 4)
assert(tostring(result):find("pixel accuracy", 1, true), tostring(result))

-- The same seed gives the same run, on any number of threads; another gives another.
local function run(options)
  local net = small(4)
  local all = {steps = 6, batch = 4, lr = 0.05, crop = {16, 16}, scale = {0.5, 2}, flip = true, jitter = 0.2, seed = 3}
  for name, value in pairs(options or {}) do all[name] = value end
  local history = net:fit(set, all)
  return texts(net), history
end
local threads = trellis.threads()
local first = run()
trellis.threads(threads == 1 and 2 or 1)
same(run(), first)
trellis.threads(threads)
assert(run{seed = 4} ~= first)
local dropping = nn.sequential{nn.conv2d(3, 4, {kernel = 1}), nn.dropout(0.5)}
tensor.manual_seed(5)
local drawn = tensor.rand(1):item()
tensor.manual_seed(5)
dropping:fit(set, {steps = 2})
same(tensor.rand(1):item(), drawn, "fit leaves the stream of random numbers alone")

-- Class weights, accumulation, clip, warm-up.
assert(run{class_weights = "balanced"} ~= first)
assert(run{class_weights = {1, 1, 1, 5}} ~= first)
same(run{class_weights = {1, 1, 1, 1}}, first)
same(run{class_weights = set:weights()}, (run{class_weights = "balanced"}))
assert(run{clip = 0.01} ~= first)
local _, warm = run{warm_up = 4, every = 1, schedule = "constant"}
near(warm.rows[1].lr, 0.05 / 4, 1e-12)
near(warm.rows[5].lr, 0.05, 1e-12)

-- Accumulated gradients are those of the whole batch where no norm looks at the batch.
local function plain(accumulate)
  tensor.manual_seed(2)
  local net = nn.sequential{nn.conv2d(3, 6, {kernel = 3, padding = 1}), nn.relu(), nn.conv2d(6, 4, {kernel = 1})}
  net:fit(set, {steps = 3, batch = 4, accumulate = accumulate, lr = 0.05, crop = {40, 40}, pad = true, class_weights = {1, 2, 0.5, 3}})
  return net
end
local whole, parts = plain(1), plain(4)
for name, x in pairs(whole:parameters()) do
  assert((x - parts:parameters()[name]):abs():max():item() < 1e-5, name)
end

-- Early stopping: a network that cannot change does not get better.
local stuck = small(4)
history = stuck:fit(set, {steps = 100, batch = 4, lr = 0, every = 1, validation = other, patience = 2, momentum = 0, weight_decay = 0})
assert(history.steps < 100 and history.stopped == "no better in 2 validations", tostring(history))

-- Errors before any work.
local untouched = texts(net)
fails("the network tells 4 classes apart, shapes has 3", function() net:fit(data.shapes{images = 4, size = {24, 32}, classes = 3}, {steps = 1}) end)
fails("the network tells 4 classes apart, shapes has 3", function() net:evaluate(data.shapes{images = 4, size = {24, 32}, classes = 3}) end)
fails("48x48 is larger than shapes (seed 1) image 1 (24x32)", function() net:fit(set, {steps = 1, crop = 48}) end)
fails("expected 4 class weights, one for each class, got 3", function() net:fit(set, {steps = 1, class_weights = {1, 2, 3}}) end)
fails("does not come apart into 3 equal parts", function() net:fit(set, {steps = 1, accumulate = 3}) end)
fails("too few for batches of 20", function() net:fit(set, {steps = 1, batch = 20}) end)
fails("no paths to drop", function() net:fit(set, {steps = 1, drop_path = 0.1}) end)
fails("either steps or epochs expected", function() net:fit(set, {batch = 4}) end)
fails("a patience needs validations", function() net:fit(set, {steps = 1, patience = 1}) end)
fails("resume needs the directory", function() net:fit(set, {steps = 1, resume = true}) end)
fails("maps images [N, 3, H, W] to scores", function() nn.sequential{nn.conv2d(3, 4, {kernel = 1}), nn.flatten()}:fit(set, {steps = 1}) end)
fails("no parameters to train", function() nn.relu():fit(data.shapes{images = 4, size = {24, 32}, classes = 3}, {steps = 1}) end)
fails("larger steps would leave pixels out", function() net:evaluate(set, {window = 8, stride = 9}) end)
fails("belongs to windows", function() net:evaluate(set, {stride = 9}) end)
fails("expected scales above 0", function() net:evaluate(set, {scales = {0}}) end)
same(texts(net), untouched)

-- Files with wrong labels, or labels of another size, are found before any work, though nobody looked when the set was opened.
os.execute("mkdir -p images labels")
for i = 1, 2 do
  local image, labels = set:sample(i)
  net:segment(image, {overlay = ("images/%d.png"):format(i), opacity = 0})
  set:save_labels(labels, ("labels/%d.png"):format(i))
end
local function folder(classes) return data.folder{images = "images", labels = "labels", classes = classes, check = false} end
local three = small(3)
untouched = texts(three)
fails("labels/1.png: expected labels 0 to 2 or 255 (ignore), got 3 at row", function() three:fit(folder(3), {steps = 1, batch = 1}) end)
fails("labels/1.png: expected labels 0 to 2 or 255 (ignore), got 3 at row", function() three:evaluate(folder(3)) end)
net:fit(folder(4), {steps = 1, batch = 2})
set:save_labels(tensor.zeros(10, 12):int(), "labels/2.png")
fails("images/2.png is 24x32, its labels", function() net:fit(folder(4):subset{2, 2}, {steps = 1, batch = 2}) end)
same(texts(three), untouched)

-- A rate that is far too high is told before it spoils the weights silently.
fails("lower the learning rate", function() small(4):fit(set, {steps = 60, batch = 4, lr = 1e30, schedule = "constant"}) end)

-- A tensor that a function captures would never be trained.
do
  local w = tensor.ones(3, 1, 1, {requires_grad = true})
  local set = data.shapes{images = 4, size = {16, 16}, classes = 3, seed = 1}
  for place, part in pairs{
    ['2: '] = nn.lambda(function(x) return x * w end), ['captured: '] = nn.module({c = nn.conv2d(3, 3, {kernel = 1}), forward = function(self, x) return self.c(x) * w end}, {name = 'captured'}),
  } do
    local net = nn.sequential{nn.conv2d(3, 3, {kernel = 1}), part}
    fails('is no parameter of the network: it would never be trained', function() net:fit(set, {steps = 2, batch = 2}) end)
    -- An optimiser of the script's own may train it.
    local sgd = optim.sgd({w}, {lr = 0.1})
    trellis.compile(function(x)
      local loss = net(x):sum()
      sgd:zero_grad(); loss:backward(); sgd:step()
      return loss
    end)(tensor.ones(1, 3, 4, 4))
  end
  local kept = nn.sequential{nn.conv2d(3, 3, {kernel = 1}), nn.module{w = {w}, forward = function(self, x) return x * self.w[1] end}}
  local before = w:clone():detach()
  kept:fit(set, {steps = 2, batch = 2})
  assert(not w:equal(before))
  local l = nn.conv2d(3, 3, {kernel = 1})
  same(#nn.sequential{l, nn.relu(), l}:fit(set, {steps = 2, batch = 2}).rows, 1)
end

-- A step of fit that fails leaves running statistics as they were.
do
  local set = data.shapes{images = 4, size = {16, 16}, classes = 3, seed = 1}
  for _, parts in ipairs{1, 2} do
    local net = nn.sequential{nn.conv2d(3, 3, {kernel = 1}), nn.batch_norm(3), nn.lambda(function(x) return x * 3e38 * 3e38 end)}
    local before = net:state()
    fails('the loss is', function() net:fit(set, {steps = 2, batch = 2, accumulate = parts}) end)
    for name, tensor in pairs(net:state()) do assert(tensor:equal(before[name]), name) end
  end
end

-- A loss of the script's own.
do
  local set = data.shapes{images = 4, size = {16, 16}, classes = 3, seed = 1}
  local function network() return nn.sequential{nn.conv2d(3, 8, {kernel = 3, padding = 1, seed = 1}), nn.batch_norm(8), nn.relu(), nn.conv2d(8, 3, {kernel = 1, seed = 2})} end
  local options = {steps = 8, batch = 2, seed = 3, progress = false}
  local wanted = network()
  wanted:fit(set, options)
  local own = network()
  local seen
  options.loss = function(net, images, labels)
    seen = net
    return nn.cross_entropy(net(images), labels)
  end
  own:fit(set, options)
  assert(seen == own)
  for name, t in pairs(own:parameters()) do assert(t:allclose(wanted:parameters()[name], {atol = 1e-5}), name) end
  -- In parts: the mean of the parts' means.
  options.accumulate, options.steps = 2, 2
  local parts = network()
  same(#parts:fit(set, options).rows, 1)
  options.class_weights = 'balanced'
  fails("option 'class_weights'", function() parts:fit(set, options) end)
  options.class_weights, options.accumulate = nil, nil
  options.loss = function(net, images) return net(images) end
  fails('expected a loss that is one number', function() parts:fit(set, options) end)
  options.loss = function() return 3 end
  fails('the loss must return tensor, got number', function() parts:fit(set, options) end)
  local stray = tensor.ones(1, {requires_grad = true})
  options.loss = function(net, images, labels) return nn.cross_entropy(net(images), labels) * stray end
  fails('', function() parts:fit(set, options) end)
end
