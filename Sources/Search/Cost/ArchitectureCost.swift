import Networks
import Tensors

extension ModuleSpace {
    /// What the network of an architecture costs: the count of the network itself, without initial weights of any meaning.
    /// - Parameter input: the shape of what it is called with; not needed for parameters.
    /// - Throws: for an architecture of another space, and a kind that needs an input's shape.
    public func cost(_ assignment: Assignment, _ kind: CostKind, input: [Int]? = nil, classes: Int? = nil) throws -> Double {
        try network(assignment, classes: classes).cost(kind, input: input)
    }
}

extension Module {
    /// What the network costs as it stands.
    /// - Parameter input: the shape of what it is called with; not needed for parameters.
    public func cost(_ kind: CostKind, input: [Int]? = nil) throws -> Double {
        guard kind.needsInput else { return Double(parameterCount) }
        guard let input else {
            throw SpaceError(
                .shape, at: "cost", expected: "the shape of the input", got: "none", remedy: "what '\(kind.name)' counts depends on it: {input = {1, 3, height, width}}")
        }
        return try CostMeasure.parts(kind, input: input, parameters: parameters()) { try self($0) }.reduce(0) { $0 + $1.cost }
    }
}
