-- Data sets of the main jobs, by the options of their command lines.
--
--   local datasets = require("datasets")
--   local options = require("options").parse(arg, "what the script does", datasets.options{ {"epochs", 20, "passes"}, ... })
--   local train, validation = datasets.load(options)
local M = {}

M.kinds = {"shapes", "camvid", "cityscapes", "voc", "ade20k", "folder"}

-- Sets whose images differ in size: crops have to be filled up where an image is smaller.
local varied = {voc = true, ade20k = true}

local rows = {
  {"data", "shapes", "where images come from", M.kinds},
  {"dir", nil, "directory that the data set was unpacked in; of a folder, the one with images/ and labels/", "string"},
  {"train-split", "train", "split to train with: train, or trainval, trainaug (voc), train_extra (cityscapes, coarse)", "string"},
  {"coarse", false, "train on the coarse annotation of cityscapes"},
  {"images", 128, "scenes of shapes to train with; a quarter as many more validate"},
  {"size", "96x128", "height x width of shapes", "size"},
  {"classes", 6, "classes of shapes or of a folder"},
  {"scale", 1.0, "fraction of the size that images are read at"},
  {"validation", 0.2, "share of a folder that validates"},
  {"pad", false, "fill crops up where an image is smaller than they are; voc and ade20k always do"},
}

--- The options of data sets, then those of `more`.
function M.options(more)
  return table.move(more, 1, #more, #rows + 1, table.move(rows, 1, #rows, 1, {}))
end

--- Whether batches need `pad`.
function M.padded(o) return o.pad or varied[o.data] or false end

--- What `o` was trained with, for people.
function M.name(o) return o.data == "shapes" and "shapes" or o.data .. " " .. o.dir end

local function directory(o) return o.dir or error("--dir names the directory of the images", 0) end

local function scenes(o, images, seed) return data.shapes{images = images, size = o.size, classes = o.classes, seed = seed} end

--- A folder's images to measure with and those to train with.
local function folder(o)
  local dir = directory(o)
  local all = data.folder{images = dir .. "/images", labels = dir .. "/labels", classes = o.classes, scale = o.scale}
  return all:split(o.validation, {seed = o.seed + 2})
end

--- Images to train with.
function M.train(o)
  if o.data == "shapes" then return scenes(o, o.images, o.seed) end
  if o.data == "folder" then return select(2, folder(o)) end
  local annotation
  if o.data == "cityscapes" then annotation = o.coarse and "coarse" or "fine" end
  return data[o.data](directory(o), o.train_split, {scale = o.scale, annotation = annotation})
end

--- Images to measure with: of a split, val when none is named.
function M.validation(o, split)
  if o.data == "shapes" then return scenes(o, math.max(4, o.images // 4), o.seed + 1000003) end
  if o.data == "folder" then return (folder(o)) end
  return data[o.data](directory(o), split or "val", {scale = o.scale})
end

--- Both.
function M.load(o) return M.train(o), M.validation(o) end

return M
