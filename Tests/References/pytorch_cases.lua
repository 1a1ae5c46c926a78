-- Networks for pytorch.sh: `write DIR` exports each with what Trellis computes of it, `back DIR` reads what PyTorch trained.
local mode, dir = arg[1], arg[2]

nas.operator("gated_conv", function(channels)
  return nn.module({
    conv = nn.conv2d(channels, channels, {kernel = 3, padding = 1, bias = false}), gate = nn.conv2d(channels, channels, {kernel = 1}),
    bn = nn.batch_norm(channels), scale = tensor.full({1}, 0.5, {requires_grad = true}),
    forward = function(self, x) return self.bn(self.conv(x:relu()) * self.gate(x):sigmoid()) * self.scale end,
  }, {name = "gated_conv"})
end)

local function found(operators, seed)
  local space = nas.trellis{layers = 4, strides = {4, 8, 16}, cell = nas.cell{blocks = 2, operators = operators}}
  return space:random{seed = seed}:network{filters = 4, classes = 5, aspp = 8, decoder = 8, seed = seed}
end

-- A network with what scripts do: sharing, sizes from the input, several arguments, tables of modules, constants, an attention.
local function scripted()
  tensor.manual_seed(3)
  local shared = nn.sequential{nn.conv2d(8, 8, {kernel = 3, padding = 1, groups = 8, bias = false}), nn.batch_norm(8), nn.relu()}
  local fuse = nn.module({
    conv = nn.conv2d(16, 8, {kernel = 1}),
    forward = function(self, a, b)
      local b = nn.functional.resize(b, {size = {a.shape[3], a.shape[4]}})
      return self.conv(tensor.concat({a, b}, 2)):tanh()
    end,
  }, {name = "fuse"})
  return nn.module({
    stem = nn.sequential{{"conv", nn.conv2d(3, 8, {kernel = 3, stride = 2, padding = 1})}, {"act", nn.relu()}},
    shared = shared, fuse = fuse, heads = {[4] = nn.conv2d(8, 5, {kernel = 1}), [8] = nn.conv2d(8, 5, {kernel = 1})},
    squeeze = nn.sequential{nn.global_avg_pool(), nn.flatten(), nn.linear(8, 4), nn.relu(), nn.linear(4, 8, {bias = false}), nn.sigmoid()},
    mask = tensor.concat({tensor.ones(6), tensor.zeros(2)}, 1):reshape(1, 8, 1, 1),
    forward = function(self, x)
      local h = self.stem(x)
      local fine = self.shared(self.shared(h)) * self.mask
      local coarse = nn.functional.max_pool2d(h, {kernel = 3, stride = 2, padding = 1})
      local gate = self.squeeze(fine)
      fine = fine * gate:reshape(gate.shape[1], 8, 1, 1)
      local y = self.fuse(fine, coarse)
      local n, c, height, width = table.unpack(y.shape)
      local flat = y:reshape(n, c, height * width)
      local attention = flat:matmul(flat:transpose(2, 3)):div(height * width):softmax(3)
      y = y + attention:matmul(flat):reshape(n, c, height, width)
      return self.heads[4](y) + nn.functional.resize(self.heads[8](y:narrow(3, 1, 4):mean({3, 4}, {keep = true})), {size = {height, width}})
    end,
  }, {name = "scripted"})
end

local all = {"none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "atrous_conv_3x3", "atrous_conv_5x5", "dil_conv_3x3"}
local cases = {
  {"gallery", function() return nas.gallery.auto_deeplab:network{filters = 4, classes = 5, aspp = 8, decoder = 8, seed = 1} end},
  {"found_1", function() return found(all, 1) end}, {"found_2", function() return found(all, 2) end}, {"found_3", function() return found(all, 3) end},
  {"own_operator", function() return found({"skip_connect", "gated_conv"}, 4) end},
  {"scripted", scripted},
  {"sequential", function()
    tensor.manual_seed(5)
    return nn.sequential{nn.conv2d(3, 6, {kernel = 3}), nn.batch_norm(6, {affine = false}), nn.avg_pool2d{kernel = 2}, nn.residual(nn.conv2d(6, 6, {kernel = 1})), nn.conv2d(6, 5, {kernel = 1})}
  end},
}

for _, case in ipairs(cases) do
  local name, make = case[1], case[2]
  local at = dir .. "/" .. name
  local net = make()
  local x, y = tensor.randn(4, 3, 65, 97, {seed = 7}), (tensor.rand(4, 65, 97, {seed = 8}) * 5):floor():int()
  local function loss() return nn.cross_entropy(nn.functional.resize(net(x), {size = {65, 97}}), y) end
  if mode == "write" then
    files.make_directory(at)
    net:export(at .. "/network.py", {height = 65, width = 97})
    net:eval()
    net(x):save(at .. "/scores.npy"); x:save(at .. "/images.npy"); y:save(at .. "/labels.npy")
    net:train()
    local sgd = optim.sgd(net:parameters(), {lr = 0.05, momentum = 0.9, weight_decay = 1e-4})
    local first = loss(); sgd:zero_grad(); first:backward()
    local gradients = {}
    for _, parameter in ipairs(net:parameters():names()) do gradients[parameter] = net:parameters()[parameter].grad end
    tensor.save(at .. "/gradients.safetensors", gradients)
    net:load(at .. "/weights.safetensors")
    local losses = {}
    for step = 1, 10 do
      local value = loss()
      sgd:zero_grad(); value:backward(); sgd:step()
      losses[step] = value:item()
    end
    tensor.from(losses):save(at .. "/losses.npy")
    net:eval()
    net(x):save(at .. "/trained.npy")
  else
    net:load(at .. "/torch.safetensors")
    net:eval()
    local scores = tensor.load(at .. "/torch.npy")
    local away = (net(x) - scores):abs():max():item() / scores:abs():max():item()
    print(("%-14s back: %.1e"):format(name, away))
    assert(away < 1e-4, name)
  end
end
