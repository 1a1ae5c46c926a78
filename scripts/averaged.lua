-- A training whose network is the average of its weights over the last part (stochastic weight averaging, Izmailov and others, 2018), with norms measured anew: it scatters less from seed
-- to seed than the last step's.
--
--   local network, last = require("averaged").train(build, set, {steps =, from = 0.75, out = DIR, fit = {...}, seed =})
--
-- `build` makes the network; `fit` are options of network:fit. Killed and called again it goes on, and gives the same numbers. `last`: the row of the last step.
local paths = require("paths")
local M = {}

-- So many parts has a training; weights are kept at the ends of those that lie in its last part.
local parts = 20
-- Batches by which norms are measured anew: of what they had before 0.9^50, half of a percent, is left.
local batches = 50

--- The steps whose weights are averaged.
function M.averaged_steps(steps, from)
  local every, list = math.max(1, steps // parts), {}
  for step = every, steps, every do if step >= from * steps then list[#list + 1] = step end end
  if list[#list] ~= steps then list[#list + 1] = steps end
  return list, every
end

local function mean_of(network, files_of)
  local parameters, sums = network:parameters(), {}
  for _, path in ipairs(files_of) do
    checkpoint.load(path, {network = network})
    for i, p in ipairs(parameters) do sums[i] = sums[i] and sums[i] + p:detach() or p:detach():clone() end
  end
  trellis.no_grad(function() for i, p in ipairs(parameters) do p:copy_(sums[i] / #files_of) end end)
end

local function measure_norms(network, set, o)
  local loader = set:batches{size = o.fit.batch, crop = o.fit.crop, scale = o.fit.scale, flip = o.fit.flip, pad = o.fit.pad or o.fit.scale ~= nil, seed = o.seed + 1000}
  network:train()
  trellis.no_grad(function() for _ = 1, batches do network((loader:next())) end end)
  network:eval()
  loader:close()
end

function M.train(build, set, o)
  local steps, every = M.averaged_steps(o.steps, o.from)
  local wanted, network = {}, build()
  for _, step in ipairs(steps) do wanted[step] = ("%s/weights-%d.safetensors"):format(o.out, step) end
  local function keep(step) if wanted[step] and not paths.exists(wanted[step]) then checkpoint.save(wanted[step], {network = network}) end end
  files.make_directory(o.out)
  local path, last = o.out .. "/checkpoint.safetensors", nil
  -- A process that died between its checkpoint and its weights.
  if paths.exists(path) then
    keep(checkpoint.load(path, {network = network}).done)
    network = build()
  end
  local options = {steps = o.steps, every = every, out = o.out, resume = true, each = function(row) keep(row.step) end}
  for name, value in pairs(o.fit) do options[name] = value end
  last = network:fit(set, options).last
  local kept = {}
  for i, step in ipairs(steps) do kept[i] = wanted[step] end
  mean_of(network, kept)
  measure_norms(network, set, o)
  network:save(o.out .. "/averaged")
  return network, last
end

return M
