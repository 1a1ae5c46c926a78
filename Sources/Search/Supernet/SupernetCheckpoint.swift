import Networks

extension Supernet: CheckpointIdentified {
    /// The space down to the order of its operators and each of its arrows, and the options: what shapes of tensors do not tell.
    public var checkpointIdentity: [(name: String, value: String)] {
        let arrows = space.arrows.map { "\($0.layer):\(space.strides[$0.from])>\(space.strides[$0.to])" }
        return [
            ("layers", "\(space.layers)"), ("strides", "\(space.strides)"), ("filters", "\(space.filters)"), ("blocks", "\(space.cell.blocks)"),
            ("operators", space.cell.operators.joined(separator: ", ")), ("arrows", arrows.joined(separator: "\n")),
            ("options", "\(space.options)"), ("classes", "\(classes)"), ("ignore", "\(ignore)"),
        ]
    }
}
