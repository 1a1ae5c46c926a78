-- Writes a network for other programs, into one directory: network.onnx, network.py for PyTorch, its weights as weights.safetensors, and card.json, which says what it is.
--
--   scripts/trellis scripts/export.lua model/best --size 180x240      a trained network, a model directory: network.onnx and network.py are put beside the other two
--   scripts/trellis scripts/export.lua model/best --out elsewhere     all into another directory
--   scripts/trellis scripts/export.lua search/architecture.json --filters 8 --classes 6 --size 96x128      an architecture, untrained
--   scripts/trellis scripts/export.lua auto_deeplab --size 513x1025   one of nas.gallery, untrained
--   scripts/trellis scripts/export.lua model/best --run-script        a network of a space of one's own, whose script the card keeps
--
-- The ONNX file takes any number of images, normalised as the card says, of any height and width where the network does (those of the paper's trellis do).
-- A network that takes one size only is written for that of the images it was trained on as a whole, or --size; --one-size asks for such a file.
local paths, architectures, stop = require("paths"), require("architectures"), require("options").stop
local options = require("options").parse(arg, "Writes a network as ONNX and as PyTorch code, with its weights and card.", {
  {"size", nil, "height x width of the images, which the file fixes where the network, or --one-size, allows no other; those of the training's images when left out", "size"},
  {"one-size", false, "images of that size only: all shapes stand in the ONNX file as numbers"},
  {"out", nil, "directory for the files; the model directory itself, else the architecture's name", "string"},
  {"filters", 20, "F of a network that is built from an architecture", least = 1},
  {"classes", 19, "its classes", least = 1},
  {"seed", 0, "decides its weights"},
  architectures.option,
}, "MODEL|ARCHITECTURE")

local function fail(message) stop(message .. " (--help lists the options)") end

local source = options.words[1]
if #options.words ~= 1 then fail("name one model directory, architecture file or architecture of nas.gallery") end

local known
for name, architecture in pairs(nas.gallery) do if name == source then known = architecture end end

-- A directory that is called like an architecture of the gallery is ./NAME: an export of that architecture leaves one.
local network, out
if not known and paths.exists(source .. "/card.json") then
  for _, name in ipairs{"filters", "classes", "seed"} do
    if options.given[name] then fail("--" .. name .. " is for an architecture; the network in " .. source .. " has its own") end
  end
  network, out = architectures.model(source, options), source
elseif not known and paths.exists(source .. "/.") then
  fail(source .. " is no model directory: it has no card.json")
else
  if source:find("%.json$") then
    out = source:gsub("%.json$", "")
  elseif not known then
    fail("'" .. source .. "' is no directory, no .json file and none of nas.gallery: " .. architectures.gallery())
  else
    out = source
  end
  local found = architectures.load(source, options)
  found:refuse(options.given, {"filters"})
  network = found:network{filters = options.filters, classes = options.classes, seed = options.seed}
end
local isModel = not known and out == source
out = options.out or out

-- Weights that were trained are not overwritten by others.
local isOwn = isModel and paths.absolute(out) == paths.absolute(source)
if not isOwn and paths.exists(out .. "/card.json") then
  local fine, other = pcall(nas.network, out, {run = options.run_script})
  if not fine or other:card().training then fail(out .. " holds a network that was trained; name another --out") end
end

-- The export itself tells whether the network can be said in ONNX; then the rest.
local card = network:card()
local size = options.size or {card.data.height or card.counts.height, card.data.width or card.counts.width}
files.make_directory(out)
local file = network:export(out .. "/network.onnx", {height = size[1], width = size[2], any_size = not options.one_size})
if not isOwn then network:save(out) end
-- Not every operation that ONNX has is known to the writer of code.
local fine, code = pcall(network.export, network, out .. "/network.py", {height = size[1], width = size[2]})

print(("%s/network.onnx: images [batch, 3, %s] to output [%s], %d nodes, %.1f MB"):format(
  out, file.any_size and "height, width" or ("%d, %d"):format(size[1], size[2]), file.output:gsub(" x ", ", "), file.nodes, file.bytes / 1e6))
if file.any_size then
  print("the file takes images of any size")
else
  print(("the file takes images of %dx%d only%s; --size HxW makes one for others (%s)"):format(
    size[1], size[2], options.size and "" or card.data.height and ", the size of those that it was trained on" or ", the size of its card", file.one_size))
end
print(fine and ("%s/network.py: PyTorch code, %d classes in %d lines; network.load() in Python gives the network with its weights"):format(out, code.classes, code.lines)
  or "no network.py: " .. tostring(code))
print(("%s/weights.safetensors: %d parameters"):format(out, network:count().parameters))
local normalisation = card.data.normalisation
print(("%s/card.json: pixels from 0 to 1, less %s, divided by %s"):format(
  out, table.concat(normalisation.mean, " "), table.concat(normalisation.std, " ")))
