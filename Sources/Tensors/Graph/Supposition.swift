extension Recording {
    /// Writes down what `body` computes, as if stored tensors held other numbers.
    ///
    /// Within, `value` is read wherever `target` would be, also through views of its memory; derivatives by `target` are taken at the value, whose own history they
    /// leave out. Whatever `body` writes in place (running statistics) is forgotten at the end: a run of the plan writes neither that nor the values.
    /// - Parameter values: each of its target's shape.
    /// - Throws: outside of a recording.
    public static func supposing<T>(_ values: [(target: Tensor, value: Tensor)] = [], _ body: () throws -> T) throws -> T {
        guard let current else { throw TensorError("supposing", "expects a function that is being recorded; what runs at once reads the numbers that are there") }
        return try current.withMemoryOfItsOwn {
            try GradientMode.disabled { for (target, value) in values { try current.assign(value, to: target) } }
            return try body()
        }
    }
}
