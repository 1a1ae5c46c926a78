-- Searches on a truth: what is paid and found by hand, regrets by brute force, the page of results.
package.path = package.path .. ";" .. debug.getinfo(1, "S").source:match("^@(.*)Tests/Scripts/") .. "scripts/?.lua"
local on_truth, page = require("on_truth"), require("strategies_page")

local space = nas.trellis{layers = 2, strides = {4, 8}, filters = 2, cell = nas.cell{blocks = 1, operators = {"none", "skip_connect", "sep_conv_3x3"}}}
local all = {}
for a in space:each() do all[#all + 1] = a end
local function place(a) for i, other in ipairs(all) do if a:same(other) then return i end end end
-- Architecture i scores i after 20 steps, and its neighbour's number after 10; seed s adds a tenth of s.
local truth = {
  space = space, seeds = {1, 2, 3}, checkpoints = {10, 20},
  query = function(_, a, o) return (o.steps == 20 and place(a) or place(a) % #all + 1) + o.seed / 10, o.steps end,
  judge = function(_, a, o)
    local sum, n = 0, 0
    for s = 1, 3 do if s ~= o.except then sum, n = sum + place(a) / 100 + s / 1000, n + 1 end end
    return sum / n
  end,
  multiply_adds = function(_, a) return place(a) % 4 end,
}

-- Which seed answers, and which judge.
same({on_truth.seed(truth, 1), on_truth.seed(truth, 3), on_truth.seed(truth, 4)}, {1, 3, 1})
near(on_truth.judged(truth, 2)[5], 0.05 + 0.002, 1e-12)
same(on_truth.place(truth, all[7]), 7)

-- A trial pays the steps that it has not had yet; more steps decide before the score.
do
  local task = on_truth.task(truth, {seed = 2})
  near(task:trial(all[3], 10), 4.2)
  near(task:trial(all[5], 10), 6.2)
  near(task:trial(all[3], 20), 3.2)
  near(task:trial(all[3], 20), 3.2)
  near(task:trial(all[5], 10), 6.2)
  task:spend(7)
  near(task:trial(all[4], 20), 4.2)
  same(task.spent, 10 + 10 + 10 + 7 + 20)
  local spent, places = {}, {}
  for i, point in ipairs(task.curve) do spent[i], places[i] = point.spent, point.place end
  same({spent, places}, {{10, 20, 30, 57}, {3, 5, 3, 4}})
  same({on_truth.at(spent, places, 9), on_truth.at(spent, places, 25), on_truth.at(spent, places, 30), on_truth.at(spent, places, 1000)}, {nil, 5, 3, 4})
end

-- The cheaper half, and regrets by going through all.
do
  local limit = on_truth.median_cost(truth)
  local cheap = 0
  for i in ipairs(all) do if i % 4 <= limit then cheap = cheap + 1 end end
  assert(cheap >= #all / 2)
  local task, n = on_truth.task(truth, {seed = 1, limit = limit}), 0
  for a in task.space:each() do
    n = n + 1
    assert(truth:multiply_adds(a) <= limit)
  end
  same(n, cheap)
  for _, bound in ipairs{false, limit} do
    local except, allowed = on_truth.ranking(truth, 1, bound or nil)
    same(except, 1)
    for i in ipairs(all) do
      local judged, best, better, count = truth:judge(all[i], {except = 1}), 0, 0, 0
      for j, a in ipairs(all) do
        if not bound or j % 4 <= bound then
          local other = truth:judge(a, {except = 1})
          best, better, count = math.max(best, other), better + (other > judged and 1 or 0), count + 1
        end
      end
      local regret, share = on_truth.regret(allowed, judged)
      near(regret, best - judged, 1e-12)
      near(share, better / count, 1e-12)
    end
  end
end

-- The page: a strategy that goes on, a supernet with a belief, and one that finds nothing in the cheaper half.
do
  local function searches(name, f)
    local list = {}
    for seed = 1, 4 do
      local result = {name = name, seed = seed, paid = 40, seconds = 1, spent = {10, 40}, limited_spent = {40}, limited_places = {4}, beliefs = {}}
      f(result, seed)
      list[seed] = result
    end
    return {name = name, searches = list}
  end
  local random = searches("random", function(result, seed) result.places = {seed, seed + 4} end)
  local paper = searches("paper", function(result)
    result.spent, result.places, result.limited_spent, result.limited_places = {40}, {#all}, {}, {}
    for i in ipairs(all) do result.beliefs[i] = i end
  end)
  local o = {truth = truth, limit = on_truth.median_cost(truth), full = 20, at = 40, trainings = 3, out = ".", settings = "a test", beheld = all, seeds = 4}
  page.write({random, paper}, o)
  local rows = {}
  for line in io.lines("results.csv") do
    local cells = {}
    for cell in (line .. ";"):gmatch("(.-);") do cells[#cells + 1] = cell end
    rows[#rows + 1] = cells
  end
  same(#rows, 3)
  -- The best first: it has no regret, believes what is true, and won each pair.
  same({rows[2][1], rows[2][2], rows[2][3], rows[2][6], rows[2][7], rows[2][8], rows[2][9], rows[2][10]}, {"paper", "2.0", "0.00", "4 of 4", "", "1.00", "4 : 0", "0.125"})
  -- Of numbers 5 to 8 the mean is 6.5.
  same({rows[3][1], rows[3][3]}, {"random", ("%.2f"):format(#all - 6.5)})
  local text = io.open("report.html"):read("a")
  assert(text:find("<svg", 1, true) and text:find("4 : 0, 0.125", 1, true) and not text:find("http://[^w]"), "the page")
end
