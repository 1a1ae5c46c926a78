-- What a search leaves for its findings report (nas.report): how probable the options of each decision were after every epoch, and what the supernet saw in
-- some images.
--
--   local history = require("history").open(before, {supernet =, subject =, validation =, epochs =, metadata =})
--   history:record(epoch)                      -- after each epoch
--   checkpoint.save(path, history:into{...})   -- a resumed run has the same history, to the last bit
--   history:save(directory)                    -- DIR/history.safetensors
local M, History = {}, {}
History.__index = History

local prefix = "history_"
-- Pictures are kept at this width at most: for looking at.
local width, most = 192, 4

local function append(all, one)
  one = one:unsqueeze(1)
  return all and tensor.concat({all, one}, 1) or one:contiguous()
end

local function ints(...) return tensor.from({...}, {dtype = "int32"}) end

--- A run's history: a new one, or that of a checkpoint's values.
function M.open(before, run)
  local self = setmetatable({run = run, tensors = {}, factors = {}}, History)
  for name, value in pairs(before or {}) do
    if name:sub(1, #prefix) == prefix then self.tensors[name:sub(#prefix + 1)] = value end
  end
  for i = 1, math.min(most, #run.validation) do
    local _, w = run.validation:size(i)
    self.factors[i] = math.min(1, width / w)
  end
  if not self.tensors.epochs then
    self:measure(0)
    for i, factor in ipairs(self.factors) do
      local image, labels = run.validation:scaled(factor):sample(i)
      -- Bytes: a history is small, and a picture of 256 levels loses nothing.
      self.tensors["image_" .. i], self.tensors["labels_" .. i] = (image * 255):round():int(), labels
    end
  end
  return self
end

function History:measure(epoch)
  local t, run = self.tensors, self.run
  if run.subject.space.layers then
    -- The tables of a stock trellis say it of all its decisions.
    t.alpha, t.beta = append(t.alpha, run.supernet:alpha()), append(t.beta, run.supernet:beta())
  else
    for i, decision in ipairs(run.subject.space.decisions) do t["p_" .. i] = append(t["p_" .. i], run.supernet:probabilities(decision.name)) end
  end
  t.epochs = t.epochs and tensor.concat({t.epochs, ints(epoch)}, 1) or ints(epoch)
end

-- The picture's pixels, each from the middle of those it stands for.
local function reduced(map, labels)
  local function rows(old, new)
    local list = {}
    for i = 1, new do list[i] = (2 * i - 1) * old // (2 * new) + 1 end
    return tensor.from(list, {dtype = "int32"})
  end
  return map:index_select(1, rows(map:size(1), labels:size(1))):index_select(2, rows(map:size(2), labels:size(2)))
end

-- The first epoch, every quarter of the run, the last.
function History:isShown(epoch)
  for quarter = 1, 4 do if epoch == math.max(1, quarter * self.run.epochs // 4) then return true end end
  return epoch == 1
end

--- Keeps the probabilities, and at some epochs what the supernet sees.
function History:record(epoch)
  self:measure(epoch)
  if not self:isShown(epoch) then return end
  local t, run = self.tensors, self.run
  t.shown = t.shown and tensor.concat({t.shown, ints(epoch)}, 1) or ints(epoch)
  for i in ipairs(self.factors) do
    local batch = run.validation:subset{i}:batches{size = 1, shuffle = false, ahead = 0}:next()
    local name = "predictions_" .. i
    t[name] = append(t[name], reduced(run.subject:predict(batch)[1], t["labels_" .. i]))
  end
end

--- The images with their labels and what the supernet saw at the latest epoch that was shown.
function History:pictures()
  local t, pictures = self.tensors, {}
  for i in ipairs(self.factors) do
    local image, seen = t["image_" .. i]:float() / 255, t["predictions_" .. i]
    pictures[#pictures + 1] = {image = image, caption = "image " .. i}
    pictures[#pictures + 1] = {image = image, labels = t["labels_" .. i], caption = "truth"}
    pictures[#pictures + 1] = {image = image, labels = seen[seen:size(1)], caption = "supernet"}
  end
  return plot.images(pictures, {set = self.run.validation, columns = 3})
end

--- Adds the history to what a checkpoint is to hold.
function History:into(contents)
  for name, value in pairs(self.tensors) do contents[prefix .. name] = value end
  return contents
end

function History:save(directory) tensor.save(directory .. "/history.safetensors", self.tensors, {metadata = self.run.metadata}) end

return M
