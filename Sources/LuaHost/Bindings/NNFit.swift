import CLua
import Networks
import Segmentation
import Tensors

/// `network:fit`.
enum FitBinding {
    static let method = Binding(
        module: "module", name: "fit", parameters: [Argument("data", .object("data_set"), "what it learns from")], options: options,
        returns: [Returns(.object("history"))], summary: "Trains the network: SGD with momentum on cross entropy or a loss of your own, as a compiled plan.",
        detail: """
            For any network that maps images [N, 3, H, W] to class scores [N, classes, h, w]; scores of another size than the labels are resized to them (bilinear, \
            corners aligned). With a `loss`, f(network, inputs, targets), for any network and any set (`data.from`): it is recorded once, and no Lua runs from then on. `metric`, a function \
            of the same or several by name, is what the validation measures then, each sample by itself; `metric_goal` says which value is best. Heads with weights are a sum in the loss. \
            A checkpoint knows the loss and the metric by their source: with another one `resume` is an error. The network is left with the weights of the last step, or of the best validation with use = 'best'. Images are cut (crop), resized (scale), \
            mirrored (flip) and normalised; where a random scale makes an image smaller than the crop, it is filled up with the mean colour and labels 255. Everything \
            random comes from the seed: a run can be repeated, and continued from `out` after a kill, bit for bit, on any number of threads. The first Ctrl-C ends it after the step \
            that it is in, and `resume` goes on from there, bit for bit; a second one ends it at once. Classes that do not fit, what \
            `set:check()` finds (damaged images and wrong labels, with their file), a crop larger than an image, a network that returns several tensors and settings out of \
            their range are errors before any work.
            """,
        example: """
            local set = data.shapes{images = 8, size = {16, 24}, classes = 3, seed = 1}
            local net = nn.sequential{nn.conv2d(3, 8, {kernel = 3, padding = 1}), nn.relu(), nn.conv2d(8, 3, {kernel = 1})}
            local history = net:fit(set, {steps = 20, batch = 4, lr = 0.1, schedule = "poly"})
            print(#history.rows, history.last.step, history.last.loss < history.rows[1].loss)  --> 10\t20\ttrue
            """
    ) { call in try run(call) }

    private static let options = [
        Option("steps", .integer, "steps of the optimiser; or give epochs"), Option("epochs", .number, "passes over the data"),
        Option("batch", .integer, default: 4, "samples of a step"),
        Option("accumulate", .integer, default: 1, "parts that a step's samples go through one after another: the same gradient with less memory (norms see a part)"),
        Option("lr", .number, default: 0.05, "learning rate at the start"), Option("lr_end", .number, default: 0, "and at the end of poly and cosine"),
        Option("schedule", .union([.choice(["poly", "cosine", "constant"]), .object("schedule")]), default: "poly", "of the rate, or one of optim"),
        Option("power", .number, default: 0.9, "of poly"), Option("warm_up", .integer, default: 0, "steps in which the rate rises from 0"),
        Option("momentum", .number, default: 0.9, "share of the last step that is kept"), Option("nesterov", .boolean, default: false, "looks ahead by the momentum"),
        Option("weight_decay", .number, default: 4e-5, "of kernels; norms and biases are left alone"),
        Option("clip", .number, "largest norm of the gradient"),
        Option("loss", .function, "of network, inputs and targets (images [N, 3, H, W] and labels int32 [N, H, W]): one number; cross entropy when left out"),
        MetricOptions.metric,
        Option("metric_goal", .union([.choice(["min", "max"]), .table]), "which value is best, for patience and use = 'best'; of several {name = 'min' or 'max'}, the one that decides"),
        DataSetMethods.transformOption,
        Option("class_weights", .union([.choice(["balanced"]), .list(.number), .tensor]), "of the loss; balanced: the median frequency over the class's own"),
        Option("drop_path", .number, "probability with which the last cell drops a path in the end, rising from 0; the network's own when left out"),
        Option("crop", Kind.integers, "height and width cut out at random; none takes whole images, which then need one size"),
        Option("scale", .union([.number, .list(.number)]), "resize by a random factor of this range, {least, most}"),
        Option("flip", .boolean, default: false, "mirror left and right at random"),
        Option("focus", .number, default: 0, "share of crops laid over a pixel of a class picked evenly"),
        Option("jitter", .number, default: 0, "random brightness, contrast, saturation by a factor of 1 ± jitter"),
        Option("pad", .boolean, "fill up images that are smaller than the crop; when left out, where random scales made them so"),
        Option("seed", .integer, default: 0, "decides everything that is random"),
        Option("validation", .object("data_set"), "measured after every row of the history, whole images"),
        Option("every", .integer, "steps from row to row of the history; a pass over the data when left out"),
        Option("patience", .integer, "end after so many validations without a better mIoU, or metric"),
        Option("use", .choice(["last", "best"]), default: "last", "weights that the network is left with"),
        Option("out", .string, "directory for checkpoint.safetensors and log.csv, and the networks best and last; locked while it trains"),
        Option("resume", .boolean, default: false, "go on with the run in out, or begin; or, without out, go on with the run of this network that Ctrl-C stopped"),
        Option("extend", .boolean, default: false, "with resume: go on to more steps or epochs than the run was to have, by the schedule of a run of so many; a line says at which rate"),
        Option("progress", .boolean, "a line that says how far it is; when left out, on a terminal and in notebooks"),
        Option("each", .function, "called with each row of the history"),
        Option("note", .table, "plain values that the checkpoint keeps (checkpoint.load(PATH).note), and the networks' cards (net:card().training.note)"),
        DataSetMethods.checkOption,
    ] + DataNormalisation.options

    private static func run(_ call: Call) throws -> Int {
        let network: Module = try call.this()
        let set: DataSetObject = try call.get(1)
        let validation: DataSetObject? = try call.option(ifPresent: "validation")
        let options = try trainingOptions(call, set)
        let measures = try MetricOptions.read(call, network)
        let trainer = try Trainer(
            network, set.base, validation: validation?.base, options: options, objective: objective(call, network), measures: measures)
        if try call.option("check") {
            try set.ensureChecked(call.host)
            try validation?.ensureChecked(call.host)
        }
        let usesBest = try call.option("use", as: String.self) == "best"
        guard !usesBest || validation != nil else { throw call.badOption("use", "a validation set says which weights are best") }
        if measures != nil, validation == nil { throw call.badOption("metric", "a validation set expected, which it measures") }
        if let measures, measures.deciding == nil, usesBest || options.patience != nil {
            throw call.badOption("metric_goal", "'min' or 'max' expected, for it to be known which validation is best; of several metrics {name = 'min'}")
        }
        trainer.note = try call.option(ifPresent: "note", as: PlainValue.self)?.json("note")
        let directory: String? = try call.option(ifPresent: "out")
        let lock = try TrainingDirectory.prepare(trainer, directory, resume: call.option("resume"), extends: call.option("extend"))
        defer { lock?.release() }
        let run = try directory.map { try TrainingRun(trainer, $0, resumes: trainer.done > 0) }
        if let text = trainer.continuation {
            Terminal.out(text + "\n")
            run?.say(text)
        }
        try observe(trainer, run, call)
        clua_stoppable_begin()
        defer { clua_stoppable_end() }
        if let run { try run.run { try trainer.run() } } else { try trainer.run() }
        ModelRecord.of(network)?.stopped = nil
        if usesBest { try trainer.useBest() }
        ModelRecord.of(network) { $0.note(trainer, best: usesBest) }
        return call.push(TrainingHistoryObject(trainer.history))
    }

    /// The script's own loss.
    private static func objective(_ call: Call, _ network: Module) throws -> Objective? {
        guard let function: LuaFunction = try call.option(ifPresent: "loss") else { return nil }
        guard !call.hasOption("class_weights") else { throw call.badOption("class_weights", "the loss that is given has its own") }
        return Objective(text: function.recipe) { inputs in
            try function.call(all: [network] + inputs, returning: Tensor.self, expected: .tensor, from: "the loss")
        }
    }

    private static func trainingOptions(_ call: Call, _ set: DataSetObject) throws -> TrainingOptions {
        let batch: Int = try call.option("batch")
        let perEpoch = max(1, set.base.count / max(1, batch))
        let steps: Int
        switch (try call.option(ifPresent: "steps", as: Int.self), try call.option(ifPresent: "epochs", as: Double.self)) {
        case (let given?, nil): steps = given
        case (nil, let epochs?):
            guard epochs > 0, epochs < 1e9 else { throw call.badOption("epochs", "more than 0 expected, got \(epochs)") }
            steps = max(1, Int((epochs * Double(perEpoch)).rounded()))
        default: throw call.badOption("steps", "either steps or epochs expected")
        }
        var options = TrainingOptions(
            steps: steps, batch: batch, schedule: try schedule(call, steps), augmentation: try augmentation(call, set.base), seed: try call.option("seed"))
        options.accumulate = try call.option("accumulate")
        options.momentum = try call.option("momentum")
        options.nesterov = try call.option("nesterov")
        options.weightDecay = try call.option("weight_decay")
        options.clip = try call.option(ifPresent: "clip")
        options.dropPath = try call.option(ifPresent: "drop_path")
        options.classWeights = try classWeights(call, set)
        options.transform = try DataSetMethods.transform(call, set.base)?.transform
        options.every = try call.option(ifPresent: "every")
        options.patience = try call.option(ifPresent: "patience")
        return options
    }

    private static func schedule(_ call: Call, _ steps: Int) throws -> Schedule {
        let given: LuaValue = try call.option("schedule")
        let warmUp: Int = try call.option("warm_up")
        guard (0..<max(1, steps)).contains(warmUp) else { throw call.badOption("warm_up", "0 up to but not \(steps) steps expected, got \(warmUp)") }
        let (from, to): (Double, Double) = (try call.option("lr"), try call.option("lr_end"))
        let main: Schedule
        if let object: ScheduleObject = given.object() {
            for name in ["lr", "lr_end", "power"] where call.hasOption(name) {
                throw call.badOption(name, "the schedule that is given has its own")
            }
            main = object.schedule
        } else {
            switch given.string {
            case "cosine": main = .cosine(from: from, to: to, steps: steps)
            case "constant": main = .constant(from)
            default: main = .poly(from: from, to: to, steps: steps, power: try call.option("power"))
            }
        }
        return warmUp > 0 ? .warmUp(steps: warmUp, then: main) : main
    }

    private static func augmentation(_ call: Call, _ data: any DataSet) throws -> Augmentation {
        var crop: Size?
        if let (height, width) = try call.pair(ifPresent: "crop") { crop = Size(height: height, width: width) }
        let scale = try DataSetMethods.scaleRange(call)
        let pad: Bool? = try call.option(ifPresent: "pad")
        if let crop, pad == nil, !data.needsCaller {
            // Padding makes good what a random scale took away, not a crop that fits no image.
            for index in 0..<data.count {
                let size = try data.size(index)
                guard crop.height <= size.height, crop.width <= size.width else {
                    throw call.badOption("crop", "\(crop) is larger than \(data.source(index)) (\(size)); use a smaller crop, or pad = true")
                }
            }
        }
        return Augmentation(
            crop: crop, scale: scale, flip: try call.option("flip"), jitter: try call.option("jitter"), pad: pad ?? (scale.lowerBound < 1),
            focus: try call.option("focus"), normalisation: try DataNormalisation.read(call, standard: data.normalisation))
    }

    private static func classWeights(_ call: Call, _ set: DataSetObject) throws -> [Float]? {
        guard let given: LuaValue = try call.option(ifPresent: "class_weights") else { return nil }
        if given.string == "balanced" { return try set.inspected(call.host).balancedWeights }
        if let tensor: Tensor = given.object() { return try tensor.floats() }
        return try call.option("class_weights", as: [Float].self)
    }

    /// Progress on a terminal, what the run's directory is told, and the script's own function.
    private static func observe(_ trainer: Trainer, _ run: TrainingRun?, _ call: Call) throws {
        let each: LuaFunction? = try call.option(ifPresent: "each")
        let shows: Bool = try call.option(ifPresent: "progress") ?? call.output.showsProgress
        let bar = shows ? ProgressBar(total: trainer.options.steps, label: "training", done: trainer.done, host: call.host) : nil
        trainer.onStep = { [unowned trainer] done, loss in
            try run?.step(done, loss: loss)
            var shown: [(name: String, value: LuaValue)] = [("loss", .number(loss))]
            if let best = trainer.history.bestMeasure { shown.append((best.name == "miou" ? "mIoU" : best.name, .number(best.value))) }
            bar?.update(done, shown)
            if done == trainer.options.steps { bar?.finish() }
        }
        trainer.onRow = { [unowned trainer] row in
            if trainer.history.stopped != nil { bar?.finish() } else { bar?.clear() }
            try run?.row(row)
            try each?.call(trainer.history.value(of: row))
        }
        trainer.onStop = { [unowned trainer] checkpoint in
            bar?.clear()
            if trainer.checkpointPath == nil {
                let copy = try checkpoint.copied()
                ModelRecord.of(trainer.network) { $0.stopped = copy }
            }
            // A script that says itself what is kept says how to go on, too.
            let remedy = call.host.interruptText == nil ? "; the same call with resume = true goes on" : ""
            Terminal.error("stopped after step \(trainer.done) of \(trainer.options.steps)\(remedy)\n")
        }
    }
}
