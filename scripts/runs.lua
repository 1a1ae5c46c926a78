-- Directories of runs: where a script's results go, what a run before left there, with which settings it goes on, and what is said when it stops.
--
--   local run = require("runs").open(options, {name = "search", file = "checkpoint.safetensors", settings = function(loaded) return loaded.settings end})
--   run.out            the directory, which no other process writes into while this one runs
--   run.settings       those of its first start
--   run.before         what checkpoint.load read there; nil for a new run
--   run:identify{...}  what tells the run from others, made when it begins
--   run:begin{...}     says in the directory what the run is (nas.run); run.record is that from then on, and what is printed stands in its run.log
--   run:finish{...}    ends it well, with its results
--   run:kept(text)     what Ctrl-C would leave, from now on
local paths, datasets, stop, ask = require("paths"), require("datasets"), require("options").stop, require("options").ask
local M, Run = {}, {}
Run.__index = Run

M.exists = paths.exists

-- How a setting is compared and shown.
function M.text(x) return type(x) == "table" and table.concat(x, ",") or tostring(x) end

-- How far the atrous taps of heads look, in pixels: as asked for, or (0) the share of the crop's shorter side that the published 96 are of 321, and
-- never more than those 96.
function M.reach(given, crop)
  if given > 0 then return given end
  return math.max(1, math.min(96, math.floor(0.3 * math.min(crop[1], crop[2]) + 0.5)))
end

-- What the result depends on: the options but for where, how fast and how often.
local apart = {out = true, resume = true, threads = true, given = true, words = true, config = true}
local function settings(options)
  local o = {}
  for name, value in pairs(options) do if not apart[name] then o[name] = value end end
  return o
end

-- Settings that runs of before did not have, as they were then.
local function completed(before)
  before.dir = before.dir and paths.absolute(before.dir)
  before.data_seed, before.validation_part = before.data_seed or before.seed, before.validation_part or "all"
  if before.crop then before.head_reach = before.head_reach or 96 end
  if before.arch_from then before.method, before.trial_steps = before.method or "paper", before.trial_steps or 400 end
  if before.trial_steps then before.trainings = before.trainings or 8 end
  if before.search_crop then before.search_head_reach = before.search_head_reach or 96 end
  return before
end

local function lock(out)
  files.make_directory(out)
  local fine, result = pcall(files.lock, out)
  return fine and result, result
end

-- The files by which runs are known, of all kinds.
local marks = {"checkpoint.safetensors", "settings.safetensors"}
local function holds_run(out)
  for _, mark in ipairs(marks) do if M.exists(out .. "/" .. mark) then return true end end
  return false
end

-- The directory and the lock on it: --out, or the first of `name`, `name-2`, ... without a run and without a process that begins one; with --resume
-- the last one that has a run.
local function directory(options, kind)
  local out = options.out
  if not out then
    local n, last = 1, nil
    out = kind.name
    while true do
      if M.exists(out .. "/" .. kind.file) then
        last = out
      elseif options.resume then
        out = last or stop(("there is no run to resume in %s, %s-2, ...; name its directory with --out"):format(kind.name, kind.name))
        break
      elseif not holds_run(out) then
        local held = lock(out)
        if held then return out, held end
      end
      n = n + 1
      out = kind.name .. "-" .. n
    end
  elseif M.exists(out .. "/" .. kind.file) and not options.resume then
    stop(out .. " holds a run already: --resume continues it, another --out starts a new one")
  elseif not M.exists(out .. "/" .. kind.file) and holds_run(out) then
    stop(out .. " holds another kind of run; name another --out")
  end
  local held, why = lock(out)
  return out, held or stop(why)
end

-- Options that name files and directories.
local places = {"architecture", "dir", "from", "space"}

--- The options as settings.json keeps them, good from anywhere.
function M.config(options)
  local config = {}
  for name, value in pairs(options.config) do config[name] = value end
  for _, name in ipairs(places) do if config[name] and M.exists(config[name]) then config[name] = paths.absolute(config[name]) end end
  return config
end

-- What print is given stands in the logs of the runs that go on, too.
local records = {}
local plain = print
function print(...)
  plain(...)
  if #records == 0 then return end
  local parts = {}
  for i = 1, select("#", ...) do
    local x = select(i, ...)
    parts[i] = getmetatable(x) == "figure" and "\n" .. x:text{width = 100} or tostring(x)
  end
  for _, record in ipairs(records) do record:say(table.concat(parts, "\t")) end
end

-- Begins a record: nas.run with the script that runs.
local function begin(out, card)
  card.script = paths.absolute(card.script or arg[0])
  local record = ask(nas.run, out, card)
  records[#records + 1] = record
  return record
end

local function finish(record, results)
  record:finish(results)
  for i = #records, 1, -1 do if records[i] == record then table.remove(records, i) end end
end

--- Ends as failed the runs that were begun after `run`, which goes on: those of a script that it called.
function M.failed(run, reason)
  while records[#records] ~= run.record do table.remove(records):fail(reason) end
end

--- A record of its own for what leaves nothing to go on with: in --out, or the first of `name`, `name-2`, ... without one.
function M.record(options, card)
  local name, out, n = card.name, options.out or card.name, 1
  while not options.out and M.exists(out .. "/run.json") do
    n = n + 1
    out = name .. "-" .. n
  end
  card.name, card.settings = nil, M.config(options)
  local record = begin(out, card)
  return {out = out, record = record, finish = function(_, results) finish(record, results) end}
end

-- The run that speaks when Ctrl-C comes: the one that was opened first, when a script runs another.
local speaker

-- Opens a run of a script. `kind` has the `name` of its first directory, the `file` that every run leaves there, and `settings`, which takes the
-- settings from what `checkpoint.load` reads in it (nil: another kind of run). A run that is resumed has the settings of its first start; an option
-- that is given and differs is an error, and so is a run where none is to be resumed. Those that `kind.extends` names may be larger: the run goes on
-- beyond its end, run.continuation has these options, and run.settings.first_epochs says how many it was begun with.
function M.open(options, kind)
  if options.dir then options.dir = paths.absolute(options.dir) end
  -- A run that goes on has the data that it began with, and what is given is compared with that.
  if options.given.data or not options.resume then datasets.check(options) end
  datasets.keep_out(options, options.out or kind.name, "out")
  local run = setmetatable({settings = settings(options), config = M.config(options)}, Run)
  run.out, run.lock = directory(options, kind)
  speaker = speaker or run
  local words = speaker == run and {[0] = arg[0], table.unpack(arg)} or {}
  run.command = "trellis " .. paths.quoted(words[0] or "")
  run:kept(nil)
  local path = run.out .. "/" .. kind.file
  if not M.exists(path) then
    if not options.given.data then datasets.check(options) end
    if options.resume then print("no checkpoint in " .. run.out .. " yet: from the beginning") end
    return run
  end
  run.before = ask(checkpoint.load, path)
  local before = completed(kind.settings(run.before) or stop(run.out .. " holds another kind of run; name another --out"))
  for option, value in pairs(run.settings) do
    local isOther = options.given[option] and M.text(value) ~= M.text(before[option])
    if isOther and kind.extends and kind.extends[option] and value > before[option] and before[option] > 0 then
      run.continuation = {"--" .. option, tostring(value)}
      before.first_epochs = before.first_epochs or before.epochs
      before[option] = value
    elseif isOther then
      stop(("--%s is %s, the run in %s has %s; leave it out to resume"):format((option:gsub("_", "-")), M.text(value), run.out, M.text(before[option])))
    end
  end
  run.settings = before
  return run
end

-- Says what Ctrl-C would leave; nil: nothing yet.
function Run:kept(text)
  if speaker ~= self then return end
  trellis.on_interrupt(text and ("%s in %s; go on with: %s --out %s --resume"):format(text, self.out, self.command, paths.quoted(self.out))
    or "nothing is kept yet; start it again")
end

-- Keeps in the settings what the images are, so that a run that goes on with others is refused, and a measurement knows them again.
function Run:images(train, validation)
  local o = self.settings
  local contents = datasets.contents(train, validation, o)
  -- Runs of before did not keep it.
  if not self.before then o.contents = contents end
  if o.contents and o.contents ~= contents then
    stop(("%s was begun with other images or labels than %s has now; put them back, or start a new run in another --out"):format(self.out, datasets.name(o)))
  end
end

-- The identity of the run, by what it begins with: made now, or that of its first start (nil when runs had none yet).
function Run:identify(values)
  if self.before then self.identity = self.before.run else self.identity = checkpoint.identity(values) end
  return self.identity
end

--- Begins the record, or goes on with it. `card` has kind, numbers, planned, unit and words, as nas.run takes them.
function Run:begin(card)
  card.settings, card.seed, card.identity = self.config, self.settings.seed, self.identity
  card.resume, card.replace, card.continuation = self.before ~= nil, self.before == nil, self.continuation
  self.record = begin(self.out, card)
end

function Run:finish(results)
  finish(self.record, results)
  self.lock:release()
end

-- Refuses a file of the directory that belongs to another run. `theirs` is the identity in it, nil when it has none.
function Run:own(file, theirs)
  if theirs and self.identity and theirs ~= self.identity then
    error(("%s/%s is of another run (%s) than the checkpoint (%s): move one of them away"):format(self.out, file, theirs, self.identity), 0)
  end
end

-- Refuses a log that this run's would overwrite: as far as both go, their lines are the same.
function Run:own_log(name, text)
  local file = io.open(self.out .. "/" .. name, "rb")
  if not file then return end
  local there = file:read("a")
  file:close()
  local n, next_there = 0, there:gmatch("[^\n]+")
  for line in text:gmatch("[^\n]+") do
    local other = next_there()
    n = n + 1
    if not other then return end
    if other ~= line then
      error(("%s/%s is the log of another run than the checkpoint: they differ in line %d; move one of them away"):format(self.out, name, n), 0)
    end
  end
end

return M
