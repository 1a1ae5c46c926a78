-- scripts/statistics.lua by definition: the exact rank test against all ways to deal the ranks, bootstrap intervals against resampling by hand and by how often they hold what they should.
package.path = package.path .. ";" .. debug.getinfo(1, "S").source:match("^@(.*)Tests/Scripts/") .. "scripts/?.lua"
local statistics = require("statistics")

-- All choices of `k` of the numbers 1 to n, in a function.
local function each_choice(n, k, visit)
  local chosen = {}
  local function choose(first)
    if #chosen == k then return visit(chosen) end
    for i = first, n do
      chosen[#chosen + 1] = i
      choose(i + 1)
      chosen[#chosen] = nil
    end
  end
  choose(1)
end

-- In how many pairs x is above y, ties by half.
local function pairs_won(x, y)
  local won = 0
  for _, a in ipairs(x) do for _, b in ipairs(y) do won = won + (a > b and 1 or a == b and 0.5 or 0) end end
  return won
end

-- Mann and Whitney's test: of all ways to say which of the numbers are the first list's, the share with as many pairs won or more.
local function rank_test(x, y)
  local all = table.move(y, 1, #y, #x + 1, table.move(x, 1, #x, 1, {}))
  local own, as_many, every = pairs_won(x, y), 0, 0
  each_choice(#all, #x, function(chosen)
    local first, second, is_first = {}, {}, {}
    for _, i in ipairs(chosen) do is_first[i] = true end
    for i, value in ipairs(all) do table.insert(is_first[i] and first or second, value) end
    every = every + 1
    if pairs_won(first, second) >= own then as_many = as_many + 1 end
  end)
  return own, as_many / every
end

do
  local cases = {{{3, 4}, {1, 2}}, {{1}, {1, 1}}, {{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}}, {{2, 2, 2}, {1, 2, 3, 2}}, {{0.1, 0.7}, {0.7, 0.1, 0.7, 0.9, 0.2, 0.3}}}
  for seed = 1, 20 do
    local draws = tensor.randint(1, 3 + seed % 5, 2 + seed % 9, {seed = seed}):to_table()
    local x, y = {}, {}
    for i, value in ipairs(draws) do table.insert(i % 2 == 0 and x or y, value) end
    cases[#cases + 1] = {x, y}
  end
  for _, case in ipairs(cases) do
    if #case[1] > 0 then
      local won, p = statistics.mann_whitney(case[1], case[2])
      local own, share = rank_test(case[1], case[2])
      near(won, own, 1e-12)
      near(p, share, 1e-12)
    end
  end
  -- By hand: of the six ways to choose two of four ranks one has the largest sum.
  same({statistics.mann_whitney({3, 4}, {1, 2})}, {4.0, 1 / 6})
end

-- The bootstrap: means of lists drawn with replacement by the generator it uses, and the quantiles of these.
do
  local list, draws = {0.3, 0.1, 0.45, 0.2, 0.8}, 400
  local function means_of(values, seed)
    local means, places = {}, tensor.randint(1, #values, draws, #values, {seed = seed}):to_table()
    for k = 1, draws do
      means[k] = 0
      for i = 1, #values do means[k] = means[k] + values[places[k][i]] / #values end
    end
    return means
  end
  local function share_below(means, x)
    local below = 0
    for _, mean in ipairs(means) do below = below + (mean < x and 1 or mean == x and 0.5 or 0) end
    return below / #means
  end
  local low, high = statistics.bootstrap(list, {draws = draws, seed = 3, share = 0.8})
  local means = means_of(list, 3)
  near(share_below(means, low), 0.1, 0.02)
  near(share_below(means, high), 0.9, 0.02)
  table.sort(means)
  -- Linear between neighbours: place 1 + q (n - 1) of the sorted means.
  near(low, means[40] + 0.9 * (means[41] - means[40]), 1e-12)
  near(high, means[360] + 0.1 * (means[361] - means[360]), 1e-12)
  -- Of a difference: the second list's means are drawn by the next seed.
  local other = {0.2, 0.25, 0.1}
  local differences, second = means_of(list, 3), means_of(other, 4)
  for k = 1, draws do differences[k] = differences[k] - second[k] end
  table.sort(differences)
  low, high = statistics.bootstrap_difference(list, other, {draws = draws, seed = 3, share = 0.8})
  near(low, differences[40] + 0.9 * (differences[41] - differences[40]), 1e-12)
  near(high, differences[360] + 0.1 * (differences[361] - differences[360]), 1e-12)
  -- A list of one value has no width.
  same({statistics.bootstrap({0.5, 0.5, 0.5})}, {0.5, 0.5})
end

-- Coverage: 30 numbers between 0 and 1 have the mean 1/2; intervals of 90 % hold it in nearly 90 % of samples (their deviation over 300 samples is 1.7 %, and small samples' are
-- a little narrow); those of a difference of two such means hold 0.
do
  local numbers, samples = tensor.rand(600, 30, {seed = 5}):to_table(), 300
  local held, held_differences = 0, 0
  for k = 1, samples do
    local x, y = numbers[2 * k - 1], numbers[2 * k]
    local low, high = statistics.bootstrap(x, {draws = 200, seed = k})
    if low <= 0.5 and 0.5 <= high then held = held + 1 end
    low, high = statistics.bootstrap_difference(x, y, {draws = 200, seed = k})
    if low <= 0 and 0 <= high then held_differences = held_differences + 1 end
  end
  assert(held / samples > 0.83 and held / samples < 0.95, held)
  assert(held_differences / samples > 0.83 and held_differences / samples < 0.95, held_differences)
end
