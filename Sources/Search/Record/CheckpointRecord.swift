import Base
import Networks
import Tensors

/// Supernets in checkpoints: told from others by the record of their space, which says what shapes of tensors do not.
extension Supernet: CheckpointIdentified {
    public var checkpointIdentity: [(name: String, value: String)] {
        let record = (try? SpaceRecord(space))?.json.text() ?? ""
        return [(SpaceRecord.checkpointName, record), ("classes", "\(classes)"), ("ignore", "\(ignore)")]
    }

    public var formerIdentity: [(name: String, value: String)] {
        let arrows = space.arrows.map { "\($0.layer):\(space.strides[$0.from])>\(space.strides[$0.to])" }
        return [
            ("layers", "\(space.layers)"), ("strides", "\(space.strides)"), ("filters", "\(space.filters)"), ("blocks", "\(space.cell.blocks)"),
            ("operators", space.cell.operators.joined(separator: ", ")), ("arrows", arrows.joined(separator: "\n")),
            ("options", "\(space.options)"), ("classes", "\(classes)"), ("ignore", "\(ignore)"),
        ]
    }

    public func checkpointDifference(_ name: String, there: String, here: String) -> String? { SpaceRecord.checkpointDifference(name, there: there, here: here) }
}

extension DecisionNetwork: CheckpointIdentified {
    public var checkpointIdentity: [(name: String, value: String)] {
        // The text of the script may change without its space doing so.
        [(SpaceRecord.checkpointName, SpaceRecord(decisions).json.text()), ("network", describe()), ("ignore", "\(ignore)")]
    }

    public var formerIdentity: [(name: String, value: String)] { [("network", describe())] }

    public func checkpointDifference(_ name: String, there: String, here: String) -> String? { SpaceRecord.checkpointDifference(name, there: there, here: here) }
}

extension SpaceRecord {
    static let checkpointName = "space"

    static func checkpointDifference(_ name: String, there: String, here: String) -> String? {
        guard there != here else { return nil }
        guard name == checkpointName, let other = try? SpaceRecord(text: there), let own = try? SpaceRecord(text: here) else { return Module.difference(name, there, here) }
        return own.difference(from: other).map { "\($0.place) is \($0.got) there, \($0.expected) here" }
    }

    private init(text: String) throws { try self.init(json: JSONValue.parse(text.utf8)) }
}
