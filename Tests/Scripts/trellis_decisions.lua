-- The stock trellis is a space of decisions as any other, and any supernet has what the trellis' has.
local operators = {'none', 'skip_connect', 'max_pool_3x3', 'sep_conv_3x3'}
local space = nas.trellis{layers = 3, strides = {4, 8, 16}, filters = 2, cell = nas.cell{blocks = 2, operators = operators}}
local net = space:supernet{classes = 3, seed = 5}
local x, y = tensor.randn(2, 3, 24, 16, {seed = 1}), tensor.randint(0, 2, {2, 24, 16}, {seed = 2})
tensor.no_grad(function()
  for i, name in ipairs{'alpha', 'beta'} do net[name](net, {raw = true}):copy_(tensor.randn(net[name](net).shape, {seed = i})) end
end)

-- Logits and probabilities of a decision are its part of alpha and beta.
same(net:logits('cell.1').shape, {2, 4})
assert(net:logits('cell.2'):equal(net:alpha{raw = true}[{{3, 5}}]))
assert(net:probabilities('cell.2'):equal(net:alpha()[{{3, 5}}]))
same(net:logits('paths').shape, {#space.arrows})
for i, arrow in ipairs(space.arrows) do
  local from, to = arrow.from == 4 and 1 or arrow.from == 8 and 2 or 3, arrow.to == 4 and 1 or arrow.to == 8 and 2 or 3
  near(net:probabilities('paths')[i], net:beta()[{arrow.layer, from, to - from + 2}], 1e-7)
end
fails("did you mean 'paths'", function() net:logits('path') end)
local mean, relative = net:entropy('paths')
near(mean, net:entropy().beta, 1e-12)
near(relative, net:entropy().beta_relative, 1e-12)

-- Decoding: the best ones in order, of a smaller space, with a filter.
local best = net:decode()
local list = net:decode{count = 6, data = 'noise'}
assert(list[1].architecture:same(best) and list[1].architecture.provenance.data == 'noise')
for i = 2, #list do assert(list[i].score <= list[i - 1].score and not list[i].architecture:same(list[i - 1].architecture)) end
local low = space:fix{paths = {{4, 4}, {4, 4}, {4, 8}}}
same(low:count(), (2 * 1 // 2 * 9) * (3 * 2 // 2 * 9))
same(net:decode{within = low}.path, {4, 4, 8})
same(net:decode{within = low}.cell, best.cell)
same(low:random{seed = 3}.path, {4, 4, 8})
local coarse = space:where(function(a) return a.path[3] == 16 and a.paths[1][2] == '8' end)
same(net:decode{within = coarse}.path[3], 16)
for seed = 1, 5 do same(coarse:mutate(coarse:random{seed = seed}, {seed = seed}).path[3], 16) end
assert(net:sample{seed = 1}:fits(space) and not net:sample{seed = 1}:same(net:sample{seed = 2}))

-- An architecture reads by its decisions as well.
same({best['cell.1'][1][2], #best.paths, best.paths[3][2]}, {best.cell[1][1].operator, 3, tostring(best.path[3])})
same(#best, 3)
same(best:values().paths, best.paths)
same(nas.gallery.auto_deeplab.paths[12], {'16', '8'})
best:save('best.json')
assert(space:load('best.json'):same(best) and nas.load('best.json'):same(best))
fails('it is an architecture of another space', function() nas.trellis{layers = 4, filters = 2, strides = {4, 8, 16}, cell = space.cell}:load('best.json') end)

-- Costs: expected ones fall with their price, exact ones are the derived network's.
local input = {input = {1, 3, 24, 16}}
local before = net:cost(nas.cost.multiply_adds, input):item()
local adam = optim.adam(net:architecture(), {lr = 0.1})
local function priced(n, images, labels)
  return nn.cross_entropy(n(images), labels) + nas.price(n:cost(nas.cost.multiply_adds, input), before / 2, {weight = 10})
end
for i = 1, 15 do net:step(adam, x, y, {loss = priced}) end
assert(net:cost(nas.cost.multiply_adds, input):item() < 0.9 * before)
same(net:recordings(), 1)
same(space:cost(best, nas.cost.parameters, {classes = 3}), space:network(best, {classes = 3}):count().parameters)
assert(net:at(best):cost(nas.cost.multiply_adds, input):item() < before)
net:at(nil)
local few = low:fix{['cell.2'] = {{'two-back', 'skip_connect'}, {'previous', 'skip_connect'}}}
local dearest = net:decode{within = few}
local cheap = space:cost(dearest, nas.cost.parameters, {classes = 3}) - 1
fails('the cheapest of the 9 most probable', function() net:decode{within = few, budget = {cost = nas.cost.parameters, limit = 10}} end)
local found = net:decode{within = space:fix{['cell.1'] = dearest['cell.1'], ['cell.2'] = dearest['cell.2']}, budget = {cost = nas.cost.parameters, limit = cheap}}
assert(space:cost(found, nas.cost.parameters, {classes = 3}) <= cheap)

-- Hard relaxations compute what was drawn; one's own go by rows.
local hard = nas.gumbel{temperature = 2, hard = true}
local drawn = space:supernet{classes = 3, seed = 5, relax = {['cell.*'] = hard, paths = hard}}
local sgd = optim.sgd(drawn:weights(), {lr = 0.05})
for i = 1, 4 do
  hard.temperature = 2 / i
  drawn:step(sgd, x, y)
end
same(drawn:recordings(), 1)
local own = space:supernet{classes = 3, seed = 5, relax = {['cell.*'] = function(z, d) return z:softmax(2) end}}
local plain = space:supernet{classes = 3, seed = 5}
assert((own:scores(x) - plain:scores(x)):abs():max():item() < 1e-5)

-- Any supernet has what that of the trellis has: files, evaluation at an architecture, predictions.
local small = nas.space(function(c)
  local op = nas.choice('filters', {'skip_connect', 'sep_conv_3x3'})
  local body = {mixed = nas.mix(op, function(name) return nas.parts.operator(name, 3) end), head = nn.conv2d(3, c.classes, {kernel = 1})}
  function body.forward(self, images) return self.head(self.mixed(images)) end
  return nn.module(body, {name = 'small'})
end, {classes = 3})
local a = small:supernet{seed = 1}
local weights = optim.sgd(a:weights(), {lr = 0.1})
a:step(weights, x, y)
-- A decision may be called as a field of the trellis is.
same(small:fix{filters = 'skip_connect'}:random{}.filters, 'skip_connect')
same({small:random{}.path, small.strides, small:random{}.score}, {})
same(a:predict(x).shape, {2, 24, 16})
assert(a:plan(weights, x, y).kernels > 3)
near(a:loss(x, y), a:gradients(weights, x, y), 1e-5)
same(a:count().architecture, 2)
a:save('small.safetensors')
local b = small:supernet{seed = 2}
same(b:load('small.safetensors'):scores(x), a:scores(x))
fails("decision 'filters': expected a choice of skip_connect, max_pool_3x3, got", function()
  nas.space(function(c)
    local d = nas.choice('filters', {'skip_connect', 'max_pool_3x3'})
    return nas.mix(d, function(name) return nas.parts.operator(name, 3) end)
  end, {classes = 3}):supernet{}:load('small.safetensors')
end)
local one = small:fix{filters = 'sep_conv_3x3'}:random{}
local batch = a:at(one):scores(x)
a:recalibrate{x[{{1, 1}}], x[{{2, 2}}]}
assert((a:scores(x) - batch):abs():max():item() > 0)
assert(a:present():same(one))
same(a:at(nil):present(), nil)
same(metrics.evaluate(a, data.shapes{images = 2, size = {24, 16}, classes = 3, seed = 1}, {batch = 2}).total, 2 * 24 * 16)
fails('a space of nas.trellis', function() small:draw() end)
fails('a supernet of nas.trellis', function() a:alpha{raw = true} end)
fails('an architecture of nas.trellis expected', function() one:draw() end)
fails('goes with architectures of nas.trellis', function() a:decode{name = 'mine'} end)
fails('a known decision', function() a:at(best) end)
fails('the number of classes', function() space:network(best) end)
