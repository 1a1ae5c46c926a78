import Networks
import Tensors

/// Losses beside the cross entropy: compositions of operations, so that they have derivatives and become part of plans.
enum LossBindings {
    static let all = [mse, l1, smoothL1, berHu, siLog, bce, dice, focal, ohem, lovasz]

    private static let mask = Option("mask", .tensor, "0 where values do not count, whatever stands there; broadcasts to their shape")
    private static let ignore = Option("ignore", .integer, default: 255, "label of what does not count")
    private static let classes = Option("classes", .choice(["present", "all"]), default: "present", "over which the mean is: those that the labels have, or all")
    private static let logits = Argument("logits", .tensor, "[N, classes, ...]")
    private static let labels = Argument("labels", .tensor, "int32 [N, ...], class ids from 0")

    private static func loss(
        _ name: String, _ parameters: [Argument], options: [Option], _ summary: String, _ detail: String = "", example: String, body: @escaping (Call) throws -> Tensor
    ) -> Binding {
        Binding(
            module: "nn", name: name, parameters: parameters, options: options, returns: [Returns(.tensor, "one number")], summary: summary, detail: detail, example: example,
            body: { call in call.push(try body(call)) })
    }

    // MARK: Of values

    private static let values = [Argument("input", .tensor), Argument("target", .tensor, "of the same shape")]

    private static let mse = loss(
        "mse_loss", values, options: [mask], "Mean of the squared differences.", example: "print(nn.mse_loss(tensor.ones(2), tensor.zeros(2)):item())  --> 1.0"
    ) { call in try call.get(1, as: Tensor.self).squaredLoss(target(call), mask: call.option(ifPresent: "mask")) }

    private static let l1 = loss(
        "l1_loss", values, options: [mask], "Mean of the absolute differences.",
        example: "local seen = tensor.from{1, 1, 0}\nprint(nn.l1_loss(tensor.from{1, 2, 9}, tensor.zeros(3), {mask = seen}):item())  --> 1.5"
    ) { call in try call.get(1, as: Tensor.self).absoluteLoss(target(call), mask: call.option(ifPresent: "mask")) }

    private static let smoothL1 = loss(
        "smooth_l1_loss", values, options: [Option("beta", .number, default: 1, "where the square ends, 0 or more"), mask],
        "Mean of d²/2β where |d| < β, else |d| - β/2.", "Girshick, Fast R-CNN, 2015, with PyTorch's β; 0 gives the absolute differences.",
        example: "print(nn.smooth_l1_loss(tensor.from{0.5, 3}, tensor.zeros(2)):item())  --> 1.3125"
    ) { call in
        try call.get(1, as: Tensor.self).smoothAbsoluteLoss(target(call), beta: call.number("beta", atLeast: 0), mask: call.option(ifPresent: "mask"))
    }

    private static let berHu = loss(
        "berhu_loss", values, options: [Option("share", .number, default: 0.2, "of the largest difference of the batch: where the absolute value ends"), mask],
        "The reverse Huber loss: mean of |d| up to c, of (d² + c²) / 2c beyond.", "Laina et al., 2016; c = share · max |d| has no derivative.",
        example: "print(nn.berhu_loss(tensor.from{1, 5}, tensor.zeros(2)):item())  --> 7.0"
    ) { call in
        let share = try call.number("share", atLeast: 0)
        guard share > 0 else { throw call.badOption("share", "more than 0 expected") }
        return try call.get(1, as: Tensor.self).reverseHuberLoss(target(call), share: share, mask: call.option(ifPresent: "mask"))
    }

    private static let siLog = loss(
        "silog_loss", values,
        options: [
            Option("lambda", .number, default: 0.5, "share of the common factor that is forgiven, 0 to 1"),
            Option("root", .boolean, default: false, "the square root of it, as is usual with lambda = 0.85"), mask,
        ], "The scale-invariant error of logarithms: mean(d²) - λ·mean(d)² with d = log input - log target.",
        "Eigen, Puhrsch and Fergus, 2014, over all that counts in the batch. Input and target are above 0 where they count.",
        example: "local y = tensor.from{1, 2, 4}\nprint(string.format('%.4f', nn.silog_loss(y * 3, y, {lambda = 1}):item()))  --> 0.0000"
    ) { call in
        let lambda = try call.number("lambda", atLeast: 0)
        guard lambda <= 1 else { throw call.badOption("lambda", "0 to 1 expected, got \(lambda)") }
        return try call.get(1, as: Tensor.self).scaleInvariantLoss(target(call), lambda: lambda, takesRoot: call.option("root"), mask: call.option(ifPresent: "mask"))
    }

    private static let bce = loss(
        "bce_with_logits", [Argument("logits", .tensor), Argument("target", .tensor, "0 to 1, of the same shape")],
        options: [Option("positive", .tensor, "weight of what is 1; broadcasts"), mask], "Binary cross entropy of logits: mean of -(y·log σ(x) + (1 - y)·log σ(-x)).",
        example: "print(string.format('%.4f', nn.bce_with_logits(tensor.zeros(3), tensor.ones(3)):item()))  --> 0.6931"
    ) { call in
        try call.get(1, as: Tensor.self).binaryCrossEntropy(target(call), positive: call.option(ifPresent: "positive"), mask: call.option(ifPresent: "mask"))
    }

    private static func target(_ call: Call) throws -> Tensor {
        let x: Tensor = try call.get(1), y: Tensor = try call.get(2)
        guard x.shape == y.shape else { throw call.bad(2, "shape \(Shape.text(x.shape)) expected, got \(Shape.text(y.shape))") }
        return y
    }

    // MARK: Of classes

    private static let dice = loss(
        "dice_loss", [logits, labels], options: [Option("smooth", .number, default: 1, "s, 0 or more"), classes, ignore],
        "Soft Dice: 1 - the mean over classes of (2·Σ p·g + s) / (Σ p + Σ g + s), p = softmax(logits).",
        "Milletari et al., 2016, with the sums of Sudre et al., 2017, over all pixels of the batch that count.",
        example: "local y = tensor.from({{0, 1}}, {dtype = 'int32'})\nlocal x = y:one_hot(2, {dimension = 2}) * 50\nprint(string.format('%.4f', nn.dice_loss(x, y):item()))  --> 0.0000"
    ) { call in
        let x: Tensor = try call.get(1)
        return try x.diceLoss(
            call.get(2), smooth: call.number("smooth", atLeast: 0), presentOnly: call.option("classes", as: String.self) == "present", ignore: call.ignored(of: x))
    }

    private static let focal = loss(
        "focal_loss", [Argument("logits", .tensor, "[N, classes, ...], or of any shape"), Argument("target", .tensor, "int32 labels [N, ...]; or float32 of the logits' shape, 0 to 1")],
        options: [
            Option("gamma", .number, default: 2, "0 or more; 0 is the cross entropy"), Option("weights", .tensor, "of labels: one for each class"),
            Option("alpha", .number, "of float32 targets: weight of what is 1, with 1 - alpha for what is 0"), mask, ignore,
        ], "The focal loss: mean of -(1 - p)^γ·log p, p the probability of what is so.",
        "Lin et al., 2017. With labels p is of softmax, with float32 targets each logit stands for itself: of sigmoid. The mean is over all that counts.",
        example: "print(string.format('%.4f', nn.focal_loss(tensor.zeros(1, 2, 3), tensor.zeros(1, 3, {dtype = 'int32'})):item()))  --> 0.1733"
    ) { call in
        let x: Tensor = try call.get(1), y: Tensor = try call.get(2)
        let gamma = try call.number("gamma", atLeast: 0)
        if y.dtype == .int32 {
            for name in ["alpha", "mask"] where call.hasOption(name) { throw call.badOption(name, "this is for float32 targets; int32 labels have weights and ignore") }
            return try x.focalLoss(y, gamma: gamma, weights: call.option(ifPresent: "weights"), ignore: call.ignored(of: x))
        }
        for name in ["weights", "ignore"] where call.hasOption(name) { throw call.badOption(name, "this is for labels; float32 targets have alpha and mask") }
        let alpha: Double? = try call.option(ifPresent: "alpha")
        guard alpha.map({ (0...1).contains($0) }) ?? true else { throw call.badOption("alpha", "0 to 1 expected") }
        return try x.binaryFocalLoss(target(call), gamma: gamma, alpha: alpha, mask: call.option(ifPresent: "mask"))
    }

    private static let ohem = loss(
        "ohem_loss", [logits, labels],
        options: [
            Option("threshold", .number, default: 0.7, "places whose class is less probable are hard"),
            Option("share", .number, default: 0.0625, "of the batch's places: so many of the least probable count in any case"), ignore,
        ], "Cross entropy of the hardest places of a batch alone (online hard example mining).",
        "Shrivastava et al., 2016, for pixels: those whose class has at most the probability `threshold`, and the `share` of lowest probability.",
        example: "local y = tensor.zeros(1, 3, {dtype = 'int32'})\nlocal x = tensor.from{{{9, 9, 0}, {0, 0, 0}}}\nprint(string.format('%.4f', nn.ohem_loss(x, y):item()))  --> 0.6931"
    ) { call in
        let x: Tensor = try call.get(1)
        let share = try call.number("share", atLeast: 0)
        guard share > 0, share <= 1 else { throw call.badOption("share", "more than 0 and at most 1 expected, got \(share)") }
        return try x.hardestLoss(call.get(2), threshold: call.number("threshold", atLeast: 0), share: share, ignore: call.ignored(of: x))
    }

    private static let lovasz = loss(
        "lovasz_loss", [logits, labels], options: [classes, ignore], "Lovász-Softmax: a convex surrogate of 1 - IoU, mean over classes, over the batch as a whole.",
        "Berman, Triki and Blaschko, 2018. It sorts the errors of each class, so it takes longer than the others.",
        example: "local y = tensor.from({{0, 1}}, {dtype = 'int32'})\nprint(string.format('%.4f', nn.lovasz_loss(tensor.zeros(1, 2, 2), y):item()))  --> 0.5000"
    ) { call in
        let x: Tensor = try call.get(1)
        return try x.lovaszLoss(call.get(2), presentOnly: call.option("classes", as: String.self) == "present", ignore: call.ignored(of: x))
    }
}

extension Call {
    /// A finite number of an option with a least value.
    fileprivate func number(_ name: String, atLeast least: Double) throws -> Double {
        let value: Double = try option(name)
        guard value >= least, value.isFinite else { throw badOption(name, "\(least) or more expected, got \(value)") }
        return value
    }

    /// The label that does not count beside logits [N, classes, ...].
    fileprivate func ignored(of logits: Tensor) throws -> Int32 { try ignoredLabel(of: logits.rank > 1 ? logits.shape[1] : 0) }
}
