-- Networks for pytorch.sh: `text DIR` exports each, `write DIR` with what Trellis computes of it, `back DIR` reads what PyTorch trained.
-- With a third argument, a pattern, it is those networks alone.
local mode, dir, only = arg[1], arg[2], arg[3]

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

-- Layers and functions of today's networks, whose sizes come from the images: norms of samples, attention, transposed convolution, scatter, windows.
local function modern()
  tensor.manual_seed(4)
  local f = nn.functional
  return nn.module({
    down = nn.sequential{nn.conv2d(3, 8, {kernel = 3, stride = 2, padding = 1}), nn.group_norm(2, 8), nn.gelu()}, norm = nn.layer_norm(8),
    q = nn.linear(8, 8), k = nn.linear(8, 8, {bias = false}), v = nn.linear(8, 8), strips = nn.strip_pool(8), mix = tensor.randn(8, 8, {requires_grad = true}),
    up = nn.conv_transpose2d(8, 8, {kernel = 4, stride = 2, padding = 1}), act = nn.silu(), head = nn.sequential{nn.conv2d(8, 20, {kernel = 1}), nn.pixel_shuffle(2)},
    places = tensor.from({1, 5}, {dtype = "int32"}):reshape(1, 2, 1, 1),
    forward = function(self, x)
      local h = self.down(x)
      local n, c, height, width = table.unpack(h.shape)
      local small = f.avg_pool2d(h, {kernel = 4})
      local rows, columns = small.shape[3], small.shape[4]
      local tokens = self.norm(small:reshape(n, c, rows * columns):transpose(2, 3))
      local function heads(layer) return layer(tokens):reshape(n, rows * columns, 2, 4):transpose(2, 3) end
      local seen = f.attention(heads(self.q), heads(self.k), heads(self.v)):transpose(2, 3):reshape(n, rows * columns, c)
      h = self.strips(h + f.resize((tokens + seen):transpose(2, 3):reshape(n, c, rows, columns), {size = {height, width}}))
      h = h:scatter(2, self.places:expand(n, 2, height, width), h:narrow(2, 7, 2)) + 0.1 * h:cumsum(2) + h:logsumexp(2, {keep = true})
      h = h + f.unfold(h, {kernel = 3, padding = 1}):reshape(n, c, 9, height * width):var(3):reshape(n, c, height, width)
      return self.head(self.act(self.up(tensor.einsum("nchw,cd->ndhw", h, self.mix) * 0.3)))
    end,
  }, {name = "modern"})
end

local all = {"none", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "sep_conv_3x3", "sep_conv_5x5", "atrous_conv_3x3", "atrous_conv_5x5", "dil_conv_3x3"}
local cases = {
  {"found_1", function() return found(all, 1) end}, {"found_2", function() return found(all, 2) end}, {"found_3", function() return found(all, 3) end},
  {"own_operator", function() return found({"skip_connect", "gated_conv"}, 4) end},
  {"scripted", scripted}, {"modern", modern},
  {"sequential", function()
    tensor.manual_seed(5)
    return nn.sequential{nn.conv2d(3, 6, {kernel = 3}), nn.batch_norm(6, {affine = false}), nn.avg_pool2d{kernel = 2}, nn.residual(nn.conv2d(6, 6, {kernel = 1})), nn.conv2d(6, 5, {kernel = 1})}
  end},
}
for name, architecture in pairs(nas.gallery) do
  cases[#cases + 1] = {"gallery_" .. name, function()
    return architecture:network{filters = name == "auto_deeplab" and 4 or 2, classes = 5, aspp = 8, decoder = 8, seed = 1}
  end}
end

package.path = "scripts/spaces/?.lua;" .. package.path
--- The space that a script makes, which runs no further.
local function space_of(script)
  local found
  local kept = {space = nas.space, trellis = nas.trellis}
  for name, make in pairs(kept) do
    nas[name] = function(...)
      found = make(...)
      error("that is all")
    end
  end
  local words = arg
  arg = {}
  local fine, problem = pcall(dofile, script)
  arg = words
  for name, make in pairs(kept) do nas[name] = make end
  assert(found, problem)
  return found
end
for _, folder in ipairs{"scripts/spaces", "../shared/acceptance/spaces"} do
  local list = io.popen("ls " .. folder .. "/*.lua 2>/dev/null")
  for script in list:lines() do
    local text, name = io.open(script):read("a"), script:match("([^/]+)%.lua$")
    -- What is searched on a backbone reads its features, not images.
    if name ~= "backbone" and (text:find("nas%.space%(") or text:find("nas%.trellis{")) then
      cases[#cases + 1] = {(folder:match("^%w+") or "handed") .. "_" .. name, function()
        local space = space_of(script)
        local found = space:random{seed = 1}
        local isStock, network = pcall(found.network, found, {filters = 2, classes = 5, aspp = 8, decoder = 8, seed = 1})
        return isStock and network or space:network(found, {seed = 1})
      end}
    end
  end
  list:close()
end

-- Single functions and layers: scores, and gradients in evaluation.
local code = dofile("Tests/Scripts/registry/code.lua")
for kind, list in pairs(mode ~= "back" and not only and {functions = code.functions, layers = code.layers} or {}) do
  for name, make in pairs(list) do
    local at = ("%s/%s/%s"):format(dir, kind, name)
    files.make_directory(at)
    local net, x = make():eval(), tensor.randn(2, 3, 12, 10, {seed = 7})
    net:export(at .. "/network.py", {height = 12, width = 10})
    if mode == "write" then
      local y = net(x)
      local weights = tensor.randn(y.shape, {seed = 8})
      x:save(at .. "/images.npy"); y:save(at .. "/scores.npy"); weights:save(at .. "/sums.npy")
      local gradients = {}
      if y.requires_grad then
        (y * weights):sum():backward()
        for _, parameter in ipairs(net:parameters():names()) do gradients[parameter] = net:parameters()[parameter].grad end
      end
      if next(gradients) then tensor.save(at .. "/gradients.safetensors", gradients) end
    end
  end
end

--- The network's code and weights.
local function export(net, at)
  if mode == "back" then return end
  files.make_directory(at)
  net:export(at .. "/network.py", {height = 65, width = 97})
end

--- Weights with which rounding stays small. As networks are made, what goes into a ReLU has the mean 0; half of it is cut off in every layer, the next norm stretches the
--- rest, and in a deep one a difference of 3e-7 has become 1e-2 at its end. Here three quarters of it are above 0, and running statistics are of images.
local function condition(net)
  local parameters = net:parameters()
  local seed = 100
  trellis.no_grad(function()
    for name in pairs(net:buffers()) do
      local norm = name:match("^(.*)running_mean$")
      local weight, bias = norm and parameters[norm .. "weight"], norm and parameters[norm .. "bias"]
      if weight then
        seed = seed + 2
        weight:copy_(tensor.rand(weight.shape, {seed = seed}) * 0.5 + 0.5)
        bias:copy_(tensor.rand(bias.shape, {seed = seed + 1}))
      end
    end
    net:train()
    for i = 1, 16 do net(tensor.randn(4, 3, 33, 49, {seed = i})) end
  end)
end

--- What training is compared by, of weights that were exported to `at`.
local function record(net, at, x, loss)
  local function start() net:load(at .. "/weights.safetensors") end
  local function gradients(name, ...)
    optim.sgd(net:parameters(), {lr = 0.01}):zero_grad()
    loss(...):backward()
    local found = {}
    for _, parameter in ipairs(net:parameters():names()) do found[parameter] = net:parameters()[parameter].grad end
    tensor.save(at .. "/" .. name .. ".safetensors", found)
  end
  -- Small steps: at ten times this rate what rounding moves grows a hundredfold in deep networks.
  local function ten_steps(name)
    local sgd, losses = optim.sgd(net:parameters(), {lr = 0.001, momentum = 0.9, weight_decay = 0.01}), {}
    for step = 1, 10 do
      local value = loss(1, 4)
      sgd:zero_grad(); value:backward(); sgd:step()
      losses[step] = value:item()
    end
    net:eval()
    tensor.from(losses):save(at .. "/" .. name .. "_losses.npy")
    net(x):save(at .. "/" .. name .. "_scores.npy")
  end
  net:eval()
  net(x):save(at .. "/scores.npy")
  for i = 1, 4 do gradients("gradients_" .. i, i, 1) end
  ten_steps("evaluation")
  start()
  net:train()
  net(x):save(at .. "/batch_scores.npy")
  local statistics = {}
  for name, buffer in pairs(net:buffers()) do if name:find("running_") then statistics[name] = buffer:clone() end end
  if next(statistics) then tensor.save(at .. "/statistics.safetensors", statistics) end
  start()
  gradients("batch_gradients", 1, 4)
  start()
  ten_steps("training")
end

--- Scores, gradients and ten steps of SGD, or the way back.
local function compute(name, net, at)
  local x, y = tensor.randn(4, 3, 33, 49, {seed = 7}), (tensor.rand(4, 33, 49, {seed = 8}) * 5):floor():int()
  if mode == "write" then
    -- Class scores, or whatever else a space's network gives: values.
    local shape = net:eval()(x).shape
    local targets = not (#shape == 4 and shape[2] == 5) and tensor.randn(shape, {seed = 9}) or nil
    x:save(at .. "/images.npy"); y:save(at .. "/labels.npy")
    if targets then targets:save(at .. "/targets.npy") end
    record(net, at, x, function(first, count)
      local scores = net(x:narrow(1, first, count))
      if targets then return nn.mse_loss(scores, targets:narrow(1, first, count)) end
      return nn.cross_entropy(nn.functional.resize(scores, {size = {33, 49}}), y:narrow(1, first, count))
    end)
  else
    net:load(at .. "/torch.safetensors")
    net:eval()
    local scores = tensor.load(at .. "/torch.npy")
    local away = (net(x) - scores):abs():max():item() / scores:abs():max():item()
    print(("%-14s back: %.1e"):format(name, away))
    assert(away < 1e-4, name)
  end
end

for _, case in ipairs(cases) do
  local name, make = case[1], case[2]
  if not only or name:find(only) then
    local net, at = make(), dir .. "/" .. name
    if mode == "write" then condition(net) end
    export(net, at)
    if mode ~= "text" then compute(name, net, at) end
  end
end
