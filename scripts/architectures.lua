-- Architectures that a command line names, and the networks that are built of them: of the paper's trellis, or of a space that a script makes.
--
--   local architectures = require("architectures")
--   local found = architectures.load("search/architecture.json", {run_script = false})      a file of a search, of any space; a model directory; or a name of nas.gallery
--   found.architecture, found.space          the space is nil for a stock trellis, whose architectures build their networks themselves
--   found:network{filters =, classes =, seed =, ...}
--
-- Of a space of one's own the file keeps the script that makes it, and runs it only where --run-script says so.
local paths, stop, ask = require("paths"), require("options").stop, require("options").ask
local M, Found = {}, {}
Found.__index = Found

--- The row of the option for tables of options.
M.option = {"run-script", false, "of a space of one's own: let the script run that its file keeps, which builds the network"}

--- Names of the published ones.
function M.gallery()
  local names = {}
  for name in pairs(nas.gallery) do names[#names + 1] = name end
  table.sort(names)
  return table.concat(names, ", ")
end

--- The architecture that `name` says.
function M.load(name, options)
  local known
  for each, architecture in pairs(nas.gallery) do if each == name then known = architecture end end
  -- Of directories only those of models hold one; one that is called like an architecture of the gallery is ./NAME.
  local isThere = paths.is_file(name) or not known and paths.exists(name .. "/card.json")
  local architecture = isThere and ask(nas.load, name) or known
  if not architecture then stop(("there is no file '%s', and no architecture of that name; nas.gallery has %s"):format(name, M.gallery())) end
  local isStock = architecture.layers ~= nil
  if not isStock and not options.run_script then
    stop(("%s is an architecture of a space of its own, which the script that it keeps builds; no file runs code unasked: --run-script lets it"):format(name))
  end
  return setmetatable({architecture = architecture, space = not isStock and ask(architecture.space, architecture, {run = true}) or nil}, Found)
end

--- Its network, untrained. Options beside classes and seed are of stock trellises.
function Found:network(options)
  if not self.space then return ask(self.architecture.network, self.architecture, options) end
  return ask(self.space.network, self.space, self.architecture, {classes = options.classes, seed = options.seed})
end

--- Refuses options that say nothing of a space of one's own.
function Found:refuse(given, names)
  if not self.space then return end
  for _, name in ipairs(names) do
    if given[name] then stop(("--%s is for the paper's trellis; the space of this architecture has sizes of its own"):format((name:gsub("_", "-")))) end
  end
end

--- The network in a model directory as a beginning: with its weights, of another number of classes those of the same shape.
function M.begin(path, classes, options)
  local network = M.model(path, options)
  if network:card().network.classes == classes then
    return network
  end
  local fitted, report = ask(nas.network, path, {run = options.run_script, classes = classes})
  local fresh = {}
  for name in pairs(report.shapes) do fresh[#fresh + 1] = name end
  table.sort(fresh)
  print(("from %s, for %d classes instead of %s: %d of its tensors; new are %s"):format(
    path, classes, network:card().network.classes, #report.taken, table.concat(table.move(report.missing, 1, #report.missing, #fresh + 1, fresh), ", ")))
  return fitted
end

--- The network in a model directory.
function M.model(path, options)
  local fine, result = pcall(nas.network, path, {run = options.run_script})
  if fine then return result end
  if type(result) ~= "string" then error(result, 0) end
  stop((result:gsub("^[^\n]-%.lua:%d+: ", ""):gsub("say nas%.network%b()", "say --run-script")))
end

return M
