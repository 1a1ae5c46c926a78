-- %% [markdown]
-- # 10. A network leaves
--
-- A trained network is used elsewhere: in a car, behind a web page, in another lab's comparison. The common tongue is
-- ONNX, a file with the graph of operations and the weights in it. This tutorial exports a network, opens the file
-- with a reader of thirty lines, and checks that what is in it is the network: names, weights, and the work to do.
--
-- Run it with `scripts/trellis tutorials/10-a-network-leaves.lua`. From the command line the same is
-- `scripts/trellis scripts/export.lua MODEL`.

-- %%
out = os.getenv("TRELLIS_OUT") or "out"           -- pictures and files go there
os.execute("mkdir -p '" .. out .. "'")

function show(figure, name)
  figure:save(out .. "/" .. name .. ".svg")
  display(figure)
  print("saved " .. out .. "/" .. name .. ".svg")
end

-- %% [markdown]
-- ## Out
--
-- The published architecture with few filters, so that the file is small. Training is not the subject here; weights
-- are what they were born as. A file takes any number of images, and images of any size where the network does: sizes are
-- computed in it from those of the images. Here their size is fixed, so that all shapes stand in the file as numbers, by which
-- its work can be counted below. Sizes may be odd: 65 x 97.

-- %%
architecture = nas.gallery.auto_deeplab
network = architecture:network{filters = 2, classes = 5, stem = 4, stem_output = 8, aspp = 8, decoder = 8, seed = 1}
path = out .. "/10-network.onnx"
print(network:export(out .. "/10-any-size.onnx", {height = 65, width = 97}).output)
file = network:export(path, {height = 65, width = 97, any_size = false, metadata = {note = "tutorial 10"}})
print(file.output, file.nodes .. " nodes", file.bytes .. " bytes")
assert(file.output == "batch x 5 x 65 x 97")
show(plot.cell(architecture), "10-cell")

-- %% [markdown]
-- The export runs the network in evaluation mode, whatever mode it is in: batch norms use their running statistics,
-- dropout and drop path are gone. What depends on parameters alone is computed now and stored as a number. What the
-- output does not need is left out.
--
-- ## In
--
-- An ONNX file is a *protocol buffer*: a string of fields, each with a number, a kind, and a value; messages are
-- strings of fields again. A few bit operations read it.

-- %%
-- Iterates over the fields of a message: number, value.
function fields(bytes)
  local at = 1
  local function varint()
    local value, shift = 0, 0
    repeat
      local byte = bytes:byte(at)
      at = at + 1
      value = value | (byte & 127) << shift
      shift = shift + 7
    until byte < 128
    return value
  end
  return function()
    if at > #bytes then return nil end
    local key = varint()
    if key & 7 == 0 then return key >> 3, varint() end
    local length = key & 7 == 5 and 4 or varint()  -- a float, or a string with its length before it
    at = at + length
    return key >> 3, bytes:sub(at - length, at - 1)
  end
end

-- All values of one field.
function all(bytes, wanted)
  local found = {}
  for number, value in fields(bytes) do if number == wanted then found[#found + 1] = value end end
  return found
end

-- %% [markdown]
-- The numbers of the fields stand in ONNX's own description, `onnx.proto`. A model has its graph in field 7; a graph
-- has nodes (1) and constants (5); a node has inputs (1), outputs (2), a name (3) and a type (4).

-- %%
handle = assert(io.open(path, "rb"))
model = handle:read("a")
handle:close()
graph = all(model, 7)[1]

nodes = {}
for i, bytes in ipairs(all(graph, 1)) do
  nodes[i] = {input = all(bytes, 1), output = all(bytes, 2), name = all(bytes, 3)[1], type = all(bytes, 4)[1]}
end
assert(#nodes == file.nodes)
for i = 1, 8 do print(nodes[i].type, nodes[i].name, table.concat(nodes[i].input, " ")) end

-- %% [markdown]
-- A node is called like the module that wrote it and the operation: whoever looks at the file with a viewer, or at a
-- profile of the runtime, finds the layer in the network by that path. Weights have the names that they have here.

-- %%
constants = {}
for _, bytes in ipairs(all(graph, 5)) do
  constants[all(bytes, 8)[1]] = {dims = all(bytes, 1), data = all(bytes, 9)[1]}
end
parameters = network:parameters()
for _, name in ipairs(parameters:names()) do
  local stored = constants[name]
  assert(stored, name)                                                     -- every parameter is in the file
  assert(table.concat(stored.dims, " ") == table.concat(parameters[name].shape, " "))
  assert(string.unpack("<f", stored.data) == parameters[name]:flatten()[1]) -- little-endian floats
end
convolutions = 0
for _, node in ipairs(nodes) do if node.type == "Conv" then convolutions = convolutions + 1 end end
print(#parameters .. " parameters, all found; " .. convolutions .. " convolutions")
assert(convolutions == file.operators.Conv)

-- %% [markdown]
-- ## Elsewhere
--
-- In Python, with `pip install onnxruntime`:
--
--     import numpy, onnxruntime
--     session = onnxruntime.InferenceSession("out/10-network.onnx")
--     images = numpy.zeros((2, 3, 65, 97), "float32")           # any number of images
--     scores = session.run(None, {"images": images})[0]         # [2, 5, 65, 97]
--
-- Pixels have to be normalised as they were in training; the card beside the model, which the file carries too when
-- the network was trained, has mean and deviation. The tests of this project run every kind of network through ONNX
-- Runtime so and hold both outputs against each other, for odd sizes and several batches: no value may differ by more
-- than 1e-4.
--
-- ## What does not go
--
-- ONNX cannot say everything. A network that draws random numbers in evaluation mode is refused, and the error says
-- where:

-- %%
noisy = nn.sequential{nn.conv2d(3, 4, {kernel = 1}), nn.lambda(function(x) return x + tensor.randn(x.shape) end)}
fine, message = pcall(noisy.export, noisy, out .. "/10-noisy.onnx", {height = 8, width = 8})
print(message)
assert(not fine and message:find("in 2: random", 1, true))

-- %% [markdown]
-- ## Exercise
--
-- `network:count{height = 65, width = 97}` says how many multiply-adds an image costs. Count them again from the file
-- alone. The shape of every value is in field 13 of the graph (name 1, type 2, in it the tensor 1, in it the shape 2,
-- in it the dimensions 1, each a number 1 or, for the batch, a name 2). An output value of a convolution costs as many
-- multiply-adds as there are weights for its channel.
--
-- ## Solution

-- %%
shapes = {}
for _, bytes in ipairs(all(graph, 13)) do
  local shape = all(all(all(bytes, 2)[1], 1)[1], 2)[1]
  local sizes = {}
  for i, dimension in ipairs(all(shape, 1)) do sizes[i] = all(dimension, 1)[1] or all(dimension, 2)[1] end
  shapes[all(bytes, 1)[1]] = sizes
end

total = 0
for _, node in ipairs(nodes) do
  if node.type == "Conv" then
    local size, weight = shapes[node.output[1]], constants[node.input[2]].dims
    assert(size[1] == "batch")
    total = total + size[2] * size[3] * size[4] * weight[2] * weight[3] * weight[4]
  end
end
print(total, network:count{height = 65, width = 97}.multiply_adds)
assert(total == network:count{height = 65, width = 97}.multiply_adds)
