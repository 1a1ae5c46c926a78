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
  {"classes", 0, "classes of shapes (0: 6) or of a folder (0: as many as its labels have)"},
  {"scale", 1.0, "fraction of the size that images are read at"},
  {"validation", 0.2, "share of a folder that validates"},
  {"data-seed", 1, "decides which scenes there are and which images of a folder validate; --seed does not: runs with several are measured alike"},
  {"pad", false, "fill crops up where an image is smaller than they are; voc and ade20k always do"},
}

--- The options of data sets, then those of `more`.
function M.options(more)
  return table.move(more, 1, #more, #rows + 1, table.move(rows, 1, #rows, 1, {}))
end

--- Names of these options, as they stand in a table of options.
function M.names()
  local names = {}
  for i, row in ipairs(rows) do names[i] = row[1]:gsub("-", "_") end
  return names
end

--- Whether batches need `pad`.
function M.padded(o) return o.pad or varied[o.data] or false end

--- What `o` was trained with, for people.
function M.name(o) return o.data == "shapes" and "shapes" or o.data .. " " .. o.dir end

local function directory(o) return o.dir or error("--dir names the directory of the images", 0) end

local function scenes(o, images, seed) return data.shapes{images = images, size = o.size, classes = o.classes, seed = seed} end

local function open(o, classes)
  local dir = directory(o)
  return data.folder{images = dir .. "/images", labels = dir .. "/labels", classes = classes, scale = o.scale}
end

-- As many classes as the labels of a folder have: one more than the largest that occurs.
local function counted(o)
  local largest = 0
  for i, share in ipairs(open(o, 255):frequencies()) do if share > 0 then largest = i end end
  if largest < 2 then error(("%s/labels has one class only, besides 255 (not counted); --classes says how many there are"):format(o.dir), 0) end
  print(("%s: %d classes, 0 to %d, by its labels; --classes says otherwise"):format(o.dir, largest, largest - 1))
  return largest
end

-- Settles what the options leave to the data.
local function settle(o)
  if o.classes == 0 then o.classes = o.data == "folder" and counted(o) or 6 end
end

-- Parts of the sets that have none of their own, by name.
local function parts(o)
  if o.data == "shapes" then
    return {train = function() return scenes(o, o.images, o.data_seed) end, val = function() return scenes(o, math.max(4, o.images // 4), o.data_seed + 1000003) end}
  end
  local all = open(o, o.classes)
  local validation, train = all:split(o.validation, {seed = o.data_seed + 2})
  return {train = function() return train end, val = function() return validation end, all = function() return all end}
end

--- Some of the images: of a split (train, val, ...; of a folder also all).
function M.part(o, split)
  settle(o)
  if o.data == "shapes" or o.data == "folder" then
    local known = parts(o)
    if not known[split] then
      local names = {}
      for name in pairs(known) do names[#names + 1] = name end
      table.sort(names)
      error(("%s has the splits %s, not '%s'"):format(o.data, table.concat(names, ", "), split), 0)
    end
    return known[split]()
  end
  local annotation
  if o.data == "cityscapes" then annotation = o.coarse and split ~= "val" and "coarse" or "fine" end
  return data[o.data](directory(o), split, {scale = o.scale, annotation = annotation})
end

--- Images to train with, and images to measure with.
function M.load(o)
  local isOwn = o.data == "shapes" or o.data == "folder"
  return M.part(o, isOwn and "train" or o.train_split), M.part(o, "val")
end

--- What tells the images of a set from others: their names, in order.
function M.identity(set)
  local names = {}
  for i = 1, #set do names[i] = set:source(i):match("[^/]*$") end
  return checkpoint.identity(table.concat(names, "\n"))
end

return M
