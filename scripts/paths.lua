-- Names of files and directories, for the main jobs.
local M = {}

--- A word as the shell reads it back.
function M.quoted(word)
  if word:find("^[%w%._/=:,@%%+-]+$") then return word end
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--- The path from the root, without links and dots; what it names need not be there.
function M.absolute(path)
  local pipe = io.popen("realpath -mz -- " .. M.quoted(path), "r")
  local text = pipe and pipe:read("a") or ""
  if pipe then pipe:close() end
  return text:match("^(/[^\0]*)") or error("cannot tell where '" .. path .. "' is: realpath is missing or failed", 0)
end

--- Whether two paths name one place, or the first lies somewhere in the second.
function M.within(path, directory)
  path, directory = M.absolute(path), M.absolute(directory)
  return path == directory or path:sub(1, #directory + 1) == directory:gsub("/?$", "/")
end

--- The directory that a file lies in.
function M.parent(path) return path:match("^(.*/)") or "." end

--- Whether there is something of that name.
function M.exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

--- Whether there is a file of that name: a directory opens too, but cannot be read.
function M.is_file(path)
  local file = io.open(path, "rb")
  if not file then return false end
  local _, problem = file:read(1)
  file:close()
  return not problem
end

local block = 4096

--- What tells a file from others in short: its length, and a checksum of its first, middle and last pages. Nil when it cannot be read.
function M.signature(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local length = file:seek("end") or 0
  local parts = {tostring(length)}
  for i, place in ipairs{0, length // 2, math.max(0, length - block)} do
    file:seek("set", place)
    parts[i + 1] = file:read(block) or ""
  end
  file:close()
  return checkpoint.identity(table.concat(parts, "\n"))
end

return M
