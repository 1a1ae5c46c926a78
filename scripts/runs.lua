-- Directories of runs: where a script's results go, what a run before left there, and with which settings it goes on.
local M = {}

function M.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- How a setting is compared and shown.
function M.text(x) return type(x) == "table" and table.concat(x, ",") or tostring(x) end

function M.make_directory(path) assert(os.execute("mkdir -p '" .. path:gsub("'", "'\\''") .. "'")) end

-- What the result depends on: the options but for where, how fast and how often.
local apart = {out = true, resume = true, threads = true, given = true, words = true}
local function settings(options)
  local o = {}
  for name, value in pairs(options) do if not apart[name] then o[name] = value end end
  return o
end

-- The directory: --out, or the first of `name`, `name-2`, ... without a run; with --resume the last one that has one.
local function directory(options, name, file)
  if options.out then return options.out end
  local n, last, out = 1, nil, name
  while M.exists(out .. "/" .. file) do n, last, out = n + 1, out, name .. "-" .. n + 1 end
  if not options.resume then return out end
  return last or error(("there is no run to resume in %s, %s-2, ...; name its directory with --out"):format(name, name), 0)
end

-- Opens a run of a script: `name` is that of its first directory, `file` what every run leaves there, and `settings_of` takes the settings from what
-- `checkpoint.load` reads in it (nil: another kind of run). Returns the directory, the settings, and what was loaded (nil for a new run). A run that
-- is resumed has the settings of its first start; an option that is given and differs is an error, and so is a run where none is to be resumed.
function M.open(options, name, file, settings_of)
  local out = directory(options, name, file)
  local own, path = settings(options), out .. "/" .. file
  if not M.exists(path) then
    if options.resume then print("no checkpoint in " .. out .. " yet: from the beginning") end
    return out, own, nil
  end
  if not options.resume then error(out .. " holds a run already: --resume continues it, another --out starts a new one", 0) end
  local loaded = checkpoint.load(path)
  local before = settings_of(loaded) or error(out .. " holds another kind of run", 0)
  for option, value in pairs(own) do
    if options.given[option] and M.text(value) ~= M.text(before[option]) then
      error(("--%s is %s, the run in %s has %s; leave it out to resume"):format(option:gsub("_", "-"), M.text(value), out, M.text(before[option])), 0)
    end
  end
  return out, before, loaded
end

return M
