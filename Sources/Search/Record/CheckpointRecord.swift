import Base
import Networks
import Tensors

/// Supernets in checkpoints: told from others by the record of their space, which says what shapes of tensors do not.
extension Supernet: CheckpointIdentified {
    public var checkpointIdentity: [(name: String, value: String)] {
        // The text of the script may change without its space doing so.
        let record = SpaceRecord(decisions, trellis: space.trellis?.summary)
        return [(SpaceRecord.checkpointName, record.json.text())] + (space.trellis == nil ? [("network", root.describe())] : []) + sizes
    }

    private var sizes: [(name: String, value: String)] { (classes.map { [("classes", "\($0)")] } ?? []) + [("ignore", "\(ignore)")] }

    public var formerIdentity: [(name: String, value: String)] { space.family.map { $0.formerIdentity + sizes } ?? [("network", describe())] }

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
