-- Data sets of the main jobs, by the options of their command lines.
--
--   local datasets = require("datasets")
--   local options = require("options").parse(arg, "what the script does", datasets.options{ {"epochs", 20, "passes"}, ... })
--   local train, validation = datasets.load(options)
local paths, options = require("paths"), require("options")
local M = {}

M.kinds = {"shapes", "camvid", "cityscapes", "voc", "ade20k", "folder"}

-- Sets whose images differ in size: crops have to be filled up where an image is smaller.
local varied = {voc = true, ade20k = true}

local rows = {
  {"data", "shapes", "where images come from", M.kinds},
  {"dir", nil, "directory that the data set was unpacked in; of a folder, the one with images/ and labels/", "string"},
  {"train-split", "train", "split to train with: train, or trainval, trainaug (voc), train_extra (cityscapes, coarse)", "string"},
  {"coarse", false, "train on the coarse annotation of cityscapes"},
  {"images", 128, "scenes of shapes to train with; a quarter as many more validate", least = 1},
  {"size", "96x128", "height x width of shapes", "size"},
  {"classes", 0, "classes of shapes (0: 6) or of a folder (0: as many as its labels have)", least = 0, most = 255},
  {"scale", 1.0, "fraction of the size that images are read at", above = 0, most = 1},
  {"validation", 0.2, "share of a folder that validates", above = 0, below = 1},
  {"validation-part", "all", "of the images that validate: all, or one of their halves, so that one chooses and the other judges what was chosen", {"all", "choose", "judge"}},
  {"data-seed", 1, "decides which scenes there are and which images of a folder validate; --seed does not: runs with several are measured alike"},
  {"values", nil, "of a folder: classes of label values that are not the class's number, as 255=1,0=0 of masks", "string"},
  {"colours", nil, "of a folder whose labels are colours: those of classes 0, 1, ..., as 000000,80ff00", "string"},
  {"pad", false, "fill crops up where an image is smaller than they are; voc and ade20k always do"},
}

--- The options of the data set of `o`, as words of a command line.
function M.words(o)
  local words = {}
  for i, name in ipairs(M.names()) do
    local value = o[name]
    if M.takes(o.data, name) and value ~= nil and value ~= false then
      words[#words + 1] = "--" .. rows[i][1]
      if value ~= true then words[#words + 1] = type(value) == "table" and table.concat(value, "x") or tostring(value) end
    end
  end
  return words
end

-- Which sets an option is for; one that is not here is for all.
local published = {camvid = true, cityscapes = true, voc = true, ade20k = true}
local files_of = {camvid = true, cityscapes = true, voc = true, ade20k = true, folder = true}
local own = {shapes = true, folder = true}
local belongs = {
  dir = files_of, train_split = published, coarse = {cityscapes = true}, images = {shapes = true}, size = {shapes = true}, classes = own,
  scale = files_of, validation = {folder = true}, data_seed = own, values = {folder = true}, colours = {folder = true},
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

--- Whether an option is for the data set.
function M.takes(set, option) return not belongs[option] or belongs[option][set] or false end

--- Ends the program when the options do not fit the data set that they name.
function M.check(o)
  for i, name in ipairs(M.names()) do
    if o.given[name] and not M.takes(o.data, name) then
      local sets = {}
      for _, set in ipairs(M.kinds) do if M.takes(set, name) then sets[#sets + 1] = set end end
      options.stop(("--%s is for %s, not for --data %s (--help lists the options)"):format(rows[i][1], table.concat(sets, ", "), o.data))
    end
  end
  if M.takes(o.data, "dir") and not o.dir then options.stop("--dir names the directory of the images of --data " .. o.data) end
  -- Checked here, before any work.
  M.meanings(o)
end

--- What the options say of a folder's label values: `values` and `colours` (a list of classes) for data.folder; nil where they say nothing.
function M.meanings(o)
  local values, classes
  if o.values then
    values = {}
    for item in o.values:gmatch("[^, ]+") do
      local value, class = item:match("^(%d+)=(%d+)$")
      if not value then options.stop(("--values is a list such as 255=1,0=0, got '%s'"):format(o.values)) end
      values[math.tointeger(tonumber(value))] = math.tointeger(tonumber(class))
    end
  end
  if o.colours then
    if o.values then options.stop("--values is for labels that are numbers, --colours for labels that are colours: give one") end
    classes = {}
    for item in o.colours:gmatch("[^, ]+") do
      local r, g, b = item:match("^#?(%x%x)(%x%x)(%x%x)$")
      if not r then options.stop(("--colours is a list of colours such as 000000,80ff00, got '%s'"):format(o.colours)) end
      classes[#classes + 1] = {"class " .. #classes, {tonumber(r, 16), tonumber(g, 16), tonumber(b, 16)}}
    end
    if o.classes ~= 0 and o.classes ~= #classes then options.stop(("--classes is %d, --colours has %d"):format(o.classes, #classes)) end
  end
  return values, classes
end

--- Whether batches need `pad`.
function M.padded(o) return o.pad or varied[o.data] or false end

--- What `o` was trained with, for people.
function M.name(o) return o.data == "shapes" and "shapes" or o.data .. " " .. o.dir end

local function directory(o) return o.dir or options.stop("--dir names the directory of the images") end

local function scenes(o, images, seed) return data.shapes{images = images, size = o.size, classes = o.classes, seed = seed} end

local function open(o, classes, check)
  local dir = directory(o)
  local values, colours = M.meanings(o)
  return data.folder{
    images = dir .. "/images", labels = dir .. "/labels", classes = colours or classes, values = values, by_colour = colours ~= nil, scale = o.scale, check = check,
  }
end

-- As many classes as the labels of a folder have: one more than the largest that occurs.
local function counted(o)
  local largest = 0
  for i, share in ipairs(open(o, 255, false):frequencies()) do if share > 0 then largest = i end end
  if largest < 2 then
    options.stop(("%s/labels has one class only, besides 255 (not counted); --classes says how many there are, --values what a value means"):format(o.dir))
  end
  print(("%s: %d classes, 0 to %d, by its labels; --classes says otherwise"):format(o.dir, largest, largest - 1))
  return largest
end

-- Settles what the options leave to the data.
local function settle(o)
  if o.classes ~= 0 then return end
  local _, colours = M.meanings(o)
  o.classes = o.data ~= "folder" and 6 or colours and #colours or counted(o)
end

-- Parts of the sets that have none of their own, by name.
local function parts(o)
  if o.data == "shapes" then
    return {train = function() return scenes(o, o.images, o.data_seed) end, val = function() return scenes(o, math.max(4, o.images // 4), o.data_seed + 1000003) end}
  end
  local all = open(o, o.classes, true)
  local validation, train = all:split(o.validation, {seed = o.data_seed + 2})
  return {train = function() return train end, val = function() return validation end, all = function() return all end}
end

--- Some of the images: of a split (train, val, ...; of a folder also all).
function M.open(o, split)
  settle(o)
  if o.data == "shapes" or o.data == "folder" then
    local known = parts(o)
    if not known[split] then
      local names = {}
      for name in pairs(known) do names[#names + 1] = name end
      table.sort(names)
      options.stop(("%s has the splits %s, not '%s'"):format(o.data, table.concat(names, ", "), split))
    end
    return known[split]()
  end
  local annotation
  if o.data == "cityscapes" then annotation = o.coarse and split ~= "val" and "coarse" or "fine" end
  return data[o.data](directory(o), split, {scale = o.scale, annotation = annotation})
end

-- Calls `f`, which reads a set; an error that names a remedy of data.folder says which option it is here.
local function advised(f, ...)
  local results = table.pack(pcall(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local message = results[2]
  if type(message) == "string" and (message:find("values = {", 1, true) or message:find("by colour", 1, true)) then
    message = message .. " (here: --values 255=1, or 255=255 where it counts nowhere; --colours 000000,ff0000 reads by colour)"
  end
  error(message, 0)
end

--- The same; what the options name wrongly ends the program with a word.
function M.part(o, split) return options.ask(advised, M.open, o, split) end

--- Of the images to measure with those that --validation-part names: the first half of them chooses, the second one judges, so that neighbours in a film are on one side.
local function part_of(validation, o)
  local part = o.validation_part or "all"
  if part == "all" then return validation end
  if #validation < 2 then options.stop("--validation-part halves the images that validate: two or more are needed, there are " .. #validation) end
  local middle, places = #validation // 2, {}
  for i = part == "choose" and 1 or middle + 1, part == "choose" and middle or #validation do places[#places + 1] = i end
  return validation:subset(places)
end

--- Images to train with, and images to measure with.
function M.load(o)
  local train, validation = M.both(o)
  return train, part_of(validation, o)
end

--- The same without a look at --validation-part.
function M.both(o)
  if o.data == "folder" then
    -- Both from one reading, so that what is to be said of the labels is said once.
    return options.ask(advised, function()
      settle(o)
      local known = parts(o)
      return known.train(), known.val()
    end)
  end
  return M.part(o, o.data == "shapes" and "train" or o.train_split), M.part(o, "val")
end

-- The label file of an image in a folder; of other sets nil.
local function label(o, source)
  local images = o.data == "folder" and o.dir .. "/images/"
  if not images or source:sub(1, #images) ~= images then return nil end
  return o.dir .. "/labels/" .. source:sub(#images + 1):gsub("%.[^./]+$", "") .. ".png"
end

--- What tells each image of a set from others: of files what they hold, whatever they are called; of scenes generator, seed and number.
function M.signatures(set)
  local list = {}
  for i = 1, #set do
    local source = set:source(i)
    list[i] = paths.signature(source) or source
  end
  return list
end

--- What tells a set from others: names, images and (of a folder) labels, in order. Where the files lie and when they were written does not matter.
function M.identity(set, o)
  local parts = {}
  for i, signature in ipairs(M.signatures(set)) do
    local source = set:source(i)
    local labels = label(o, source)
    parts[i] = source:match("[^/]*$") .. " " .. signature .. " " .. (labels and paths.signature(labels) or "")
  end
  return checkpoint.identity(table.concat(parts, "\n"))
end

--- What tells the two parts of a run's images from those of others.
function M.contents(train, validation, o) return checkpoint.identity{train = M.identity(train, o), validation = M.identity(validation, o)} end

--- Ends the program when a directory to write into belongs to the data set: its next reader would take what is written for images or labels.
function M.keep_out(o, out, option)
  if not o.dir then return end
  -- The parts of a folder may be links to elsewhere.
  for _, directory in ipairs{o.dir, o.dir .. "/images", o.dir .. "/labels"} do
    if paths.within(out, directory) then
      options.stop(("--%s %s lies in the data set %s: what is written there would be taken for images or labels; name a directory outside with --%s"):format(
        option, out, o.dir, option))
    end
  end
end

return M
