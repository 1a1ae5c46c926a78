-- Operators written in Lua.
local function sep7(channels)
  return nn.sequential{
    nn.relu(), nn.conv2d(channels, channels, {kernel = 7, padding = 3, groups = channels, bias = false}),
    nn.conv2d(channels, channels, {kernel = 1, bias = false}), nn.batch_norm(channels, {affine = false}),
  }
end
nas.operator("sep_conv_7x7", sep7)
fails("'none' always means no connection", function() nas.operator("none", sep7) end)
fails("a name of letters, digits and underscores expected, got ''", function() nas.operator("", sep7) end)
fails("got 'a.b'", function() nas.operator("a.b", sep7) end)
fails("the operator 'wrong' must return module, got number", function() nas.operator("wrong", function() return 3 end) end)
fails("the operator 'wrong' must return module, got no value", function() nas.operator("wrong", function() end) end)
fails("the operator 'wrong' must keep the shape of its input: it made [2, 8, 5, 4] of [2, 8, 9, 7]", function()
  nas.operator("wrong", function(c) return nn.conv2d(c, c, {kernel = 3, stride = 2, padding = 1}) end)
end)
fails("conv2d", function() nas.operator("wrong", function(c) return nn.conv2d(c + 1, c, {kernel = 1}) end) end)
fails("returned the same module twice", function()
  local one = nn.conv2d(8, 8, {kernel = 1})
  nas.operator("wrong", function() return one end)
end)
fails("oh", function() nas.operator("wrong", function() error("oh") end) end)
fails("expected a known operator, got 'wrong'", function() nas.cell{operators = {"wrong"}} end)

-- Trying operators draws no random numbers from the user's stream.
tensor.manual_seed(5)
local before = tensor.randn(3)
tensor.manual_seed(5)
nas.operator("sep_conv_7x7", sep7)
same(tensor.randn(3), before)

-- Costs are counted as the library's own are: the same operator under another name.
nas.operator("my_atrous", function(c, options)
  return nn.sequential{nn.relu(), nn.conv2d(c, c, {kernel = 3, padding = 2, dilation = 2, bias = false}), nn.batch_norm(c, {affine = options.affine})}
end)
for _, affine in ipairs{false, true} do
  local function cost(name)
    local space = nas.trellis{layers = 4, filters = 6, affine = affine, cell = nas.cell{blocks = 2, operators = {"none", "skip_connect", name}}}
    local e = space:estimate{crop = 65, batch = 2, classes = 5}
    return {e.parameters, e.multiply_adds, e.activation_bytes}
  end
  same(cost("my_atrous"), cost("atrous_conv_3x3"))
end

-- An operator that is fine at 8 channels and not at those of the space.
nas.operator("in_groups", function(c)
  if c % 8 ~= 0 then error("needs a multiple of 8 channels, got " .. c) end
  return nn.conv2d(c, c, {kernel = 3, padding = 1, groups = 8})
end)
fails("needs a multiple of 8 channels, got 4", function() nas.trellis{filters = 4, cell = nas.cell{operators = {"in_groups"}}} end)
nas.trellis{filters = 8, cell = nas.cell{operators = {"in_groups"}}}

-- In a search: Lua runs while the step is compiled, then no more.
local share = 0.5
nas.operator("counted", function(c) return nn.lambda(function(x) return x * share end) end)
local space = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 2, operators = {"none", "counted", "sep_conv_7x7", "skip_connect"}}}
local supernet = space:supernet{classes = 3, seed = 1}
local sgd = optim.sgd(supernet:weights(), {lr = 0.05, momentum = 0.9})
local images, labels = tensor.randn(2, 3, 24, 16, {seed = 1}), tensor.randint(0, 2, {2, 24, 16}, {seed = 2})
local first = supernet:step(sgd, images, labels):item()
local last
for i = 1, 10 do last = supernet:step(sgd, images, labels):item() end
same(supernet:recordings(), 1)
assert(last < first, ("%g to %g"):format(first, last))
assert(table.concat(supernet:weights():names(), " "):find("nodes.2.8.block.1.2.sep_conv_7x7.2.weight", 1, true))
-- Until what it reads changes.
share = 0.25
assert(supernet:step(sgd, images, labels):item() ~= last)
same(supernet:recordings(), 2)
local found = supernet:decode()
assert(found:fits(space))
found:save("found.json")
assert(nas.load("found.json"):same(found))

-- Operators that cannot be searched with are found when they are added.
fails("operator 'broken': lambda: of normally distributed numbers made", function()
  nas.operator("broken", function(c) return nn.lambda(function(x) return x / 0 end) end)
end)
do
  local w = tensor.ones(1, {requires_grad = true})
  fails("is no parameter of the network", function() nas.operator("captures", function(c) return nn.lambda(function(x) return x * w end) end) end)
  nas.operator("captures", function(c) return nn.module{w = tensor.ones(1, {requires_grad = true}), forward = function(self, x) return x * self.w end} end)
  -- One that captures later on is an error of the step.
  local late = 2
  nas.operator("late", function(c) return nn.lambda(function(x) return x * late end) end)
  local net = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {"late", "captures"}}}:supernet{classes = 3, seed = 1}
  late = w
  fails("is no parameter of the network", function() net:step(optim.sgd(net:weights(), {lr = 0.1}), images, labels) end)
end
