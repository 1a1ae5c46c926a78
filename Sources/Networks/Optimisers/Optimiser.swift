import Glibc
import Kernels
import Tensors

/// Parameters that share their settings.
public final class ParameterGroup {
    public let parameters: [Module.Named]
    public var rate: Double
    public var weightDecay: Double
    public var momentum: Double
    public var nesterov: Bool
    public var betas: (Double, Double)
    public var epsilon: Double

    /// The parameters in the order in which they lie in memory.
    private var sorted: [Tensor]?

    func byAddress() throws -> [Tensor] {
        if let sorted { return sorted }
        let places = try parameters.map { (address: UInt(bitPattern: try $0.tensor.withFloats { $0 }), tensor: $0.tensor) }
        let fresh = places.sorted { $0.address < $1.address }.map(\.tensor)
        sorted = fresh
        return fresh
    }

    public init(
        _ parameters: [Module.Named], rate: Double, weightDecay: Double = 0, momentum: Double = 0, nesterov: Bool = false,
        betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8
    ) {
        self.parameters = parameters
        self.rate = rate
        self.weightDecay = weightDecay
        self.momentum = momentum
        self.nesterov = nesterov
        self.betas = betas
        self.epsilon = epsilon
    }
}

/// A gradient is NaN or infinite, and the step was to do nothing then.
public struct NonFiniteGradient: Error, CustomStringConvertible {
    public var description: String { "the gradient is not finite" }
}

/// Changes parameters by their gradients, in place. Rules and their order of operations are PyTorch's.
public final class Optimiser {
    public enum Rule: String, Sendable {
        /// v = momentum·v + g + decay·w; w -= rate·v (Nesterov: g + momentum·v).
        case sgd
        /// Kingma and Ba, 2015; the decay is added to the gradient.
        case adam
        /// Loshchilov and Hutter, 2019; the decay shrinks the weight itself.
        case adamw
    }

    public let rule: Rule
    public let groups: [ParameterGroup]
    /// Largest global norm of the gradient; a larger one is scaled down to it.
    public var clip: Double?
    /// Steps done.
    public private(set) var steps = 0
    /// Global norm of the gradient at the last step, before clipping.
    public private(set) var gradientNorm = 0.0

    private var first: [ObjectIdentifier: Tensor] = [:]
    private var second: [ObjectIdentifier: Tensor] = [:]
    private var counts: [ObjectIdentifier: Int] = [:]

    public init(_ rule: Rule, _ groups: [ParameterGroup], clip: Double? = nil) throws {
        self.rule = rule
        self.groups = groups
        self.clip = clip
        var seen = Set<ObjectIdentifier>()
        for (name, tensor) in groups.flatMap(\.parameters) {
            guard tensor.requiresGrad, tensor.isLeaf, tensor.isContiguous else {
                throw TensorError("optim.\(rule)", "\(name) \(tensor.shape) is not a parameter: it should be a leaf that requires a gradient")
            }
            guard seen.insert(ObjectIdentifier(tensor)).inserted else { throw TensorError("optim.\(rule)", "parameter \(name) is given twice") }
        }
        guard !seen.isEmpty else { throw TensorError("optim.\(rule)", "expects at least one parameter") }
    }

    /// Rate of the first group; setting it sets that of all groups.
    public var rate: Double {
        get { groups.first?.rate ?? 0 }
        set { for group in groups { group.rate = newValue } }
    }

    /// All parameters in order.
    public var parameters: [Module.Named] { groups.flatMap(\.parameters) }

    /// Forgets the gradients.
    public func zeroGrad() {
        for (_, tensor) in parameters { tensor.clearGradient() }
    }

    /// One step by the present gradients; parameters without one stay, and so do those that took part in nothing (`Tensor.isGradientOff`). Inside a function being compiled: the step that ends each run.
    /// - Parameter requiresFinite: do nothing by a gradient that is NaN or infinite.
    /// - Throws: `NonFiniteGradient` then.
    public func step(requiresFinite: Bool = false) throws {
        if let recording = Recording.current {
            recording.after(changing: parameters.map(\.tensor)) { [self] in try apply(requiresFinite: requiresFinite) }
            return
        }
        try ReadOnly.allow("step")
        try apply(requiresFinite: requiresFinite)
    }

    private func apply(requiresFinite: Bool) throws {
        let runs = try groups.map { try (group: $0, runs: memoryRuns($0)) }
        var squares = 0.0
        for run in runs.flatMap(\.runs) {
            guard let gradient = run.tensors.first?.grad else { continue }
            squares += try gradient.withFloats { Reduction.sumOfSquares($0, count: run.count) }
        }
        gradientNorm = squares.squareRoot()
        if requiresFinite, !gradientNorm.isFinite { throw NonFiniteGradient() }
        var scale = 1.0
        if let clip { scale = min(1, clip / (gradientNorm + 1e-6)) }
        steps += 1
        for (group, runs) in runs { for run in runs { try update(run, group, Float(scale)) } }
    }

    /// Parameters that lie side by side, and whose gradients do: what a step does to them is done at once.
    private struct MemoryRun {
        var tensors: [Tensor]
        var count: Int
        let steps: Int
    }

    private func memoryRuns(_ group: ParameterGroup) throws -> [MemoryRun] {
        var runs: [MemoryRun] = []
        var end: (parameter: UnsafeMutablePointer<Float>, gradient: UnsafeMutablePointer<Float>)?
        for tensor in try group.byAddress() {
            guard !tensor.isGradientOff, let gradient = tensor.grad else { continue }
            let now = try (parameter: tensor.withFloats { $0 }, gradient: gradient.withFloats { $0 })
            let seen = counts[ObjectIdentifier(tensor), default: 0]
            if let end, now == end, let last = runs.last, last.steps == seen {
                runs[runs.count - 1].tensors.append(tensor)
                runs[runs.count - 1].count += tensor.count
            } else {
                runs.append(MemoryRun(tensors: [tensor], count: tensor.count, steps: seen))
            }
            end = (now.parameter + tensor.count, now.gradient + tensor.count)
        }
        return runs
    }

    private func update(_ run: MemoryRun, _ group: ParameterGroup, _ scale: Float) throws {
        guard let tensor = run.tensors.first, let gradient = tensor.grad else { return }
        let w = try tensor.withFloats { $0 }, g = try gradient.withFloats { $0 }
        switch rule {
        case .sgd:
            let velocity = group.momentum == 0 ? nil : try memory(&first, run).withFloats { $0 }
            Update.sgd(
                parameter: w, gradient: g, momentumBuffer: velocity, count: run.count, rate: Float(group.rate), momentum: Float(group.momentum),
                nesterov: group.nesterov, decay: Float(group.weightDecay), gradientScale: scale, firstStep: run.steps == 0)
        case .adam, .adamw:
            let m = try memory(&first, run).withFloats { $0 }
            let v = try memory(&second, run).withFloats { $0 }
            Update.adam(
                parameter: w, gradient: g, m: m, v: v, count: run.count, rate: group.rate, beta1: group.betas.0, beta2: group.betas.1,
                epsilon: group.epsilon, decay: group.weightDecay, decoupled: rule == .adamw, step: run.steps + 1, gradientScale: scale)
        }
        for tensor in run.tensors {
            counts[ObjectIdentifier(tensor)] = run.steps + 1
            tensor.touch()
        }
    }

    /// The moments of a run, side by side as its parameters are: the first of them.
    private func memory(_ table: inout [ObjectIdentifier: Tensor], _ run: MemoryRun) throws -> Tensor {
        let known = run.tensors.compactMap { table[ObjectIdentifier($0)] }
        if known.count < run.tensors.count {
            var start = 0
            let block = try Tensor.zeros([run.count])
            for tensor in run.tensors {
                let part = try block.narrow(0, start, tensor.count).reshape(tensor.shape)
                if let before = table[ObjectIdentifier(tensor)] { try GradientMode.disabled { try part.assign(before) } }
                table[ObjectIdentifier(tensor)] = part
                start += tensor.count
            }
        } else {
            try Tensor.pack(known)
        }
        return try table[ObjectIdentifier(run.tensors[0])] ?? Tensor.zeros([run.count])
    }

    // MARK: State

    /// The momentum's v of a parameter; nil before its first step with a momentum.
    func velocity(of parameter: Tensor) -> Tensor? { rule == .sgd ? first[ObjectIdentifier(parameter)] : nil }

    /// Its moments and counters; the moments are those in use, not copies.
    public func state() -> OptimiserState {
        var state = OptimiserState(rule: rule, parameters: parameters.map(\.name), steps: steps)
        for (name, tensor) in parameters {
            let id = ObjectIdentifier(tensor)
            if let moment = first[id] { state.tensors.append((name + ".first", moment)) }
            if let moment = second[id] { state.tensors.append((name + ".second", moment)) }
            if let count = counts[id] { state.counts[name] = count }
        }
        return state
    }

    /// Takes over moments and counters.
    /// - Throws: `TensorError` for the state of another rule or of other parameters; nothing has changed then.
    public func restore(_ state: OptimiserState) throws {
        try state.check(self)
        let moments = state.named
        let copies = try GradientMode.disabled {
            try parameters.map { name, tensor in
                (tensor: ObjectIdentifier(tensor), count: state.counts[name], first: try moments[name + ".first"]?.clone(), second: try moments[name + ".second"]?.clone())
            }
        }
        for copy in copies {
            (first[copy.tensor], second[copy.tensor], counts[copy.tensor]) = (copy.first, copy.second, copy.count)
        }
        steps = state.steps
    }
}
