-- ResNet-18 (He and others, 2016) with torchvision's names, as a module whose features are read by stride. Returns {build =, load =}.
local resnet = {}

local function conv(from, to, kernel, stride)
  return nn.conv2d(from, to, {kernel = kernel, stride = stride, padding = kernel // 2, bias = false})
end

local function block(from, to, stride)
  local net = {conv1 = conv(from, to, 3, stride), bn1 = nn.batch_norm(to), conv2 = conv(to, to, 3, 1), bn2 = nn.batch_norm(to)}
  if stride ~= 1 or from ~= to then net.downsample = nn.sequential{conv(from, to, 1, stride), nn.batch_norm(to)} end
  function net.forward(self, x)
    local h = self.bn2(self.conv2(self.bn1(self.conv1(x)):relu()))
    return (h + (net.downsample and self.downsample(x) or x)):relu()
  end
  return nn.module(net, {name = "basic_block"})
end

--- The network without its head: images [N, 3, H, W] to features [N, 8 · width, H / 32, W / 32]. `width` is 64 in torchvision's.
function resnet.build(width)
  width = width or 64
  local net = {conv1 = conv(3, width, 7, 2), bn1 = nn.batch_norm(width)}
  local from = width
  for i = 1, 4 do
    local to = width * 2 ^ (i - 1) // 1 | 0
    net["layer" .. i] = nn.sequential{block(from, to, i == 1 and 1 or 2), block(to, to, 1)}
    from = to
  end
  function net.forward(self, x)
    local h = nn.functional.max_pool2d(self.bn1(self.conv1(x)):relu(), {kernel = 3, stride = 2, padding = 1})
    return self.layer4(self.layer3(self.layer2(self.layer1(h))))
  end
  return nn.module(net, {name = "resnet18"})
end

--- Loads a state that torchvision's resnet18 saved as safetensors: positions count from 0 there; its head and its counters are left out.
function resnet.load(net, file)
  return net:load(file, {map = function(name)
    if name:find("^fc%.") or name:find("num_batches_tracked$") then return nil end
    return (name:gsub("%.(%d+)", function(i) return "." .. i + 1 end))
  end})
end

return resnet
