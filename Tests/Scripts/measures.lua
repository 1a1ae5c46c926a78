-- Measures of depths, boundaries and key points against loops over the elements.
local n = 40
local x, y = tensor.rand({n}, {seed = 1, low = 0.5, high = 4}), tensor.rand({n}, {seed = 2, low = 0.5, high = 4})
local mask = tensor.rand({n}, {seed = 3}):gt(0.4)
local function mean(f, counts)
  local sum, count = 0, 0
  for i = 1, n do
    if not counts or counts[i] ~= 0 then sum, count = sum + f(x[i], y[i]), count + 1 end
  end
  return sum / count
end
local function log10(v) return math.log(v, 10) end
local measures = {
  abs_rel = function(m) return mean(function(a, b) return math.abs(a - b) / b end, m) end,
  sq_rel = function(m) return mean(function(a, b) return (a - b) ^ 2 / b end, m) end,
  rmse = function(m) return mean(function(a, b) return (a - b) ^ 2 end, m) ^ 0.5 end,
  rmse_log = function(m) return mean(function(a, b) return (math.log(a) - math.log(b)) ^ 2 end, m) ^ 0.5 end,
  log10 = function(m) return mean(function(a, b) return math.abs(log10(a) - log10(b)) end, m) end,
  delta = function(m) return mean(function(a, b) return math.max(a / b, b / a) < 1.25 and 1 or 0 end, m) end,
}
for name, f in pairs(measures) do
  near(metrics[name](x, y), f(), 1e-5)
  near(metrics[name](x, y, {mask = mask}), f(mask), 1e-5)
  local plan = trellis.compile(function(x, y) return metrics[name](x, y) end)
  plan(y, x)
  near(plan(x, y), f(), 1e-5)
end
near(metrics.delta(x, y, {threshold = 1.25 ^ 2}), mean(function(a, b) return math.max(a / b, b / a) < 1.25 ^ 2 and 1 or 0 end))
near(metrics.abs_rel(tensor.from{1, 0 / 0}, tensor.from{2, 0}, {mask = tensor.from{1, 0}}), 0.5)

-- Boundary IoU: a pixel is near the edge of its mask when a pixel of another kind, or the outside, is at most d rows and columns away.
local H, W, C = 9, 11, 3
local function map(seed)
  local coarse = tensor.rand({1, 1, 3, 4}, {seed = seed})
  return (nn.functional.resize(coarse, {size = {H, W}}):reshape(1, H, W) * 2.999):floor():int()
end
local labels, found = map(5), map(6)
labels[1][2][3], labels[1][7][7] = 255, 255
for d = 1, 3 do
  local function edge(m, c, i, j)
    if m[1][i][j] ~= c then return false end
    for u = i - d, i + d do
      for v = j - d, j + d do
        if u < 1 or v < 1 or u > H or v > W or m[1][u][v] ~= c then return true end
      end
    end
    return false
  end
  local shown = found:clone()
  shown[1][2][3], shown[1][7][7] = 255, 255
  local sum, present = 0, 0
  for c = 0, C - 1 do
    local both, all = 0, 0
    for i = 1, H do
      for j = 1, W do
        local a, b = edge(shown, c, i, j), edge(labels, c, i, j)
        both, all = both + (a and b and 1 or 0), all + ((a or b) and 1 or 0)
      end
    end
    if all > 0 then sum, present = sum + both / all, present + 1 end
  end
  near(metrics.boundary_iou(found, labels, {classes = C, distance = d}), sum / present, 1e-5)
  near(metrics.boundary_iou(found:one_hot(C, {dimension = 2}), labels, {distance = d}), sum / present, 1e-5)
end

-- PCK, a distance for each sample, some points that do not count.
local N, K = 4, 6
local p, q = tensor.rand({N, K, 3}, {seed = 7, high = 10}), tensor.rand({N, K, 2}, {seed = 8, high = 10})
local reach, seen = tensor.from{2, 4, 5, 6}, tensor.rand({N, K}, {seed = 9}):gt(0.3)
local right, all, counted = 0, 0, 0
for i = 1, N do
  for k = 1, K do
    local near = (p[i][k][1] - q[i][k][1]) ^ 2 + (p[i][k][2] - q[i][k][2]) ^ 2 <= reach[i] ^ 2
    all = all + (near and 1 or 0)
    if seen[i][k] ~= 0 then right, counted = right + (near and 1 or 0), counted + 1 end
  end
end
near(metrics.pck(p, q, {distance = reach:reshape(N, 1)}), all / (N * K))
near(metrics.pck(p, q, {distance = reach:reshape(N, 1), mask = seen}), right / counted)
fails("more than 1 expected", function() metrics.delta(x, y, {threshold = 1}) end)
fails("their number expected", function() metrics.boundary_iou(found, labels) end)
fails("expected points", function() metrics.pck(p, q:narrow(2, 1, 3), {distance = 1}) end)
