-- Layers and networks.
local net = nn.sequential{
  nn.conv2d(3, 8, {kernel = 3, padding = 1, bias = false}), nn.batch_norm(8), nn.relu(),
  nn.residual(nn.conv2d(8, 8, {kernel = {3, 1}, padding = {1, 0}, groups = 8}), nn.relu()),
  nn.parallel({nn.conv2d(8, 4, {kernel = 1}), nn.conv2d(8, 2, {kernel = 1})}), nn.max_pool2d{kernel = 2},
}
local x = tensor.randn(2, 3, 8, 6, {seed = 1})
same(net(x).shape, {2, 6, 4, 3})
same(#net, 6)
same(net[1].kind, 'conv2d')
same(net['4'].kind, 'parallel')
same(net:child('5.2').kind, 'conv2d')
same(net[1], net:child(1))
assert(net[1] == net:child('1'))
fails("no module '9' in sequential, there are 1, 2, 3, 4, 5, 6", function() net:child('9.1') end)
fails("no module 'x' in 5.1, there are none", function() net:child('5.1.x') end)

-- Parameters.
local p = net:parameters()
same(p:names(), {'1.weight', '2.weight', '2.bias', '4.2.1.weight', '4.2.1.bias', '5.1.weight', '5.1.bias', '5.2.weight', '5.2.bias'})
same(#p, 9)
same(p['1.weight'].shape, {8, 3, 3, 3})
same(p[1].shape, {8, 3, 3, 3})
same(p[-1].shape, {2})
same(p.nothing, nil)
local names = {}
for name, t in pairs(p) do names[#names + 1] = name; same(getmetatable(t), 'tensor') end
same(names, p:names())
local n = 0
for i, t in ipairs(p) do n = n + t.count end
same(n, p.count)
same(net:count().parameters, n)
same(#p:filter('bias$'), 4)
same(#p:filter(function(name, t) return t.rank == 4 end), 4)
assert(tostring(p):find('5.2.weight    [2, 8, 1, 1]', 1, true), tostring(p))
same(net[1].weight.shape, {8, 3, 3, 3})
same(net[1].bias, nil)

-- Modes.
same(net.training, true)
net:eval()
same(net[2].training, false)
local y = net(x)
assert(y:equal(net(x)))
net:train()
same(net[2].training, true)

-- State.
net:save('net.safetensors')
local other = nn.sequential{
  nn.conv2d(3, 8, {kernel = 3, padding = 1, bias = false}), nn.batch_norm(8), nn.relu(),
  nn.residual(nn.conv2d(8, 8, {kernel = {3, 1}, padding = {1, 0}, groups = 8}), nn.relu()),
  nn.parallel({nn.conv2d(8, 4, {kernel = 1}), nn.conv2d(8, 2, {kernel = 1})}), nn.max_pool2d{kernel = 2},
}
other:load('net.safetensors')
assert(net:eval()(x):equal(other:eval()(x)))
assert(net:state()['2.running_mean'])
fails('the file does not fit the network', function() nn.linear(2, 2):load('net.safetensors') end)
fails('weight has shape [2, 3] in the file, [3, 2] in the network', function() nn.linear(2, 3):load_state(nn.linear(3, 2):state()) end)

-- What does not fit is told, and nothing is taken over in silence.
do
  local function names(list) return table.concat(list, ' ') end
  local net = nn.sequential{{'conv', nn.conv2d(3, 4, {kernel = 1})}, {'bn', nn.batch_norm(4)}}
  local stored = {['conv.weight'] = tensor.ones(4, 3, 1, 1), ['conv.bias'] = tensor.ones(5), ['head.weight'] = tensor.ones(1), ['bn.running_var'] = tensor.zeros(4)}
  local before = net:state()
  fails('the file does not fit the network', function() net:load_state(stored) end)
  same(net[1].weight, before['conv.weight'])
  local report = net:load_state(stored, {strict = false})
  same(names(report.taken), 'conv.weight bn.running_var')
  same(names(report.missing), 'bn.weight bn.bias bn.running_mean')
  same(names(report.unknown), 'head.weight')
  same(report.shapes['conv.bias'], {{5}, {4}})
  same(net[1].weight:sum(), 12.0)
  same(net[1].bias, before['conv.bias'])
  local whole = net:load_state(before)
  same(#whole.taken, 6)
  same(#whole.missing + #whole.unknown, 0)

  -- An error when nothing fits, with the remedy where only the beginning of the names differs.
  local function none(text, state) fails(text, function() net:load_state(state, {strict = false}) end) end
  none("nothing fits: the file has module.conv.weight, the network conv.weight, conv.bias, bn.weight and 3 more; without 'module.' in front",
    {['module.conv.weight'] = tensor.zeros(4, 3, 1, 1)})
  none("with 'conv.' in front", {weight = tensor.zeros(4, 3, 1, 1)})
  none('nothing fits: the file has none, the network', {})
  none('and conv.weight with other shapes', {['conv.weight'] = tensor.zeros(3)})
  none('nothing fits: the file has other', {other = tensor.zeros(3)})
  same(#nn.relu():load_state({}, {strict = false}).taken, 0)

  tensor.save('part.safetensors', stored)
  local loaded, told = net:load('part.safetensors', {strict = false})
  assert(loaded == net)
  same(names(told.unknown), 'head.weight')
  fails('the file does not fit the network', function() net:load('part.safetensors') end)
  tensor.save('strange.safetensors', {other = tensor.zeros(3)})
  fails('nothing fits', function() net:load('strange.safetensors', {strict = false}) end)
end

-- Seeds.
assert(nn.conv2d(2, 2, {kernel = 1, seed = 4}).weight:equal(nn.conv2d(2, 2, {kernel = 1, seed = 4}).weight))
local bound = 1 / math.sqrt(27)
local weight = nn.conv2d(3, 64, {kernel = 3, seed = 1}).weight
assert(weight:max():item() < bound and weight:min():item() > -bound and weight:max():item() > 0.9 * bound)

-- Errors say where and what.
fails('in 1: conv2d: input [2, 5, 8, 8] has 5 channels, weight [8, 3, 3, 3] with 1 group expects 3', function() net(tensor.zeros(2, 5, 8, 8)) end)
fails("in 2.1: conv2d: expects [N, C, H, W], got [3, 3]", function()
  nn.sequential{nn.relu(), nn.sequential{nn.conv2d(3, 3, {kernel = 1})}}(tensor.zeros(3, 3))
end)
fails("bad argument #1 to 'module' (tensor expected, got number)", function() net(1) end)
fails('sequential: one tensor expected, got 2 values', function() net(x, x) end)
fails('element 2 is a number, expected a module or {name, module}', function() nn.sequential{nn.relu(), 3} end)
fails('a table has no order of names: write {{"a", module}, ...}', function() nn.sequential{a = nn.relu()} end)
fails("option 'kernel': integer or list of integers expected, got nothing", function() nn.conv2d(1, 1) end)
fails('one integer or {height, width} expected, each 1 to 1048576', function() nn.conv2d(1, 1, {kernel = 3, stride = 0}) end)
fails('3 groups do not divide', function() nn.conv2d(4, 4, {kernel = 1, groups = 3}) end)
fails('does not fit into 2x2', function() nn.conv2d(1, 1, {kernel = 5})(tensor.zeros(1, 1, 2, 2)) end)
fails('either a size or a scale expected', function() nn.resize{} end)
fails('probability should be in [0, 1), got 1.0', function() nn.dropout(1) end)

-- Other layers.
same(nn.linear(3, 2)(tensor.zeros(4, 3)).shape, {4, 2})
same(nn.flatten()(tensor.zeros(2, 3, 4)).shape, {2, 12})
same(nn.global_avg_pool()(tensor.ones(2, 3, 4, 4)).shape, {2, 3, 1, 1})
same(nn.avg_pool2d{kernel = 3, stride = 1, padding = 1, count_padding = false}(tensor.ones(1, 1, 3, 3)):sum():item(), 9.0)
same(nn.avg_pool2d{kernel = 3, stride = 2}(tensor.ones(1, 1, 5, 7)).shape, {1, 1, 2, 3})
same(nn.resize{size = {4, 5}}(tensor.ones(1, 1, 2, 2)).shape, {1, 1, 4, 5})
same(nn.resize{scale = 2, mode = 'nearest'}(tensor.from{{{{1, 2}}}})[{1, 1, 1}], {1.0, 1.0, 2.0, 2.0})
same(nn.functional.resize(tensor.from{{{{0, 1}}}}, {size = {1, 4}, align_corners = false})[{1, 1, 1}], {0.0, 0.25, 0.75, 1.0})
local dropped = nn.dropout(0.5)(tensor.ones(1000))
assert(dropped:eq(0):sum():item() > 400 and dropped:eq(2):sum():item() > 400)
same(nn.softmax(-1)(tensor.zeros(1, 4))[1], {0.25, 0.25, 0.25, 0.25})
local named = nn.sequential{{'stem', nn.relu()}, {'head', nn.linear(2, 2)}}
same(named.head.kind, 'linear')
same(named:parameters():names(), {'head.weight', 'head.bias'})
local listed = {}
for name, m in named:children() do listed[#listed + 1] = name .. ' ' .. m.kind end
same(listed, {'stem relu', 'head linear'})

-- Losses.
local logits = tensor.from({{0, 0}, {0, 100}}, {requires_grad = true})
local labels = tensor.from({0, 1}, {dtype = 'int32'})
near(nn.cross_entropy(logits, labels), math.log(2) / 2)
near(nn.cross_entropy(logits, labels, {weights = tensor.from{1, 3}}), math.log(2) / 4)
near(nn.cross_entropy(logits, tensor.from({0, 255}, {dtype = 'int32'})), math.log(2))
near(nn.cross_entropy(logits, tensor.from({7, 1}, {dtype = 'int32'}), {ignore = 7}), 0)
fails('label', function() nn.cross_entropy(logits, tensor.from({0, 2}, {dtype = 'int32'})) end)
fails('want int32 labels', function() nn.cross_entropy(logits, tensor.zeros(2)) end)
same(nn.functional.classes(logits), {0, 1})
near(nn.mse_loss(tensor.from{1, 3}, tensor.from{0, 0}), 5)
near(nn.l1_loss(tensor.from{1, -3}, tensor.from{0, 0}), 2)

-- Functions.
local F = nn.functional
local k = tensor.ones(1, 1, 3, 3, {requires_grad = true})
F.conv2d(tensor.ones(1, 1, 3, 3), k, {padding = 1}):sum():backward()
same(k.grad[{1, 1, 2, 2}], 9.0)
same(F.conv2d(tensor.ones(1, 1, 2, 2), tensor.ones(1, 1, 1, 1), tensor.from{3})[{1, 1, 1, 1}], 4.0)
near(F.batch_norm(x):std({correction = 0}), 1, 1e-3)
same(F.batch_norm(tensor.full({1, 1, 2, 2}, 5), {mean = tensor.from{1}, variance = tensor.from{4}, eps = 0}):mean():item(), 2.0)
same(F.max_pool2d(tensor.from{{{{1, 2}, {3, 4}}}}, {kernel = 2}):item(), 4.0)
same(F.relu(tensor.from{-1, 1}), {0.0, 1.0})
same(F.interpolate(tensor.ones(1, 1, 2, 2), {scale = 2}).shape, {1, 1, 4, 4})
fails("bad argument #2 to 'functional.conv2d' (tensor expected, got nil)", function() F.conv2d(x, nil) end)

-- Values may be the network's own tensors under other names: all are read before the first is written.
do
  local pair = nn.module{a = tensor.ones(2), b = tensor.zeros(2), forward = function(self, x) return x end}
  pair:load_state{a = pair.b, b = pair.a}
  same(pair.a, {0.0, 0.0})
  same(pair.b, {1.0, 1.0})
end

-- Numbers of another type are another tensor.
do
  local layer = nn.linear(2, 1)
  local ints = {weight = tensor.ones(1, 2, {dtype = 'int32'}), bias = tensor.full({1}, 7)}
  fails('weight is int32 in the file, float32 in the network', function() layer:load_state(ints) end)
  local report = layer:load_state(ints, {strict = false})
  same(report.taken, {'bias'})
  same(report.types.weight, {'int32', 'float32'})
  same(layer.bias[1], 7.0)
  fails('nothing fits', function() layer:load_state({weight = ints.weight}, {strict = false}) end)
end
-- Settings of batch norms.
for _, options in ipairs{
  {eps = -1}, {eps = 0 / 0}, {eps = math.huge}, {momentum = -1}, {momentum = 2}, {momentum = 0 / 0}, {momentum = math.huge},
} do
  fails('batch_norm: ', function() nn.batch_norm(2, options) end)
  if options.eps then fails('batch_norm: eps should be 0 or more', function() nn.functional.batch_norm(tensor.ones(2, 2), options) end) end
end
nn.batch_norm(2, {eps = 0, momentum = 1})

-- Weights of classes are finite and not negative.
local two = tensor.from({1, 0}, {dtype = 'int32'})
for _, weights in ipairs{{0 / 0, 0 / 0}, {-1, -3}, {1, 0 / 0}, {-2, 1}, {-1, 2}, {1, math.huge}} do
  fails('cross_entropy: the weight of class', function() nn.cross_entropy(tensor.zeros(2, 2), two, {weights = tensor.from(weights)}) end)
end

-- 255 is a class where there are more, and then not left out without a word.
local many = tensor.from({255}, {dtype = 'int32'})
for _, f in ipairs{
  function() nn.cross_entropy(tensor.zeros(1, 300), many) end, function() many:one_hot(256) end, function() metrics.confusion(256) end,
  function() nas.trellis{layers = 4, filters = 2}:supernet{classes = 300} end,
} do fails("option 'ignore': needed with", f) end
near(nn.cross_entropy(tensor.zeros(1, 300), many, {ignore = -1}), math.log(300))
near(nn.cross_entropy(tensor.zeros(1, 300), many, {ignore = 255}), 0)
near(nn.cross_entropy(tensor.zeros(1, 255), tensor.from({254}, {dtype = 'int32'})), math.log(255))

-- Where scores hold NaN no class is picked.
local broken = nn.conv2d(3, 3, {kernel = 1})
trellis.no_grad(function() broken.weight:fill_(0 / 0) end)
local set = data.shapes{images = 2, size = {16, 24}, classes = 3, seed = 1}
local nets = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {'skip_connect', 'sep_conv_3x3'}}}
local supernet = nets:supernet{classes = 3, seed = 1}
trellis.no_grad(function() supernet:architecture()[1]:fill_(0 / 0) end)
local picture = tensor.rand(1, 3, 32, 32)
for _, f in ipairs{
  function() broken:evaluate(set, {progress = false}) end, function() metrics.evaluate(broken, set) end,
  function() broken:evaluate(set, {progress = false, flip = true}) end, function() broken:evaluate(set, {progress = false, window = {8, 24}}) end,
  function() supernet:predict(picture) end, function() broken:segment(picture[1]) end,
  function() metrics.confusion(3):add(tensor.full({3, 2, 2}, 0 / 0), tensor.zeros(2, 2, {dtype = 'int32'})) end,
} do fails('the scores hold NaN', f) end

-- Kernels without pixels, groups that no channels make.
fails("kernel without pixels", function() nn.functional.conv2d(tensor.ones(2, 3, 16, 16), tensor.zeros(2, 3, 0, 8)) end)
for _, groups in ipairs{0, -1, 3, 1 << 62} do fails("conv2d", function() nn.functional.conv2d(tensor.ones(1, 4, 4, 4), tensor.ones(2, 2, 1, 1), {groups = groups}) end) end
