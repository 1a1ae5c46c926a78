import Networks

/// What a family of spaces that is written in Swift has of its own beside its build function. Spaces of a function alone have the usual things: a leaf of logits for
/// each decision, files that name the decisions.
public protocol SpaceFamily {
    /// Logits as they are before any training; random numbers come from the present stream, which the supernet's seed has started.
    func logits() throws -> Logits

    /// What files of supernets before `SpaceRecord` said of the space.
    var formerConfiguration: [String: String] { get }

    /// What checkpoints of before said, in the order in which differences are told.
    var formerIdentity: [(name: String, value: String)] { get }

    /// Whether a file may hold a parameter of this name that the supernet has not.
    func mayHold(_ name: String) -> Bool

    /// What a supernet prints of itself.
    func overview(_ net: Supernet) -> String
}
