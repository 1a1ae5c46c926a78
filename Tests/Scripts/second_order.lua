-- Steps with the weights one step ahead, curvature and decoding by a score, in Lua.
local function small(options)
  return nas.space(function(c)
    local op = nas.choice('op', options or {'none', 'skip_connect', 'sep_conv_3x3', 'avg_pool_3x3'})
    local edges = nas.subset('edges', {1, 2}, {least = 0})
    local net = {mixed = nas.mix(op, function(name) return nas.parts.operator(name, 3) end), head = nn.conv2d(3, c.classes, {kernel = 1})}
    function net.forward(self, x)
      local h, terms = self.mixed(x), {x}
      for i = 1, 2 do terms[#terms + 1] = nas.when(edges:weight(i), function() return i == 1 and h or h * h end) end
      return self.head(nas.sum(terms))
    end
    return nn.module(net, {name = 'small'})
  end, {classes = 2})
end
local space = small()
local x, y = tensor.rand(2, 3, 6, 6, {seed = 1}), tensor.zeros(2, 6, 6, {dtype = 'int32'})
local vx, vy = tensor.rand(2, 3, 6, 6, {seed = 2}), tensor.full({2, 6, 6}, 1, {dtype = 'int32'})
local function supernet() return space:supernet{seed = 1, relax = {edges = nas.sigmoid()}} end

-- A problem of plain numbers: L_train = ½ Σ p_k (w - c_k)², L_val = ½ (w - t)², p = softmax(α): dL_val/dp_k = (w' - t) · -ξ (w - c_k), w' = w - ξ (μ v + Σ p_k (w - c_k) + λ w).
do
  local c, t, lr, momentum, decay = {1, -2, 0.5}, 0.3, 0.2, 0.9, 0.01
  local line = nas.space(function()
    nas.choice('k', {'a', 'b', 'c'})
    local net = {w = tensor.from({0.7}, {requires_grad = true})}
    function net.forward(self, x) return x * self.w end
    return nn.module(net)
  end)
  local net = line:supernet{seed = 1}
  local one = tensor.ones(1)
  local function train(net, x)
    local sum
    for k, centre in ipairs(c) do
      local term = (net(x) - centre):square() * net:logits('k'):softmax(1)[{{k, k}}] * 0.5
      sum = sum and sum + term or term
    end
    return sum:sum()
  end
  local function validate(net, x) return ((net(x) - t):square() * 0.5):sum() end
  local sgd = optim.sgd(net:weights(), {lr = lr, momentum = momentum, weight_decay = decay})
  local step = optim.sgd(net:architecture(), {lr = 1})
  local w, v = 0.7, 0
  for round = 1, 4 do
    sgd.lr = lr / round
    local a, p, total = net:logits('k'):to_table(), {}, 0
    for k = 1, 3 do p[k] = math.exp(a[k]) total = total + p[k] end
    local g, mean, slope = decay * w, 0, {}
    for k = 1, 3 do p[k] = p[k] / total g = g + p[k] * (w - c[k]) end
    local ahead = w - sgd.lr * (momentum * v + g)
    for k = 1, 3 do slope[k] = (ahead - t) * -sgd.lr * (w - c[k]) mean = mean + p[k] * slope[k] end
    near(net:step(step, one, one, {loss = validate, second_order = {sgd, one, one, loss = train}}), 0.5 * (ahead - t) ^ 2, 1e-6)
    local after = net:logits('k'):to_table()
    for k = 1, 3 do near(a[k] - after[k], p[k] * (slope[k] - mean), 1e-6) end
    -- The weights go there.
    total, g = 0, decay * w
    for k = 1, 3 do p[k] = math.exp(after[k]) total = total + p[k] end
    for k = 1, 3 do g = g + p[k] / total * (w - c[k]) end
    v = momentum * v + g
    w = w - sgd.lr * v
    net:step(sgd, one, one, {loss = train})
    near(net:weights()[1], w, 1e-6)
  end
  same(net:recordings(), 2)
end

-- What a step does and does not change; a rate that moves makes no new recording; true goes by the last step of the weights.
local net = supernet()
local sgd, adam = optim.sgd(net:weights(), {lr = 0.1, momentum = 0.9, weight_decay = 1e-3, clip = 5}), optim.adam(net:architecture(), {lr = 0.1})
fails('make one first', function() net:step(adam, vx, vy, {second_order = true}) end)
net:step(sgd, x, y)
local before = net:state()
for i = 1, 3 do
  sgd.lr = 0.1 / i
  assert(net:step(adam, vx, vy, {second_order = {sgd, x, y}}):item() > 0)
end
same(net:recordings(), 2)
for name, tensor in pairs(net:state()) do assert(tensor:equal(before[name]) == not name:find('^logits'), name) end
local twin = supernet()
local sgd2, adam2 = optim.sgd(twin:weights(), {lr = 0.1, momentum = 0.9, weight_decay = 1e-3, clip = 5}), optim.adam(twin:architecture(), {lr = 0.1})
twin:step(sgd2, x, y)
for i = 1, 3 do
  sgd2.lr = 0.1 / i
  twin:step(adam2, vx, vy, {second_order = true})
end
for name, tensor in pairs(net:state()) do assert(twin:state()[name]:equal(tensor), name) end
-- Of the first order with a rate of 0, as far as the weights stand where they are.
local plain, still = supernet(), supernet()
plain:step(optim.adam(plain:architecture(), {lr = 0.1}), vx, vy)
still:step(optim.adam(still:architecture(), {lr = 0.1}), vx, vy, {second_order = {optim.sgd(still:weights(), {lr = 0.1}), x, y, rate = 0}})
for _, name in ipairs{'op', 'edges'} do assert(plain:logits(name):allclose(still:logits(name), {atol = 1e-5}), name) end
still:step(optim.adam(still:architecture(), {lr = 0.1}), vx, vy, {second_order = false})

fails('optim.sgd', function() net:step(adam, vx, vy, {second_order = {optim.adam(net:weights()), x, y}}) end)
fails('both optimisers', function() net:step(adam, vx, vy, {second_order = {adam, x, y}}) end)
fails('{optimiser of the weights, images, targets} expected', function() net:step(adam, vx, vy, {second_order = {x, y}}) end)
fails("no field 'momentum'", function() net:step(adam, vx, vy, {second_order = {sgd, x, y, momentum = 1}}) end)
fails('0 or more', function() net:step(adam, vx, vy, {second_order = {sgd, x, y, rate = -1}}) end)
fails("not this supernet's", function() net:step(adam, vx, vy, {second_order = {sgd2, x, y}}) end)
fails('the images of the training batch', function() net:step(adam, vx, vy, {second_order = {sgd, x * (0 / 0), y}}) end)

-- Hard samples: one draw for both batches, and only what was drawn is computed.
local hard = space:supernet{seed = 1, relax = {op = nas.gumbel{hard = true}, edges = nas.sigmoid()}}
local hsgd, hadam = optim.sgd(hard:weights(), {lr = 0.1}), optim.adam(hard:architecture(), {lr = 0.1})
for i = 1, 5 do
  hard:step(hadam, vx, vy, {second_order = {hsgd, x, y}})
  hard:step(hsgd, x, y)
end
same(hard:recordings(), 2)

-- Curvature: of ½ zᵀ diag(3, -5, 1, 2) z; of a loss that is there, whatever is drawn.
local diagonal = tensor.from{3, -5, 1, 2}
local function bowl(net) return (net:logits('op'):square() * diagonal):sum() * 0.5 end
local dominant, largest, smallest = net:curvature('op', x, y, {loss = bowl})
near(dominant, -5, 1e-4)
near(largest, 3, 1e-4)
near(smallest, -5, 1e-4)
local first, again = {hard:curvature("op", x, y)}, {hard:curvature("op", x, y)}
assert(#first == 3 and #again == 3)
near((net:curvature('edges', x, y, {loss = bowl})), 0)
fails("did you mean 'op'", function() net:curvature('opp', x, y) end)

-- Decoding by a score.
local all = net:decode{count = 100}
local function score(a) return a.op == 'avg_pool_3x3' and #a.edges or a.op ~= 'skip_connect' and -1 or nil end
local best, value, how = net:decode{score = score}
same({best.op, value, how.tried, how.all}, {'avg_pool_3x3', 2.0, #all, true})
local list, told = net:decode{score = score, count = 4, candidates = 6}
same({#list <= 4, told.tried, told.all}, {true, 6, false})
for i = 2, #list do assert(list[i].score <= list[i - 1].score) end
-- Of equal ones the more probable first; the best of those that were looked at, and no other.
same(net:decode{score = function() return 0 end}:same(all[1].architecture), true)
local looked = {}
net:decode{candidates = 3, score = function(a) looked[#looked + 1] = a return 0 end}
for i = 1, 3 do assert(looked[i]:same(all[i].architecture)) end
same(#looked, 3)
same(net:decode{score = score, within = space:fix{op = 'sep_conv_3x3'}}.op, 'sep_conv_3x3')
-- The score may go to what it scores; the supernet is where it was.
net:at(all[3].architecture)
local here = net:scores(x)
net:decode{candidates = 4, score = function(a) return -nn.cross_entropy(net:at(a):scores(vx), vy):item() end}
assert(net:scores(x):equal(here))
fails('nil for all', function() net:decode{score = function() end} end)
fails('got nan', function() net:decode{score = function() return 0 / 0 end} end)
fails('one number', function() net:decode{score = function() return 'much' end} end)
fails('at least 5', function() net:decode{score = score, count = 5, candidates = 2} end)
fails('means something with a score only', function() net:decode{candidates = 2} end)
fails('stop here', function() net:decode{score = function() error('stop here') end} end)

-- The same of the stock trellis.
local stock = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {'skip_connect', 'sep_conv_3x3'}}}
local trellis_net = stock:supernet{classes = 2, seed = 1}
local images, labels = tensor.rand(1, 3, 16, 16, {seed = 1}), tensor.zeros(1, 16, 16, {dtype = 'int32'})
local tsgd, tadam = optim.sgd(trellis_net:weights(), {lr = 0.1, momentum = 0.9}), optim.adam(trellis_net:architecture(), {lr = 0.1})
trellis_net:step(tsgd, images, labels)
local then_ = trellis_net:state()
trellis_net:step(tadam, images * 0.5, labels, {second_order = {tsgd, images, labels}})
for name, tensor in pairs(trellis_net:state()) do assert(tensor:equal(then_[name]) == not (name == 'alpha' or name == 'beta'), name) end
local _, most = trellis_net:curvature('*', images, labels)
local _, part = trellis_net:curvature('paths', images, labels)
assert(part <= most + 1e-3)
local chosen, worth, told = trellis_net:decode{candidates = 3, score = function(a) return -nn.cross_entropy(trellis_net:at(a):scores(images), labels):item() end}
assert(#chosen.path == 2 and worth < 0 and told.tried == 3 and not told.all and trellis_net:present() == nil)
