import Base
import Kernels

extension Tensor {
    public static func full(_ shape: [Int], _ value: Float) throws -> Tensor {
        let tensor = try Tensor(shape: shape)
        try tensor.storage().floats.update(repeating: value, count: tensor.count)
        return tensor
    }

    public static func zeros(_ shape: [Int]) throws -> Tensor { try full(shape, 0) }
    public static func ones(_ shape: [Int]) throws -> Tensor { try full(shape, 1) }
    /// A number as a tensor without dimensions.
    /// - Throws: where the type cannot hold it.
    public static func number(_ value: Double, _ dtype: DType, for operation: String) throws -> Tensor {
        switch dtype {
        case .float32: return try scalar(float(value, for: operation))
        case .int32:
            guard let whole = Int32(exactly: value) else {
                throw TensorError(operation, "\(value) is no int32 (whole numbers from \(Int32.min) to \(Int32.max))")
            }
            return try full([], int: whole)
        }
    }

    /// - Throws: for a finite number beyond the largest float32.
    public static func float(_ value: Double, for operation: String) throws -> Float {
        let float = Float(value)
        guard float.isFinite || !value.isFinite else { throw TensorError(operation, "\(value) is no float32 (up to 3.4e38)") }
        return float
    }

    public static func scalar(_ value: Float) throws -> Tensor { try full([], value) }

    public static func full(_ shape: [Int], int value: Int32) throws -> Tensor {
        let tensor = try Tensor(shape: shape, dtype: .int32)
        try tensor.storage().ints.update(repeating: value, count: tensor.count)
        return tensor
    }

    /// A vector, or with `shape` the values in row-major order.
    public convenience init(_ values: [Float], shape: [Int]? = nil) throws {
        let shape = shape ?? [values.count]
        guard try Shapes.count(shape) == values.count else {
            throw TensorError("tensor", "\(values.count) values do not fill \(Shapes.text(shape))")
        }
        try self.init(shape: shape)
        let floats = try storage().floats
        for (i, value) in values.enumerated() { floats[i] = value }
    }

    public convenience init(ints values: [Int32], shape: [Int]? = nil) throws {
        let shape = shape ?? [values.count]
        guard try Shapes.count(shape) == values.count else {
            throw TensorError("tensor", "\(values.count) values do not fill \(Shapes.text(shape))")
        }
        try self.init(shape: shape, dtype: .int32)
        let ints = try storage().ints
        for (i, value) in values.enumerated() { ints[i] = value }
    }

    /// Adopts `count` contiguous elements that `owner` keeps alive.
    public convenience init(adopting pointer: UnsafeMutableRawPointer, shape: [Int], dtype: DType, owner: AnyObject) {
        let bytes = shape.reduce(1, *) * DType.byteCount
        self.init(storage: Storage(adopting: pointer, byteCount: bytes, owner: owner), layout: TensorLayout(contiguous: shape), dtype: dtype)
    }

    /// An own copy of the numbers, with the history.
    public func clone() throws -> Tensor {
        if let recording = Recording.current { return try recording.clone(self) }
        return try Operation.slice(starts: shape.map { _ in 0 }, sizes: shape, steps: shape.map { _ in 1 }).copyOut(self)
    }

    // Reading and writing numbers.

    /// Numbers are looked at: a recording depends on them from then on.
    func look(for operation: @autoclosure () -> String) throws {
        if Recording.isActive, !isSymbolic, let recording = Recording.current { try recording.look(at: self, for: operation()) }
    }

    // The numbers in row-major order, as arrays. Memory is asked for as much again twice: most callers go on to make doubles of them.

    public func floats() throws -> [Float] {
        try look(for: "to_table")
        return try Recording.atOnce { try readFloats() }
    }

    private func readFloats() throws -> [Float] {
        let source = try cast(.float32).detach().contiguous()
        try Memory.check(3 * count * DType.byteCount, for: "tensor")
        return try withExtendedLifetime(source) {
            Array(UnsafeBufferPointer(start: try source.pointer().assumingMemoryBound(to: Float.self), count: count))
        }
    }

    public func ints() throws -> [Int32] {
        try look(for: "to_table")
        return try Recording.atOnce { try readInts() }
    }

    func readInts() throws -> [Int32] {
        let source = try cast(.int32).contiguous()
        try Memory.check(3 * count * DType.byteCount, for: "tensor")
        return try withExtendedLifetime(source) {
            Array(UnsafeBufferPointer(start: try source.pointer().assumingMemoryBound(to: Int32.self), count: count))
        }
    }

    /// The numbers of either type, exact.
    public func numbers() throws -> [Double] { dtype == .int32 ? try ints().map(Double.init) : try floats().map(Double.init) }

    /// The one number of a tensor with one element.
    public func item() throws -> Double {
        guard count == 1 else { throw TensorError("item", "expects one element, \(Shapes.text(shape)) has \(count)") }
        let pointer = try pointer(for: "item")
        return dtype == .float32 ? Double(pointer.load(as: Float.self)) : Double(pointer.load(as: Int32.self))
    }

    /// Address of the contiguous numbers for readers and writers of files and for optimisers.
    public func withFloats<T>(_ body: (UnsafeMutablePointer<Float>) throws -> T) throws -> T {
        guard dtype == .float32, isContiguous else { throw TensorError("tensor", "expects a contiguous float32 tensor, got \(dtype) \(Shapes.text(shape))") }
        return try body(try pointer().assumingMemoryBound(to: Float.self))
    }

    public func withBytes<T>(_ body: (UnsafeRawBufferPointer) throws -> T) throws -> T {
        guard isContiguous else { return try contiguous().withBytes(body) }
        return try body(UnsafeRawBufferPointer(start: try pointer(), count: count * DType.byteCount))
    }

    /// Writes `source` (broadcast to this shape, converted to this type) over the numbers of this tensor and of all that share them.
    /// - Throws: where a history would be lost: for a tensor that requires a gradient, and for numbers that have a history, while history is kept.
    public func assign(_ source: Tensor) throws {
        try refuseLostHistory(of: source)
        if layout.hasRepeats { throw TensorError.repeated("assign", shape) }
        if let recording = Recording.current {
            try recording.assign(source, to: self)
            return
        }
        try ReadOnly.allow("assign")
        var source = try source.cast(dtype).detach().expand(shape)
        let memory = try storage(for: "assign")
        if try source.storage() === memory { source = try source.clone() }
        let (sizes, strides) = Collapse.dimensions(shape, [source.layout.strides, layout.strides])
        try withExtendedLifetime(source) {
            Layout.copyStrided(
                shape: sizes, src: try source.pointer().assumingMemoryBound(to: Float.self), srcStrides: strides[0],
                dst: try pointer().assumingMemoryBound(to: Float.self), dstStrides: strides[1])
        }
        memory.version += 1
    }

    /// - Throws: where writing `source` would lose a history.
    public func refuseLostHistory(of source: Tensor?) throws {
        guard GradientMode.isEnabled else { return }
        if requiresGrad {
            throw TensorError("assign", "a tensor that requires a gradient cannot be written in place; use trellis.no_grad or detach()")
        }
        guard source?.requiresGrad ?? false else { return }
        throw TensorError(
            "assign", "the value has a history (it requires a gradient), which a write in place would lose; build the tensor with concat, stack or where, or write "
                + "detach() of the value")
    }

    /// Tells that the numbers were changed through `withFloats`.
    public func touch() { (try? storage())?.version += 1 }
}

// Random numbers: Philox, the same on every machine and for any number of threads.
extension Tensor {
    /// Fresh numbers from the global stream (inside a compiled function: at each run).
    public static func random(_ distribution: RandomDistribution, _ shape: [Int]) throws -> Tensor {
        if let recording = Recording.current { return try recording.random(distribution, shape) }
        return try random(distribution, shape, from: .global)
    }

    /// Numbers drawn from a stream, at once.
    /// - Parameter operation: what wants them, for messages.
    public static func random(
        _ distribution: RandomDistribution, _ shape: [Int], from state: RandomState, for operation: @autoclosure () -> String = "tensor"
    ) throws -> Tensor {
        let tensor = try Tensor(shape: shape, for: operation())
        try tensor.withFloats { state.fill($0, tensor.count, distribution) }
        return tensor
    }

    /// 0 ..< n in random order, from the global stream (inside a compiled function: at each run).
    public static func permutation(_ n: Int) throws -> Tensor {
        if let recording = Recording.current { return try recording.permutation(n) }
        return try permutation(n, from: .global)
    }

    public static func permutation(_ n: Int, from state: RandomState) throws -> Tensor {
        try Memory.check(n * DType.byteCount, for: "permutation")
        let order = state.permutation(n)
        try checkInterrupt()
        return try Tensor(ints: order)
    }
}

/// A stream of random numbers; what has been drawn is counted, so its state is two numbers that a checkpoint can keep.
public final class RandomState: @unchecked Sendable {
    public var seed: UInt64
    /// Draws so far, modulo 2^64 (a file can name any); each draw has its own Philox stream.
    public var draws: UInt64 = 0

    public init(seed: UInt64) { self.seed = seed }

    /// The stream of calls that name no seed.
    public static let global = RandomState(seed: 0)

    /// The stream of the next draw. While a function is compiled, draws of the global stream have their places among those that its plan will make.
    private func nextStream() -> UInt64 {
        if self === RandomState.global, let recording = Recording.current { return draws &+ UInt64(recording.drawAtOnce()) }
        draws &+= 1
        return draws
    }

    /// Draws made before the run of a plan that is under way.
    nonisolated(unsafe) private static var before: UInt64 = 0

    /// A plan takes so many draws of the global stream.
    static func beginRun(draws count: Int) {
        before = global.draws
        global.draws &+= UInt64(count)
    }

    func fill(_ target: UnsafeMutablePointer<Float>, _ count: Int, _ distribution: RandomDistribution) {
        fill(target, count, distribution, stream: nextStream())
    }

    /// - Parameter drawOfRun: which of a plan's draws it is, from 1.
    func fill(_ target: UnsafeMutablePointer<Float>, _ count: Int, _ distribution: RandomDistribution, drawOfRun: Int) {
        fill(target, count, distribution, stream: RandomState.before &+ UInt64(drawOfRun))
    }

    private func fill(_ target: UnsafeMutablePointer<Float>, _ count: Int, _ distribution: RandomDistribution, stream: UInt64) {
        switch distribution {
        case .uniform(let low, let high): Random.uniform(seed: seed, stream: stream, offset: 0, into: target, count: count, low: low, high: high)
        case .normal(let mean, let deviation):
            Random.normal(seed: seed, stream: stream, offset: 0, into: target, count: count, mean: mean, deviation: deviation)
        case .bernoulli(let p):
            Random.uniform(seed: seed, stream: stream, offset: 0, into: target, count: count, low: 0, high: 1)
            for i in 0..<count { target[i] = target[i] < p ? 1 : 0 }
        }
    }

    func permutation(_ n: Int) -> [Int32] { Random.permutation(seed: seed, stream: nextStream(), count: n) }

    func permutation(_ n: Int, drawOfRun: Int) -> [Int32] {
        Random.permutation(seed: seed, stream: RandomState.before &+ UInt64(drawOfRun), count: n)
    }
}
