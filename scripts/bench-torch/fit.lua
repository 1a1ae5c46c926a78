-- Trellis's side of scripts/bench fit: the published network's training step, and the input pipeline. After a line of JSON it does one step or one batch
-- for each line on standard input, "step" or "batch", and answers with the loss or the batch's number of images.
--   trellis scripts/bench-torch/fit.lua DIRECTORY FILTERS HEIGHT WIDTH BATCH CLASSES IMAGES IMAGE_HEIGHT IMAGE_WIDTH
-- Leaves in the directory what the peer reads: network.py with its weights, images.npy, labels.npy, and a folder of JPEG images with PNG labels.
local directory = arg[1]
local numbers = {}
for i = 2, #arg do numbers[i - 1] = math.tointeger(tonumber(arg[i])) end
local filters, height, width, batch, classes, count, imageHeight, imageWidth = table.unpack(numbers)

tensor.manual_seed(1)
local network = nas.gallery.auto_deeplab:network{filters = filters, classes = classes, seed = 1}
network:export(directory .. "/network.py", {height = height, width = width})
local images = tensor.randn(batch, 3, height, width)
local labels = (tensor.rand(batch, height, width) * (classes + 1)):floor():int()
labels = tensor.where(labels:eq(classes), 255, labels)
images:save(directory .. "/images.npy")
labels:save(directory .. "/labels.npy")

local sgd = optim.sgd(network:parameters(), {lr = 0.01, momentum = 0.9})
local step = trellis.compile(function(images, labels)
  local loss = nn.cross_entropy(network(images), labels, {ignore = 255})
  sgd:zero_grad()
  loss:backward()
  sgd:step()
  return loss
end)

-- Photographs are noisier than scenes, and take longer to decode.
for _, name in ipairs{"images", "labels"} do files.make_directory(directory .. "/" .. name) end
local scenes = data.shapes{images = count, size = {imageHeight, imageWidth}, classes = 6, seed = 1}
for i = 1, count do
  local image, labels = scenes:sample(i)
  local name = ("%03d"):format(i)
  local noisy = image + tensor.randn(image.shape) * 0.03
  noisy:save(directory .. "/images/" .. name .. ".jpg")
  scenes:save_labels(labels, directory .. "/labels/" .. name .. ".png")
end
local set = data.folder{images = directory .. "/images", labels = directory .. "/labels", classes = 6, cache = 0, check = false}
local loader = set:batches{size = batch, crop = {height, width}, scale = {0.5, 2}, flip = true, pad = true, seed = 1, ahead = 0, check = false}

print(('{"parameters": %d, "version": "%s"}'):format(network:count().parameters, trellis.version))
io.stdout:flush()
for line in io.lines() do
  if line == "step" then
    print(("%.9g"):format(step(images, labels):item()))
  else
    print(loader:next().shape[1])
  end
  io.stdout:flush()
end
