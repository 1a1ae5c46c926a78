-- Modules of nn.module under any key: positions with gaps, names of any characters, tables in tables.
local function conv(from, to) return nn.conv2d(from, to, {kernel = 1}) end
local x = tensor.randn(2, 3, 4, 4, {seed = 1})
local made = {
  stem = nn.relu(), blocks = {[4] = conv(3, 4), [16] = conv(3, 16), [8] = conv(3, 8)},
  into = {["1/4<0/4"] = conv(3, 2), ["10/4<0/4"] = conv(3, 5), ["2/4<0/4"] = conv(3, 3)},
  deep = {a = {[2] = conv(3, 2), [5] = conv(3, 5)}, b = {conv(3, 1)}}, empty = {}, sizes = {[4] = 1, [8] = 2},
}
function made.forward(self, x) return self.blocks[4](x):sum() + self.blocks[16](x):sum() + self.into["1/4<0/4"](x):sum() + self.deep.a[5](x):sum() + self.deep.b[1](x):sum() end
local net = nn.module(made)
same(net:parameters():names(), {
  'blocks.4.weight', 'blocks.4.bias', 'blocks.8.weight', 'blocks.8.bias', 'blocks.16.weight', 'blocks.16.bias',
  'deep.a.2.weight', 'deep.a.2.bias', 'deep.a.5.weight', 'deep.a.5.bias', 'deep.b.1.weight', 'deep.b.1.bias',
  'into.1/4<0/4.weight', 'into.1/4<0/4.bias', 'into.2/4<0/4.weight', 'into.2/4<0/4.bias', 'into.10/4<0/4.weight', 'into.10/4<0/4.bias',
})
assert(net.blocks[4] == made.blocks[4] and net.blocks[16] == made.blocks[16] and net.into["2/4<0/4"] == made.into["2/4<0/4"])
assert(net.blocks[1] == nil and net.blocks[2] == nil and net.into.other == nil and net.deep.a[1] == nil)
same(#net.blocks, 3)
same(net.blocks.kind, 'table')
same(net.deep.b.kind, 'list')
assert(net:child('blocks.16') == made.blocks[16])
-- Walks: as through the table, in order.
local keys = {}
for key, module in pairs(net.blocks) do
  keys[#keys + 1] = key
  assert(module == made.blocks[key] and math.type(key) == 'integer')
end
same(keys, {4, 8, 16})
keys = {}
for key, module in pairs(net.into) do keys[#keys + 1] = key assert(module == made.into[key]) end
same(keys, {'1/4<0/4', '2/4<0/4', '10/4<0/4'})
local count = 0
for i, module in ipairs(net.deep.b) do count = count + i assert(module == made.deep.b[i]) end
for _ in ipairs(net.blocks) do count = count + 100 end
same(count, 1)
keys = {}
for key in pairs(nn.sequential{nn.relu(), nn.sigmoid()}) do keys[#keys + 1] = key end
same(keys, {1, 2})
-- Tables without modules are the script's own.
assert(net.empty == made.empty and net.sizes == made.sizes)
-- Computing, derivatives, plans.
local wanted = made.forward(made, x)
assert(net(x):equal(wanted))
assert(trellis.compile(function(x) return net(x) end)(x):allclose(wanted, {rtol = 1e-5}))
net(x):backward()
assert(net.blocks[16].weight.grad and not net.blocks[8].weight.grad)
fails('in blocks.16: conv2d', function() nn.module{blocks = {[16] = conv(3, 1)}, forward = function(self, x) return self.blocks[16](x) end}(tensor.zeros(1, 2, 3, 3)) end)
fails('in deep.a.5: conv2d', function() nn.module{deep = made.deep, forward = function(self, x) return self.deep.a[5](x) end}(tensor.zeros(1, 2, 3, 3)) end)

-- A table that holds other things as well stays the script's own; what is in it is registered at any depth.
do
  local shared = conv(3, 3)
  local table_ = {size = 7, first = shared, [3] = {bn = nn.batch_norm(3), rate = 2, scale = tensor.ones(1, {requires_grad = true})}, parameters = conv(3, 2)}
  local mixed = nn.module{parts = table_, forward = function(self, x) return self.parts[3].bn(self.parts.first(x)) * self.parts[3].scale * self.parts[3].rate end}
  assert(mixed.parts == table_)
  same(mixed:parameters():names(), {'parts.3.scale', 'parts.3.bn.weight', 'parts.3.bn.bias', 'parts.first.weight', 'parts.first.bias', 'parts.parameters.weight', 'parts.parameters.bias'})
  same(mixed(x).shape, {2, 3, 4, 4})
  mixed:eval()
  assert(not table_[3].bn.training)
  -- A table of modules with the name of a method is no group, whose method it would be.
  local named = nn.module{parts = {count = conv(3, 2), train = nn.relu()}, forward = function(self, x) return self.parts.count(x) end}
  same(named(x):size(2), 2)
  same(named:parameters():names()[1], 'parts.count.weight')
end

-- Positions at the top; what is no module is read by its position, too.
do
  local a, b = conv(3, 3), conv(3, 3)
  local top = nn.module{a, 5, b, [7] = nn.relu(), forward = function(self, x) return self[7](self[3](self[1](x))) * self[2] end}
  assert(top[1] == a and top[2] == 5 and top[3] == b and top[4] == nil)
  same(top:parameters():names(), {'1.weight', '1.bias', '3.weight', '3.bias'})
  same(top(x).shape, {2, 3, 4, 4})
  local plain = nn.module{conv = a, forward = function(self, x) return self.conv(x) end}
  assert(plain[1] == a)
end

-- Files and states by name.
do
  local function make() return nn.module{heads = {[4] = conv(2, 2), [16] = conv(2, 2)}, into = {["1<0"] = nn.batch_norm(2)}, forward = function(self, y) return self.heads[16](self.into["1<0"](y)) end} end
  local one, other = make(), make()
  local y = tensor.randn(2, 2, 3, 3, {seed = 2})
  one(y)
  one:save('tables.safetensors')
  assert(tensor.load('tables.safetensors')['into.1<0.running_mean'])
  other:load('tables.safetensors')
  one:eval() other:eval()
  assert(one(y):equal(other(y)))
  local third = make()
  third:load_state(one:state())
  assert(third:eval()(y):equal(one(y)))
  local fourth = make()
  checkpoint.save('run.safetensors', {net = one})
  checkpoint.load('run.safetensors', {net = fourth})
  assert(fourth:eval()(y):equal(one(y)))
end

fails('the keys 4 and "4" in \'t\' give one path', function() nn.module{t = {[4] = nn.relu(), ['4'] = nn.relu()}, forward = print} end)
fails("names without dots expected, got 'a.b' in 't'", function() nn.module{t = {['a.b'] = nn.relu()}, forward = print} end)
fails("a module in 't' has a key that is neither a name nor a whole number", function() nn.module{t = {[true] = nn.relu()}, forward = print} end)
fails("a module in 't' has a key that is neither a name nor a whole number", function() nn.module{t = {[0.5] = nn.relu()}, forward = print} end)
fails('contains itself', function() local t = {nn.relu()} t.t = t nn.module{t = t, forward = print} end)
