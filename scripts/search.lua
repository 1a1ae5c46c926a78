-- Searches an architecture on images: Auto-DeepLab's search (Liu et al., CVPR 2019), every part of it an option, or a space of one's own.
--
--   scripts/trellis scripts/search.lua                        on the built-in scenes, a few minutes
--   scripts/trellis scripts/search.lua --data camvid --dir DIR --scale 0.5
--   scripts/trellis scripts/search.lua --out search --resume  goes on after a kill, bit for bit; Ctrl-C ends it after the step that it is in, twice at once
--   scripts/trellis scripts/search.lua --space my_space.lua   the space that a script returns, and how it says (scripts/subjects.lua)
--   run("scripts/search.lua", "--epochs", "10")               in a notebook: a picture of the search while it goes on
--
-- Leaves in its directory: checkpoint.safetensors, log.csv and history.safetensors (after every epoch), architecture.json, pictures of the
-- trellis with its beta, the cell and alpha, or of the space with its decisions, the curves and some segmented images, each as SVG and PNG, and
-- all of it on one page, report.html (scripts/report.lua makes the page of a run that is not done).
local parse, stop, ask, datasets, runs = require("options").parse, require("options").stop, require("options").ask, require("datasets"), require("runs")
local subjects, paths = require("subjects"), require("paths")

local options = parse(arg, "Searches an architecture for segmentation.", datasets.options{
  {"space", nil, "a script that returns a space, instead of the trellis of the next six options", "string"},
  {"layers", 6, "L", least = 1},
  {"strides", "4,8,16,32", "from the finest to the coarsest", "integers"},
  {"blocks", 3, "B, blocks of a cell", least = 1},
  {"filters", 4, "F, channels of a block at the finest stride", least = 1},
  {"operators", "none,max_pool_3x3,skip_connect,sep_conv_3x3,atrous_conv_3x3", "candidates of the cell", "list"},
  {"crop", "64x96", "height x width of training crops", "size"},
  {"head-reach", 0, "how far the heads' atrous taps look, in pixels; 0: 0.3 of the crop's shorter side, at most the paper's 96 (of crops of 321)", least = 0},
  {"batch", 4, "images in a batch", least = 1},
  {"epochs", 30, "passes over half of the training images", least = 1},
  {"arch-from", 0, "alpha and beta, or all logits, are trained after this many epochs; 0: after a quarter of them", least = 0},
  {"lr", 0.05, "learning rate of the weights at the start", above = 0},
  {"lr-end", 0.001, "and at the end, along a cosine", least = 0},
  {"weight-decay", 3e-4, "of the weights", least = 0},
  {"clip", 5.0, "largest norm of the weights' gradient", above = 0},
  {"arch-lr", 0.02, "learning rate of the logits, alpha and beta", above = 0},
  {"arch-weight-decay", 1e-3, "of the logits", least = 0},
  {"validate-every", 1, "epochs from one measurement on the validation images to the next; the last epoch is always measured", least = 1},
  {"seed", 1, "decides everything that is random, but for the images: see --data-seed"},
  {"threads", 0, "0: as many as the machine has; results do not depend on it", least = 0},
  {"out", nil, "directory for results; the first free of search, search-2, ...", "string"},
  {"resume", false, "continues the run in --out (or the last one) from its last epoch"},
})
if options.threads > 0 then trellis.threads(options.threads) end

options.head_reach = runs.reach(options.head_reach, options.crop)
if options.space then
  for _, name in ipairs{"layers", "strides", "blocks", "filters", "operators", "head_reach"} do
    if options.given[name] then stop(("--%s is of the stock trellis; the space of %s has sizes of its own"):format((name:gsub("_", "-")), options.space)) end
  end
  options.space = paths.absolute(options.space)
end
local run = runs.open(options, {name = "search", file = "checkpoint.safetensors", settings = function(loaded)
  -- A training has settings too, of another kind.
  return type(loaded.settings) == "table" and loaded.settings.layers and loaded.settings or nil
end})
local out, o, before = run.out, run.settings, run.before
local checkpointPath = out .. "/checkpoint.safetensors"

-- Images: two disjoint halves for training, others for validation.
local train, validation = datasets.load(o)
run:images(train, validation)
local A, B = ask(train.split, train, 0.5, {seed = o.seed})
local a = ask(A.batches, A, {size = o.batch, seed = o.seed + 10, crop = o.crop, flip = true, pad = datasets.padded(o)})
local b = ask(B.batches, B, {size = o.batch, seed = o.seed + 20, crop = o.crop, flip = true, pad = datasets.padded(o)})

-- What is searched, and the network that holds all of it.
local subject = o.space and subjects.script(o.space, o.crop) or subjects.trellis(o)
local space = subject.space
local supernet = subject:supernet{classes = train.classes, seed = o.seed}
tensor.manual_seed(o.seed)
local sgd = optim.sgd(supernet:weights(), {lr = o.lr, momentum = 0.9, weight_decay = o.weight_decay, clip = o.clip})
local adam = optim.adam(supernet:architecture(), {lr = o.arch_lr, betas = {0.9, 0.999}, weight_decay = o.arch_weight_decay})
local archFrom = o.arch_from > 0 and o.arch_from or o.epochs // 4
local steps = a.per_epoch
local rate = optim.cosine{from = o.lr, to = o.lr_end, steps = o.epochs * steps}

run:identify{settings = o, images = o.contents}
local metadata = {
  space = space:record(), flow = o.space and space:flow{input = subject.input, classes = train.classes} or nil,
  run = run.identity, data = datasets.name(o), train = tostring(train), validation = tostring(validation), classes = table.concat(train.names, "\n"),
  halves = #A .. " " .. #B, steps = tostring(steps), arch_from = tostring(archFrom), version = trellis.version,
}
local colours = {}
for i, colour in ipairs(train.colours) do colours[i] = table.concat(colour, " ") end
metadata.colours = table.concat(colours, "\n")
for name, value in pairs(o) do metadata["settings." .. name] = runs.text(value) end
local history = require("history").open(before, {supernet = supernet, subject = subject, validation = validation, epochs = o.epochs, metadata = metadata})

local done, log = before and before.epoch or 0, before and before.log or {}

if not before then
  print(space)
  print(train, validation)
  print(("halves of %d and %d images; %d steps an epoch, %d epochs; %s from epoch %d; results in %s"):format(
    #A, #B, steps, o.epochs, subject.name, archFrom + 1, out))
else
  print(("%s: %d of %d epochs are done"):format(out, done, o.epochs))
end
if archFrom >= o.epochs then
  print(("warning: %s are trained after %d epochs, and the search has %d: never; the architecture will be one of the noise that they begin with; "
    .. "a smaller --arch-from trains them"):format(subject.name, archFrom, o.epochs))
end

-- The log has no times in it: it is the same however often the run was interrupted.
local columns = table.move(subject.columns, 1, #subject.columns, 7, {"epoch", "lr", "loss", "arch_loss", "miou", "accuracy"})
local function logText()
  local lines = {table.concat(columns, ",")}
  for _, row in ipairs(log) do
    local cells = {}
    for i, name in ipairs(columns) do
      local x = row[name]
      local isNumber = math.type(x) ~= "float" or x == x and math.abs(x) < math.huge
      cells[i] = not isNumber and "" or math.type(x) == "float" and ("%.6g"):format(x) or tostring(x)
    end
    lines[#lines + 1] = table.concat(cells, ",")
  end
  return table.concat(lines, "\n") .. "\n"
end
local function writeLog() files.write(out .. "/log.csv", logText()) end

if before then
  run:own_log("log.csv", logText())
  local path = out .. "/history.safetensors"
  if runs.exists(path) then
    local fine, result, metadata = pcall(tensor.load, path)
    if fine then
      run:own("history.safetensors", metadata.run)
    elseif type(result) == "string" then
      -- The checkpoint holds all of it.
      print(("%s; written anew from the checkpoint"):format(result))
      history:save(out)
    else
      error(result, 0)
    end
  end
  checkpoint.load(checkpointPath, {supernet = supernet, sgd = sgd, adam = adam, a = a, b = b})
elseif runs.exists(out .. "/log.csv") then
  stop(out .. " holds the log of another run, log.csv, and no checkpoint: move it away, or use another --out")
end
-- Of an epoch that was stopped in the middle: its steps that are done, and the sums of their losses.
local part = before and before.part or {steps = 0, losses = 0.0, arch_losses = 0.0, arch_steps = 0}
local function kept(steps)
  if done == 0 and steps == 0 then return end
  run:kept(("%d of %d epochs%s are kept"):format(done, o.epochs, steps > 0 and (" and %d of %d steps"):format(steps, a.per_epoch) or ""))
end
kept(part.steps)

-- What resuming needs. `part`: of an epoch that is not done.
local function save(part)
  checkpoint.save(checkpointPath, history:into{
    supernet = supernet, sgd = sgd, adam = adam, a = a, b = b, epoch = done, part = part, log = log, settings = o, run = run.identity,
  }, {finite = true})
  kept(part and part.steps or 0)
end

-- A step; what stops it is said with its place in the search.
local function step(optimiser, loader, loss, epoch, i)
  local images, labels = loader:next()
  local fine, loss = pcall(supernet.step, supernet, optimiser, images, labels, {loss = loss})
  if fine then return loss:item() end
  if type(loss) ~= "string" then error(loss, 0) end
  error(("epoch %d, step %d of %d: %s%s"):format(epoch, i, steps, loss, done > 0 and ("; the checkpoint of epoch %d is kept in %s"):format(done, out) or ""), 0)
end

-- The search: weights on A, then the logits on B, first order.
local warned, said, latest = false, false, nil
for _, row in ipairs(log) do if row.miou == row.miou then latest = row.miou end end
-- In a notebook a picture of the search, on a terminal a line.
local bar = plot.dashboard(supernet, {total = o.epochs * steps, done = done * steps + part.steps})
-- Returns early when it is asked to stop; a checkpoint has all that is done then.
local function oneEpoch(epoch)
  local start = os.time()
  local losses, archLosses, archSteps = part.losses, part.arch_losses, part.arch_steps
  for i = part.steps + 1, steps do
    local global = (epoch - 1) * steps + i
    sgd.lr = rate(global)
    local loss = step(sgd, a, subject.loss, epoch, i)
    losses = losses + loss
    local told = {{"loss", loss}}
    if epoch > archFrom then
      local archLoss = step(adam, b, subject.logits_loss, epoch, i)
      archLosses, archSteps = archLosses + archLoss, archSteps + 1
      told[2] = {"architecture loss", archLoss}
    end
    told[#told + 1] = {"mIoU", latest or "-"}
    bar:update(global, told)
    if trellis.stopping() and i < steps then return save{steps = i, losses = losses, arch_losses = archLosses, arch_steps = archSteps} end
  end
  part = {steps = 0, losses = 0.0, arch_losses = 0.0, arch_steps = 0}

  local measures = epoch % (o.validate_every or 1) == 0 or epoch == o.epochs
  local confusion = measures and metrics.evaluate(supernet, validation, {batch = o.batch}) or {miou = 0 / 0, accuracy = 0 / 0}
  local measured, told, warning = subject:measure()
  measured.epoch, measured.lr, measured.loss, measured.arch_loss = epoch, sgd.lr, losses / steps, archSteps > 0 and archLosses / archSteps or 0 / 0
  measured.miou, measured.accuracy = confusion.miou, confusion.accuracy
  log[#log + 1] = measured
  history:record(epoch)
  -- First the checkpoint, which holds log and history too, then these: a kill between them loses nothing.
  done = epoch
  save(nil)
  writeLog()
  history:save(out)
  bar:clear()
  local row = log[#log]
  latest = measures and row.miou or latest
  local validated = measures and ("  val mIoU %.1f %%  accuracy %.1f %%"):format(100 * row.miou, 100 * row.accuracy) or ""
  print(("epoch %d/%d  loss %.3f%s  %s  %d s"):format(epoch, o.epochs, row.loss, validated, told, os.time() - start))
  if measures and confusion.only_prediction and row.loss < 0.9 * log[1].loss and not said then
    said = true
    print(("note: the validation takes every pixel for '%s', though the loss has fallen: it goes by the running statistics of the batch norms, which training "
      .. "does not use, and which have not followed the weights through the layers yet; some 50 steps bring that about (%d are done)"):format(
        train.names[confusion.only_prediction + 1], epoch * steps))
  end
  -- Said once, when it begins.
  if warning and not warned then print("warning: " .. warning) end
  warned = warning ~= nil
end
trellis.stoppable(function()
  for epoch = done + 1, o.epochs do
    oneEpoch(epoch)
    if trellis.stopping() then return end
  end
end)
bar:update(o.epochs * steps, {{"mIoU", latest or "-"}})
bar:finish()
a:close()
b:close()

-- What it found.
local found = subject:decode(datasets.name(o))
for name, value in pairs(subject:facts(found, train.classes)) do metadata[name] = value end
writeLog()
history:save(out)
found:save(out .. "/architecture.json")
print(found)
print(metrics.evaluate(supernet, validation, {batch = o.batch}))

local function both(figure, name) figure:save(out .. "/" .. name .. ".svg"):save(out .. "/" .. name .. ".png") end
local function column(name)
  local values = {}
  for i, row in ipairs(log) do values[i] = row[name] end
  return values
end
local figures = subject:pictures(found)
for name, figure in pairs(figures) do both(figure, name) end
local entropies = {}
for i, curve in ipairs(subject.entropies) do entropies[i] = {curve[1], column(curve[2])} end
both(plot.grid{
  plot.curves({{"weights, half A", column("loss")}, {"architecture, half B", column("arch_loss")}}, {title = "loss", x_label = "epoch"}),
  plot.curves({{"mIoU", column("miou")}, {"accuracy", column("accuracy")}}, {title = "validation", x_label = "epoch", y_range = {0, 1}}),
  plot.curves(entropies, {title = "relative entropy", x_label = "epoch"}),
}, "curves")

-- A few images with their labels and what the supernet sees.
local pictures = {}
for i = 1, math.min(4, #validation) do
  local image, labels = validation:sample(i)
  local batch = validation:subset{i}:batches{size = 1, shuffle = false, ahead = 0}:next()
  pictures[#pictures + 1] = {image = image, caption = "image " .. i}
  pictures[#pictures + 1] = {image = image, labels = labels, caption = "truth"}
  pictures[#pictures + 1] = {image = image, labels = subject:predict(batch)[1], caption = "supernet"}
end
both(plot.images(pictures, {set = validation, columns = 3, title = "validation"}), "images")
nas.report(out)
run.lock:release()
local names = {"curves", "images"}
for name in pairs(figures) do names[#names + 1] = name end
table.sort(names)
print(("results in %s: report.html, architecture.json, log.csv, %s (.svg, .png)"):format(out, table.concat(names, ", ")))
