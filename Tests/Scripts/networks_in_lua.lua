-- Layers written in Lua.
local double = nn.lambda(function(x) return x * 2 end, {name = 'double'})
same(nn.sequential{double, nn.relu()}(tensor.from{-1, 2}), {0.0, 4.0})
same(tostring(double), 'double')

local block = nn.module({
  conv = nn.conv2d(4, 4, {kernel = 3, padding = 1}),
  blocks = {nn.relu(), nn.conv2d(4, 4, {kernel = 1, bias = false})},
  scale = tensor.ones(1, {requires_grad = true}), offset = tensor.zeros(1), width = 4,
  helper = function(x) return x * 1 end,
  forward = function(self, x)
    local y = self.helper(self.conv(x))
    for i = 1, #self.blocks do y = self.blocks[i](y) end
    return x + y * self.scale + self.offset
  end,
}, {name = 'block'})
local x = tensor.randn(2, 4, 5, 5, {seed = 1})
same(block(x).shape, {2, 4, 5, 5})
same(block.kind, 'block')
same(block.width, 4)
same(block:parameters():names(), {'scale', 'blocks.2.weight', 'conv.weight', 'conv.bias'})
same(block:buffers():names(), {'offset'})
same(block:child('blocks.2').kind, 'conv2d')
local net = nn.sequential{nn.conv2d(3, 4, {kernel = 1}), block}
net(tensor.randn(1, 3, 4, 4, {seed = 2})):sum():backward()
assert(block.scale.grad)
same(net:parameters():names()[3], '2.scale')

-- Where errors happened.
local inner = nn.module{conv = nn.conv2d(3, 3, {kernel = 1}), list = {nn.linear(7, 7)}, forward = function(self, x)
  if self.deep then return self.list[1](x) end
  return self.conv(x)
end, deep = false}
fails('networks_in_lua.lua:32: in 2.conv: conv2d: input [1, 4, 2, 2] has 4 channels', function()
  nn.sequential{nn.relu(), inner}(tensor.zeros(1, 4, 2, 2))
end)
local deep = nn.module{list = {nn.linear(7, 7)}, forward = function(self, x) return self.list[1](x) end}
fails('in list.1: matmul: inner sizes differ: [1, 2] has 2 columns', function() deep(tensor.zeros(1, 2)) end)
fails("forward of module 'module' must return tensor, got number", function()
  nn.sequential{nn.module{forward = function() return 3 end}}(x)
end)
fails("the function of 'lambda' must return tensor, got nil", function() nn.sequential{nn.lambda(function() return nil end)}(x) end)
fails('own words', function() nn.sequential{nn.lambda(function() error('own words') end)}(x) end)
fails("'train' is a method of modules, another name expected", function() nn.module{train = nn.relu(), forward = print} end)
fails('a table with forward = function(self, x) ... end expected', function() nn.module{} end)

-- What a function calls has to be a part of its module, or of the network around it.
do
  local stray = 'is called in the function of'
  local conv, bn, drop, path = nn.conv2d(3, 3, {kernel = 1}), nn.batch_norm(3), nn.dropout(0.5), nn.drop_path(0.2)
  local image = tensor.zeros(2, 3, 4, 4)
  for _, part in ipairs{conv, bn, drop, path, nn.sequential{nn.relu(), conv}, nn.module{conv, forward = function(self, x) return self[1](x) end}} do
    local alone = nn.lambda(function(x) return part(x) end)
    fails(stray, function() alone(image) end)
    fails(stray, function() nn.sequential{nn.relu(), alone}(image) end)
    fails(stray, function() trellis.compile(function(x) return alone(x) end)(image) end)
    fails(stray, function() nn.module{forward = function(self, x) return tensor.no_grad(function() return part(x) end) end}(image) end)
    -- Inside of one network it may stand anywhere.
    same(#nn.sequential{part, alone}(image).shape, 4)
    same(#nn.module{inner = nn.sequential{nn.sequential{part}}, alone = alone, forward = function(self, x) return self.alone(x) end}(image).shape, 4)
    -- Outside of functions of modules all is free.
    same(#part(image).shape, 4)
    same(#trellis.compile(function(x) return part(x) end)(image).shape, 4)
  end
  fails('its parameters are never trained, counted or saved, and train() and eval() do not reach it', function() nn.lambda(function(x) return conv(x) end)(image) end)
  fails('no part of it: train() and eval() do not reach it. Put it into the module: nn.module{part = ..., forward = function(self, x) return self.part(x) end}',
    function() nn.lambda(function(x) return drop(x) end)(image) end)
  fails("in the function of 'inner'", function()
    nn.lambda(function(x) return nn.lambda(function(y) return conv(y) end, {name = 'inner'})(x) end, {name = 'outer'})(image)
  end)
  -- A measurement is refused as well, before it changes anything.
  local set = data.shapes{images = 2, size = {16, 16}, classes = 3, seed = 1}
  local mean = bn.running_mean:clone()
  fails(stray, function() metrics.evaluate(nn.lambda(function(x) return bn(x) end), set) end)
  assert(bn.training and bn.running_mean:equal(mean))
  fails(stray, function() nn.lambda(function(x) return bn(x) end):evaluate(set) end)
  -- What nothing has to know of may be called anywhere; a function that asks for its mode is not of that kind.
  local plain = nn.sequential{nn.relu(), nn.lambda(function(x) return x + 1 end), nn.max_pool2d{kernel = 2}, nn.dropout(0)}
  same(#nn.lambda(function(x) return plain(x) end)(image).shape, 4)
  local moody = nn.module{forward = function(self, x) return self.training and x or x + 1 end}
  for i = 1, 2 do fails(stray, function() nn.lambda(function(x) return moody(x) end)(image) end) end
  -- A supernet's operator, which is tried when it is defined; and a supernet.
  fails(stray, function() nas.operator('astray', function(channels)
    local inner = nn.conv2d(channels, channels, {kernel = 1})
    return nn.lambda(function(x) return inner(x) end)
  end) end)
  local space = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {'skip_connect', 'sep_conv_3x3'}}}
  local supernet = space:supernet{classes = 3, seed = 1}
  fails(stray, function() nn.lambda(function(x) return supernet(x) end)(tensor.zeros(1, 3, 8, 8)) end)
end

-- Several arguments and results.
local two = nn.module{forward = function(self, a, b, c) return a + b, c end}
local sum, c = two(tensor.ones(1), tensor.ones(1), 'c')
same(sum, {2.0})
same(c, 'c')

-- The same module is the same value: a key of tables.
local marks = {[block] = 'here'}
same(marks[net[2]], 'here')

-- Tensors in lists and tables are parameters and buffers as well.
do
  local a, b, c = tensor.ones(3, {requires_grad = true}), tensor.full({3}, 2, {requires_grad = true}), tensor.zeros(3)
  local listed = nn.module{ws = {a, b}, deep = {inner = {first = c}}, sizes = {1, 2}, forward = function(self, x) return x * self.ws[1] + self.ws[2] + self.deep.inner.first end}
  same(listed:parameters():names(), {'ws.1', 'ws.2'})
  same(listed:buffers():names(), {'deep.inner.first'})
  same(listed(tensor.ones(3)), {3.0, 3.0, 3.0})
  same(listed.sizes[2], 2)
  local copy = nn.module{ws = {tensor.zeros(3, {requires_grad = true}), tensor.zeros(3, {requires_grad = true})}, deep = {inner = {first = c:clone()}}, forward = print}
  copy:load_state(listed:state())
  same(copy.ws[2], {2.0, 2.0, 2.0})
  same(nn.module{ws = {a = a}, forward = print}:parameters():names(), {'ws.a'})
  fails('names without dots expected', function() nn.module{ws = {['a.b'] = a}, forward = print} end)
  fails('has no path', function() nn.module{ws = {[true] = a}, forward = print} end)
end

-- A tensor that stands in several places is one parameter; files have it by every path.
do
  local l = nn.linear(3, 3)
  local tied = nn.sequential{l, nn.relu(), l, nn.batch_norm(3)}
  same(tied:parameters():names(), {'1.weight', '1.bias', '4.weight', '4.bias'})
  same(tied:count().parameters, 3 * 3 + 3 + 6)
  local bn = nn.batch_norm(3)
  same(nn.sequential{bn, bn}:buffers():names(), {'1.running_mean', '1.running_var'})
  assert(tied:state()['3.weight']:equal(l.weight))
  local other = nn.linear(3, 3)
  local twin = nn.sequential{other, nn.relu(), other, nn.batch_norm(3)}
  tied:save('tied.safetensors')
  twin:load('tied.safetensors')
  assert(other.weight:equal(l.weight))
  local sgd = optim.sgd(tied:parameters(), {lr = 0.1})
  local x = tensor.randn(4, 3, {seed = 3})
  tied(x):square():sum():backward()
  local before = l.weight:clone():detach()
  sgd:step()
  assert(not before:equal(l.weight))
end
