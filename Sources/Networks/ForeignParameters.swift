import Tensors

extension Module {
    /// For those who train a network's own parameters: whatever else its result depends on would never be trained, counted or saved.
    /// - Parameter result: computed by this module, with its history.
    /// - Throws: `TensorError` with the place where a leaf is read that requires a gradient and is no parameter of the tree.
    public func requireOwnLeaves(of result: Tensor) throws {
        let own = Set(parameters().map { ObjectIdentifier($0.tensor) })
        guard let (leaf, module) = try Gradient.leaves(of: result).first(where: { !own.contains(ObjectIdentifier($0.leaf)) }) else { return }
        var error = TensorError(
            kind, "computes with a tensor \(leaf.shape) that requires a gradient and is no parameter of the network: it would never be trained, counted or "
                + "saved. Put it into the module: nn.module{w = w, forward = function(self, x) return x * self.w end}; or compute with w:detach()")
        error.path = module
        throw error
    }
}
