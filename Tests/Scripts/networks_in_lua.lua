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

-- Several arguments and results.
local two = nn.module{forward = function(self, a, b, c) return a + b, c end}
local sum, c = two(tensor.ones(1), tensor.ones(1), 'c')
same(sum, {2.0})
same(c, 'c')

-- The same module is the same value: a key of tables.
local marks = {[block] = 'here'}
same(marks[net[2]], 'here')
