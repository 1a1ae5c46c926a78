extension Shapes {
    /// The shape that all inputs of an operation broadcast to.
    /// - Throws: where they do not.
    static func broadcast(_ x: [Tensor], _ operation: @autoclosure () -> String) throws -> [Int] {
        var shape = x[0].shape
        for other in x.dropFirst() {
            guard let wider = broadcast(shape, other.shape) else {
                let list = x.map { text($0.shape) }
                let shapes = list.count == 2 ? list.joined(separator: " and ") : list.joined(separator: ", ")
                throw TensorError(operation(), "shapes \(shapes) do not broadcast: sizes must be equal or 1")
            }
            shape = wider
        }
        return shape
    }
}
