-- Runs a script with several seeds and settings, and says what each setting comes to: mean and deviation over the seeds.
--
--   scripts/trellis scripts/sweep.lua retrain.lua search/architecture.json --seeds 1,2,3 --vary "lr=0.02,0.05 filters=4,8" -- --epochs 20
--   scripts/trellis scripts/sweep.lua search.lua --seeds 1,2,3 --vary "arch-lr=0.01,0.02"
--   scripts/trellis scripts/sweep.lua --out sweep --resume                  goes on after a kill: finished runs are kept, a running one continues
--
-- What stands behind `--` are options of the script for all of its runs. Leaves in its directory a run for each setting and seed, which `trellis runs` lists and
-- compares, sweep.csv with a row for each, a picture with every run as a dot, and what every run leaves (run.json, settings.json, run.log).
local parse, stop, runs, paths = require("options").parse, require("options").stop, require("runs"), require("paths")

-- What comes behind `--`.
local mine, theirs = {[0] = arg[0]}, nil
for _, word in ipairs(arg) do
  if word == "--" and not theirs then theirs = {} else table.insert(theirs or mine, word) end
end

local options = parse(mine, "Runs a script with several seeds and settings, and says what each setting comes to.", {
  {"seeds", "1,2,3", "of the script, for each setting", "integers"},
  {"vary", nil, 'settings to go through, each with each: "lr=0.02,0.05 filters=4,8"', "string"},
  {"measure", "miou", "the result that is averaged: one that the runs leave", "string"},
  {"lowest", false, "the lowest is best, not the highest"},
  {"threads", 0, "0: as many as the machine has; results do not depend on it", least = 0},
  {"out", nil, "directory for results; the first free of sweep, sweep-2, ...", "string"},
  {"resume", false, "continues the sweep in --out (or the last one)"},
  require("options").config,
}, "SCRIPT [ARGUMENT...]")
if options.threads > 0 then trellis.threads(options.threads) end

-- What is run, settings like the others.
local script = options.words[1]
if script then
  local beside = (arg[0]:match("^(.*/)") or "./") .. script
  if not paths.is_file(script) and not paths.is_file(beside) then stop("there is no script '" .. script .. "', here or beside " .. arg[0]) end
  options.script, options.given.script = paths.absolute(paths.is_file(script) and script or beside), true
  options.arguments = {}
  for _, word in ipairs(table.move(options.words, 2, #options.words, 1, {})) do
    table.insert(options.arguments, paths.exists(word) and paths.absolute(word) or word)
  end
  table.move(theirs or {}, 1, #(theirs or {}), #options.arguments + 1, options.arguments)
  options.given.arguments = true
end

local sweep = runs.open(options, {name = "sweep", file = "settings.safetensors", settings = function(loaded)
  return type(loaded.settings) == "table" and loaded.settings.seeds and loaded.settings or nil
end})
local out, o = sweep.out, sweep.settings
if not o.script then stop("name the script that is to run: retrain.lua, search.lua, ... (--help lists the options)") end
for _, word in ipairs(o.arguments) do
  for _, name in ipairs{"--out", "--resume", "--seed", "--config"} do
    if word == name or word:sub(1, #name + 1) == name .. "=" then stop(name .. " of the runs is the sweep's to say") end
  end
end

-- The settings: each value of each name with each of the others.
local names, grid = {}, {{}}
for item in (o.vary or ""):gmatch("%S+") do
  local name, list = item:match("^%-*([%w_-]+)=(.+)$")
  if not name then stop(('--vary is a list such as "lr=0.02,0.05 filters=4,8", got \'%s\''):format(item)) end
  if name == "seed" then stop("--seeds says with which seeds") end
  names[#names + 1] = name
  local longer = {}
  for _, setting in ipairs(grid) do
    for value in list:gmatch("[^,]+") do longer[#longer + 1] = table.move({value}, 1, 1, #setting + 1, table.move(setting, 1, #setting, 1, {})) end
  end
  grid = longer
end
local function label(setting)
  local parts = {}
  for i, name in ipairs(names) do parts[i] = name .. "=" .. setting[i] end
  return #parts > 0 and table.concat(parts, " ") or "as it is"
end

-- Seed by seed, so that a sweep that is not finished has some of every setting.
local tasks = {}
for _, seed in ipairs(o.seeds) do
  for _, setting in ipairs(grid) do
    local name = #names > 0 and label(setting):gsub("[^%w=.,-]", "_") .. "_" or ""
    tasks[#tasks + 1] = {setting = setting, label = label(setting), seed = seed, name = name .. "seed=" .. seed}
  end
end

sweep:identify{settings = o}
if not sweep.before then checkpoint.save(out .. "/settings.safetensors", {settings = o, run = sweep.identity}) end
sweep:kept("what is done is kept")
local again = {o.script, "--"}
sweep:begin{kind = "sweep", numbers = "sweep.csv", planned = #tasks, unit = "runs", words = table.move(o.arguments, 1, #o.arguments, #again + 1, again)}
print(("%d settings, %d seeds: %d runs of %s, in %s"):format(#grid, #o.seeds, #tasks, o.script, out))

-- The record of a run in the directory; nil where there is none.
local function record(dir) return paths.exists(dir .. "/run.json") and nas.runs(dir):where{name = "."}[1] or nil end

-- Runs the script, as if it had been called with these words.
local function call(dir, task)
  local words = table.move(o.arguments, 1, #o.arguments, 1, {[0] = o.script})
  for i, name in ipairs(names) do words[#words + 1] = "--" .. name .. "=" .. task.setting[i] end
  table.move({"--seed", tostring(task.seed), "--out", dir}, 1, 4, #words + 1, words)
  if record(dir) then words[#words + 1] = "--resume" end
  local own = arg
  arg = words
  local fine, problem = pcall(dofile, o.script)
  arg = own
  collectgarbage()
  return fine, problem
end

-- Results by task, and why there is none.
local results, reasons = {}, {}
local columns = table.move(names, 1, #names, 1, {})
table.move({"seed", "status", o.measure}, 1, 3, #columns + 1, columns)
local function write()
  local lines = {table.concat(columns, ",")}
  for _, task in ipairs(tasks) do
    if results[task] or reasons[task] then
      local cells = table.move(task.setting, 1, #task.setting, 1, {})
      table.move({task.seed, results[task] and "done" or "failed", results[task] and ("%.17g"):format(results[task]) or ""}, 1, 3, #cells + 1, cells)
      lines[#lines + 1] = table.concat(cells, ",")
    end
  end
  files.write(out .. "/sweep.csv", table.concat(lines, "\n") .. "\n")
end

local position = 0
local strategy = {
  ask = function()
    position = position + 1
    return tasks[position]
  end,
  tell = function() end,
}
for trial in nas.trials{strategy = strategy} do
  local task = trial.architecture
  local dir = out .. "/" .. task.name
  local known, problem = record(dir), nil
  if not known or known.status ~= "done" then
    local fine
    fine, problem = call(dir, task)
    -- Ctrl-C is no text.
    if not fine and type(problem) ~= "string" then error(problem, 0) end
    if not fine then runs.failed(sweep, problem) end
    known = record(dir)
  end
  local value = known and known.status == "done" and known.results[o.measure]
  if type(value) == "number" and value == value and math.abs(value) < math.huge then
    results[task] = value
    trial:finish{score = o.lowest and -value or value}
  else
    reasons[task] = problem or known and ("it has no result '%s'; --measure names one of its run.json"):format(o.measure) or "it left no run.json"
    trial:fail(reasons[task])
  end
  write()
  sweep.record:note{done = trial.number}
  print(("%d/%d  %s  seed %d  %s"):format(trial.number, #tasks, task.label, task.seed, results[task] and ("%s %.4g"):format(o.measure, results[task]) or "failed: " .. reasons[task]))
end

-- Mean and deviation of each setting over its seeds.
local function statistics(setting)
  local values, sum, squares = {}, 0, 0
  for _, task in ipairs(tasks) do if task.setting == setting and results[task] then values[#values + 1] = results[task] end end
  if #values == 0 then return values end
  for _, x in ipairs(values) do sum = sum + x end
  local mean = sum / #values
  for _, x in ipairs(values) do squares = squares + (x - mean) ^ 2 end
  return values, mean, #values > 1 and math.sqrt(squares / (#values - 1)) or nil
end
local groups, best = {}, nil
local width = 0
for _, setting in ipairs(grid) do width = math.max(width, #label(setting)) end
for _, setting in ipairs(grid) do
  local values, mean, deviation = statistics(setting)
  local name = label(setting) .. (" "):rep(width - #label(setting))
  if mean then
    print(("%s  %s %.4g%s, %d seed%s"):format(name, o.measure, mean, deviation and (" ± %.2g"):format(deviation) or "", #values, #values == 1 and "" or "s"))
    groups[#groups + 1] = {label(setting), values}
    if not best or o.lowest and mean < best.mean or not o.lowest and mean > best.mean then best = {setting = setting, mean = mean, deviation = deviation} end
  else
    print(name .. "  all of its runs failed")
  end
end
if not best then stop("no run came to a result; see " .. out .. "/run.log") end
local figure = plot.bar(groups, {dots = true, label = o.measure, title = ("%s over %d seed%s"):format(o.measure, #o.seeds, #o.seeds == 1 and "" or "s")})
figure:save(out .. "/sweep.svg"):save(out .. "/sweep.png")
sweep:finish{best = label(best.setting), mean = best.mean, deviation = best.deviation}
print(("best: %s; in %s: sweep.csv, sweep.svg, sweep.png, and a directory for each run"):format(label(best.setting), out))
