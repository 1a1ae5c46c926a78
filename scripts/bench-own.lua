-- scripts/bench own: a loss of one's own beside the stock one, and how busy the cores are while a Lua function makes the samples.
--
-- Measured so that other work on the machine does not count: losses by processor time, in short runs that take turns; threads as busy where they run or wait for
-- a core that something else has (Linux counts both, in /proc/PID/task/*/schedstat).
local function uptime() return tonumber(io.open("/proc/uptime"):read("a"):match("%S+")) end

local process = io.open("/proc/self/stat"):read("n")
--- Seconds that this process's threads have run, and that they have waited for a core.
local function busy()
  local list = io.popen("cat /proc/" .. process .. "/task/*/schedstat")
  local sum = 0
  for run, wait in list:read("a"):gmatch("(%d+) (%d+) %d+\n") do sum = sum + run + wait end
  list:close()
  return sum / 1e9
end

--- Processor seconds, seconds in which threads ran or could have, and wall seconds of steps 21 to `last` of a fit.
local function timed(set, last, options)
  tensor.manual_seed(1)
  local net = nn.sequential{
    nn.conv2d(3, 16, {kernel = 3, padding = 1}), nn.batch_norm(16), nn.relu(), nn.conv2d(16, 16, {kernel = 3, padding = 1}), nn.batch_norm(16), nn.relu(),
    nn.conv2d(16, 8, {kernel = 1}),
  }
  local from, to
  options.each = function(row)
    if row.step == 20 then from = {os.clock(), busy(), uptime()} end
    if row.step == last then to = {os.clock(), busy(), uptime()} end
  end
  options.steps, options.every, options.batch, options.lr = last, 20, 8, 0.01
  net:fit(set, options)
  return to[1] - from[1], to[2] - from[2], to[3] - from[3]
end

local shapes = data.shapes{size = {64, 96}, images = 32, classes = 8, seed = 1}
local ratios = {}
for pair = 1, 16 do
  local own = function() return (timed(shapes, 60, {loss = function(net, x, y) return nn.cross_entropy(net(x), y, {ignore = 255}) end})) end
  local stock = function() return (timed(shapes, 60, {})) end
  local a, b
  if pair % 2 == 0 then a, b = own(), stock() else b, a = stock(), own() end
  ratios[pair] = math.log(a / b)
end
local mean, squares = require("statistics").mean(ratios), 0
for _, x in ipairs(ratios) do squares = squares + (x - mean) ^ 2 end
local half = 2.13 * math.sqrt(squares / (#ratios - 1) / #ratios)
print(("a loss written in Lua beside the stock one: processor time %.3f [%.3f, %.3f] (95 %%, %d pairs)"):format(math.exp(mean), math.exp(mean - half), math.exp(mean + half), #ratios))

local made = data.from{count = 64, inputs = {"image"}, targets = {"labels"}, normalise = false, sample = function(i)
  local x = tensor.arange(0, 96):reshape(1, 1, 96):expand(3, 64, 96) * (0.01 * i)
  local image = (x + tensor.arange(0, 64):reshape(1, 64, 1) * 0.02):sin()
  return {image = image, labels = ((image[1] + 1) * 3.9):floor():int()}
end}
for _, case in ipairs{{"stored samples", shapes}, {"samples made by Lua", made}} do
  local processor, runnable, wall = timed(case[2], 200, {loss = function(net, x, y) return nn.cross_entropy(net(x), y, {ignore = 255}) end})
  print(("%-20s %.1f ms of processor time a step, %.2f of %d threads busy"):format(case[1], processor / 180 * 1000, runnable / wall, trellis.threads()))
end
