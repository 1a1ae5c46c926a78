-- Layers, losses and optimisers give what PyTorch gives (Tests/References/networks.py).
local golden = tensor.load(scripts .. '/golden/networks.safetensors')

local function part(prefix)
  local found = {}
  for name, value in pairs(golden) do
    if name:sub(1, #prefix + 1) == prefix .. '.' then found[name:sub(#prefix + 2)] = value end
  end
  return found
end

local function build()
  return nn.sequential{
    nn.conv2d(3, 6, {kernel = {3, 5}, stride = 2, padding = {1, 2}, bias = false}), nn.batch_norm(6), nn.relu(),
    nn.conv2d(6, 6, {kernel = 3, padding = 2, dilation = 2, groups = 3}), nn.max_pool2d{kernel = 3, stride = 2, padding = 1},
    nn.avg_pool2d{kernel = 3, stride = 1, padding = 1, count_padding = false}, nn.conv2d(6, 4, {kernel = 1}),
    nn.resize{size = {9, 11}, align_corners = false},
  }
end

local function close(got, wanted, what)
  assert(got:allclose(wanted, {rtol = 1e-4, atol = 2e-5}), what .. ': off by ' .. (got - wanted):abs():max():item())
end

local net = build()
net:load_state(part('start'))
local function loss_of(net) return nn.cross_entropy(net(golden.images), golden.labels, {weights = golden.weights, ignore = 255}) end
local loss = loss_of(net)
loss:backward()
close(loss, golden.loss, 'loss')
for name, gradient in pairs(part('grad')) do close(net:parameters()[name].grad, gradient, 'gradient of ' .. name) end
for name, value in pairs(part('after')) do close(net:buffers()[name], value, name) end
close(net:eval()(golden.images), golden.eval, 'evaluation')

local rules = {
  sgd = function(p) return optim.sgd(p, {lr = 0.1}) end,
  momentum = function(p) return optim.sgd(p, {lr = 0.1, momentum = 0.9, weight_decay = 1e-2}) end,
  nesterov = function(p) return optim.sgd(p, {lr = 0.1, momentum = 0.9, weight_decay = 1e-2, nesterov = true}) end,
  clip = function(p) return optim.sgd(p, {lr = 0.1, momentum = 0.9, clip = 0.1}) end,
  adam = function(p) return optim.adam(p, {lr = 0.01, weight_decay = 1e-2}) end,
  adamw = function(p) return optim.adamw(p, {lr = 0.01, betas = {0.8, 0.99}, weight_decay = 0.1}) end,
}
for name, make in pairs(rules) do
  for _, compiled in ipairs{false, true} do
    local net = build()
    net:load_state(part('start'))
    local opt = make(net:parameters())
    local function step()
      opt:zero_grad()
      loss_of(net):backward()
      opt:step()
    end
    if compiled then step = trellis.compile(step) end
    for i = 1, 4 do step() end
    for path, value in pairs(part(name)) do
      close(net:parameters()[path], value, name .. (compiled and ' compiled ' or ' ') .. path)
    end
  end
end
