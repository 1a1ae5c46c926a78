-- Functions and layers of the registry as modules that are written as code for PyTorch: `functions[name]()` and `layers[name]()` make them, `refused[name]` says
-- which cannot be written, with a part of the error. Images are [N, 3, H, W].
local here = debug.getinfo(1, "S").source:match("^@(.*/)")
local cases = dofile(here .. "functions.lua")
local code = {functions = {}, layers = {}}

local function is_tensor(x) return getmetatable(x) == "tensor" end

--- The function of parameters, as a row of numbers for the images.
local function of_parameters(name, case)
  local parts = {}
  for i = 2, #case do
    parts["a" .. i - 1] = tensor.rand(case[i], {seed = 10 * i + #case[i], low = case.low or -1, high = case.high or 1, requires_grad = true})
  end
  local count = #case - 1
  function parts.forward(self, images)
    local list = {}
    for i = 1, count do list[i] = self["a" .. i] end
    local y = case[1](table.unpack(list))
    return y:float():reshape(1, y.count) + images:mean()
  end
  return nn.module(parts, {name = (name:gsub("[^%w]+", "_"))})
end

for name, case in pairs(cases) do
  if not case.skip and not case.refuses and not name:find("^supernet") then
    local list = {}
    for i = 2, #case do list[i - 1] = tensor.rand(case[i], {seed = i, low = case.low or -1, high = case.high or 1}) end
    if is_tensor(case[1](table.unpack(list))) then code.functions[name] = function() return of_parameters(name, case) end end
  end
end

-- Each on [N, 4, H, W].
local layers = {
  conv2d = function() return nn.conv2d(4, 6, {kernel = {3, 5}, stride = {2, 1}, padding = {1, 2}, groups = 2}) end,
  conv_transpose2d = function() return nn.conv_transpose2d(4, 6, {kernel = {3, 4}, stride = 2, padding = 1, output_padding = {1, 0}, groups = 2}) end,
  linear = function() return nn.sequential{nn.global_avg_pool(), nn.flatten(), nn.linear(4, 5)} end,
  batch_norm = function() return nn.batch_norm(4, {eps = 1e-3}) end,
  layer_norm = function()
    return nn.module{norm = nn.layer_norm(4), forward = function(self, x) return self.norm(x:permute(1, 3, 4, 2)):permute(1, 4, 2, 3) end}
  end,
  group_norm = function() return nn.group_norm(2, 4) end, identity = function() return nn.identity() end, softmax = function() return nn.softmax() end,
  flatten = function() return nn.sequential{nn.global_avg_pool(), nn.flatten()} end, pixel_shuffle = function() return nn.pixel_shuffle(2) end,
  max_pool2d = function() return nn.max_pool2d{kernel = {3, 2}, stride = 2, padding = 1} end,
  avg_pool2d = function() return nn.avg_pool2d{kernel = 3, stride = 2, padding = 1, count_padding = false} end,
  global_avg_pool = function() return nn.global_avg_pool() end, resize = function() return nn.resize{scale = 2, align_corners = false} end,
  dropout = function() return nn.dropout(0.3) end, drop_path = function() return nn.drop_path(0.3) end,
  strip_pool = function() return nn.strip_pool(4) end,
  sequential = function() return nn.sequential{nn.relu(), nn.conv2d(4, 4, {kernel = 1})} end,
  parallel = function() return nn.parallel{nn.conv2d(4, 2, {kernel = 1}), nn.identity()} end, residual = function() return nn.residual(nn.conv2d(4, 4, {kernel = 1})) end,
  lambda = function() return nn.lambda(function(x) return x:sin() end) end,
  module = function() return nn.module{scale = tensor.full({4, 1, 1}, 2, {requires_grad = true}), forward = function(self, x) return x * self.scale end} end,
}
for _, name in ipairs{"relu", "sigmoid", "tanh", "gelu", "silu", "hard_sigmoid", "hard_swish"} do layers[name] = function() return nn[name]() end end
for name, make in pairs(layers) do
  code.layers["nn." .. name] = function()
    tensor.manual_seed(1)
    return nn.sequential{{"stem", nn.conv2d(3, 4, {kernel = 3, padding = 1})}, {"layer", make()}}
  end
end

-- What draws at each call, or writes where the images' number decides, see Sources/PyTorch/Refusals.swift.
code.refused = {
  ["random"] = {"draws new numbers at each call", function() return nn.lambda(function(x) return x + tensor.rand(x.shape) end) end},
  ["permutation"] = {"draws new numbers at each call", function() return nn.lambda(function(x) return x:gather(2, tensor.randperm(3):reshape(1, 3, 1, 1):expand(x.shape)) end) end},
  ["writes"] = {"writes in place", function()
    return nn.lambda(function(x)
      local y = x * 1
      y[{{}, 1}] = 0
      return y
    end)
  end},
  ["branches"] = {"statistics of several branches", function()
    return nn.module{norm = nn.batch_norm(3), forward = function(self, x) return nn.branch("a", self.norm, x) + nn.branch("b", self.norm, x * 2) end}
  end},
}
return code
