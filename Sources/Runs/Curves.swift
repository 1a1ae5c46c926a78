import Base
import Glibc
import SwiftProtobuf

/// The numbers by step that a run's event files hold.
public struct Curves {
    public struct Point: Equatable, Sendable {
        public let step: Int
        /// As exact as a Float: event files have no more.
        public let value: Double
    }

    /// Scalars by tag, in the order of their steps.
    public private(set) var points: [String: [Point]] = [:]
    /// How many histograms and images there are, by tag.
    public private(set) var others: [String: Int] = [:]

    /// Reads all event files of a directory; a directory without any has no curves.
    /// - Throws: `FileError` for one that is damaged.
    public init(of directory: String) throws {
        for name in try Folder.names(directory).filter({ $0.contains("tfevents") }).sorted() {
            let path = directory + "/" + name
            try EventRecords.read(path) { record in
                let event: Tensorboard_Event
                do { event = try Tensorboard_Event(serializedBytes: Array(record)) } catch { throw FileError(path, "a record is no event of TensorBoard: \(error)") }
                add(event)
            }
        }
    }

    private mutating func add(_ event: Tensorboard_Event) {
        let step = Int(event.step)
        // A run that goes on does these steps again.
        if event.sessionLog.status == .start { for tag in points.keys { points[tag]?.removeAll { $0.step >= step } } }
        for value in event.summary.value {
            if value.hasSimpleValue {
                points[value.tag, default: []].append(Point(step: step, value: Double(value.simpleValue)))
            } else {
                others[value.tag, default: 0] += 1
            }
        }
    }
}

/// What lies in a directory.
enum Folder {
    /// Names of its entries but for `.` and `..`.
    static func names(_ path: String) throws(FileError) -> [String] { try entries(path).map(\.name) }

    /// The same, with whether they are directories; links are none.
    static func entries(_ path: String) throws(FileError) -> [(name: String, isDirectory: Bool)] {
        guard let list = opendir(path) else { throw FileError(path, "cannot open the directory", code: errno) }
        defer { closedir(list) }
        var entries: [(name: String, isDirectory: Bool)] = []
        while let entry = readdir(list) {
            let bytes = withUnsafeBytes(of: entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            // Files of runs have names that are UTF-8.
            guard let name = String(validating: bytes, as: UTF8.self), name != ".", name != ".." else { continue }
            var isDirectory = Int32(entry.pointee.d_type) == Int32(DT_DIR)
            if Int32(entry.pointee.d_type) == Int32(DT_UNKNOWN) {
                var status = stat()
                isDirectory = lstat(path + "/" + name, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            }
            entries.append((name, isDirectory))
        }
        return entries
    }
}
