-- NaN and infinity stop every loop of steps, and the error says where they began: the step, the operation, its module.
tensor.manual_seed(1)
local set = data.shapes{images = 8, size = {24, 32}, classes = 3, seed = 1}

-- trellis.check_numbers: at once, compiled, inside of steps.
local function where(f, ...) return trellis.check_numbers(f, ...) end
local x = tensor.from{1, 2, 3}
same(where(function() return (x + 1):sqrt():sum() end), nil)
same(where(function() return (x - 2):sqrt():sum() end), "first NaN in sqrt")
same(where(function() return (x - 1):log():sum() end), "first infinity in log")
same(where(function() return ((x - 1):log() * 0):sum() end), "first infinity in log, then NaN in mul")
assert(where(function() return tensor.from{0 / 0}:relu() + 1 end):find("first NaN in a tensor [1] that relu reads, which holds 1 NaN among 1 number", 1, true))
-- A function that fails because of it, and one that fails for another reason.
same(where(function() local y = (x - 2):sqrt():sum():item() if y ~= y then error("NaN") end end), "first NaN in sqrt")
fails("another reason", function() where(function() error("another reason") end) end)
fails("attempt to call", function() where(3) end)

local net = nn.sequential{nn.conv2d(3, 4, {kernel = 3, padding = 1}), nn.lambda(function(x) return (x - 100):sqrt() end), nn.conv2d(4, 3, {kernel = 1})}
local sgd = optim.sgd(net:parameters(), {lr = 0.1})
local images, labels = set:batches{size = 2}:next()
local step = trellis.compile(function(images, labels)
  local loss = nn.cross_entropy(net(images), labels, {ignore = 255})
  sgd:zero_grad(); loss:backward(); sgd:step()
  return loss
end)
local text = where(step, images, labels)
assert(text:find("first NaN in 2 (sqrt)", 1, true), text)
-- The look itself changes nothing: what was compiled ran once.
same(sgd.steps, 1)
text = where(step, images, labels)
assert(text:find("which holds", 1, true), "the step has written NaN into the weights: " .. text)

-- fit: the step, the module and the operation.
local function fit(net, options)
  local all = {steps = 4, batch = 2, lr = 0.01}
  for name, value in pairs(options or {}) do all[name] = value end
  return net:fit(set, all)
end
local function broken(after)
  return nn.sequential{{"stem", nn.conv2d(3, 4, {kernel = 3, padding = 1})}, {"log", nn.lambda(function(x) return (x - after):log() end)}, {"head", nn.conv2d(4, 3, {kernel = 1})}}
end
fails("the loss is nan at step 1: first", function() fit(broken(0)) end)
fails("NaN in log (log)", function() fit(broken(0)) end)
fails("lower the learning rate", function() fit(broken(0)) end)

-- Weights that are not finite from the start.
local spoilt = nn.sequential{nn.conv2d(3, 3, {kernel = 1})}
trellis.no_grad(function() spoilt[1].weight[1][1][1][1] = 0 / 0 end)
fails("the weights themselves hold it: first NaN in 1.weight, which holds 1 NaN among 9 numbers", function() fit(spoilt) end)

-- A gradient that is not finite while the loss is: the derivative of a root at 0. The weights are as they were.
local root = nn.sequential{nn.conv2d(3, 3, {kernel = 1}), nn.lambda(function(x) return (x - x):sqrt() + x end)}
local before = root[1].weight:clone()
fails("its gradient not finite at step 1: first", function() fit(root) end)
assert(root[1].weight:equal(before))

-- The last good checkpoint is kept, and named; log and networks too.
local function contents(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("a")
  file:close()
  return text
end
tensor.manual_seed(1)
local growing = nn.sequential{nn.conv2d(3, 8, {kernel = 3, padding = 1}), nn.batch_norm(8), nn.relu(), nn.conv2d(8, 3, {kernel = 1})}
local kept
local message = select(2, pcall(fit, growing, {steps = 40, every = 1, lr = 1e-3, lr_end = 1e25, schedule = "cosine", out = "nan", each = function(row)
  kept = {row = row.step, checkpoint = contents("nan/checkpoint.safetensors"), log = contents("nan/log.csv"), last = contents("nan/last.safetensors")}
end}))
assert(kept, tostring(message))
assert(tostring(message):find("nan/checkpoint.safetensors of step " .. kept.row .. " is kept", 1, true), tostring(message))
same(contents("nan/checkpoint.safetensors") == kept.checkpoint and contents("nan/log.csv") == kept.log and contents("nan/last.safetensors") == kept.last, true)
for name, t in pairs(tensor.load("nan/last.safetensors")) do assert(t:sum():item() == t:sum():item(), name) end

-- A search's step.
local space = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {"skip_connect", "sep_conv_3x3"}}}
local supernet = space:supernet{classes = 3, seed = 1}
local weights = optim.sgd(supernet:weights(), {lr = 1e30})
images, labels = set:batches{size = 2, crop = 24}:next()
local failed
for i = 1, 5 do
  local fine, message = pcall(supernet.step, supernet, weights, images, labels)
  if not fine then failed = message break end
end
assert(tostring(failed):find("the loss is nan at step 2 of sgd: first infinity in stem.1.bn", 1, true), tostring(failed))
supernet = space:supernet{classes = 3, seed = 1}
local adam = optim.adam(supernet:architecture())
images = images * 1e38
failed = select(2, pcall(supernet.step, supernet, adam, images, labels))
assert(tostring(failed):find("at step 1 of adam: ", 1, true), tostring(failed))
assert(tostring(failed):find("in stem.1.", 1, true), "it began in the stem: " .. tostring(failed))
same(adam.steps, 0)

-- What is not finite is not decoded.
trellis.no_grad(function() supernet:alpha{raw = true}[1][1] = -(0 / 0) end)
fails("expected a finite number of at least 0, got nan; the search has diverged", function() supernet:decode() end)
supernet = space:supernet{classes = 3, seed = 1}
trellis.no_grad(function() supernet:beta{raw = true}[1][1][2] = 1 / 0 end)
fails("paths, 4 -> 4 into layer 1: expected a finite number of at least 0", function() supernet:decode() end)
fails("expected a probability, got nan", function() nas.viterbi{{{0, -(0 / 0), 0.7}, {0, 0, 0}}} end)
fails("expected a probability, got inf", function() nas.viterbi{{{0, 1 / 0, 0.7}, {0, 0, 0}}, {{0, 1, 0}, {0, 1, 0}}} end)
