-- Writes networks as ONNX files, and for each one batches of 1 to 5 images, of several sizes where it takes any, with our own output, for onnx_check.py to compare.
--   trellis Tests/References/onnx_cases.lua DIRECTORY
local directory = assert(arg[1], "a directory")

--- Numbers that a trained network could have: running statistics and weights of batch norms that are not 0 and 1.
local function stir(net, seed)
  local state = net:state()
  for name, t in pairs(state) do
    local part = name:match("running_%a+") or name:match("bn[%d_]*%.(weight)$")
    if part == "running_mean" then state[name] = tensor.randn(t:size(1), {seed = seed}) * 0.2 end
    if part == "running_var" or part == "weight" then state[name] = tensor.rand(t:size(1), {seed = seed}) + 0.5 end
    seed = seed + 1
  end
  net:load_state(state)
  return net
end

local written = 0
-- Files that take images of one size only: their networks do.
local ofOneSize = {operators = true, batch_in_numbers = true, products = true}
local function case(name, net, height, width, channels)
  channels = channels or 3
  net:eval()
  local file = net:export(directory .. "/" .. name .. ".onnx", {height = height, width = width, channels = channels, metadata = {case = name}})
  assert(file.any_size == not ofOneSize[name], name .. ": " .. tostring(file.one_size))
  local arrays, more = {}, file.any_size and 1 or 0
  -- The size that was named, and others, in which every stride leaves other remainders.
  for batch, size in pairs{[1] = {0, 0}, [2] = {0, 0}, [3] = {7 * more, 10 * more}, [4] = {17 * more, 3 * more}, [5] = {32 * more, 53 * more}} do
    local images = tensor.randn(batch, channels, height + size[1], width + size[2], {seed = batch})
    arrays["images_" .. batch] = images
    arrays["output_" .. batch] = trellis.no_grad(function() return net(images):clone() end)
  end
  tensor.save(directory .. "/" .. name .. ".npz", arrays)
  written = written + 1
end

-- Layers: paddings, strides and dilations that differ by side, groups, every pool, every resize, odd sizes.
case("layers", stir(nn.sequential{
  nn.conv2d(3, 8, {kernel = {3, 2}, stride = {2, 1}, padding = {1, 2}}), nn.batch_norm(8), nn.relu(),
  nn.conv2d(8, 8, {kernel = 3, padding = {2, 1}, dilation = {2, 1}, groups = 4, bias = false}), nn.batch_norm(8, {affine = false}), nn.sigmoid(),
  nn.max_pool2d{kernel = {3, 2}, stride = {2, 1}, padding = 1}, nn.avg_pool2d{kernel = 3, stride = 1, padding = 1, count_padding = false},
  nn.avg_pool2d{kernel = 3, stride = 2, padding = 1, count_padding = true}, nn.dropout(0.4),
  nn.resize{size = {11, 9}, mode = "bilinear", align_corners = true}, nn.resize{size = {17, 8}, mode = "bilinear", align_corners = false}, nn.tanh(),
  nn.resize{size = {10, 19}, mode = "nearest"}, nn.conv2d(8, 5, {kernel = 1}), nn.softmax(2),
}, 1), 23, 31)
case("to_one_pixel", nn.sequential{
  nn.resize{size = {1, 1}, mode = "bilinear", align_corners = true}, nn.resize{size = {3, 2}, mode = "bilinear", align_corners = true},
  nn.resize{size = {1, 5}, mode = "bilinear", align_corners = false},
}, 7, 6)
case("halving", nn.sequential{nn.resize{scale = 0.5, mode = "nearest"}, nn.resize{scale = 3, mode = "nearest"}}, 13, 29)
case("classifier", stir(nn.sequential{
  nn.conv2d(1, 4, {kernel = 3}), nn.batch_norm(4), nn.global_avg_pool(), nn.flatten(), nn.linear(4, 7), nn.relu(), nn.linear(7, 3, {bias = false}), nn.softmax(-1),
}, 2), 9, 8, 1)
case("identity", nn.identity(), 4, 5, 2)
case("strips", stir(nn.sequential{nn.conv2d(3, 4, {kernel = 3, stride = 2, padding = 1}), nn.strip_pool(4)}, 4), 13, 18)
case("places", nn.lambda(function(x)
  local n, _, h, w = table.unpack(x.shape)
  local places = tensor.from({3, 1}, {dtype = "int32"}):reshape(1, 2, 1, 1):expand(n, 2, h, w)
  return x:scatter(2, places, x:narrow(2, 1, 2) * 2) + x:scatter_add(2, places, x:narrow(2, 2, 2))
end), 6, 7)

-- Element by element.
case("functions", nn.lambda(function(x)
  local positive = x:abs() + 0.5
  local y = x:exp() + positive:log() - positive:sqrt() * positive:rsqrt() / (x:square() + 1) + x:sin() * x:cos() - x:tanh():sigmoid() + x:sign()
  y = y + positive:pow(1.5) + x:pow(3) + (2 - x) + 1 / positive + (-x) + positive:reciprocal()
  y = y + (x * 3):floor() + (x * 3):ceil() + (x * 3):round() + x:clamp(-0.5, 0.7)
  y = y + (x:gt(0)) * 2 + x:le(y) + x:ne(0.25) - x:eq(x) + x:lt(positive) + x:ge(-1)
  return y + tensor.where(x:gt(0.1), x, y) + x:maximum(y):minimum(positive)
end), 5, 7)
local f = nn.functional
case("operators", nn.module{
  weight = tensor.randn(4, 3, 3, 3, {seed = 11}), bias = tensor.randn(3, {seed = 12}), mix = tensor.randn(4, 3, {seed = 13}), gamma = tensor.rand(4, {seed = 14}),
  forward = function(self, x)                                   -- [N, 4, 6, 8]
    local n = x:size(1)
    local y = x:erf() + x:gelu() + x:silu() + (x * 3):hard_sigmoid() + (x * 3):hard_swish()
    y = f.layer_norm(y, {6, 8}) + f.group_norm(x, 2, {weight = self.gamma, bias = self.gamma})
    local up = f.conv_transpose2d(y, self.weight, self.bias, {stride = 2, padding = 1, output_padding = 1}) + f.pixel_shuffle(y, 2)
    local columns = f.unfold(x, {kernel = {3, 2}, padding = 1, stride = 2})                             -- [N, 24, 3 * 5]
    local tokens = x:reshape(n, 4, 48)
    local seen = f.attention(tokens, tokens, tokens, {causal = true}):reshape(n, 4, 6, 8)
    local mixed = tensor.einsum("nchw,cd->ndhw", seen, self.mix)                                        -- [N, 3, 6, 8]
    return f.resize(up, {size = {6, 8}}) + mixed + columns:logsumexp(2):mean()
  end,
}, 6, 8, 4)
case("integers", nn.lambda(function(x)
  local i = (x * 4):cast("int32")
  local j = (i + 3):maximum(i * i - 2):abs()
  return tensor.where(i:gt(0), i, -j):cast("float32") * 0.5 + i:relu():cast("float32") + j:eq(2):cast("float32") + (i / 2)
end), 5, 7)

-- Shapes, with the batch in all places.
case("shapes", nn.module{
  weight = tensor.randn(1, 4, 1, 1, {seed = 3}),
  forward = function(self, x)                                   -- [N, 4, 6, 10]
    local n, c, h, w = x:size(1), x:size(2), x:size(3), x:size(4)
    local flat = x:reshape(n * c, h * w)
    local back = flat:reshape(n, c, h, w):permute(1, 3, 2, 4)   -- [N, 6, 4, 10]
    local part = back:slice(4, 2, 9, 2)[{{}, {2, 5}, {1, 3}}]     -- [N, 4, 3, 4]
    local padded = part:pad({0, 1, 0, 1}, {0, 0, 2, 1}, {value = 1.5})
    local both = tensor.concat({padded, padded * 2}, 1)           -- [2N, ...]
    local first = both:narrow(1, 1, n) + both:narrow(1, n + 1, n)
    local mean = x:mean()
    local centred = x - x:mean({1, 3, 4}, {keep = true}):expand(x.shape)
    return tensor.concat({first:flatten(2), (centred * self.weight):flatten(2), (x:sum({3, 4}) * mean):expand(n, c)}, 2)
  end,
}, 6, 10, 4)
case("batch_in_numbers", nn.lambda(function(x)
  local ones = tensor.ones(x:size(1), 2, 3, 4)
  return (x + ones) * x:size(1) + x:sum(1, {keep = true}) / x:size(1)
end), 3, 4, 2)
case("products", nn.lambda(function(x)
  local a = x:reshape(x:size(1) * 2, 5, 6)
  local gram = a:matmul(a:transpose(2, 3))
  return gram:softmax(3):matmul(a):reshape(x:size(1), 2, 5, 6) + x:log_softmax(2)
end), 5, 6, 2)
case("order", nn.lambda(function(x)
  local values, indices = x:sort(3)
  local largest, where = x:max(2)
  return tensor.concat({values:flatten(2), indices:cast("float32"):flatten(2), largest:flatten(2), where:cast("float32"):flatten(2), x:gather(4, x:argmax(4, {keep = true})):flatten(2)}, 2)
end), 5, 6)
case("own_statistics", nn.lambda(function(x) return nn.functional.batch_norm(x, {weight = tensor.from{1, 2, 3}, bias = tensor.from{0, 1, 2}}) end), 5, 6)

-- Supernets.
local all = {"none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5", "atrous_conv_3x3", "atrous_conv_5x5"}
local space = nas.trellis{layers = 3, strides = {4, 8, 16}, filters = 2, cell = nas.cell{blocks = 2, operators = all}}
case("supernet", stir(space:supernet{classes = 4, seed = 1}.module, 5), 45, 61)

-- Derived networks: the published one, each operator on arrows down, along and up, and random architectures.
local narrow = {stem = 4, stem_output = 8, aspp = 8, decoder = 8}
local function derived(name, architecture, filters, classes, height, width)
  local options = {filters = filters, classes = classes, seed = 1}
  for key, value in pairs(narrow) do options[key] = value end
  case(name, stir(architecture:network(options), 7), height, width)
end
derived("auto_deeplab", nas.gallery.auto_deeplab, 2, 19, 65, 97)
derived("auto_deeplab_even", nas.gallery.auto_deeplab, 1, 5, 64, 96)
local deep = nas.trellis{layers = 5, strides = {4, 8, 16}, filters = 2, cell = nas.cell{blocks = 2, operators = all}}
for i, operator in ipairs(all) do
  local cell = {{{operator, 1}, {operator, 2}}, {{operator, 3}, {operator, 2}}}
  if operator ~= "none" then derived(operator, nas.architecture{space = deep, path = {8, 16, 16, 8, 4}, cell = cell}, 2, 3, 37 + 2 * i, 60 - i) end
end
for seed = 1, 3 do derived("random_" .. seed, deep:random{seed = seed}, 3, 4, 31 + 12 * seed, 77 - 8 * seed) end
derived("found", space:supernet{classes = 4, seed = 2}:decode(), 3, 4, 49, 33)
print(written .. " networks written")
