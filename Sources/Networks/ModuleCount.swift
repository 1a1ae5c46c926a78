import Base
import Tensors

/// How large a network is and, for an input of a given shape, what it computes.
public struct ModuleCount: Sendable {
    public struct Part: Hashable, Sendable {
        public let name: String
        public let parameters: Int
        /// nil when no input's shape was given.
        public let multiplyAdds: Int?
    }

    /// Trained numbers.
    public let parameters: Int
    /// Tensors that hold them.
    public let tensors: Int
    /// Numbers that no optimiser changes.
    public let buffers: Int
    /// Shape of the input, if one was given.
    public let input: [Int]?
    /// What one evaluation needs.
    public let work: Work?
    /// By part of the network; what belongs to none of them comes last, as `rest`.
    public let parts: [Part]
}

extension Module {
    /// Counts parameters and, by writing down what the network does with an input of this shape (nothing is computed), multiply-adds: those of
    /// convolutions and matrix products, the field's usual count.
    public func count(input: [Int]? = nil) throws -> ModuleCount {
        let named = parameters()
        let work = try input.map { shape in try Recording.measure(shape) { x in try Module.inMode(training: false) { try self(x) } } }
        let paths = countedParts.map(\.path)
        /// The part that a path lies in.
        func part(of path: String) -> Int? { paths.firstIndex { path == $0 || path.hasPrefix($0 + ".") } }
        var weights = [Int](repeating: 0, count: paths.count + 1)
        var products = weights
        for (name, tensor) in named { weights[part(of: name) ?? paths.count] += tensor.count }
        for (path, count) in work?.multiplyAddsByModule ?? [:] { products[part(of: path) ?? paths.count] += count }
        var list = zip(countedParts, 0...).map { part, i in ModuleCount.Part(name: part.name, parameters: weights[i], multiplyAdds: work.map { _ in products[i] }) }
        if !list.isEmpty, weights[paths.count] > 0 || products[paths.count] > 0 {
            list.append(ModuleCount.Part(name: "rest", parameters: weights[paths.count], multiplyAdds: work.map { _ in products[paths.count] }))
        }
        return ModuleCount(
            parameters: named.reduce(0) { $0 + $1.tensor.count }, tensors: named.count, buffers: buffers().reduce(0) { $0 + $1.tensor.count },
            input: input, work: work, parts: list)
    }
}

extension ModuleCount: CustomStringConvertible {
    /// A table by part.
    public var description: String {
        func row(_ name: String, _ parameters: Int, _ multiplyAdds: Int?) -> [String] {
            [name, NumberText.grouped(parameters)] + (multiplyAdds.map { [decimalUnits($0)] } ?? [])
        }
        var rows = [["", "parameters"] + (work == nil ? [] : ["multiply-adds"])]
        rows += parts.map { row($0.name, $0.parameters, $0.multiplyAdds) }
        rows.append(row("total", parameters, work?.multiplyAdds))
        let shape = input.map { "input \($0.map(String.init).joined(separator: "x")); " } ?? ""
        return alignColumns(rows) + "\n\(shape)\(NumberText.grouped(tensors)) parameter tensors, \(NumberText.grouped(buffers)) numbers in buffers"
    }
}
