import Networks
import Tensors

/// The layers of module nn.
enum LayerBindings {
    static let all: [Binding] = [
        sequential, parallel, residual, conv2d, convTranspose, linear, batchNorm, layerNorm, groupNorm, identity, softmax, flatten, pixelShuffle, maxPool, averagePool,
        globalAveragePool, stripPool, resize, dropout, dropPath,
    ] + activations.map(activation) + ScriptedBindings.all

    /// The element-wise functions that are layers and functions of `nn.functional`, too.
    static let activations: [UnaryFunction] = [.relu, .sigmoid, .tanh, .gelu, .silu, .hardSigmoid, .hardSwish]

    private static let module = [Returns(.object("module"))]
    private static let modules = Argument("modules", .union([.list(.object("module")), .object("module")]), variadic: true, "one by one or as a list")

    private static func layer(
        _ name: String, _ parameters: [Argument] = [], options: [Option] = [], _ summary: String, _ detail: String = "", example: String,
        body: @escaping (Call) throws -> Module
    ) -> Binding {
        Binding(
            module: "nn", name: name, parameters: parameters, options: options, returns: module, summary: summary, detail: detail, example: example,
            body: { call in
                try refuseInput(call, name, parameters)
                let module = try body(call)
                try module.checkExtent()
                return call.push(module)
            })
    }

    /// A layer is made first, then it computes: a tensor behind the parameters was meant as its input.
    private static func refuseInput(_ call: Call, _ name: String, _ parameters: [Argument]) throws {
        guard parameters.last?.variadic != true, call.count > parameters.count else { return }
        for position in (parameters.count + 1)...call.count where Tensor.read(call.thread, call.index(position)) != nil {
            throw HostError("nn.\(name) makes a layer and computes nothing by itself: write nn.\(name)(\(parameters.isEmpty ? "" : "..."))(x)" + computing(name))
        }
    }

    /// What computes without a layer, in words.
    private static func computing(_ name: String) -> String {
        if Tensor.objectType.methods.contains(where: { $0.name == name }) { return ", or x:\(name)(...)" }
        return FunctionalBindings.all.contains { $0.name == "functional." + name } ? ", or nn.functional.\(name)(x, ...)" : ""
    }

    // MARK: Containers

    private static let sequential = layer(
        "sequential", [Argument("modules", .union([.table, .object("module")]), variadic: true, "a list, the modules one by one, or a list of {name, module}")],
        "Modules one after another.", "They are named \"1\", \"2\", ... in paths, or by the names in pairs.",
        example: """
            local net = nn.sequential{nn.conv2d(3, 8, {kernel = 3, padding = 1}), nn.batch_norm(8), nn.relu()}
            print(table.concat(net(tensor.zeros(2, 3, 5, 5)).shape, ' '))  --> 2 8 5 5
            local named = nn.sequential{{"stem", nn.conv2d(3, 8, {kernel = 3})}, {"act", nn.relu()}}
            print(named.stem.kind)  --> conv2d
            """
    ) { call in
        let first = try call.value(1)
        let entries = call.count == 1 ? first.table?.list ?? [first] : try (0..<call.count).map { try call.value($0 + 1) }
        if call.count == 1, let table = first.table, let name = table.fields.keys.sorted().first {
            throw call.bad(1, "a table has no order of names: write {{\"\(name)\", module}, ...}")
        }
        return Sequential(named: try named(entries) { call.bad(1, $0) })
    }

    private static func named(_ entries: [LuaValue], _ failure: (String) -> any Error) throws -> [(name: String, module: Module)] {
        var seen = Set<String>()
        return try entries.enumerated().map { position, value in
            let name: String
            let module: Module
            if let plain: Module = value.object() {
                (name, module) = (String(position + 1), plain)
            } else if let pair = value.table, pair.list.count == 2, let text = pair[1].string, let inner: Module = pair[2].object() {
                (name, module) = (text, inner)
            } else {
                throw failure("element \(position + 1) is a \(value.typeName), expected a module or {name, module}")
            }
            guard !name.contains("."), !name.isEmpty else { throw failure("names without dots expected, got '\(name)'") }
            guard seen.insert(name).inserted else { throw failure("the name '\(name)' is given twice") }
            return (name, module)
        }
    }

    private static func listed(_ call: Call) throws -> [Module] {
        let modules: [Module] = try call.rest(from: 1)
        guard !modules.isEmpty else { throw call.bad(1, "one module or more expected") }
        return modules
    }

    private static let parallel = layer(
        "parallel", [modules], options: [Option("join", .choice(["concat", "sum"]), default: "concat", "how the outputs are joined; concat along the channels")],
        "Branches over the same input, joined.", example: "local net = nn.parallel({nn.identity(), nn.relu()}, {join = 'sum'})\nprint(net(tensor.ones(1, 2)):sum():item())  --> 4.0"
    ) { call in Parallel(try listed(call), join: Parallel.Join(rawValue: try call.option("join")) ?? .concat) }

    private static let residual = layer(
        "residual", [modules], "x plus what the modules, one after another, make of x.", "The same as nn.parallel({nn.identity(), nn.sequential{...}}, {join = \"sum\"}): the modules are under \"2\".",
        example: "print(nn.residual(nn.relu())(tensor.ones(2)):sum():item())  --> 4.0"
    ) { call in
        let body = try listed(call)
        return Parallel([Layer.identity(), body.count == 1 ? body[0] : Sequential(body)], join: .sum)
    }

    // MARK: With parameters

    static let stride = Option("stride", Kind.integers, default: 1, "distance of neighbouring outputs, or {height, width}")
    static let padding = Option("padding", Kind.integers, default: 0, "zeros on each side, or {height, width}")
    static let dilation = Option("dilation", Kind.integers, default: 1, "distance of the kernel's taps, or {height, width}")
    static let groups = Option("groups", .integer, default: 1, "parts of the channels that are convolved by themselves")
    private static let seed = Option("seed", .integer, "initial weights from a stream of their own")

    private static func random(_ call: Call) throws -> RandomState {
        try call.option(ifPresent: "seed", as: UInt64.self).map { RandomState(seed: $0) } ?? .global
    }

    private static let conv2d = layer(
        "conv2d", [Argument("in_channels", .integer), Argument("out_channels", .integer)],
        options: [
            Option("kernel", Kind.integers, required: true, "side of the kernel, or {height, width}"), stride, padding, dilation, groups,
            Option("bias", .boolean, default: true, "adds a number to each output channel"), seed,
        ], "Two-dimensional convolution.",
        "[N, in, H, W] to [N, out, H', W'] with H' = (H + 2·padding - dilation·(kernel - 1) - 1) // stride + 1. Parameters weight [out, in / groups, kh, kw] and bias [out], "
            + "initially uniform in ±1/sqrt(fan-in). `nn.functional.conv2d` takes the weight as an argument.",
        example: "local conv = nn.conv2d(3, 8, {kernel = 3, stride = 2, padding = 1})\nprint(table.concat(conv(tensor.zeros(1, 3, 9, 9)).shape, ' '))  --> 1 8 5 5"
    ) { call in
        try Conv2d(
            call.get(1), call.get(2), kernel: call.pair("kernel"), stride: call.pair("stride"), padding: call.pair("padding", least: 0),
            dilation: call.pair("dilation"), groups: call.option("groups"), bias: call.option("bias"), random: random(call))
    }

    static let outputPadding = Option("output_padding", Kind.integers, default: 0, "rows and columns more at the end, fewer than the stride, or {height, width}")

    private static let convTranspose = layer(
        "conv_transpose2d", [Argument("in_channels", .integer), Argument("out_channels", .integer)],
        options: [
            Option("kernel", Kind.integers, required: true, "side of the kernel, or {height, width}"), stride, padding, outputPadding, dilation, groups,
            Option("bias", .boolean, default: true, "adds a number to each output channel"), seed,
        ], "Transposed convolution: the adjoint of a convolution, for images that grow.",
        "[N, in, H, W] to [N, out, H', W'] with H' = (H - 1)·stride - 2·padding + dilation·(kernel - 1) + output_padding + 1. Parameters weight [in, out / groups, kh, kw] and "
            + "bias [out], initially uniform in ±1/sqrt(out / groups · kh · kw).",
        example: "local up = nn.conv_transpose2d(8, 3, {kernel = 4, stride = 2, padding = 1})\nprint(table.concat(up(tensor.zeros(1, 8, 5, 5)).shape, ' '))  --> 1 3 10 10"
    ) { call in
        try ConvTranspose2d(
            call.get(1), call.get(2), kernel: call.pair("kernel"), stride: call.pair("stride"), padding: call.pair("padding", least: 0),
            outputPadding: call.pair("output_padding", least: 0), dilation: call.pair("dilation"), groups: call.option("groups"), bias: call.option("bias"),
            random: random(call))
    }

    private static let linear = layer(
        "linear", [Argument("in_features", .integer), Argument("out_features", .integer)],
        options: [Option("bias", .boolean, default: true, "adds a number to each output"), seed], "x · weightᵀ + bias along the last dimension.",
        "[..., in] to [..., out]. Parameters weight [out, in] and bias [out], initially uniform in ±1/sqrt(in).",
        example: "print(table.concat(nn.linear(4, 2)(tensor.zeros(3, 5, 4)).shape, ' '))  --> 3 5 2"
    ) { call in try Linear(call.get(1), call.get(2), bias: call.option("bias"), random: random(call)) }

    private static let batchNorm = layer(
        "batch_norm", [Argument("channels", .integer)],
        options: [
            Option("affine", .boolean, default: true, "has a weight and a bias per channel"), Option("eps", .number, default: 1e-5, "added to the variance, 0 or more"),
            Option("momentum", .number, default: 0.1, "share of the batch in the running statistics, 0 to 1"),
        ], "Batch normalisation of [N, C, ...] per channel (Ioffe and Szegedy, 2015).",
        "(x - mean) / sqrt(variance + eps) · weight + bias. In training by the batch's statistics, which move the running ones (the variance unbiased); in evaluation, and where "
            + "a channel has one value only, by the running ones. Buffers running_mean and running_var [C].",
        example: "print(nn.batch_norm(4)(tensor.randn(2, 4, 3, 3)):mean():abs():item() < 1e-5)  --> true"
    ) { call in try BatchNorm(call.get(1), affine: call.option("affine"), epsilon: call.option("eps"), momentum: call.option("momentum")) }

    private static let affine = Option("affine", .boolean, default: true, "has a weight and a bias")
    static let eps = Option("eps", .number, default: 1e-5, "added to the variance, 0 or more")

    private static let layerNorm = layer(
        "layer_norm", [Argument("sizes", Kind.integers, "of the last dimensions, which are normalised together")], options: [affine, eps],
        "Layer normalisation over the last dimensions (Ba et al., 2016).",
        "(x - mean) / sqrt(variance + eps) · weight + bias by the statistics of each sample. Parameters weight and bias of these sizes.",
        example: "print(nn.layer_norm(4)(tensor.randn(2, 3, 4)):mean():abs():item() < 1e-5)  --> true"
    ) { call in try LayerNorm(call.get(1, as: [Int].self), affine: call.option("affine"), epsilon: call.option("eps")) }

    private static let groupNorm = layer(
        "group_norm", [Argument("groups", .integer), Argument("channels", .integer)], options: [affine, eps],
        "Group normalisation of [N, C, ...] (Wu and He, 2018).",
        "As `layer_norm` over groups of neighbouring channels of each sample; the batch plays no part. Parameters weight and bias [C].",
        example: "print(nn.group_norm(2, 4)(tensor.randn(2, 4, 3, 3)):mean():abs():item() < 1e-5)  --> true"
    ) { call in try GroupNorm(call.get(1), call.get(2), affine: call.option("affine"), epsilon: call.option("eps")) }

    // MARK: Without parameters

    private static func activation(_ f: UnaryFunction) -> Binding {
        layer(
            f.name, [], "\(f.equation.prefix(1).uppercased() + f.equation.dropFirst()), as a layer.", "On tensors: `x:\(f.name)()`.",
            example: "print(nn.\(f.name)()(tensor.zeros(2)):size(1))  --> 2"
        ) { _ in Layer.activation(f) }
    }

    private static let identity = layer(
        "identity", [], "X itself, as a layer.", example: "print(nn.identity()(tensor.zeros(2)):size(1))  --> 2"
    ) { _ in Layer.identity() }

    static let factor = Argument("factor", .integer, "pixels of a side, 1 or more")

    private static let pixelShuffle = layer(
        "pixel_shuffle", [factor], "Channels become the pixels of squares (Shi et al., 2016).", "[N, C·factor², H, W] to [N, C, H·factor, W·factor].",
        example: "print(table.concat(nn.pixel_shuffle(2)(tensor.zeros(1, 8, 3, 3)).shape, ' '))  --> 1 2 6 6"
    ) { call in
        let factor: Int = try call.get(1)
        guard factor > 0 else { throw call.bad(1, "a factor of 1 or more expected, got \(factor)") }
        return Lambda("pixel_shuffle", details: "by \(factor)") { x, _ in try x.pixelShuffle(factor) }
    }

    private static let softmax = layer(
        "softmax", [Argument("dimension", .integer, default: 2, "from 1, negative from the end")], "e^x / Σ e^x along a dimension, by default the channels.",
        example: "print(nn.softmax()(tensor.zeros(1, 2))[1][1])  --> 0.5"
    ) { call in
        let d: Int = try call.get(1)
        guard d != 0 else { throw call.bad(1, "dimension 0 (dimensions start at 1)") }
        return Lambda("softmax", details: "dimension \(d)") { x, _ in
            let axis = d < 0 ? x.rank + d : d - 1
            guard axis >= 0, axis < x.rank else { throw TensorError("softmax", "dimension \(d) is outside of \(Shape.text(x.shape))") }
            return try x.softmax(axis)
        }
    }

    private static let flatten = layer(
        "flatten", [], "[N, ...] to [N, all the rest].", example: "print(nn.flatten()(tensor.zeros(2, 3, 4)):size(2))  --> 12"
    ) { _ in Layer.flatten() }

    static let window = Option("kernel", Kind.integers, required: true, "side of the window, or {height, width}")
    static let windowStride = Option("stride", Kind.integers, "distance of neighbouring windows; the kernel if left out")
    static let poolPadding = Option("padding", Kind.integers, default: 0, "on each side, at most half of the kernel")
    static let countPadding = Option("count_padding", .boolean, default: true, "whether the zeros around the image count")

    static func poolOptions(_ call: Call) throws -> PoolOptions {
        let kernel = try call.pair("kernel")
        return PoolOptions(kernel: kernel, stride: try call.pair(ifPresent: "stride") ?? kernel, padding: try call.pair("padding", least: 0))
    }

    private static let maxPool = layer(
        "max_pool2d", options: [window, windowStride, poolPadding], "Largest value of each window, per channel.",
        "[N, C, H, W] to [N, C, H', W'] with H' = (H + 2·padding - kernel) // stride + 1. The padding never wins; the derivative goes to the first of several largest.",
        example: "print(nn.max_pool2d{kernel = 2}(tensor.ones(1, 1, 4, 4)):size(3))  --> 2"
    ) { call in Layer.maxPool2d(try poolOptions(call)) }

    private static let averagePool = layer(
        "avg_pool2d", options: [window, windowStride, poolPadding, countPadding], "Mean of each window, per channel.",
        "[N, C, H, W] to [N, C, H', W'] as max_pool2d.", example: "print(nn.avg_pool2d{kernel = 2}(tensor.ones(1, 1, 4, 4)):mean():item())  --> 1.0"
    ) { call in Layer.averagePool2d(try poolOptions(call), countPadding: try call.option("count_padding")) }

    private static let globalAveragePool = layer(
        "global_avg_pool", [], "Mean over height and width: [N, C, H, W] to [N, C, 1, 1].", example: "print(nn.global_avg_pool()(tensor.ones(1, 2, 4, 4)):sum():item())  --> 2.0"
    ) { _ in Layer.globalAveragePool() }

    private static let stripPool = layer(
        "strip_pool", [Argument("channels", .integer)], options: [seed], "Strip pooling: the means of rows and columns say how much of a pixel stays (Hou et al., 2020).",
        "[N, C, H, W] to the same: x · sigmoid(conv3(relu(bn1(conv1(mean of rows)) + bn2(conv2(mean of columns))))), so that whole rows and columns are seen at once. "
            + "Parameters as in the published code: conv1 [C, C, 3, 1], conv2 [C, C, 1, 3], conv3 [C, C, 1, 1] with a bias, bn1 and bn2.",
        example: "print(table.concat(nn.strip_pool(8)(tensor.zeros(2, 8, 5, 7)).shape, ' '))  --> 2 8 5 7"
    ) { call in try StripPool(call.get(1), random: random(call)) }

    static let resizing = [
        Option("size", Kind.integers, "new height and width"), Option("scale", .number, "factor instead of a size"),
        Option("mode", .choice(["bilinear", "nearest"]), default: "bilinear", "how pixels are made"),
        Option("align_corners", .boolean, default: true, "corner pixels fall on corner pixels; false places pixels by their centres, as PyTorch's default"),
    ]

    static func resizeMode(_ call: Call) throws -> ResizeMode {
        if try call.option("mode") == "nearest" { return .nearest }
        return try call.option("align_corners") ? .bilinearAlignCorners : .bilinearHalfPixel
    }

    /// Size or scale, one of the two.
    static func resizeTarget(_ call: Call) throws -> (size: (Int, Int)?, scale: Double) {
        let size = try call.pair(ifPresent: "size")
        let scale: Double? = try call.option(ifPresent: "scale")
        guard (size == nil) != (scale == nil) else { throw call.badOption("size", "either a size or a scale expected") }
        if let scale, !(scale > 0 && scale <= 1024) { throw call.badOption("scale", "a factor above 0 and up to 1024 expected, got \(scale)") }
        return (size, scale ?? 1)
    }

    private static let resize = layer(
        "resize", options: resizing, "Images in another size.", "[N, C, H, W] to [N, C, H', W']. `nn.functional.resize` takes the size with the call.",
        example: "print(nn.resize{scale = 2}(tensor.ones(1, 1, 3, 3)):size(3))  --> 6"
    ) { call in
        let target = try resizeTarget(call)
        return Layer.resize(try resizeMode(call), size: target.size, scale: target.scale)
    }

    private static let dropout = layer(
        "dropout", [Argument("p", .number, default: 0.5, "probability of a zero, in [0, 1)")], "Zeroes values at random in training and scales the rest by 1 / (1 - p).",
        "Srivastava and others, 2014. In evaluation it does nothing.", example: "print(nn.dropout(0.5):eval()(tensor.ones(4)):sum():item())  --> 4.0"
    ) { call in try Layer.dropout(call.get(1)) }

    private static let dropPath = layer(
        "drop_path", [Argument("p", .number, default: 0.1, "probability of dropping a sample, in [0, 1)")],
        "Zeroes whole samples at random in training and scales the rest by 1 / (1 - p).",
        "Larsson and others, 2017: for a branch of a sum. `module:advance(share)` lets the probability grow from 0 to p with the training. In evaluation it does nothing.",
        example: "print(nn.drop_path(0.5):eval()(tensor.ones(4, 2)):sum():item())  --> 8.0"
    ) { call in try DropPath(call.get(1)) }
}
