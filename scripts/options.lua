-- Options of a command line, for the main jobs: `--name value`, `--name=value`, `--flag`.
--
--   local options = require("options").parse(arg, "what the script does", {
--     {"epochs", 20, "passes over the data"},               -- a number; 20 is the default
--     {"data", "shapes", "where images come from", {"shapes", "camvid"}},   -- one of some words
--     {"crop", "64x96", "height x width", "size"},          -- {64, 96}; one number stands for both
--     {"resume", false, "continues"},                       -- a flag
--     {"dir", nil, "directory", "string"},                  -- no default
--     {"batch", 4, "images", least = 1},                    -- a range: least, most, above, below
--   }, "FILE...")
--
-- `options.given` says which ones were on the command line, or in the file that `--config` names (M.config is the row of that option) and there not the
-- default; `options.config` has all of them as such a file does. `--help` prints them all and exits. With a fourth argument, which names them in
-- the help, words that are no options are allowed; `options.words` lists them.
local M = {}

--- Ends the program with a word to its user, who sees no trace of scripts: a wrong name, place or value.
function M.stop(message)
  io.stderr:write("error: ", message, "\n")
  os.exit(2)
end

local function fail(message) M.stop(message .. " (--help lists the options)") end

--- What a function returns that reads what the user named; its error is a word to the user.
function M.ask(f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  -- Ctrl-C is no text.
  if type(results[2]) ~= "string" then error(results[2], 0) end
  -- Nor does the line of a script help who uses it.
  M.stop((results[2]:gsub("^[^\n]-%.lua:%d+: ", "")))
end

local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local corner = row[0]
    row[0] = i
    for j = 1, #b do
      local above = row[j]
      row[j] = math.min(above + 1, row[j - 1] + 1, corner + (a:byte(i) == b:byte(j) and 0 or 1))
      corner = above
    end
  end
  return row[#b]
end

local function nearest(name, rows)
  local best, least
  for _, row in ipairs(rows) do
    local d = distance(name, row[1])
    if d <= math.max(1, #name // 3) and (not least or d < least) then best, least = row[1], d end
  end
  return best
end

local function kind(row)
  if row[4] then return row[4] end
  return math.type(row[2]) or type(row[2])
end

-- Sides of images above this are slips of the keyboard.
local longest = 1 << 20

local function size(row, text)
  local h, w = text:match("^(%d+)x(%d+)$")
  h = h or text:match("^%d+$")
  local height, width = math.tointeger(tonumber(h or "")), math.tointeger(tonumber(w or h or ""))
  if not (height and width and height > 0 and width > 0 and height <= longest and width <= longest) then
    fail(("--%s is a size such as 64x96, of 1 to %d each, got '%s'"):format(row[1], longest, text))
  end
  return {height, width}
end

-- A number inside the row's range.
local function within(row, x, text)
  local bounds = {}
  if row.least then bounds[#bounds + 1] = ("at least %s"):format(row.least) end
  if row.above then bounds[#bounds + 1] = ("above %s"):format(row.above) end
  if row.most then bounds[#bounds + 1] = ("at most %s"):format(row.most) end
  if row.below then bounds[#bounds + 1] = ("below %s"):format(row.below) end
  if row.least and x < row.least or row.above and x <= row.above or row.most and x > row.most or row.below and x >= row.below then
    fail(("--%s is %s, got '%s'"):format(row[1], table.concat(bounds, " and "), text))
  end
  return x
end

--- The value of an option from its text.
function M.read(row, text)
  local wanted = kind(row)
  if type(wanted) == "table" then
    for _, word in ipairs(wanted) do if word == text then return text end end
    fail(("--%s is one of %s, got '%s'"):format(row[1], table.concat(wanted, ", "), text))
  elseif wanted == "integer" then
    return within(row, math.tointeger(tonumber(text)) or fail(("--%s is an integer, got '%s'"):format(row[1], text)), text)
  elseif wanted == "float" then
    local x = tonumber(text)
    if not x or x ~= x or math.abs(x) == math.huge then fail(("--%s is a number, got '%s'"):format(row[1], text)) end
    return within(row, x + 0.0, text)
  elseif wanted == "size" then
    return size(row, text)
  elseif wanted == "integers" or wanted == "list" then
    local list = {}
    for item in text:gmatch("[^, ]+") do
      list[#list + 1] = wanted == "list" and item or math.tointeger(tonumber(item)) or fail(("--%s is a list of integers, got '%s'"):format(row[1], text))
    end
    return list
  end
  return text
end

--- The row of the option that names a file of options.
M.config = {"config", nil, "a file of options by name: settings.json of a run, or any JSON object; what the command line says goes before", "string"}

-- Which say nothing of the result, and stand in no file: where, how fast, how often.
local apart = {config = true, out = true, resume = true, threads = true}

-- An option as a file has it: as its text on the command line, but for numbers and flags.
local function stored(row, value)
  if kind(row) == "size" then return value[1] .. "x" .. value[2] end
  return type(value) == "table" and table.concat(value, ",") or value
end

-- Takes the options of a file for defaults.
local function configure(path, rows, options, given)
  local read = M.ask(files.read_json, path)
  if type(read) ~= "table" or #read > 0 then fail(("--config: %s should hold an object of options by name"):format(path)) end
  local names = {}
  for name in pairs(read) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for _, name in ipairs(names) do
    local value, row = read[name], nil
    for _, candidate in ipairs(rows) do if candidate[1] == name:gsub("_", "-") and not apart[candidate[1]] then row = candidate end end
    if not row then
      local near = nearest(name, rows)
      fail(("%s: '%s' is none of the options%s"):format(path, name, near and ", did you mean '" .. near .. "'?" or ""))
    end
    local key = row[1]:gsub("-", "_")
    if type(row[2]) == "boolean" then
      if type(value) ~= "boolean" then fail(("%s: '%s' should be true or false, it is %s"):format(path, name, tostring(value))) end
      options[key] = value
    elseif type(value) == "table" then
      fail(("%s: '%s' should be as on the command line: a number or a string"):format(path, name))
    else
      options[key] = M.read(row, math.type(value) == "float" and ("%.17g"):format(value) or tostring(value))
    end
    local default = row[2]
    if type(default) == "string" and kind(row) ~= "string" then default = M.read(row, default) end
    if default == nil or stored(row, options[key]) ~= stored(row, default) then given[key] = true end
  end
end

local function help(script, summary, rows, words)
  local lines = {summary, "", "usage: trellis " .. script .. (words and " " .. words or "") .. " [options]", ""}
  local width = 0
  for _, row in ipairs(rows) do width = math.max(width, #row[1]) end
  for _, row in ipairs(rows) do
    local words = type(row[4]) == "table" and " (" .. table.concat(row[4], ", ") .. ")" or ""
    local default = row[2] ~= nil and row[2] ~= false and "  [" .. tostring(row[2]) .. "]" or ""
    lines[#lines + 1] = ("  --%s%s  %s%s%s"):format(row[1], (" "):rep(width - #row[1]), row[3], words, default)
  end
  print(table.concat(lines, "\n"))
end

--- Reads the option that `word`, argument i, begins; returns the number of its last argument.
local function option(arguments, i, rows, options, given)
  local word = arguments[i]
  local name, value = word:match("^%-%-([^=]+)=?(.*)$")
  local row
  for _, candidate in ipairs(rows) do if candidate[1] == name then row = candidate end end
  if not row then
    local near = name and nearest(name, rows)
    fail(("unknown option '%s'%s"):format(word, near and ", did you mean '--" .. near .. "'?" or ""))
  end
  local key = name:gsub("-", "_")
  given[key] = true
  if type(row[2]) == "boolean" then
    if word:find("=", 1, true) then fail("--" .. name .. " takes no value") end
    options[key] = not row[2]
    return i
  end
  if not word:find("=", 1, true) then
    i = i + 1
    value = arguments[i]
    if not value then fail("--" .. name .. " needs a value") end
  end
  options[key] = M.read(row, value)
  return i
end

--- Reads `arguments`; dashes in names become underscores.
function M.parse(arguments, summary, rows, words)
  local options, given, others = {}, {}, {}
  for _, row in ipairs(rows) do
    local default = row[2]
    if default ~= nil then options[row[1]:gsub("-", "_")] = type(default) == "string" and kind(row) ~= "string" and M.read(row, default) or default end
  end
  for i, word in ipairs(arguments) do
    local path = word == "--config" and arguments[i + 1] or word:match("^%-%-config=(.*)$")
    if path then configure(path, rows, options, given) end
  end
  local i = 1
  while i <= #arguments do
    local word = arguments[i]
    if word == "-h" or word == "--help" then
      help(arguments[0] or "script.lua", summary, rows, words)
      os.exit(0)
    end
    if words and word:sub(1, 1) ~= "-" then
      others[#others + 1] = word
    else
      i = option(arguments, i, rows, options, given)
    end
    i = i + 1
  end
  local config = {}
  for _, row in ipairs(rows) do
    local value = options[row[1]:gsub("-", "_")]
    if value ~= nil and not apart[row[1]] then config[row[1]] = stored(row, value) end
  end
  options.given, options.words, options.config = given, others, config
  return options
end

return M
