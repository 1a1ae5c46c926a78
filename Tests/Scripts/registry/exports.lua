-- Every function that takes a tensor and gives one, and every layer (the test gives their names, `registered` and `layers`), is written as code for PyTorch, or
-- an error says why not; Tests/Scripts/pytorch.sh runs that code beside PyTorch.
local code = dofile(scripts .. "/registry/code.lua")
local folder = os.tmpname()
os.remove(folder)
files.make_directory(folder)
local function export(network) return network:export(folder .. "/network.py", {height = 12, width = 10}) end

local written = 0
for kind, list in pairs{functions = code.functions, layers = code.layers} do
  for name, make in pairs(list) do
    local fine, problem = pcall(function() return export(make()) end)
    assert(fine, ("%s (%s): %s"):format(name, kind, problem))
    written = written + 1
  end
end
assert(written > 150, written)
for _, name in ipairs(layers) do assert(code.layers[name], name .. " makes a module: give it a line in Tests/Scripts/registry/code.lua") end
for name, case in pairs(code.refused) do
  local fine, problem = pcall(function() return export(case[2]()) end)
  assert(not fine and tostring(problem):find(case[1], 1, true), ("%s: expected '%s', got %s"):format(name, case[1], problem))
end
os.execute("rm -r " .. folder)
