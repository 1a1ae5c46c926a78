import Kernels

extension Tensor {
    public static func full(_ shape: [Int], _ value: Float) throws -> Tensor {
        let tensor = try Tensor(shape: shape)
        try tensor.storage().floats.update(repeating: value, count: tensor.count)
        return tensor
    }

    public static func zeros(_ shape: [Int]) throws -> Tensor { try full(shape, 0) }
    public static func ones(_ shape: [Int]) throws -> Tensor { try full(shape, 1) }
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
        if isSymbolic { return self }
        return try Operation.slice(starts: shape.map { _ in 0 }, sizes: shape, steps: shape.map { _ in 1 }).copyOut(self)
    }

    // Reading and writing numbers.

    // The numbers in row-major order, as arrays. Memory is asked for as much again twice: most callers go on to make doubles of them.

    public func floats() throws -> [Float] {
        let source = try cast(.float32).detach().contiguous()
        try Memory.check(3 * count * DType.byteCount, for: "tensor")
        return try withExtendedLifetime(source) {
            Array(UnsafeBufferPointer(start: try source.pointer().assumingMemoryBound(to: Float.self), count: count))
        }
    }

    public func ints() throws -> [Int32] {
        let source = try cast(.int32).contiguous()
        try Memory.check(3 * count * DType.byteCount, for: "tensor")
        return try withExtendedLifetime(source) {
            Array(UnsafeBufferPointer(start: try source.pointer().assumingMemoryBound(to: Int32.self), count: count))
        }
    }

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
    public func assign(_ source: Tensor) throws {
        if let recording = Recording.current {
            try recording.assign(source, to: self)
            return
        }
        if requiresGrad, GradientMode.isEnabled {
            throw TensorError("assign", "a tensor that requires a gradient cannot be written in place; use trellis.no_grad or detach()")
        }
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

    /// - Parameter operation: what wants them, for messages.
    public static func random(
        _ distribution: RandomDistribution, _ shape: [Int], from state: RandomState, for operation: @autoclosure () -> String = "tensor"
    ) throws -> Tensor {
        let tensor = try Tensor(shape: shape, for: operation())
        try tensor.withFloats { state.fill($0, tensor.count, distribution) }
        return tensor
    }

    /// 0 ..< n in random order.
    public static func permutation(_ n: Int, from state: RandomState = .global) throws -> Tensor {
        try Memory.check(n * DType.byteCount, for: "permutation")
        let order = state.permutation(n)
        try checkInterrupt()
        return try Tensor(ints: order)
    }
}

/// A stream of random numbers; what has been drawn is counted, so its state is two numbers that a checkpoint can keep.
public final class RandomState: @unchecked Sendable {
    public var seed: UInt64
    /// Draws so far; each draw has its own Philox stream.
    public var draws: UInt64 = 0

    public init(seed: UInt64) { self.seed = seed }

    /// The stream of calls that name no seed.
    public static let global = RandomState(seed: 0)

    func fill(_ target: UnsafeMutablePointer<Float>, _ count: Int, _ distribution: RandomDistribution) {
        draws += 1
        switch distribution {
        case .uniform(let low, let high): Random.uniform(seed: seed, stream: draws, offset: 0, into: target, count: count, low: low, high: high)
        case .normal(let mean, let deviation):
            Random.normal(seed: seed, stream: draws, offset: 0, into: target, count: count, mean: mean, deviation: deviation)
        case .bernoulli(let p):
            Random.uniform(seed: seed, stream: draws, offset: 0, into: target, count: count, low: 0, high: 1)
            for i in 0..<count { target[i] = target[i] < p ? 1 : 0 }
        }
    }

    func permutation(_ n: Int) -> [Int32] {
        draws += 1
        return Random.permutation(seed: seed, stream: draws, count: n)
    }
}
