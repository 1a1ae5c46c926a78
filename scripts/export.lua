-- Writes a network for other programs, into one directory: network.onnx, its weights as weights.safetensors, and card.json, which says what it is.
--
--   scripts/trellis scripts/export.lua model/best --size 180x240      a trained network, a model directory: network.onnx is put beside the other two
--   scripts/trellis scripts/export.lua model/best --out elsewhere     all three into another directory
--   scripts/trellis scripts/export.lua search/architecture.json --filters 8 --classes 6 --size 96x128      an architecture, untrained
--   scripts/trellis scripts/export.lua auto_deeplab --size 513x1025   one of nas.gallery, untrained
--
-- The ONNX file takes any number of images, normalised as the card says, all of one height and width: those of the images that the network was trained
-- on as a whole, or --size.
local options = require("options").parse(arg, "Writes a network as ONNX, with its weights and card.", {
  {"size", nil, "height x width of the images, which the file fixes; those of the training's images when left out", "size"},
  {"out", nil, "directory for the files; the model directory itself, else the architecture's name", "string"},
  {"filters", 20, "F of a network that is built from an architecture"},
  {"classes", 19, "its classes"},
  {"seed", 0, "decides its weights"},
}, "MODEL|ARCHITECTURE")

local function fail(message) error(message .. " (--help lists the options)", 0) end

local source = options.words[1]
if #options.words ~= 1 then fail("name one model directory, architecture file or architecture of nas.gallery") end

local function exists(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

local network, out
if exists(source .. "/card.json") then
  for _, name in ipairs{"filters", "classes", "seed"} do
    if options.given[name] then fail("--" .. name .. " is for an architecture; the network in " .. source .. " has its own") end
  end
  network, out = nas.network(source), source
elseif exists(source .. "/.") then
  fail(source .. " is no model directory: it has no card.json")
else
  local architecture
  if source:find("%.json$") then
    architecture, out = nas.load(source), source:gsub("%.json$", "")
  else
    local names = {}
    for name, known in pairs(nas.gallery) do
      names[#names + 1] = name
      if name == source then architecture = known end
    end
    table.sort(names)
    if not architecture then fail("'" .. source .. "' is no directory, no .json file and none of nas.gallery: " .. table.concat(names, ", ")) end
    out = source
  end
  network = architecture:network{filters = options.filters, classes = options.classes, seed = options.seed}
end
out = options.out or out

-- The export itself tells whether the network can be said in ONNX; then the rest.
local card = network:card()
local size = options.size or {card.data.height or card.counts.height, card.data.width or card.counts.width}
files.make_directory(out)
local file = network:export(out .. "/network.onnx", {height = size[1], width = size[2]})
if out ~= source then network:save(out) end

print(("%s/network.onnx: images [batch, 3, %d, %d] to output [%s], %d nodes, %.1f MB"):format(
  out, size[1], size[2], file.output:gsub(" x ", ", "), file.nodes, file.bytes / 1e6))
print(("the file takes images of %dx%d only%s; --size HxW makes one for others"):format(
  size[1], size[2], options.size and "" or card.data.height and ", the size of those that it was trained on" or ", the size of its card"))
print(("%s/weights.safetensors: %d parameters"):format(out, network:count().parameters))
local normalisation = card.data.normalisation
print(("%s/card.json: pixels from 0 to 1, less %s, divided by %s"):format(
  out, table.concat(normalisation.mean, " "), table.concat(normalisation.std, " ")))
