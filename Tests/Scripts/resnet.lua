-- Weights from elsewhere: a ResNet-18 in Lua takes a state with torchvision's names and gives the features that PyTorch gives.
package.path = package.path .. ";" .. debug.getinfo(1, "S").source:match("^@(.*)Tests/Scripts/") .. "scripts/spaces/?.lua"
local resnet = require("resnet18")

-- A state of numbers by a formula that is exact everywhere, in the order of torchvision's names.
local state, k = {}, 0
local function add(name, ...)
  local shape, n = {...}, 1
  for _, size in ipairs(shape) do n = n * size end
  local v = ((tensor.arange(0, n, {dtype = "int32"}) * 37 + k * 11) % 1009):float() / 504 - 1
  if name:find("running_var$") then v = 1 + 0.5 * v
  elseif #shape == 1 and name:find("weight$") then v = 1 + 0.2 * v
  elseif #shape == 1 then v = 0.1 * v
  else v = v * (2 / (n / shape[1])) ^ 0.5 end
  state[name], k = v:reshape(shape), k + 1
end
local function norm(name, n)
  for _, part in ipairs{"weight", "bias", "running_mean", "running_var"} do add(name .. "." .. part, n) end
  state[name .. ".num_batches_tracked"], k = tensor.zeros({1}, {dtype = "int32"}), k + 1
end
add("conv1.weight", 64, 3, 7, 7)
norm("bn1", 64)
local from = 64
for i, to in ipairs{64, 128, 256, 512} do
  for j = 0, 1 do
    local name = ("layer%d.%d."):format(i, j)
    add(name .. "conv1.weight", to, from, 3, 3)
    norm(name .. "bn1", to)
    add(name .. "conv2.weight", to, to, 3, 3)
    norm(name .. "bn2", to)
    if i > 1 and j == 0 then
      add(name .. "downsample.0.weight", to, from, 1, 1)
      norm(name .. "downsample.1", to)
    end
    from = to
  end
end
add("fc.weight", 10, 512)
add("fc.bias", 10)
tensor.save("torchvision.safetensors", state)

local net = resnet.build()
local _, report = resnet.load(net, "torchvision.safetensors")
same(#report.missing + #report.unknown, 0)
net:eval()
local x = ((tensor.arange(0, 3 * 64 * 96, {dtype = "int32"}) * 13 % 997):float() / 498 - 1):reshape(1, 3, 64, 96)
local y = net(x)
same(table.concat(y.shape, " "), "1 512 2 3")
near(y:mean(), 0.09088906645774841, 1e-5)
near(y:max(), 0.7655807137489319, 1e-5)
for c, wanted in pairs{[1] = 0.026465078815817833, [201] = 0.21895863115787506, [400] = 0.0961853563785553, [512] = 0.2061270922422409} do near(y[1][c][2][2], wanted, 1e-5) end

-- A table maps single names; what does not fit is an error that names it.
local layer = nn.linear(2, 3)
tensor.save("other.safetensors", {w = tensor.ones(3, 2), bias = tensor.zeros(3), epoch = tensor.zeros(1)})
same(layer:load("other.safetensors", {map = {w = "weight", epoch = false}}).weight:sum():item(), 6.0)
fails("has no 'v'", function() layer:load("other.safetensors", {map = {v = "weight"}}) end)
fails("both become 'weight'", function() layer:load("other.safetensors", {map = function() return "weight" end}) end)
fails("not known", function() layer:load("other.safetensors", {map = {w = "weight"}}) end)
fails("a name, or nil expected", function() layer:load("other.safetensors", {map = function() return 3 end}) end)
