-- What scripts/strategies.lua shows of its results: a table in the terminal and results.csv, figures, and one page, report.html.
local on_truth, statistics, page = require("on_truth"), require("statistics"), require("page")
local M = {}

--- Kendall's rank correlation of what a search believed with the truth; nil where it believed nothing.
local function correlation(search, o)
  local truths, except = {}, on_truth.seed(o.truth, search.seed)
  if #search.beliefs == 0 then return nil end
  for i, a in ipairs(o.beheld) do truths[i] = o.truth:judge(a, {except = except}) end
  return statistics.kendall(search.beliefs, truths)
end

--- What a strategy came to at the budget of a comparison, seed by seed: regret in points of score (percent), the share that is better, and the same in the cheaper half. A method
--- that spends more than the budget counts with what it found then; false where it finds nothing.
local function outcome(searches, o)
  local out = {regret = {}, better = {}, limited = {}, judged = {}, kendall = {}, spent = {}, seconds = 0}
  for i, search in ipairs(searches) do
    local function judged(spent, places, limit)
      local except, allowed = on_truth.ranking(o.truth, search.seed, limit)
      local place = spent[1] and on_truth.at(spent, places, math.max(o.at, spent[1]))
      if not place then return nil end
      local score = on_truth.judged(o.truth, except)[place]
      local regret, better = on_truth.regret(allowed, score)
      return score, regret, better
    end
    local score, regret, better = judged(search.spent, search.places)
    if score then out.judged[i], out.regret[i], out.better[i] = 100 * score, 100 * regret, better end
    out.limited[i] = select(3, judged(search.limited_spent, search.limited_places, o.limit))
    out.spent[i] = search.paid > o.at and search.spent[1] < o.at and o.at or search.paid
    out.kendall[#out.kendall + 1] = correlation(search, o)
    out.seconds = out.seconds + search.seconds / #searches
  end
  return out
end

local function count(list, f)
  local n = 0
  for _, x in ipairs(list) do if f(x) then n = n + 1 end end
  return n
end

local function paired(a, b)
  local differences = {}
  for i in ipairs(a.judged) do differences[i] = a.judged[i] - b.judged[i] end
  local wins, losses, p = statistics.sign_test(differences)
  return wins, losses, p, statistics.wilcoxon(differences)
end

--- Kendall's rank correlation between one seed's scores and the judge, the mean over seeds: what a perfect belief could hardly exceed.
local function ceiling(o)
  local sum = 0
  for _, seed in ipairs(o.truth.seeds) do
    local x, y = {}, {}
    for i, a in ipairs(o.beheld) do x[i], y[i] = o.truth:query(a, {steps = o.full, seed = seed}), o.truth:judge(a, {except = seed}) end
    sum = sum + (statistics.kendall(x, y) or 0)
  end
  return sum / #o.truth.seeds
end

local columns = {
  "strategy", "trainings", "regret", "90 % interval", "better: median", "in best 5 %", "cheap half: better", "Kendall", "against random", "p sign", "p rank",
  "seconds",
}

local function row(name, out, random, o)
  local low, high = statistics.bootstrap(out.regret)
  local cells = {
    name, ("%.1f"):format(statistics.mean(out.spent) / o.full), ("%.2f"):format(statistics.mean(out.regret)), ("%.2f to %.2f"):format(low, high),
    ("%.1f %%"):format(100 * statistics.quantile(out.better, 0.5)), ("%d of %d"):format(count(out.better, function(x) return x < 0.05 end), #out.better),
    #out.limited == #out.better and ("%.1f %%"):format(100 * statistics.quantile(out.limited, 0.5)) or "",
    #out.kendall > 0 and ("%.2f"):format(statistics.mean(out.kendall)) or "", "", "", "", ("%.1f"):format(out.seconds),
  }
  if random and random ~= out then
    local wins, losses, sign, rank = paired(out, random)
    cells[9], cells[10], cells[11] = ("%d : %d"):format(wins, losses), ("%.3f"):format(sign), ("%.3f"):format(rank)
  end
  return cells
end

--- Regret over trainings: of strategies that train as they go a line, of supernets a dot; below them each by itself with the band of four fifths of the searches.
local function figures(results, o)
  local means, single = {}, {}
  for _, result in ipairs(results) do
    local x, mean, low, high = {}, {}, {}, {}
    local longest = 0
    for _, search in ipairs(result.searches) do longest = math.max(longest, #search.spent) end
    local going = longest > 1
    for t = 1, o.trainings do
      local list = {}
      for _, search in ipairs(result.searches) do
        local except, allowed = on_truth.ranking(o.truth, search.seed)
        local place = on_truth.at(search.spent, search.places, t * o.full)
        if place then list[#list + 1] = 100 * on_truth.regret(allowed, on_truth.judged(o.truth, except)[place]) end
      end
      if #list == #result.searches then
        x[#x + 1], mean[#mean + 1] = t, statistics.mean(list)
        low[#low + 1], high[#high + 1] = statistics.quantile(list, 0.1), statistics.quantile(list, 0.9)
      end
    end
    if #x > 0 then
      if not going then
        for _, list in ipairs{x, mean, low, high} do for i = #list, 2, -1 do list[i] = nil end end
      end
      local style = #x > 1 and "line" or "dots"
      means[#means + 1] = {result.name, {x = x, y = mean, style = style}}
      single[#single + 1] = plot.curves({{"90 %", {x = x, y = high, style = style}}, {"mean", {x = x, y = mean, style = style}}, {"10 %", {x = x, y = low, style = style}}},
        {title = result.name, x_label = "trainings", x_range = {0, o.trainings}, width = 260, height = 200})
    end
  end
  local rows = {}
  for i, figure in ipairs(single) do
    rows[(i - 1) // 4 + 1] = rows[(i - 1) // 4 + 1] or {}
    table.insert(rows[(i - 1) // 4 + 1], figure)
  end
  return plot.curves(means, {title = "regret, points of mIoU", x_label = "trainings", width = 760, height = 420, x_range = {0, o.trainings}}), plot.grid(rows)
end

--- `results`: {name =, searches =} each; `o`: truth, limit, full and at (steps), trainings, out, settings, beheld, seeds.
function M.write(results, o)
  if #results == 0 then
    print("no strategy has all of its searches yet")
    return
  end
  local outcomes, random = {}, nil
  for i, result in ipairs(results) do
    outcomes[i] = outcome(result.searches, o)
    if result.name == "random" then random = outcomes[i] end
  end
  local order = {}
  for i in ipairs(results) do if #outcomes[i].regret > 0 then order[#order + 1] = i end end
  table.sort(order, function(i, j) return statistics.mean(outcomes[i].regret) < statistics.mean(outcomes[j].regret) end)
  local rows, csv, pairs_ = {columns}, {table.concat(columns, ";")}, {{""}}
  for _, i in ipairs(order) do
    rows[#rows + 1] = row(results[i].name, outcomes[i], random, o)
    csv[#csv + 1] = table.concat(rows[#rows], ";")
    table.insert(pairs_[1], results[i].name)
    local cells = {results[i].name}
    for _, j in ipairs(order) do
      local wins, losses, _, rank = paired(outcomes[i], outcomes[j])
      cells[#cells + 1] = i == j and "" or ("%d : %d, %.3f"):format(wins, losses, rank)
    end
    pairs_[#pairs_ + 1] = cells
  end
  local note = ("%d searches each; %s. Regret: how many points of mIoU the best architecture is above the found one, by the mean test score of the seeds that were not asked. "
    .. "Better: the share of all architectures that is better. Kendall: of what a supernet believes of %d architectures with the truth; one seed's trainings come to %.2f. "
    .. "A training has %d steps; a supernet's steps count, of weights and logits."):format(o.seeds, o.settings, #o.beheld, ceiling(o), o.full)
  print(page.aligned(rows))
  print(note)
  files.write(o.out .. "/results.csv", table.concat(csv, "\n") .. "\n")
  local together, single = figures(results, o)
  page.write(o.out .. "/report.html", "Strategies against a truth", {
    "<p>" .. page.escape(note) .. "</p>", page.table(rows), page.figure(together, o.out .. "/regret"),
    "<h2>Each by itself: mean, and where four of five searches lie</h2>", page.figure(single, o.out .. "/bands"),
    "<h2>Pairs: how often the row's search found the better one, and the exact signed rank test</h2>", page.table(pairs_),
  })
  print(("results in %s: report.html, results.csv, regret, bands (.svg, .png)"):format(o.out))
end

return M
