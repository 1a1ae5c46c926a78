import Base
import Foundation
import SwiftProtobuf

/// A TensorBoard event file in the making: scalars, histograms and images by step.
///
/// It grows as the run goes, so it is appended to, unlike other files: of one that a kill cut short readers leave out the last record. A run that goes on
/// begins another file, which says from which step on the earlier ones do not count.
/// Source: https://github.com/tensorflow/tensorboard/blob/master/tensorboard/summary/writer/event_file_writer.py.
public final class EventWriter {
    public let path: String
    private let descriptor: Int32
    private var pending: [UInt8] = []
    private var written = Date()

    /// Seconds for which events may wait; who looks on sees them then.
    private static let patience = 2.0
    private static let mostPending = 1 << 16

    /// Begins a file in a directory.
    /// - Parameter step: the first one that is to be written.
    /// - Throws: `FileError`.
    public init(in directory: String, from step: Int) throws {
        let name = "events.out.tfevents.\(Int(Date().timeIntervalSince1970)).\(HostName.mine).\(getpid())"
        var (opened, path, number): (Int32, String, Int) = (-1, "", 0)
        // Another file of this second, of this process.
        while opened < 0 {
            path = "\(directory)/\(name).\(number)"
            opened = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o666)
            number += 1
            guard opened >= 0 || errno == EEXIST else { throw FileError(path, "cannot write", code: errno, remedy: "choose a directory you may write to") }
        }
        (descriptor, self.path) = (opened, path)
        var version = Tensorboard_Event()
        (version.wallTime, version.fileVersion) = (Date().timeIntervalSince1970, "brain.Event:2")
        try add(version)
        var start = event(step)
        start.sessionLog.status = .start
        try add(start)
        try flush()
    }

    deinit {
        // What cannot be written now is lost as by a kill.
        try? flush()
        close(descriptor)
    }

    /// Numbers by tag; one that is not finite is written as it is.
    public func add(scalars: [(tag: String, value: Double)], step: Int) throws {
        try add(step) { event in
            event.summary.value = scalars.map { tag, number in
                var value = Tensorboard_Summary.Value()
                (value.tag, value.simpleValue) = (tag, Float(number))
                return value
            }
        }
    }

    public func add(histogram: EventHistogram, tag: String, step: Int) throws {
        try add(step, tag) { $0.histo = histogram.message }
    }

    /// - Parameter png: a PNG file of that size, with that many channels.
    public func add(png: [UInt8], width: Int, height: Int, channels: Int, tag: String, step: Int) throws {
        try add(step, tag) { value in
            value.image.width = Int32(width)
            value.image.height = Int32(height)
            value.image.colorspace = Int32(channels)
            value.image.encodedImageString = Data(png)
        }
    }

    private func add(_ step: Int, _ tag: String, _ fill: (inout Tensorboard_Summary.Value) -> Void) throws {
        try add(step) { event in
            var value = Tensorboard_Summary.Value()
            value.tag = tag
            fill(&value)
            event.summary.value = [value]
        }
    }

    private func add(_ step: Int, _ fill: (inout Tensorboard_Event) -> Void) throws {
        var event = event(step)
        fill(&event)
        try add(event)
    }

    private func event(_ step: Int) -> Tensorboard_Event {
        var event = Tensorboard_Event()
        (event.wallTime, event.step) = (Date().timeIntervalSince1970, Int64(step))
        return event
    }

    private func add(_ event: Tensorboard_Event) throws {
        pending += EventRecords.framed(try event.serializedBytes())
        if pending.count > EventWriter.mostPending || event.wallTime - written.timeIntervalSince1970 > EventWriter.patience { try flush() }
    }

    /// Writes what waits.
    /// - Throws: `FileError`; what waited is given up then, so that the error is not said again by what follows.
    public func flush() throws {
        defer { (pending, written) = ([], Date()) }
        try Appending.write(pending, to: descriptor, path)
    }
}

/// Bytes at the end of a file that is open.
enum Appending {
    static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(FileError) {
        let code = bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
        if code != 0 { throw FileError(path, "cannot write", code: code, remedy: "free some space or choose another directory") }
    }
}
