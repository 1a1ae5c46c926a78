import Networks
import Tensors

/// The cross entropy, and layers as functions that take their weights as arguments.
enum FunctionalBindings {
    static let all: [Binding] = [crossEntropy] + LossBindings.all + functional

    // MARK: Losses

    private static let crossEntropy = Binding(
        module: "nn", name: "cross_entropy", parameters: [Argument("logits", .tensor, "[N, classes, ...]"), Argument("labels", .tensor, "int32 [N, ...], class ids from 0")],
        options: [
            Option("ignore", .integer, default: 255, "label of what does not count"), Option("weights", .tensor, "one for each class, finite and 0 or more"),
        ], returns: Returns.tensor, summary: "Mean over the pixels of -log softmax(logits)[label].",
        detail: "With weights w: Σ w[label]·loss / Σ w[label]. Pixels with the label `ignore` do not count; 0 when none does (PyTorch has NaN, which would destroy the weights). Another label outside of the classes is an error. "
            + "With more than 255 classes say `ignore`: 255 is one of them.",
        example: "local labels = tensor.full({4, 8, 8}, 1, {dtype = 'int32'})\nprint(string.format('%.4f', nn.cross_entropy(tensor.zeros(4, 2, 8, 8), labels):item()))  --> 0.6931"
    ) { call in
        let logits: Tensor = try call.get(1)
        let ignore = try call.ignoredLabel(of: logits.rank > 1 ? logits.shape[1] : 0)
        return call.push(try logits.crossEntropy(call.get(2), ignore: ignore, weights: call.option(ifPresent: "weights")))
    }

    // MARK: Layers as functions

    private static let functional: [Binding] = [
        conv2d, convTranspose, linear, batchNorm, layerNorm, groupNorm, maxPool, averagePool, resize, resize.alias("functional.interpolate"), dropout, classes,
        pixelShuffle, pixelUnshuffle, unfold, attention,
    ] + LayerBindings.activations.map(plain)

    private static func function(
        _ name: String, _ parameters: [Argument], options: [Option] = [], _ summary: String, _ detail: String = "", example: String,
        body: @escaping (Call) throws -> Tensor
    ) -> Binding {
        Binding(
            module: "nn", name: "functional." + name, parameters: parameters, options: options, returns: Returns.tensor, summary: summary, detail: detail,
            example: example, body: { call in call.push(try body(call)) })
    }

    private static let input = Argument("input", .tensor, "[N, C, H, W]")

    private static func plain(_ f: UnaryFunction) -> Binding {
        function(f.name, [Argument("input", .tensor)], "The same as `input:\(f.name)()`.", example: "print(nn.functional.\(f.name)(tensor.zeros(2)):size(1))  --> 2") { call in
            try call.get(1, as: Tensor.self).unary(f)
        }
    }

    private static let conv2d = function(
        "conv2d", [input, Argument("weight", .tensor, "[out, in / groups, kh, kw]"), Argument("bias", .tensor, optional: true, "[out]")],
        options: [LayerBindings.stride, LayerBindings.padding, LayerBindings.dilation, LayerBindings.groups], "Two-dimensional convolution.",
        "[N, in, H, W] to [N, out, H', W'] with H' = (H + 2·padding - dilation·(kernel - 1) - 1) // stride + 1.",
        example: "local y = nn.functional.conv2d(tensor.ones(1, 1, 3, 3), tensor.ones(1, 1, 3, 3), {padding = 1})\nprint(y[{1, 1, 2, 2}])  --> 9.0"
    ) { call in
        let options = try ConvOptions(
            stride: call.pair("stride"), padding: call.pair("padding", least: 0), dilation: call.pair("dilation"), groups: call.option("groups"))
        return try call.get(1, as: Tensor.self).conv2d(call.get(2), bias: call.get(ifPresent: 3), options)
    }

    private static let linear = function(
        "linear", [Argument("input", .tensor, "[..., in]"), Argument("weight", .tensor, "[out, in]"), Argument("bias", .tensor, optional: true, "[out]")],
        "input · weightᵀ + bias.", example: "print(nn.functional.linear(tensor.ones(2, 3), tensor.ones(4, 3))[1][1])  --> 3.0"
    ) { call in
        let weight: Tensor = try call.get(2)
        guard weight.rank == 2 else { throw call.bad(2, "weight [out, in] expected, got \(Shape.text(weight.shape))") }
        return try call.get(1, as: Tensor.self).linear(weight, bias: call.get(ifPresent: 3))
    }

    private static let batchNorm = function(
        "batch_norm", [Argument("input", .tensor, "[N, C, ...]")],
        options: [
            Option("mean", .tensor, "[C], with variance: used instead of the batch's"), Option("variance", .tensor, "[C]"), Option("weight", .tensor, "[C]"),
            Option("bias", .tensor, "[C]"), Option("eps", .number, default: 1e-5, "added to the variance, 0 or more"),
        ], "(x - mean) / sqrt(variance + eps) · weight + bias per channel.", "By the batch's own statistics, or given ones. weight and bias come together.",
        example: "print(nn.functional.batch_norm(tensor.randn(2, 3, 4, 4)):mean():abs():item() < 1e-5)  --> true"
    ) { call in
        let x: Tensor = try call.get(1)
        let mean: Tensor? = try call.option(ifPresent: "mean"), variance: Tensor? = try call.option(ifPresent: "variance")
        guard (mean == nil) == (variance == nil) else { throw call.badOption("mean", "mean and variance come together") }
        let gamma: Tensor? = try call.option(ifPresent: "weight"), beta: Tensor? = try call.option(ifPresent: "bias")
        guard (gamma == nil) == (beta == nil) else { throw call.badOption("weight", "weight and bias come together") }
        let epsilon: Float = try call.option("eps")
        try BatchNorm.check(epsilon)
        let statistics = try mean.flatMap { m in try variance.map { try Tensor.stack([m, $0], 0) } }
        return try x.batchNorm(statistics: statistics, gamma: gamma, beta: beta, epsilon: epsilon)
    }

    private static let convTranspose = function(
        "conv_transpose2d", [input, Argument("weight", .tensor, "[in, out / groups, kh, kw]"), Argument("bias", .tensor, optional: true, "[out]")],
        options: [LayerBindings.stride, LayerBindings.padding, LayerBindings.outputPadding, LayerBindings.dilation, LayerBindings.groups], "Transposed convolution.",
        "[N, in, H, W] to [N, out, H', W'] with H' = (H - 1)·stride - 2·padding + dilation·(kernel - 1) + output_padding + 1.",
        example: "print(nn.functional.conv_transpose2d(tensor.ones(1, 1, 2, 2), tensor.ones(1, 1, 2, 2), {stride = 2}):sum():item())  --> 16.0"
    ) { call in
        let options = try ConvOptions(
            stride: call.pair("stride"), padding: call.pair("padding", least: 0), dilation: call.pair("dilation"), groups: call.option("groups"))
        return try call.get(1, as: Tensor.self).convTranspose2d(
            call.get(2), bias: call.get(ifPresent: 3), options, outputPadding: call.pair("output_padding", least: 0))
    }

    private static let weights = [Option("weight", .tensor, "a factor for each"), Option("bias", .tensor, "a number added to each"), LayerBindings.eps]

    private static let layerNorm = function(
        "layer_norm", [Argument("input", .tensor), Argument("sizes", Kind.integers, "of the last dimensions, which are normalised together")], options: weights,
        "(x - mean) / sqrt(variance + eps) · weight + bias over the last dimensions.", "weight and bias are of these sizes.",
        example: "print(nn.functional.layer_norm(tensor.randn(2, 8), 8):mean():abs():item() < 1e-5)  --> true"
    ) { call in
        let epsilon: Float = try call.option("eps")
        try BatchNorm.check(epsilon, "layer_norm")
        return try call.get(1, as: Tensor.self).layerNorm(
            call.get(2, as: [Int].self), gamma: call.option(ifPresent: "weight"), beta: call.option(ifPresent: "bias"), epsilon: epsilon)
    }

    private static let groupNorm = function(
        "group_norm", [Argument("input", .tensor, "[N, C, ...]"), Argument("groups", .integer)], options: weights,
        "(x - mean) / sqrt(variance + eps) · weight + bias over groups of neighbouring channels of each sample.", "weight and bias are [C].",
        example: "print(nn.functional.group_norm(tensor.randn(2, 4, 3, 3), 2):mean():abs():item() < 1e-5)  --> true"
    ) { call in
        let epsilon: Float = try call.option("eps")
        try BatchNorm.check(epsilon, "group_norm")
        return try call.get(1, as: Tensor.self).groupNorm(
            call.get(2), gamma: call.option(ifPresent: "weight"), beta: call.option(ifPresent: "bias"), epsilon: epsilon)
    }

    private static let pixelShuffle = function(
        "pixel_shuffle", [input, LayerBindings.factor], "Channels become the pixels of squares: [N, C·factor², H, W] to [N, C, H·factor, W·factor].",
        example: "print(nn.functional.pixel_shuffle(tensor.zeros(1, 4, 2, 3), 2):size(4))  --> 6"
    ) { call in try call.get(1, as: Tensor.self).pixelShuffle(call.get(2)) }

    private static let pixelUnshuffle = function(
        "pixel_unshuffle", [input, LayerBindings.factor], "The inverse of `pixel_shuffle`: [N, C, H·factor, W·factor] to [N, C·factor², H, W].",
        example: "print(nn.functional.pixel_unshuffle(tensor.zeros(1, 1, 4, 6), 2):size(2))  --> 4"
    ) { call in try call.get(1, as: Tensor.self).pixelUnshuffle(call.get(2)) }

    private static let unfold = function(
        "unfold", [input], options: [LayerBindings.window, LayerBindings.stride, LayerBindings.padding, LayerBindings.dilation],
        "The elements of each window as a column: [N, C, H, W] to [N, C·kh·kw, H'·W'].", "H' and W' as for `conv2d`.",
        example: "print(table.concat(nn.functional.unfold(tensor.ones(1, 2, 4, 4), {kernel = 3}).shape, ' '))  --> 1 18 4"
    ) { call in
        let options = try ConvOptions(stride: call.pair("stride"), padding: call.pair("padding", least: 0), dilation: call.pair("dilation"))
        return try call.get(1, as: Tensor.self).unfold(kernel: call.pair("kernel"), options)
    }

    private static let attention = function(
        "attention", [Argument("queries", .tensor, "[..., L, D]"), Argument("keys", .tensor, "[..., S, D]"), Argument("values", .tensor, "[..., S, E]")],
        options: [
            Option("scale", .number, "factor of the products; 1 / sqrt(D) if left out"), Option("causal", .boolean, default: false, "query i sees the keys up to i"),
        ], "softmax(queries · keysᵀ · scale) · values, [..., L, E].",
        "Computed for a block of queries at a time, forward and backward: memory grows with S and not with L · S.",
        example: "local x = tensor.randn(2, 5, 4)\nprint(table.concat(nn.functional.attention(x, x, x).shape, ' '))  --> 2 5 4"
    ) { call in
        try call.get(1, as: Tensor.self).attention(
            keys: call.get(2), values: call.get(3), scale: call.option(ifPresent: "scale"), causal: call.option("causal"))
    }

    private static let maxPool = function(
        "max_pool2d", [input], options: [LayerBindings.window, LayerBindings.windowStride, LayerBindings.poolPadding], "Largest value of each window, per channel.",
        example: "print(nn.functional.max_pool2d(tensor.ones(1, 1, 4, 4), {kernel = 2}):size(3))  --> 2"
    ) { call in try call.get(1, as: Tensor.self).maxPool2d(LayerBindings.poolOptions(call)) }

    private static let averagePool = function(
        "avg_pool2d", [input],
        options: [LayerBindings.window, LayerBindings.windowStride, LayerBindings.poolPadding, LayerBindings.countPadding], "Mean of each window, per channel.",
        example: "print(nn.functional.avg_pool2d(tensor.ones(1, 1, 4, 4), {kernel = 2}):size(3))  --> 2"
    ) { call in
        try call.get(1, as: Tensor.self).averagePool2d(LayerBindings.poolOptions(call), countPadding: call.option("count_padding"))
    }

    private static let resize = function(
        "resize", [input], options: LayerBindings.resizing, "Images in another size.", "[N, C, H, W] to [N, C, H', W'].",
        example: "print(nn.functional.resize(tensor.ones(1, 1, 3, 3), {size = {5, 7}}):size(4))  --> 7"
    ) { call in
        let x: Tensor = try call.get(1)
        guard x.rank == 4 else { throw call.bad(1, "[N, C, H, W] expected, got \(Shape.text(x.shape))") }
        let target = try LayerBindings.resizeTarget(call)
        let (height, width) = target.size ?? (Int(Double(x.shape[2]) * target.scale), Int(Double(x.shape[3]) * target.scale))
        let y = try x.resize(LayerBindings.resizeMode(call), height: height, width: width)
        return y === x ? try x.clone() : y
    }

    private static let dropout = function(
        "dropout", [Argument("input", .tensor), Argument("p", .number, default: 0.5, "probability of a zero, in [0, 1)")],
        "Zeroes values at random and scales the rest by 1 / (1 - p).", example: "print(nn.functional.dropout(tensor.ones(3), 0):sum():item())  --> 3.0"
    ) { call in try Layer.dropout(call.get(2))(call.get(1)) }

    private static let classes = function(
        "classes", [Argument("logits", .tensor, "[N, classes, ...]")], "The class of the largest score at each place, counted from 0 as labels are.",
        "int32 [N, ...]. The same as logits:argmax(2) - 1, so that NaN counts as the largest; evaluation and segmentation refuse it.", example: "print(nn.functional.classes(tensor.from{{0, 9}, {9, 0}}):sum():item())  --> 1"
    ) { call in
        let x: Tensor = try call.get(1)
        guard x.rank >= 2 else { throw call.bad(1, "[N, classes, ...] expected, got \(Shape.text(x.shape))") }
        return try x.argmax(1).reshape([x.shape[0]] + x.shape.dropFirst(2))
    }
}

enum NNModule {
    static let module = LuaModule(
        "nn", summary: "Layers, networks and losses.",
        detail: "`nn.conv2d(...)` makes a layer with parameters of its own; `nn.functional.conv2d(x, weight, ...)` computes with a weight that is given. Losses such as "
            + "`nn.cross_entropy` are functions. Activations are methods of tensors too: `x:relu()`. Images are [N, C, H, W].",
        types: [
            Module.objectType, ParameterList.objectType, ModuleCountObject.objectType, TrainingHistoryObject.objectType, EvaluationObject.objectType,
        ], bindings: LayerBindings.all + FunctionalBindings.all)
}
