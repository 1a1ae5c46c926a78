-- Statistics of comparisons: exact where samples are small, by definition where that is quick enough.
local M = {}

--- The mean of a list of numbers.
function M.mean(list)
  local sum = 0
  for _, x in ipairs(list) do sum = sum + x end
  return sum / #list
end

--- The value below which the share `q` of a list lies, by linear interpolation; 0.5 is the median.
function M.quantile(list, q)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local place = 1 + q * (#sorted - 1)
  local below = math.floor(place)
  local above = math.min(below + 1, #sorted)
  return sorted[below] + (place - below) * (sorted[above] - sorted[below])
end

--- Kendall's rank correlation of two lists (tau-b, which allows for ties), by definition, over all pairs; nil where one of them has no two different values.
function M.kendall(x, y)
  local agree, tied_x, tied_y, pairs_ = 0, 0, 0, 0
  for i = 2, #x do
    for j = 1, i - 1 do
      local a, b = x[i] - x[j], y[i] - y[j]
      pairs_ = pairs_ + 1
      if a == 0 then tied_x = tied_x + 1 end
      if b == 0 then tied_y = tied_y + 1 end
      if a * b > 0 then agree = agree + 1 elseif a ~= 0 and b ~= 0 then agree = agree - 1 end
    end
  end
  local room = (pairs_ - tied_x) * (pairs_ - tied_y)
  return room > 0 and agree / math.sqrt(room) or nil
end

--- How often `wins` or more of `n` fair coins show heads.
local function tail(wins, n)
  local sum, term = 0.0, 0.5 ^ n
  for k = 0, n do
    if k >= wins then sum = sum + term end
    term = term * (n - k) / (k + 1)
  end
  return sum
end

--- The exact sign test of paired differences: wins, losses, and how probable a result as uneven is if neither is better (two-sided). Ties count as neither.
function M.sign_test(differences)
  local wins, losses = 0, 0
  for _, d in ipairs(differences) do
    if d > 0 then wins = wins + 1 elseif d < 0 then losses = losses + 1 end
  end
  return wins, losses, math.min(1, 2 * tail(math.max(wins, losses), wins + losses))
end

-- Twice the mean ranks of sizes: whole numbers, so that their sums can be counted.
local function double_ranks(sizes)
  local order, ranks = {}, {}
  for i = 1, #sizes do order[i] = i end
  table.sort(order, function(i, j) return sizes[i] < sizes[j] end)
  local first = 1
  while first <= #order do
    local last = first
    while last < #order and sizes[order[last + 1]] == sizes[order[first]] do last = last + 1 end
    for k = first, last do ranks[order[k]] = first + last end
    first = last + 1
  end
  return ranks
end

--- Wilcoxon's signed rank test of paired differences, exact also with ties (over all signs of the ranks that there are): how probable a rank sum as uneven is if
--- signs are by chance (two-sided). Differences of 0 are left out.
function M.wilcoxon(differences)
  local sizes, signs = {}, {}
  for _, d in ipairs(differences) do
    if d ~= 0 then sizes[#sizes + 1], signs[#signs + 1] = math.abs(d), d > 0 end
  end
  local ranks, total, positive = double_ranks(sizes), 0, 0
  for i, rank in ipairs(ranks) do
    total = total + rank
    if signs[i] then positive = positive + rank end
  end
  -- How probable each sum of the ranks with a positive sign is.
  local chances = {[0] = 1.0}
  for s = 1, total do chances[s] = 0.0 end
  for _, rank in ipairs(ranks) do
    for s = total, 0, -1 do chances[s] = 0.5 * chances[s] + (s >= rank and 0.5 * chances[s - rank] or 0) end
  end
  local low, sum = math.min(positive, total - positive), 0.0
  for s = 0, low do sum = sum + chances[s] end
  return math.min(1, 2 * sum)
end

--- The exact rank test of two lists (Mann and Whitney, 1947; also with ties, over all ways to deal the ranks that there are): in how many of the pairs the first list's number is the
--- larger one, ties by half, and how probable that many or more are if both are drawn from the same (one-sided).
function M.mann_whitney(x, y)
  local all = table.move(y, 1, #y, #x + 1, table.move(x, 1, #x, 1, {}))
  local ranks, own = double_ranks(all), 0
  for i = 1, #x do own = own + ranks[i] end
  -- ways[k][s]: how many ways there are to choose k of the ranks with the sum s.
  local ways = {}
  for k = 0, #x do ways[k] = {} end
  ways[0][0] = 1.0
  for _, rank in ipairs(ranks) do
    for k = #x, 1, -1 do for s, n in pairs(ways[k - 1]) do ways[k][s + rank] = (ways[k][s + rank] or 0.0) + n end end
  end
  local as_many, every = 0.0, 0.0
  for s, n in pairs(ways[#x]) do
    every = every + n
    if s >= own then as_many = as_many + n end
  end
  return (own - #x * (#x + 1)) / 2, as_many / every
end

--- The means of `draws` lists that are drawn from one with replacement.
local function resampled_means(list, draws, seed)
  local n, means = #list, {}
  for k, row in ipairs(tensor.randint(1, n, draws, n, {seed = seed}):to_table()) do
    local sum = 0
    for _, i in ipairs(row) do sum = sum + list[i] end
    means[k] = sum / n
  end
  return means
end

local function interval(list, share) return M.quantile(list, (1 - share) / 2), M.quantile(list, (1 + share) / 2) end

--- An interval that holds by how much the mean of what the first list was drawn from is above that of the second's; as M.bootstrap.
function M.bootstrap_difference(x, y, options)
  options = options or {}
  local draws, seed = options.draws or 2000, options.seed or 1
  local differences = resampled_means(x, draws, seed)
  for k, mean in ipairs(resampled_means(y, draws, seed + 1)) do differences[k] = differences[k] - mean end
  return interval(differences, options.share or 0.9)
end

--- An interval that holds the mean of what the list was drawn from: the quantiles of means of lists drawn from it with replacement.
--- `options`: share (0.9), draws (2000), seed (1).
function M.bootstrap(list, options)
  options = options or {}
  return interval(resampled_means(list, options.draws or 2000, options.seed or 1), options.share or 0.9)
end

return M
