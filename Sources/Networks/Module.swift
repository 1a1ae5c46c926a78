import Base
import Tensors

/// Something with parameters that maps a tensor to a tensor. Modules form a tree; parameters are named by their path in it,
/// counted from 1 in sequences: `1.weight`, `nodes.3.16.block.2.1.sep_conv_3x3.bn.weight`.
open class Module {
    public typealias Named = (name: String, tensor: Tensor)

    private var training = true

    /// Whether the module is in training mode. A compiled function that reads it is recorded anew when it has changed.
    public var isTraining: Bool {
        if let mode = Surroundings.now.mode { return mode }
        if let recording = Recording.current, !recording.hasSet(self) {
            let now = training
            recording.depends { [weak self] in self?.training == now ? nil : "the mode of a module was set" }
        }
        return training
    }

    public init() {}

    /// Name of the kind of layer, as scripts write it.
    open var kind: String { "module" }
    /// What is in the parentheses of the printed layer: sizes and options.
    open var details: String { "" }
    /// Named modules inside this one, in order.
    open var children: [(name: String, module: Module)] { [] }
    /// Parameters of this module itself, in order.
    open var ownParameters: [Named] { [] }
    /// Stored tensors that no optimiser changes (running statistics).
    open var ownBuffers: [Named] { [] }

    /// Whether it only holds modules: nothing computes it.
    open var isContainer: Bool { false }
    /// Whether it computes something else in training than in evaluation.
    open var hasMode: Bool { false }

    /// Whether nothing in the tree has parameters, buffers or a mode: then no network has to know of it.
    public var isStateless: Bool { !hasMode && ownParameters.isEmpty && ownBuffers.isEmpty && children.allSatisfy(\.module.isStateless) }

    /// Whether `module` is this one or inside of it.
    public func contains(_ module: Module) -> Bool { self === module || children.contains { $0.module.contains(module) } }

    private var knownExtent: (depth: Int, modules: Int)?

    /// How deep the tree is, and how many modules a walk through it meets: a shared one in every place.
    private func extent() -> (depth: Int, modules: Int) {
        if let knownExtent { return knownExtent }
        var (depth, modules) = (1, 1)
        for (_, child) in children {
            let inner = child.extent()
            depth = max(depth, inner.depth + 1)
            modules = min(modules + inner.modules, Module.mostModules + 1)
        }
        knownExtent = (depth, modules)
        return (depth, modules)
    }
    private static let deepest = 200, mostModules = 100_000

    /// For trees that a script puts together: everything that walks through one recurses.
    /// - Throws: for a tree that is nested too deep or holds too many modules.
    public func checkExtent() throws {
        let extent = extent()
        guard extent.depth <= Module.deepest else { throw TensorError(kind, "modules are nested more than \(Module.deepest) deep") }
        guard extent.modules <= Module.mostModules else {
            throw TensorError(kind, "holds more than \(Module.mostModules) modules, one that is shared counted in every place")
        }
    }

    /// The computation. Call the module itself (`module(x)`) so that errors name their place.
    open func forward(_ x: Tensor) throws -> Tensor { throw TensorError(kind, "has no forward computation") }

    public func callAsFunction(_ x: Tensor) throws -> Tensor { try computing { try forward(x) } }

    /// The module whose computation runs now and is no part of another one's: the whole network.
    public static var outermost: Module? { Surroundings.now.outermost }

    /// Runs `body`, which is this module's computation.
    @inline(__always)
    public final func computing<T>(_ body: () throws -> T) rethrows -> T {
        Surroundings.now.outermost != nil ? try body() : try Surroundings.with(\.outermost, self, body)
    }

    /// Parameters of the whole tree with their paths; one that stands in several places once, by its first path.
    public func parameters(prefix: String = "") -> [Named] { distinct(prefix) { $0.ownParameters } }

    /// Stored tensors that no optimiser changes, each once as parameters are.
    public func buffers(prefix: String = "") -> [Named] { distinct(prefix) { $0.ownBuffers } }

    /// Parameters and buffers: all that a file of this network holds; what is shared by every path that it has, as in PyTorch's files.
    public func state() -> [Named] { collect("") { $0.ownParameters + $0.ownBuffers } }

    private func distinct(_ prefix: String, _ own: (Module) -> [Named]) -> [Named] {
        var modules = Set<ObjectIdentifier>(), tensors = Set<ObjectIdentifier>()
        // Buffers may be views that are made anew at each look, so modules are told apart as well.
        return collect(prefix) { module in modules.insert(ObjectIdentifier(module)).inserted ? own(module) : [] }
            .filter { tensors.insert(ObjectIdentifier($0.tensor)).inserted }
    }

    private func collect(_ prefix: String, _ own: (Module) -> [Named]) -> [Named] {
        var found = own(self).map { (name: prefix + $0.name, tensor: $0.tensor) }
        for (name, child) in children { found += child.collect(prefix + name + ".", own) }
        return found
    }

    public var parameterCount: Int { parameters().reduce(0) { $0 + $1.tensor.count } }

    /// Training mode: batch norms use the batch's statistics, dropout drops. Evaluation mode: neither.
    open func train(_ on: Bool = true) {
        Recording.current?.sets(self) { [weak self] in self?.setMode(on) }
        setMode(on)
        for (_, child) in children { child.train(on) }
    }

    private func setMode(_ on: Bool) {
        if training != on { StateClock.tick() }
        training = on
    }

    public func eval() { train(false) }

    /// Tells the tree how much of a training run is done (0 to 1): regularisation on a schedule, such as drop path, follows it. A trainer calls
    /// it before each step; a module that overrides it changes stored tensors only, so that recorded plans stay right.
    open func advance(to share: Double) throws {
        for (_, child) in children { try child.advance(to: share) }
    }

    /// Runs `body` with every module in a mode, whatever its own: for a plan that has one mode for good.
    public static func inMode<T>(training: Bool, _ body: () throws -> T) rethrows -> T { try Surroundings.with(\.mode, training, body) }

    /// The tree with shapes and counts.
    public func describe(indent: String = "", name: String = "") -> String {
        let label = (name.isEmpty ? "" : name + ": ") + kind + (details.isEmpty ? "" : "(\(details))")
        let count = parameterCount
        var lines = [indent + label + (count > 0 ? "  \(NumberText.grouped(count)) parameters" : "")]
        for (name, child) in children { lines.append(child.describe(indent: indent + "  ", name: name)) }
        return lines.joined(separator: "\n")
    }

    /// What `count` lists one by one: a name for people, and the path of a module in the tree. By default the modules inside.
    open var countedParts: [(name: String, path: String)] { children.map { ("\($0.name): \($0.module.kind)", $0.name) } }

    /// What a host prints: `describe()`, or less for a network of many modules.
    open var summary: String { describe() }
}

/// Modules one after another.
public final class Sequential: Module {
    public let modules: [(name: String, module: Module)]

    public init(_ modules: [Module]) { self.modules = modules.enumerated().map { (String($0 + 1), $1) } }
    public init(named modules: [(name: String, module: Module)]) { self.modules = modules }

    public override var kind: String { "sequential" }
    public override var children: [(name: String, module: Module)] { modules }

    public override func forward(_ x: Tensor) throws -> Tensor {
        var x = x
        for (name, module) in modules { x = try located(name) { try module(x) } }
        return x
    }
}

/// Branches over the same input, joined along the channels or summed.
public final class Parallel: Module {
    public enum Join: String, Sendable { case concat, sum }
    public let branches: [(name: String, module: Module)]
    public let join: Join

    public init(_ modules: [Module], join: Join) {
        branches = modules.enumerated().map { (String($0 + 1), $1) }
        self.join = join
    }

    public override var kind: String { "parallel" }
    public override var details: String { join.rawValue }
    public override var children: [(name: String, module: Module)] { branches }

    public override func forward(_ x: Tensor) throws -> Tensor {
        let parts = try branches.map { name, module in try located(name) { try module(x) } }
        if join == .concat { return try Tensor.concat(parts, 1) }
        guard var total = parts.first else { throw TensorError("parallel", "has no branches") }
        for part in parts.dropFirst() { total = try total + part }
        return total
    }
}

/// A module whose computation is a closure: an activation, a reshape, a function of a script.
public final class Lambda: Module {
    private let name: String
    private let text: String
    private let readsMode: Bool
    private let body: (Tensor, Module) throws -> Tensor

    /// - Parameters:
    ///   - hasMode: whether the function looks at the module's training mode.
    ///   - body: also gets the module.
    public init(_ name: String, details: String = "", hasMode: Bool = false, _ body: @escaping (Tensor, Module) throws -> Tensor) {
        self.name = name
        text = details
        readsMode = hasMode
        self.body = body
    }

    public override var hasMode: Bool { readsMode }

    public override var kind: String { name }
    public override var details: String { text }
    public override func forward(_ x: Tensor) throws -> Tensor { try body(x, self) }
}
