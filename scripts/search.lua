-- Searches an architecture on images: Auto-DeepLab's search (Liu et al., CVPR 2019), every part of it an option, or a space of one's own.
--
--   scripts/trellis scripts/search.lua                        on the built-in scenes, a few minutes
--   scripts/trellis scripts/search.lua --data camvid --dir DIR --scale 0.5
--   scripts/trellis scripts/search.lua --out search --resume  goes on after a kill, bit for bit; with --epochs 60 beyond its end.
--                                                             Ctrl-C ends it after the step that it is in, twice at once
--   scripts/trellis scripts/search.lua --space my_space.lua   the space that a script returns, and how it says (scripts/subjects.lua)
--   scripts/trellis scripts/search.lua --method darts_pt      another way to train and decode, or a script with one (scripts/methods.lua);
--                                                             scripts/strategies.lua measures them
--   scripts/trellis scripts/search.lua --method recommended   no supernet: trainings of single architectures, most of them short; what scripts/strategies.lua found best
--   run("scripts/search.lua", "--epochs", "10")               in a notebook: a picture of the search while it goes on
--
-- Leaves in its directory: what every run leaves (run.json, settings.json, run.log, events for TensorBoard, see `trellis runs`), space.json,
-- checkpoint.safetensors, log.csv and history.safetensors (after every epoch), architecture.json, pictures of the trellis with its beta, the
-- cell and alpha, or of the space with its decisions, the curves and some segmented images, each as SVG and PNG, and all of it on one page,
-- report.html (scripts/report.lua makes the page of a run that is not done).
local parse, stop, ask, datasets, runs = require("options").parse, require("options").stop, require("options").ask, require("datasets"), require("runs")
local subjects, paths, methods = require("subjects"), require("paths"), require("methods")

local options = parse(arg, "Searches an architecture for segmentation.", datasets.options{
  {"space", nil, "a script that returns a space, instead of the trellis of the next six options", "string"},
  {"method", "paper", "recommended: by short trainings of many architectures (scripts/trained_search.lua); or how a supernet is trained and decoded: "
    .. table.concat(methods.names(), ", ") .. ", or a script that returns a method", "string"},
  {"trial-steps", 400, "steps of the longest trainings of methods that train architectures to decide; all of theirs take four times as many, of --method recommended --trainings times", least = 8},
  {"trainings", 8, "of --method recommended: the budget, in trainings", least = 1},
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
  {"resume", false, "continues the run in --out (or the last one) from its last epoch; with more --epochs than it had it goes on beyond its end"},
  require("options").config,
})
if options.threads > 0 then trellis.threads(options.threads) end

options.head_reach = runs.reach(options.head_reach, options.crop)
if options.space then
  for _, name in ipairs{"layers", "strides", "blocks", "filters", "operators", "head_reach"} do
    if options.given[name] then stop(("--%s is of the stock trellis; the space of %s has sizes of its own"):format((name:gsub("_", "-")), options.space)) end
  end
  options.space = paths.absolute(options.space)
end
if not methods.is_name(options.method) and paths.is_file(options.method) then options.method = paths.absolute(options.method) end
local run = runs.open(options, {name = "search", file = "checkpoint.safetensors", extends = {epochs = true}, settings = function(loaded)
  -- A training has settings too, of another kind.
  return type(loaded.settings) == "table" and loaded.settings.layers and loaded.settings or nil
end})
local out, o, before = run.out, run.settings, run.before
local checkpointPath = out .. "/checkpoint.safetensors"

-- Images to train with, of which a supernet takes two disjoint halves, and others for validation.
local train, validation = datasets.load(o)
run:images(train, validation)
-- What is searched, and the network that holds all of it.
local subject = o.space and subjects.script(o.space, o.crop) or subjects.trellis(o)
local space = subject.space
if o.method == "recommended" then
  run:identify{settings = o, images = o.contents}
  run:begin{kind = "search", numbers = "log.csv", planned = o.trainings * require("trained_search").rungs(o.trial_steps)[4], unit = "steps"}
  files.write(out .. "/space.json", space:record() .. "\n")
  if not before then
    print(space)
    print(train, validation)
    checkpoint.save(checkpointPath, {settings = o, run = run.identity})
  end
  require("trained_search").search{run = run, options = o, subject = subject, train = train, validation = validation}
  return
end
local method = methods.get(o.method)
local A, B = ask(train.split, train, 0.5, {seed = o.seed})
local a = ask(A.batches, A, {size = o.batch, seed = o.seed + 10, crop = o.crop, flip = true, pad = datasets.padded(o)})
local b = ask(B.batches, B, {size = o.batch, seed = o.seed + 20, crop = o.crop, flip = true, pad = datasets.padded(o)})
local training = method.training
if training.space then stop(("--method %s trains another supernet than the space's own, of which there are no pictures yet; scripts/strategies.lua runs it"):format(o.method)) end
local relax, anneal
if training.relax then relax, anneal = training.relax(space) end
local supernet = subject:supernet{classes = train.classes, seed = o.seed, relax = relax}
tensor.manual_seed(o.seed)
local archFrom = training.logits == false and o.epochs or o.arch_from > 0 and o.arch_from or (o.first_epochs or o.epochs) // 4
local steps = a.per_epoch
local search = methods.start(method, {
  space = space, net = supernet, anneal = anneal, seed = o.seed, a = a, b = b, steps = o.epochs * steps, from = archFrom * steps, lr = o.lr, lr_end = o.lr_end,
  weight_decay = o.weight_decay, clip = o.clip, arch_lr = o.arch_lr, arch_weight_decay = o.arch_weight_decay, loss = subject.loss, logits_loss = subject.logits_loss,
  validation = validation,
})
local sgd, adam = search.sgd, search.adam

run:identify{settings = o, images = o.contents}
run:begin{kind = "search", numbers = "log.csv", planned = o.epochs, unit = "epochs"}
files.write(out .. "/space.json", space:record() .. "\n")
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
  print(("halves of %d and %d images; %d steps an epoch, %d epochs%s; results in %s"):format(
    #A, #B, steps, o.epochs, training.logits ~= false and ("; %s from epoch %d"):format(subject.name, archFrom + 1) or "", out))
  if o.method ~= "paper" then print(("method %s: %s"):format(o.method, method.about)) end
else
  print(("%s: %d of %d epochs are done"):format(out, done, o.epochs))
  if run.continuation then
    print(("it was begun with %d epochs; the learning rate of the weights is that of a run of %d: %.4g in the next step, where it had come to %.4g"):format(
      o.first_epochs, o.epochs, search.rate(done * steps + 1), log[#log].lr))
  end
end
if archFrom >= o.epochs and training.logits ~= false then
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
local function step(epoch, i)
  local fine, loss, logits_loss = pcall(search.step, search, (epoch - 1) * steps + i)
  if fine then return loss, logits_loss end
  if type(loss) ~= "string" then error(loss, 0) end
  -- Without the line of the loop that took the step.
  loss = loss:gsub("^.-methods%.lua:%d+: ", "")
  error(("epoch %d, step %d of %d: %s%s"):format(epoch, i, steps, loss, done > 0 and ("; the checkpoint of epoch %d is kept in %s"):format(done, out) or ""), 0)
end

-- Whether logits alone decide what is found, so that what they would decide after an epoch says something of it.
local isDecoded = method.decoding == methods.decodings.product or method.decoding == methods.decodings.relative

-- What the run's directory is told of an epoch.
local validated = {}
local function record(epoch, measured, measures)
  local global, numbers = epoch * steps, {}
  for name, value in pairs(measured) do
    local isSteps = name == "epoch" or name == "loss" or name == "arch_loss" or name == "lr"
    if type(value) == "number" and value == value and not isSteps then numbers[name] = value end
  end
  run.record:log(global, numbers)
  for name, values in pairs(subject:probabilities()) do run.record:histogram(name, global, values) end
  if history:isShown(epoch) then
    for name, figure in pairs(subject:pictures(subject.net:decode())) do run.record:image(name, global, figure) end
    run.record:image("validation", global, history:pictures())
  end
  if measures then validated = measured end
  run.record:note{done = epoch, results = {
    loss = measured.loss, miou = validated.miou, accuracy = validated.accuracy, found = measured.path or measured.architecture,
  }}
end

-- The search: weights on A, then the logits on B.
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
    local loss, logitsLoss = step(epoch, i)
    losses = losses + loss
    local numbers, told = {loss = loss, lr = sgd.lr, gradient_norm = sgd.gradient_norm}, {{"loss", loss}}
    if logitsLoss then
      numbers.arch_loss, numbers.arch_gradient_norm = logitsLoss, adam.gradient_norm
      archLosses, archSteps = archLosses + logitsLoss, archSteps + 1
      told[2] = {"architecture loss", logitsLoss}
    end
    run.record:log(global, numbers)
    told[#told + 1] = {"mIoU", latest or "-"}
    bar:update(global, told)
    if trellis.stopping() and i < steps then return save{steps = i, losses = losses, arch_losses = archLosses, arch_steps = archSteps} end
  end
  part = {steps = 0, losses = 0.0, arch_losses = 0.0, arch_steps = 0}

  local measures = epoch % (o.validate_every or 1) == 0 or epoch == o.epochs
  -- Where single architectures are trained, the whole of them says nothing: one by chance stands for them.
  if training.at then supernet:at(space:random{seed = epoch}) end
  local confusion = measures and metrics.evaluate(supernet, validation, {batch = o.batch}) or {miou = 0 / 0, accuracy = 0 / 0}
  supernet:at(nil)
  local measured, told, warning = subject:measure()
  measured.epoch, measured.lr, measured.loss, measured.arch_loss = epoch, sgd.lr, losses / steps, archSteps > 0 and archLosses / archSteps or 0 / 0
  measured.miou, measured.accuracy = confusion.miou, confusion.accuracy
  if isDecoded then measured.decoded = supernet:decode{relative = method.decoding == methods.decodings.relative}:values() end
  log[#log + 1] = measured
  history:record(epoch)
  record(epoch, measured, measures)
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

--- The first batches {images, targets} of a set, by a seed of their own.
local function batches_of(set, seed, count)
  local loader, batches = ask(set.batches, set, {size = o.batch, seed = seed, crop = o.crop, pad = datasets.padded(o)}), {}
  for i = 1, count do batches[i] = {loader:next()} end
  loader:close()
  return batches
end

-- Images by which the norms of a single architecture are measured.
local function calibration()
  local images = {}
  for i, batch in ipairs(batches_of(train, o.seed + 30, 4)) do images[i] = batch[1] end
  return images
end

-- What it found.
local function decoded()
  if method.decoding == methods.decodings.product then return subject:decode(datasets.name(o)) end
  search.calibration = calibration()
  local longest = o.trial_steps
  search.rungs, search.trial_budget = {longest // 8, longest // 4, longest // 2, longest}, 4 * longest
  function search.trial(architecture, steps)
    local network = subject:network(architecture, {classes = train.classes, seed = o.seed})
    network:fit(train, {steps = steps, batch = o.batch, crop = o.crop, flip = true, lr = o.lr, seed = o.seed, check = false, progress = false})
    return network:evaluate(validation, {batch = o.batch, check = false}).miou
  end
  return (method.decoding.decode(search, space))
end
local found = decoded()
a:close()
b:close()
for name, value in pairs(subject:facts(found, train.classes)) do metadata[name] = value end
writeLog()
history:save(out)
found:save(out .. "/architecture.json")
print(found)
print(metrics.evaluate(supernet, validation, {batch = o.batch}))

-- How sure it is, said here and on the page: paragraphs of certainty.txt.
local certainty, words = require("certainty"), {}
local function say(text)
  print(text)
  words[#words + 1] = text
end

-- How steady its decisions were at last.
local function last_decoded()
  local list = {}
  for i = #log - math.max(1, o.epochs // 4) + 1, #log do if log[i] and log[i].decoded then list[#list + 1] = space:fix(log[i].decoded):random{} end end
  return list
end
if isDecoded and training.logits ~= false then
  local architectures = last_decoded()
  if #architectures > 1 then
    search.calibration = search.calibration or calibration()
    local score = methods.scorer(search)
    say(certainty.steady(certainty.steadiness(require("coordinates").of(space), architectures, score), #architectures))
  end
end

-- What of it could learn at all: a decision whose derivative is next to nothing, or all noise, was decided by what it began with.
local stuck = {}
if training.logits ~= false and not search.logits_loss then
  local learnability = require("learnability")
  local rows = learnability.measure(supernet, adam, batches_of(B, o.seed + 40, 10))
  files.write(out .. "/learnability.txt", learnability.text(rows) .. "\n")
  say(learnability.summary(rows))
  stuck = learnability.stuck(rows)
end
local collapse = certainty.collapse(found, stuck, not o.space and o.strides or nil)
if collapse then say("warning: " .. collapse:gsub("\n", "\nwarning: ")) end
if #words > 0 then files.write(out .. "/certainty.txt", table.concat(words, "\n\n") .. "\n") end

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
local last = log[#log]
run:finish{loss = last.loss, miou = last.miou, accuracy = last.accuracy, found = last.path or last.architecture}
local names = {"curves", "images"}
for name in pairs(figures) do names[#names + 1] = name end
table.sort(names)
print(("results in %s: report.html, architecture.json, log.csv, %s (.svg, .png)"):format(out, table.concat(names, ", ")))
