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
        for (_, tensor) in parameters {
            if let recording = Recording.current { recording.clearGradient(of: tensor) } else { tensor.grad = nil }
        }
    }

    /// One step by the present gradients; parameters without one stay. Inside a function being compiled: the step that ends each run.
    public func step() throws {
        if let recording = Recording.current {
            recording.after { [self] in try apply() }
            return
        }
        try apply()
    }

    private func apply() throws {
        var squares = 0.0
        for (_, tensor) in parameters {
            guard let gradient = tensor.grad else { continue }
            squares += try gradient.withFloats { Reduction.sumOfSquares($0, count: gradient.count) }
        }
        gradientNorm = squares.squareRoot()
        var scale = 1.0
        if let clip { scale = min(1, clip / (gradientNorm + 1e-6)) }
        steps += 1
        for group in groups {
            for (_, tensor) in group.parameters {
                guard let gradient = tensor.grad else { continue }
                try update(tensor, gradient, group, Float(scale))
                tensor.touch()
            }
        }
    }

    private func update(_ tensor: Tensor, _ gradient: Tensor, _ group: ParameterGroup, _ scale: Float) throws {
        let id = ObjectIdentifier(tensor)
        let count = counts[id, default: 0] + 1
        counts[id] = count
        try tensor.withFloats { w in
            try gradient.withFloats { g in
                switch rule {
                case .sgd:
                    let velocity = group.momentum == 0 ? nil : try memory(&first, tensor).withFloats { $0 }
                    Update.sgd(
                        parameter: w, gradient: g, momentumBuffer: velocity, count: tensor.count, rate: Float(group.rate),
                        momentum: Float(group.momentum), nesterov: group.nesterov, decay: Float(group.weightDecay), gradientScale: scale,
                        firstStep: count == 1)
                case .adam, .adamw:
                    let m = try memory(&first, tensor).withFloats { $0 }
                    let v = try memory(&second, tensor).withFloats { $0 }
                    Update.adam(
                        parameter: w, gradient: g, m: m, v: v, count: tensor.count, rate: group.rate, beta1: group.betas.0, beta2: group.betas.1,
                        epsilon: group.epsilon, decay: group.weightDecay, decoupled: rule == .adamw, step: count, gradientScale: scale)
                }
            }
        }
    }

    private func memory(_ table: inout [ObjectIdentifier: Tensor], _ tensor: Tensor) -> Tensor {
        if let known = table[ObjectIdentifier(tensor)] { return known }
        let fresh = Tensor.zeros(tensor.shape)
        table[ObjectIdentifier(tensor)] = fresh
        return fresh
    }

    // State, for checkpoints.

    /// Moments by parameter name (`NAME.first`, `NAME.second`) and the number of steps each parameter has seen.
    public func state() throws -> (tensors: [Module.Named], counts: [String: Int], steps: Int) {
        var tensors: [Module.Named] = []
        var seen: [String: Int] = [:]
        for (name, tensor) in parameters {
            let id = ObjectIdentifier(tensor)
            if let moment = first[id] { tensors.append((name + ".first", moment)) }
            if let moment = second[id] { tensors.append((name + ".second", moment)) }
            if let count = counts[id] { seen[name] = count }
        }
        return (tensors, seen, steps)
    }

    public func restore(tensors: [String: Tensor], counts seen: [String: Int], steps: Int) throws {
        for (name, tensor) in parameters {
            let id = ObjectIdentifier(tensor)
            if let moment = try moment(tensors, name + ".first", tensor.shape) { first[id] = moment }
            if let moment = try moment(tensors, name + ".second", tensor.shape) { second[id] = moment }
            counts[id] = seen[name]
        }
        self.steps = steps
    }

    private func moment(_ tensors: [String: Tensor], _ name: String, _ shape: [Int]) throws -> Tensor? {
        guard let moment = tensors[name] else { return nil }
        guard moment.shape == shape else { throw TensorError("optim.\(rule)", "\(name) has shape \(moment.shape) in the file, \(shape) here") }
        return try moment.clone()
    }
}
