-- What scripts/search.lua searches: the paper's trellis, by options, or any space, by a script that makes it.
--
--   local subject = require("subjects").trellis(options)            or .script("my_space.lua", {64, 96})
--   subject.space                                                    the space
--   subject:supernet{classes =, seed =}                              its supernet; then subject.net
--   subject:network(architecture, {classes =, seed =})               a network to train, of the search's size
--   subject.loss, subject.logits_loss                                functions of (net, images, labels); nil: pixel cross entropy
--   subject.columns, subject:measure()                               what the log has of an epoch besides losses and scores, by name, and a line of it
--   subject:probabilities()                                          of the options of each decision, tensors by name
--   subject:predict(images)                                          the classes that the supernet sees, int32 [N, H, W]
--   subject:pictures(found)                                          figures by name
--
-- A script for `.script` returns a space, and if it likes a table of how to search it:
--   return nas.space(function(c) ... end), {relax = {...}, loss = f, logits_loss = f, input = {1, 3, 64, 96}}
-- `relax` as space:supernet takes it; `loss` of the steps of the weights, `logits_loss` of those of the logits (as `loss` when left out); `input` the shape of
-- images for pictures and counts, the crops' when left out. The data's number of classes takes the place of the one that nas.space(f, {classes = n}) names.
local paths, stop, ask = require("paths"), require("options").stop, require("options").ask
local M = {}

-- The paper's trellis.
local Trellis = {name = "alpha and beta", columns = {"alpha_entropy", "beta_entropy", "skip_share", "path_log_probability", "path"}}
Trellis.__index = Trellis

function M.trellis(o)
  return setmetatable({space = ask(nas.trellis, {
    layers = o.layers, strides = o.strides, filters = o.filters, cell = ask(nas.cell, {blocks = o.blocks, operators = o.operators}), head_reach = o.head_reach,
  })}, Trellis)
end

function Trellis:supernet(options)
  self.net = self.space:supernet(options)
  return self.net
end

function Trellis:measure()
  local found, entropy = self.net:decode(), self.net:entropy()
  -- Before anything is decided, noise picks the operators.
  local warning = entropy.alpha_relative < 0.995 and found.warning or nil
  return {
    alpha_entropy = entropy.alpha_relative, beta_entropy = entropy.beta_relative, skip_share = found.skip_share, path_log_probability = found.score,
    path = table.concat(found.path, " "),
  }, ("path %s  entropy alpha %.3f beta %.3f  skip %.0f %%"):format(
    table.concat(found.path, " "), entropy.alpha_relative, entropy.beta_relative, 100 * found.skip_share), warning
end

Trellis.entropies = {{"alpha", "alpha_entropy"}, {"beta", "beta_entropy"}}

function Trellis:network(found, options)
  options.filters, options.head_reach = self.space.filters, self.space.options.head_reach
  return found:network(options)
end

function Trellis:probabilities() return {alpha = self.net:alpha(), beta = self.net:beta()} end
function Trellis:predict(images) return self.net:predict(images) end
function Trellis:decode(data) return self.net:decode{data = data} end
function Trellis:facts() return {} end

function Trellis:pictures(found)
  return {
    trellis = plot.trellis(self.net, {title = "trellis: beta and the decoded path"}), cell = plot.cell(found, {title = "cell"}),
    alpha = plot.alpha(self.net, {title = "alpha"}),
  }
end

-- A space of one's own.
local Own = {name = "the logits", columns = {"entropy", "score", "architecture"}, entropies = {{"decisions", "entropy"}}}
Own.__index = Own

local known = {relax = "table", loss = "function", logits_loss = "function", input = "table"}

--- The space of a script; `crop` is the size of the images that it is searched with.
function M.script(path, crop)
  if not paths.is_file(path) then stop("--space names a script that returns a space; there is no file '" .. path .. "'") end
  local space, how = dofile(path)
  local fine, isSpace = pcall(function() return space.supernet ~= nil and space.decisions ~= nil end)
  if not fine or not isSpace then stop(("%s should return a space, of nas.space or nas.trellis, got %s"):format(path, tostring(space))) end
  how = how or {}
  for name, value in pairs(how) do
    if not known[name] then stop(("%s: '%s' is none of what a script says beside its space: input, logits_loss, loss, relax"):format(path, name)) end
    if type(value) ~= known[name] then stop(("%s: '%s' should be a %s, got a %s"):format(path, name, known[name], type(value))) end
  end
  return setmetatable({space = space, relax = how.relax, loss = how.loss, logits_loss = how.logits_loss or how.loss, input = how.input or {1, 3, crop[1], crop[2]}}, Own)
end

function Own:supernet(options)
  options.relax = options.relax or self.relax
  self.net = self.space:supernet(options)
  return self.net
end

function Own:measure()
  local found, score = self.net:decode()
  local total = 0
  for _, decision in ipairs(self.space.decisions) do total = total + select(2, self.net:entropy(decision.name)) end
  local entropy = total / math.max(1, #self.space.decisions)
  -- In a table of commas.
  return {entropy = entropy, score = score, architecture = (tostring(found):gsub(",", ";"))}, ("entropy %.3f  log probability %.3f"):format(entropy, score)
end

function Own:network(found, options) return self.space:network(found, options) end

function Own:probabilities()
  local all = {}
  for _, decision in ipairs(self.space.decisions) do all[decision.name] = self.net:probabilities(decision.name) end
  return all
end

function Own:predict(images) return self.net:predict(images) end
function Own:decode() return (self.net:decode()) end

--- What the found network is, for the report.
function Own:facts(found, classes)
  local facts = {}
  for name, kind in pairs{parameters = nas.cost.parameters, multiply_adds = nas.cost.multiply_adds} do
    facts["found." .. name] = tostring(self.space:cost(found, kind, {input = self.input, classes = classes}))
  end
  return facts
end

function Own:pictures(found)
  return {
    space = plot.space(self.net, {architecture = found, input = self.input, title = "the supernet, and what was found"}),
    decisions = plot.decisions(self.net, {architecture = found, title = "decisions"}),
  }
end

return M
