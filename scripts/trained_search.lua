-- The search of `scripts/search.lua --method recommended`: no supernet, but real trainings of single architectures, most of them short, by the strategy of scripts/freeze_thaw.lua.
--
--   require("trained_search").search{run =, options =, subject =, train =, validation =}
--
-- Leaves in the run's directory trials/ (the journal of nas.trials), trainings/N/ (the checkpoint of each architecture, which the next rung goes on from), log.csv, architecture.json,
-- model/ (the found architecture's network, trained to the end), decisions.csv, and report.html. Started again, it goes on where it was.
local runs, datasets, page, certainty = require("runs"), require("datasets"), require("page"), require("certainty")
local M = {}

--- An eighth, a quarter, half and all of a training: steps at which it is measured. Even numbers, so that half of each is one of steps, too, where there are enough.
function M.rungs(longest)
  local unit = longest < 16 and longest // 8 or longest // 16 * 2
  return {unit, 2 * unit, 4 * unit, 8 * unit}
end

-- What ends a training at a rung; its checkpoint is written by then.
local reached = {}

--- The network of an architecture after so many steps: goes on from its checkpoint, the rate always that of the whole training.
local function train(search, architecture, directory, steps)
  local o, last, path = search.options, search.rungs[#search.rungs], directory .. "/checkpoint.safetensors"
  local network = search.subject:network(architecture, {classes = search.train.classes, seed = o.seed})
  -- A process that died between its training and its result.
  if runs.exists(path) and checkpoint.load(path).done == steps then
    checkpoint.load(path, {network = network})
    return network
  end
  local fine, reason = pcall(network.fit, network, search.train, {
    steps = last, batch = o.batch, crop = o.crop, flip = true, pad = datasets.padded(o) or nil, lr = o.lr, loss = search.subject.loss, seed = o.seed, every = math.max(1, search.rungs[1] // 2),
    out = directory, resume = true, check = false, progress = false,
    each = function(row) if row.step == steps and steps < last then error(reached, 0) end end,
  })
  if not fine and reason ~= reached then error(reason, 0) end
  return network
end

--- A training's mean loss over the second half of its steps, by its log, whose rows are means since the row before.
local function late_loss(directory, steps)
  local sum, count, names = 0, 0, nil
  for line in io.lines(directory .. "/log.csv") do
    local cells = {}
    for cell in (line .. ","):gmatch("([^,]*),") do cells[#cells + 1] = cell end
    if not names then
      names = {}
      for i, name in ipairs(cells) do names[name] = i end
    else
      local step = tonumber(cells[names.step])
      if step > steps // 2 and step <= steps then sum, count = sum + tonumber(cells[names.loss]), count + 1 end
    end
  end
  return count > 0 and sum / count or nil
end

local function measure(search, network)
  return network:evaluate(search.validation, {batch = search.options.batch, check = false, progress = false})
end

--- The number of an architecture's training: of its first trial.
local function number(trials, trial, key)
  for i, other in ipairs(trials.all) do if key(other.architecture) == key(trial.architecture) then return i end end
  return trial.number
end

local function write_log(search, rows)
  local lines = {"trial,training,steps,paid,miou"}
  for _, row in ipairs(rows) do lines[#lines + 1] = ("%d,%d,%d,%d,%.6g"):format(row.trial, row.training, row.steps, row.paid, row.score) end
  files.write(search.run.out .. "/log.csv", table.concat(lines, "\n") .. "\n")
end

--- All finished trials as rows of the log.
local function finished(search, trials, key)
  local rows, paid, before = {}, 0, {}
  for i, trial in ipairs(trials.all) do
    if trial.status == "finished" then
      local training = number(trials, trial, key)
      paid = paid + trial.steps - (before[training] or 0)
      before[training] = trial.steps
      rows[#rows + 1] = {trial = i, training = training, steps = trial.steps, paid = paid, score = trial.score, architecture = trial.architecture}
    end
  end
  return rows
end

local function report(search, rows, decisions, summary)
  local out, x, y, table_rows = search.run.out, {}, {}, {{"training", "architecture", "steps", "mIoU, %"}}
  for i, row in ipairs(rows) do
    x[i], y[i] = row.paid / search.rungs[#search.rungs], 100 * row.score
    table_rows[#table_rows + 1] = {tostring(row.training), (tostring(row.architecture):gsub("%s+", " ")), tostring(row.steps), ("%.1f"):format(100 * row.score)}
  end
  local figure = plot.curves({{"mIoU, %", {x = x, y = y, style = "dots"}}}, {title = "what trainings came to, each after a rung", x_label = "trainings paid", width = 700, height = 320})
  page.write(out .. "/report.html", "A search by trainings", {
    "<p>" .. page.escape(summary) .. "</p>", "<h2>How sure the decisions are</h2>", page.table(certainty.rows(decisions)),
    "<p>" .. page.escape(certainty.summary(decisions)):gsub("\n", "<br>") .. "</p>", "<h2>Trainings</h2>", page.figure(figure, out .. "/trainings-scores"), page.table(table_rows),
  })
end

--- `search`: run (scripts/runs.lua, begun), options, subject, train and validation.
function M.search(search)
  local o, out, run = search.options, search.run.out, search.run
  search.rungs = M.rungs(o.trial_steps)
  local last = search.rungs[#search.rungs]
  local strategy = require("freeze_thaw").new(search.subject.space, {rungs = search.rungs, budget = o.trainings * last, seed = o.seed})
  local function key(architecture) return strategy:one(architecture).key end
  print(("at most %d steps in all, as many as %d trainings have; rungs %s; results in %s"):format(o.trainings * last, o.trainings, table.concat(search.rungs, ", "), out))
  files.make_directory(out .. "/trainings")
  local trials = nas.trials{strategy = strategy, out = out .. "/trials"}
  run:kept("trainings and their scores are kept")
  for trial in trials do
    local training = number(trials, trial, key)
    local directory = ("%s/trainings/%d"):format(out, training)
    local fine, network = pcall(train, search, trial.architecture, directory, trial.steps)
    if fine then
      local score = measure(search, network).miou
      trial:finish{score = score, step = trial.steps, loss = late_loss(directory, trial.steps)}
      local rows = finished(search, trials, key)
      local paid = rows[#rows].paid
      print(("trial %d: training %d, %d steps, mIoU %.1f %%; %.1f of %d trainings"):format(trial.number, training, trial.steps, 100 * score, paid / last, o.trainings))
      write_log(search, rows)
      run.record:log(paid, {miou = score})
      run.record:note{done = paid}
    elseif type(network) == "string" and network:find("not finite") then
      print(("trial %d: training %d failed: %s"):format(trial.number, training, network))
      trial:fail(network)
    else
      error(network, 0)
    end
    collectgarbage()
  end
  local found, belief = strategy:best()
  local rows, training = finished(search, trials, key), nil
  for _, row in ipairs(rows) do if key(row.architecture) == key(found) then training = training or row.training end end
  write_log(search, rows)
  found:save(out .. "/architecture.json")
  local network = train(search, found, ("%s/trainings/%d"):format(out, training), belief.steps)
  network:save(out .. "/model")
  local decisions = strategy:decisions()
  local lines = {}
  for i, cells in ipairs(certainty.rows(decisions)) do lines[i] = table.concat(cells, ";") end
  files.write(out .. "/decisions.csv", table.concat(lines, "\n") .. "\n")
  local measured = measure(search, network)
  local summary = ("training %d of %d architectures: mIoU %.1f %% after %d steps by the validation images; by all trainings together %.1f %%, give or take %.1f (one deviation)"):format(
    training, #strategy:distinct(), 100 * measured.miou, belief.steps, 100 * belief.mean, 100 * belief.deviation)
  report(search, rows, decisions, summary)
  print(found)
  print(summary)
  print(page.aligned(certainty.rows(decisions)))
  print(certainty.summary(decisions))
  run:finish{miou = measured.miou, accuracy = measured.accuracy, found = (tostring(found):gsub("%s+", " "))}
  print(("results in %s: report.html, architecture.json, model, log.csv, decisions.csv"):format(out))
end

return M
