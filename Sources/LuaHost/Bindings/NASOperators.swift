import Networks
import Search
import Tensors

/// Operators that scripts add, beside the ten of the library: their modules for the supernet, their costs for estimates.
enum ScriptOperators {
    /// The ten and the scripts' own.
    nonisolated(unsafe) static var catalogue = OperatorCatalogue.standard

    /// Names that scripts have defined, be they new or the library's.
    nonisolated(unsafe) private static var defined = Set<String>()

    static let binding = Binding(
        module: "nas", name: "operator",
        parameters: [
            Argument("name", .string, "what cells call it: letters, digits and underscores"),
            Argument("build", .function, "of channels and {stride =, affine =}; returns a module that keeps channels and size"),
        ],
        options: [Option("channels", .integer, default: 8, "channels that it is tried with at once, to find mistakes here and not in a search")],
        summary: "Adds an operator that cells may name.",
        detail: """
            `build(channels, {stride, affine})` must make a new module each time: every edge of every node gets its own weights. In a search stride is 1 and affine false (the \
            space's option); a derived network asks for stride 2 on arrows that halve the picture, and for affine norms. The module maps [N, channels, H, W] to the same shape \
            (half the size, rounded up, at stride 2; one that ignores the stride gets its input resized by half, bilinearly). It may contain Lua: it runs once, when a step is compiled. A name that exists gets the new definition in spaces built from \
            then on; 'none' cannot be redefined. Costs in estimates are counted by writing down what the module does, without running it.
            """,
        example: """
            nas.operator("conv_1x1", function(channels, options)
              return nn.sequential{nn.relu(), nn.conv2d(channels, channels, {kernel = 1, bias = false}), nn.batch_norm(channels, {affine = options.affine})}
            end)
            print(#nas.cell{blocks = 1, operators = {"none", "skip_connect", "conv_1x1"}}.operators)  --> 3
            """,
        body: { call in
            let name: String = try call.get(1)
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 == 95 || (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) }) else {
                throw call.bad(1, "a name of letters, digits and underscores expected, got '\(name)': it is part of the names of parameters")
            }
            guard name != OperatorCatalogue.none else { throw call.bad(1, "'none' always means no connection; choose another name") }
            let channels: Int = try call.option("channels")
            guard (1...65_536).contains(channels) else { throw call.badOption("channels", "1 to 65536 expected, got \(channels)") }
            let function: LuaFunction = try call.get(2)
            try add(name, function, trial: channels)
            return 0
        })

    private static func add(_ name: String, _ function: LuaFunction, trial channels: Int) throws {
        let build: OperatorRegistry.Factory = { context in
            try function.call(
                context.channels, LuaValue.table(LuaTable(fields: ["stride": .integer(context.stride), "affine": .boolean(context.affine)])),
                returning: Module.self, expected: .object("module"), from: "the operator '\(name)'")
        }
        try check(name, channels: channels, build)
        try tryOut(name, channels: channels, build)
        try catalogue.add(name, cost: CustomCost(Costs(build).cost))
        OperatorRegistry.shared.add(name, build)
        defined.insert(name)
    }

    /// Builds scripts' operators at the widths of a space, so that mistakes show before anything is done.
    static func check(_ space: TrellisSpace) throws {
        for name in space.cell.operators where defined.contains(name) {
            for level in 0..<space.levels {
                try check(name, channels: space.blockChannels(level: level)) { try OperatorRegistry.shared.make(name, $0) }
            }
        }
    }

    /// Computes with numbers, once: NaN and tensors that nobody would train show here and not in a search.
    private static func tryOut(_ name: String, channels: Int, _ build: OperatorRegistry.Factory) throws {
        try RandomStreams.keeping {
            let module = try build(OperatorContext(channels: channels))
            let x = try Tensor.random(.normal(mean: 0, deviation: 1), [2, channels, 4, 4])
            try located("operator '\(name)'") {
                let result = try Module.inMode(training: true) { try module(x) }
                if let numbers = try result.nonFinite() { throw TensorError(module.kind, "of normally distributed numbers made \(numbers)") }
                try module.requireOwnLeaves(of: result)
            }
        }
    }

    private static func check(_ name: String, channels: Int, _ build: OperatorRegistry.Factory) throws {
        try RandomStreams.keeping {
            let context = OperatorContext(channels: channels)
            let module = try build(context)
            if !module.parameters().isEmpty, try build(context) === module {
                throw HostError("the operator '\(name)' returned the same module twice: build a new one at each call, every edge has its own weights")
            }
            for size in [(9, 7), (4, 4)] {
                let shape = [2, channels, size.0, size.1]
                let got = try located("operator '\(name)'") { try Recording.measure(shape) { try module($0) }.shape }
                guard got == shape else {
                    throw HostError("the operator '\(name)' must keep the shape of its input: it made \(Shape.text(got)) of \(Shape.text(shape))")
                }
            }
        }
    }
}

/// The costs of a script's operator by place: counted once for each.
private final class Costs: @unchecked Sendable {
    private let build: OperatorRegistry.Factory
    private var known: [OperatorSite: Cost] = [:]

    init(_ build: @escaping OperatorRegistry.Factory) { self.build = build }

    /// An operator that fails here has worked at these channels when the space was built; it then counts nothing.
    func cost(_ site: OperatorSite) -> Cost {
        if let cost = known[site] { return cost }
        let cost = try? RandomStreams.keeping {
            let context = OperatorContext(channels: site.channels, stride: site.stride, affine: site.affine)
            let module = try OperatorRegistry.sized(build(context), "of a script", context)
            let work = try Recording.measure([1, site.channels, site.inputHeight, site.inputWidth]) { try module($0) }
            return Cost(parameters: module.parameterCount, multiplyAdds: work.multiplyAdds, activations: work.activations)
        }
        known[site] = cost
        return cost ?? .zero
    }
}
