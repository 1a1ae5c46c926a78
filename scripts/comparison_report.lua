-- What scripts/compare.lua says: before the run how long it takes, afterwards where the found architectures stand.
local statistics, page, datasets = require("statistics"), require("page"), require("datasets")
local M = {}

-- Seconds of a step of `f`, when it is recorded.
local function seconds(f)
  f()
  local start = os.time()
  local count = 0
  while count < 3 or os.time() - start < 3 do
    f()
    count = count + 1
  end
  return math.max(os.time() - start, 1) / count
end

local function training_step(network, set, o, batch, crop)
  local loader, sgd = set:batches{size = batch, crop = crop, seed = 1, flip = true, pad = datasets.padded(o) or nil}, optim.sgd(network:parameters(), {lr = 0.01, momentum = 0.9})
  local step = trellis.compile(function(x, y)
    local loss = nn.cross_entropy(nn.functional.resize(network(x), {size = {y.shape[2], y.shape[3]}}), y, {ignore = 255})
    sgd:zero_grad()
    loss:backward()
    sgd:step()
    return loss
  end)
  local time = seconds(function() step(loader:next()) end)
  loader:close()
  return time
end

local function supernet_step(plan)
  local o = plan.options
  local net = plan.space:supernet{classes = plan.train.classes, seed = 1, relax = plan.own and plan.own.relax}
  local loader = plan.train:batches{size = o.search_batch, crop = o.search_crop, seed = 1, flip = true, pad = datasets.padded(o) or nil}
  local sgd, adam = optim.sgd(net:weights(), {lr = 0.01}), optim.adam(net:architecture(), {lr = 0.01})
  local loss = plan.own and plan.own.loss
  local function step(optimiser) return seconds(function() local x, y = loader:next() net:step(optimiser, x, y, {loss = loss}) end) end
  local weights, logits = step(sgd), step(adam)
  loader:close()
  return weights, logits
end

--- Writes plan.json, which --config takes, and says what the plan is and how long it takes on this machine.
function M.estimate(plan)
  local o, steps = plan.options, {}
  local each = training_step(plan.build(1), plan.train, o, o.batch, o.crop)
  local trainings = plan.architectures * o.repeats * #o.equal
  local hours, weights, logits = trainings * o.steps * each / 3600, nil, nil
  for _, search in ipairs(plan.searches) do
    if search.method == "recommended" then
      steps[#steps + 1] = o.search_trainings * o.search_trial_steps * each
    else
      if not weights then weights, logits = supernet_step(plan) end
      steps[#steps + 1] = o.search_epochs * (#plan.train // 2 // o.search_batch) * (weights + logits / 2)
    end
  end
  local searching = 0
  for _, time in ipairs(steps) do searching = searching + time / 3600 end
  local json, names = {}, {}
  local apart = {["dry-run"] = true, join = true, plan = true}
  for name in pairs(plan.config) do if not apart[name] then names[#names + 1] = name end end
  table.sort(names)
  for i, name in ipairs(names) do
    local value = plan.config[name]
    json[i] = ("  %s: %s"):format(("%q"):format(name), type(value) == "string" and ("%q"):format(value) or tostring(value))
  end
  files.write(plan.out .. "/plan.json", "{\n" .. table.concat(json, ",\n") .. "\n}\n")
  print(("%d searches, about %.1f hours; %d trainings of %d steps (%.2f s each; %d architectures, %d seeds, equal %s), about %.1f hours; with measuring some %.1f hours on this machine"):format(
    #plan.searches, searching, trainings, o.steps, each, plan.architectures, o.repeats, table.concat(o.equal, " and "), hours, 1.1 * (hours + searching)))
  print(("plan %s, settings in %s/plan.json; run it with --config %s/plan.json --plan %s"):format(plan.hash, plan.out, plan.out, plan.hash))
end

--- The means of an architecture's trainings: {name =, kind =, equal =, miou =, seeds =} each, in order.
local function units(results)
  local list, there = {}, {}
  for _, result in ipairs(results) do
    local key = result.name .. " " .. result.equal
    if not there[key] then
      there[key] = {name = result.name, kind = result.kind, equal = result.equal, filters = result.filters, parameters = result.parameters, multiply_adds = result.multiply_adds, scores = {}}
      list[#list + 1] = there[key]
    end
    table.insert(there[key].scores, result.miou)
  end
  for _, unit in ipairs(list) do unit.miou, unit.seeds = statistics.mean(unit.scores), #unit.scores end
  return list
end

local function csv(path, columns, rows)
  local lines = {table.concat(columns, ",")}
  for _, row in ipairs(rows) do
    local cells = {}
    for i, name in ipairs(columns) do cells[i] = math.type(row[name]) == "float" and ("%.6g"):format(row[name]) or tostring(row[name]) end
    lines[#lines + 1] = table.concat(cells, ",")
  end
  files.write(path, table.concat(lines, "\n") .. "\n")
end

local function scores(list, kind, equal)
  local found = {}
  for _, unit in ipairs(list) do if unit.kind == kind and unit.equal == equal then found[#found + 1] = 100 * unit.miou end end
  return found
end

--- The kinds of what is compared, in order, random ones last.
local function kinds(list)
  local found, there = {}, {random = true}
  for _, unit in ipairs(list) do
    if not there[unit.kind] then found[#found + 1], there[unit.kind] = unit.kind, true end
  end
  return found
end

--- How one kind stands against the random ones.
local function test(list, kind, equal)
  local found, random = scores(list, kind, equal), scores(list, "random", equal)
  local pairs_won, p = statistics.mann_whitney(found, random)
  local low, high = statistics.bootstrap_difference(found, random)
  return {
    kind = kind, equal = equal, count = #found, mean = statistics.mean(found), random = statistics.mean(random), median = statistics.quantile(random, 0.5), low = low, high = high,
    won = pairs_won / (#found * #random), p = p,
  }
end

--- Writes tables and figures; returns the results of the run.
function M.write(results, o)
  local list, tests, rows, groups = units(results), {}, {{"against random, equal", "kind", "architectures", "mean, %", "random, %", "difference, 90 %", "pairs won", "p, one-sided"}}, {}
  for _, equal in ipairs(o.equal) do
    for _, kind in ipairs(kinds(list)) do
      local one = test(list, kind, equal)
      tests[#tests + 1] = one
      rows[#rows + 1] = {
        equal, kind, tostring(one.count), ("%.2f"):format(one.mean), ("%.2f"):format(one.random), ("%.2f to %.2f"):format(one.low, one.high), ("%.0f %%"):format(100 * one.won), ("%.4f"):format(one.p),
      }
      groups[#groups + 1] = {#o.equal > 1 and ("%s, %s"):format(kind, equal) or kind, scores(list, kind, equal)}
    end
    groups[#groups + 1] = {#o.equal > 1 and "random, " .. equal or "random", scores(list, "random", equal)}
  end
  csv(o.out .. "/results.csv", {"name", "kind", "equal", "seed", "filters", "parameters", "multiply_adds", "loss", "miou", "accuracy", "path"}, results)
  csv(o.out .. "/architectures.csv", {"name", "kind", "equal", "filters", "parameters", "multiply_adds", "seeds", "miou"}, list)
  local json = {}
  for i, one in ipairs(tests) do
    json[i] = ('    {"kind": "%s", "equal": "%s", "architectures": %d, "mean": %.4f, "random_mean": %.4f, "random_median": %.4f, "low": %.4f, "high": %.4f, "pairs_won": %.4f, "p": %.6g}'):format(
      one.kind:gsub('[%c"\\]', "_"), one.equal, one.count, one.mean, one.random, one.median, one.low, one.high, one.won, one.p)
  end
  files.write(o.out .. "/results.json", ('{\n  "plan": "%s",\n  "tests": [\n%s\n  ]\n}\n'):format(o.hash, table.concat(json, ",\n")))
  local figure = plot.bar(groups, {dots = true, label = "mIoU, %", title = o.title .. ": each dot an architecture, its mean over seeds"})
  figure:save(o.out .. "/comparison.svg"):save(o.out .. "/comparison.png")
  print(figure)
  print(page.aligned(rows))
  print(("plan %s. The unit is an architecture, the mean of its seeds; p: exact rank test (Mann-Whitney) that it is no better than random ones; difference of the means by bootstrap"):format(o.hash))
  print("results in " .. o.out .. ": results.csv, architectures.csv, results.json, comparison.svg, comparison.png")
  local summary = {}
  for _, one in ipairs(tests) do summary[("%s_%s"):format(one.kind, one.equal):gsub("[^%w_]", "_")] = one.mean / 100 end
  return summary
end

return M
