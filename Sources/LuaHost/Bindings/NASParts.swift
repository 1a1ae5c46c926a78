import Networks
import Search
import Tensors

/// `nas.parts`: what the stock supernet and its derived networks are made of, for networks that are written in Lua.
enum PartBindings {
    static let all = [stem, operation, input, cell, head, aspp, decoder]

    private static let sizes = 1...65_536
    private static let epsilon = Option("eps", .number, default: 1e-5, "of batch norms")
    private static let derivedEpsilon = Option("eps", .number, default: 1e-3, "of batch norms, as in the released code")
    private static let momentum = Option("momentum", .number, default: 0.1, "of batch norms: share of the batch in the running statistics")

    private static func part(
        _ name: String, _ parameters: [Argument] = [], options: [Option], _ summary: String, _ detail: String, example: String,
        make: @escaping (Call) throws -> Module
    ) -> Binding {
        Binding(
            module: "nas", name: "parts." + name, parameters: parameters, options: options, returns: [Returns(.object("module"))], summary: summary,
            detail: detail, example: example, body: { call in call.push(try make(call)) })
    }

    /// An option that is a number of channels or of pixels.
    private static func size(_ call: Call, _ name: String) throws -> Int { try check(call.option(name), name, call) }
    private static func size(ifPresent name: String, _ call: Call) throws -> Int? { try call.option(ifPresent: name).map { try check($0, name, call) } }
    private static func check(_ size: Int, _ name: String, _ call: Call) throws -> Int {
        guard sizes.contains(size) else { throw call.badOption(name, "1 to 65536 expected, got \(size)") }
        return size
    }

    private static let stem = part(
        "stem",
        options: [
            Option("channels", .integer, required: true, "that it gives"), Option("stride", .integer, default: 4, "by which it makes images smaller, a power of two"),
            Option("width", .integer, "channels inside; half of what it gives when left out"),
            Option("three", .boolean, default: false, "one more convolution before the last, that does not halve"), epsilon, momentum,
        ],
        "The stem: images [N, 3, H, W] to [N, channels, H / stride, W / stride].",
        "3x3 convolutions with batch norm and ReLU, one for each halving and two at least, as the stock supernet's. Sizes are rounded up.",
        example: "print(table.concat(nas.parts.stem{channels = 8}(tensor.zeros(1, 3, 30, 32)).shape, ' '))  --> 1 8 8 8"
    ) { call in
        let stride: Int = try call.option("stride")
        guard stride >= 1, stride <= 1024, stride.nonzeroBitCount == 1 else { throw call.badOption("stride", "a power of two up to 1024 expected, got \(stride)") }
        return try TrellisSpace.stemModule(
            channels: size(call, "channels"), stride: stride, call.option("three") ? .three : .two, width: size(ifPresent: "width", call),
            epsilon: norm(call).epsilon, momentum: norm(call).momentum)
    }

    private static let operation = part(
        "operator",
        [Argument("name", .string, "one of nas.operators()"), Argument("channels", .integer, "in and out")],
        options: [
            Option("stride", .integer, default: 1, "1, or 2: halves the size, rounded up"),
            Option("affine", .boolean, default: false, "whether its batch norms have weights, as in derived networks"), epsilon, momentum,
        ],
        "An operator of cells as a module on [N, channels, H, W].",
        "Those of nas.operator too. With stride 2 one that keeps the size gets its input resized by half (bilinear). 'none' computes nothing and has no module.",
        example: "print(#nas.parts.operator('sep_conv_3x3', 8):parameters())  --> 4"
    ) { call in
        let name: String = try call.get(1)
        guard name != OperatorCatalogue.none else { throw call.bad(1, "'none' computes nothing and has no module: leave the connection out") }
        let channels: Int = try call.get(2)
        guard sizes.contains(channels) else { throw call.bad(2, "1 to 65536 channels expected, got \(channels)") }
        let stride: Int = try call.option("stride")
        guard stride == 1 || stride == 2 else { throw call.badOption("stride", "1 or 2 expected, got \(stride)") }
        let context = try OperatorContext(
            channels: channels, stride: stride, affine: call.option("affine"), epsilon: norm(call).epsilon, momentum: norm(call).momentum)
        return try OperatorRegistry.shared.makeSized(name, context)
    }

    /// The options of batch norms.
    private static func norm(_ call: Call) throws -> (epsilon: Float, momentum: Float) {
        let epsilon: Float = try call.option("eps"), momentum: Float = try call.option("momentum")
        guard epsilon > 0, epsilon.isFinite else { throw call.badOption("eps", "above 0 expected, got \(epsilon)") }
        guard (0...1).contains(momentum) else { throw call.badOption("momentum", "0 to 1 expected, got \(momentum)") }
        return (epsilon, momentum)
    }

    private static let input = part(
        "input",
        options: [
            Option("from", .integer, required: true, "channels in"), Option("to", .integer, required: true, "channels out"),
            Option("move", .choice(["up", "same", "down"]), "how the arrow goes: to a finer stride, the same, a coarser one; left out for the two-back input"),
            Option("down", .choice(["conv", "bilinear"]), default: "conv", "how a down arrow halves: a convolution of stride 2, or a resize and a 1x1 convolution"),
            Option("down_kernel", .integer, default: 3, "side of the convolution of stride 2, odd"),
            Option("affine", .boolean, default: false, "whether its batch norm has weights"), epsilon, momentum,
        ],
        "What brings a state to a node's channels and size: [resize,] ReLU, convolution, batch norm.",
        "Where it resizes (up arrows, and down arrows with 'bilinear'), it is called with the size: part(x, {height, width}); elsewhere a size is taken and passed over.",
        example: "local up = nas.parts.input{from = 8, to = 4, move = \"up\"}\nprint(table.concat(up(tensor.zeros(1, 8, 3, 4), {5, 7}).shape, ' '))  --> 1 4 5 7"
    ) { call in
        var options = SpaceOptions()
        (options.batchNormEpsilon, options.batchNormMomentum) = try norm(call)
        options.affine = try call.option("affine")
        options.down = SpaceOptions.Down(rawValue: try call.option("down")) ?? .conv
        options.downKernel = try call.option("down_kernel")
        guard (1...255).contains(options.downKernel), options.downKernel % 2 == 1 else {
            throw call.badOption("down_kernel", "an odd number up to 255 expected, got \(options.downKernel)")
        }
        return try InputProjection(size(call, "from"), size(call, "to"), move: call.option(ifPresent: "move", as: String.self).flatMap { moves[$0] }, options)
    }

    private static let cell = part(
        "cell",
        options: [
            Option("cell", .list(.table), required: true, "blocks, each two branches {operator, state} or {operator =, state =}, as architecture.cell"),
            Option("channels", .integer, required: true, "of a block"), Option("previous", .integer, required: true, "channels of the previous output"),
            Option("back", .integer, "channels of the output before that; as many as `previous` when left out"),
            Option("move", .choice(["up", "same", "down"]), default: "same", "how the arrow goes: to a finer stride, the same, a coarser one"),
            Option("drop_path", .number, default: 0, "probability with which a branch is dropped in training"), derivedEpsilon, momentum,
        ],
        "A decided cell of a derived network: part(back, previous [, {height, width}]) gives [N, blocks · channels, height, width].",
        "States: 1 = back, 2 = previous, 2 + b = block b. `back` may have any size, and is resized to that of `previous`. The size is needed where the arrow goes up; it "
            + "follows from the input elsewhere (half of it, rounded up, on the way down).",
        example: """
            local cell = nas.parts.cell{cell = {{{"sep_conv_3x3", 1}, {"skip_connect", 2}}}, channels = 4, previous = 8, move = "down"}
            print(table.concat(cell(tensor.zeros(1, 8, 9, 9), tensor.zeros(1, 8, 5, 5)).shape, ' '))  --> 1 4 3 3
            """
    ) { call in
        let genotype = try call.genotype()
        guard !genotype.blocks.isEmpty else { throw call.badOption("cell", "one block or more expected") }
        try genotype.validate(blocks: genotype.blocks.count, operators: ScriptOperators.catalogue.names)
        let previous = try size(call, "previous"), dropPath: Double = try call.option("drop_path")
        guard (0..<1).contains(dropPath) else { throw call.badOption("drop_path", "a probability from 0 up to but not 1 expected, got \(dropPath)") }
        let (epsilon, momentum) = try norm(call)
        return try DerivedCell(
            genotype, channels: size(call, "channels"), previous: previous, back: size(ifPresent: "back", call) ?? previous,
            move: moves[call.option("move")] ?? .same, dropPath: dropPath, epsilon: epsilon, momentum: momentum)
    }

    private static let moves: [String: Move] = ["up": .finer, "same": .same, "down": .coarser]

    private static let head = part(
        "head",
        options: [
            Option("channels", .integer, required: true, "in"), Option("classes", .integer, required: true, "of the scores"),
            Option("rate", .integer, required: true, "of the atrous convolution; the search takes 96 pixels over the stride"),
            Option("width", .integer, "channels of the branches; as many as come in when left out"), epsilon, momentum,
        ],
        "The head of a search: [N, channels, H, W] to scores [N, classes, H, W].",
        "An ASPP of three branches side by side (1x1, atrous 3x3, image pooling), each with batch norm and ReLU, and a 1x1 convolution to the classes.",
        example: "print(nas.parts.head{channels = 8, classes = 5, rate = 6}(tensor.zeros(2, 8, 6, 6)):size(2))  --> 5"
    ) { call in
        var options = SpaceOptions()
        (options.batchNormEpsilon, options.batchNormMomentum) = try norm(call)
        options.headWidth = try size(ifPresent: "width", call)
        return try SupernetHead(size(call, "channels"), classes: size(call, "classes"), rate: size(call, "rate"), options)
    }

    private static let aspp = part(
        "aspp",
        options: [
            Option("channels", .integer, required: true, "in"), Option("width", .integer, default: 256, "of each branch, and out"),
            Option("rates", .list(.integer), default: [12, 24, 36], "of the atrous branches, one for each; 12, 24, 36 are for stride 8"), derivedEpsilon, momentum,
        ],
        "Atrous spatial pyramid pooling of a derived network: [N, channels, H, W] to [N, width, H, W].",
        "1x1, a dense 3x3 at each rate, and image pooling side by side, joined by a 1x1; each convolution with batch norm and ReLU (arXiv 1706.05587).",
        example: "print(nas.parts.aspp{channels = 8, width = 16, rates = {1, 2, 3}}(tensor.zeros(2, 8, 6, 6)):size(2))  --> 16"
    ) { call in
        let rates: [Int] = try call.option("rates")
        guard rates.count <= 64, rates.allSatisfy(sizes.contains) else { throw call.badOption("rates", "up to 64 rates from 1 to 65536 expected") }
        let (epsilon, momentum) = try norm(call)
        return try DerivedASPP(size(call, "channels"), size(call, "width"), rates: rates, epsilon: epsilon, momentum: momentum)
    }

    private static let decoder = part(
        "decoder",
        options: [
            Option("channels", .integer, default: 256, "of what the ASPP gives"), Option("low", .integer, required: true, "channels of the low-level features"),
            Option("classes", .integer, required: true, "of the scores"), Option("low_width", .integer, default: 48, "channels that the low-level features are brought to"),
            Option("width", .integer, default: 256, "channels of its two 3x3 convolutions"), derivedEpsilon, momentum,
        ],
        "DeepLabv3+'s decoder: part(x, low [, {height, width}]) gives scores [N, classes, height, width].",
        "x is what the ASPP gives, low the output of an early layer; both are resized (bilinear, corners aligned) to the size, by default that of low, and go "
            + "through two 3x3 convolutions and a classifier (arXiv 1802.02611).",
        example: """
            local decoder = nas.parts.decoder{channels = 16, low = 8, classes = 5, low_width = 4, width = 16}
            print(table.concat(decoder(tensor.zeros(1, 16, 3, 4), tensor.zeros(1, 8, 6, 8)).shape, ' '))  --> 1 5 6 8
            """
    ) { call in
        let (epsilon, momentum) = try norm(call)
        return try DerivedDecoder(
            size(call, "channels"), low: size(call, "low"), classes: size(call, "classes"), lowWidth: size(call, "low_width"), width: size(call, "width"),
            epsilon: epsilon, momentum: momentum)
    }
}

/// A module that is called with more than one tensor.
protocol SizedModule: Module {
    func output(_ call: Call) throws -> Tensor
}

extension InputProjection: SizedModule {
    func output(_ call: Call) throws -> Tensor {
        let x: Tensor = try call.get(1)
        guard resizes else { return try self(x) }
        guard call.has(2) else { throw call.bad(2, "the size {height, width} expected: this input resizes") }
        let (height, width) = try call.imageSize(2)
        guard x.rank == 4 else { throw call.bad(1, "[N, C, H, W] expected, got \(Shape.text(x.shape))") }
        return try computing { try self(x, height: height, width: width) }
    }
}

extension DerivedCell: SizedModule {
    func output(_ call: Call) throws -> Tensor {
        for i in 1...2 where !call.has(i) { throw call.bad(i, "tensor expected: a cell is called with the output of two layers before and the previous one") }
        let back: Tensor = try call.get(1), previous: Tensor = try call.get(2)
        for (i, tensor) in [back, previous].enumerated() where tensor.rank != 4 { throw call.bad(i + 1, "[N, C, H, W] expected, got \(Shape.text(tensor.shape))") }
        guard call.has(3) || !needsSize else { throw call.bad(3, "the size {height, width} expected: this cell resizes") }
        let size = call.has(3) ? try call.imageSize(3) : outputSize(of: previous)
        return try computing { try self(previous, twoBack: back, size: size) }
    }
}

extension DerivedDecoder: SizedModule {
    func output(_ call: Call) throws -> Tensor {
        let x: Tensor = try call.get(1)
        guard call.has(2) else { throw call.bad(2, "low-level features [N, C, H, W] expected, got no value") }
        let low: Tensor = try call.get(2)
        for (i, tensor) in [x, low].enumerated() where tensor.rank != 4 { throw call.bad(i + 1, "[N, C, H, W] expected, got \(Shape.text(tensor.shape))") }
        let size = call.has(3) ? try call.imageSize(3) : (low.shape[2], low.shape[3])
        return try computing { try self(x, lowLevel: low, size: size) }
    }
}

extension Call {
    /// Argument `i`: {height, width}.
    fileprivate func imageSize(_ i: Int) throws -> (height: Int, width: Int) {
        let sides = try value(i).table?.list.compactMap(\.integer) ?? []
        guard sides.count == 2, sides.allSatisfy((1...65_536).contains) else { throw bad(i, "{height, width} expected, each from 1 to 65536") }
        return (sides[0], sides[1])
    }
}
