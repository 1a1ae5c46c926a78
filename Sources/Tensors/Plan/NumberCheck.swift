/// Looks at the results of operations, one after the other, for the first that are not finite. While one watches, operations that run at
/// once are looked at when they have run, and a compiled function is recorded, computed operation by operation, which changes nothing, and
/// then run. An infinity need not be an error (a mask before a softmax), so both are kept: the first infinity and the first NaN.
public final class NumberCheck {
    public static var current: NumberCheck? { Surroundings.now.numberCheck }

    /// Numbers that are not finite, and where they were met.
    public struct Finding: Hashable, Sendable {
        /// What computed them; nil for numbers that no operation made: weights, inputs, constants.
        public let operation: String?
        /// Path of its module, or what the numbers are called.
        public let place: String
        public let numbers: NonFinite

        var text: String {
            guard let operation else { return "\(place), which holds \(numbers)" }
            return place.isEmpty ? operation : "\(place) (\(operation))"
        }
    }

    public private(set) var infinity: Finding?
    public private(set) var nan: Finding?
    /// What was not looked at for want of memory; "" when all was.
    fileprivate var omitted = ""

    public init() {}

    /// Runs `body` and looks at what it computes.
    public func watch<T>(_ body: () throws -> T) rethrows -> T { try Surroundings.with(\.numberCheck, self, body) }

    /// What was found, in words; nil when all was finite.
    public var text: String? {
        guard let nan else { return infinity.map { "first infinity in \($0.text)" } ?? (omitted.isEmpty ? nil : omitted) }
        guard let infinity else { return "first NaN in \(nan.text)" }
        return "first infinity in \(infinity.text), then NaN in \(nan.text)"
    }

    /// Looks at named tensors that no operation made.
    public func look(at stored: [(name: String, tensor: Tensor)]) throws {
        for (name, tensor) in stored where nan == nil {
            if let numbers = try tensor.nonFinite() { note(numbers, nil, name) }
        }
    }

    /// Looks at a result. As all results are looked at, an input that is not finite while none was found yet was so from the start.
    func look(at output: Tensor, of operation: Operation, _ inputs: [Tensor]) throws {
        guard nan == nil, let numbers = try output.nonFinite() else { return }
        for input in inputs {
            guard let numbers = try input.nonFinite() else { continue }
            note(numbers, nil, "a tensor \(Shapes.text(input.shape)) that \(ModulePath.text.isEmpty ? operation.name : ModulePath.text) reads")
        }
        note(numbers, operation.name, ModulePath.text)
    }

    private func note(_ numbers: NonFinite, _ operation: String?, _ place: String) {
        let finding = Finding(operation: operation, place: place, numbers: numbers)
        if numbers.nan > 0 {
            nan = nan ?? finding
        } else {
            infinity = infinity ?? finding
        }
    }
}

extension Recording {
    /// Computes what was recorded operation by operation and looks at each result. Nothing changes: no stored tensor, no gradient, no optimiser,
    /// no stream of random numbers.
    func look(_ check: NumberCheck, inputs: [Tensor], outputs: [Tensor], _ arguments: [Tensor]) throws {
        var values = Dictionary(zip(inputs, arguments).map { (ObjectIdentifier($0), $1) }, uniquingKeysWith: { $1 })
        for (leaf, promise) in gradients.inputs { values[ObjectIdentifier(promise)] = leaf.grad }
        let results = try outputs.compactMap { try outcome($0).computed }
        let rest = try gradients.final().map(\.value) + memory.assignments().map(\.value) + deliveries.compactMap { try outcome($0.tensor).computed }
        RandomState.beginRun(draws: 0)
        // What the derivatives will read is not kept the first time: where a result is not finite, memory for the forward pass is enough.
        for roots in [results, results + rest] where check.nan == nil {
            let needed = peakBytes(roots)
            guard needed < Shapes.memory / 2 else {
                check.omitted = "not all was looked at: operation by operation it would need \(needed >> 30) GiB"
                return
            }
            try check.watch { try evaluate(roots, values) { check.nan != nil } }
        }
    }

    /// How often each tensor that `roots` need is read.
    private func readers(_ roots: [Tensor]) -> [ObjectIdentifier: Int] {
        var readers: [ObjectIdentifier: Int] = [:]
        var stack = roots
        while let tensor = stack.popLast() {
            readers[ObjectIdentifier(tensor), default: 0] += 1
            if readers[ObjectIdentifier(tensor)] == 1, tensor.isSymbolic { stack += tensor.node?.inputs ?? [] }
        }
        return readers
    }

    /// Goes through what `roots` need in the order in which it was written; `drop` is told of a value when its last reader has it.
    private func walk(_ roots: [Tensor], _ visit: (Tensor, Node) throws -> Bool, drop: (Tensor) -> Void) rethrows {
        var readers = readers(roots)
        for tensor in tensors where readers[ObjectIdentifier(tensor)] != nil {
            guard let node = tensor.node else { continue }
            guard try visit(tensor, node) else { return }
            for input in node.inputs {
                readers[ObjectIdentifier(input), default: 0] -= 1
                if readers[ObjectIdentifier(input)] == 0 { drop(input) }
            }
        }
    }

    /// Memory that `evaluate` will need at most, views taken for values of their own.
    private func peakBytes(_ roots: [Tensor]) -> Int {
        var (live, peak) = (0, 0)
        walk(roots, { tensor, _ in
            live += tensor.count * DType.byteCount
            peak = max(peak, live)
            return true
        }, drop: { if $0.isSymbolic, $0.node != nil { live -= $0.count * DType.byteCount } })
        return peak
    }

    /// Computes what `roots` need, one operation after the other, until `isDone`.
    /// - Parameter given: the numbers of inputs.
    private func evaluate(_ roots: [Tensor], _ given: [ObjectIdentifier: Tensor], until isDone: () -> Bool) throws {
        var values = given
        try walk(roots, { tensor, node in
            let inputs = node.inputs.map { values[ObjectIdentifier($0)] ?? $0 }
            values[ObjectIdentifier(tensor)] = try ModulePath.at(node.scope) { try node.operation.evaluate(inputs) }
            return !isDone()
        }, drop: { values[ObjectIdentifier($0)] = nil })
    }
}
