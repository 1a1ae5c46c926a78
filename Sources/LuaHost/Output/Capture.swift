import Base
import CLua
import Glibc

/// Takes C's standard streams for an output, from `begin` to `end`; there is one at a time in a process.
enum Capture {
    private nonisolated(unsafe) static var current: (any Output)?
    /// Whose scripts read: what cannot be read is an error there.
    nonisolated(unsafe) static weak var host: ScriptHost?

    /// - Throws: `HostError` when pipes cannot be made, or streams are captured already.
    static func begin(_ output: any Output) throws {
        guard current == nil else { throw HostError("standard streams are captured already") }
        current = output
        var streams = clua_streams(context: nil, write: { _, bytes, count, isError in Capture.current?.stream(UnsafeRawBufferPointer(start: bytes, count: count), isError: isError) },
            read: { _, bytes, room in Capture.read(bytes, room) })
        guard clua_capture_begin(&streams) else {
            current = nil
            throw HostError("standard streams cannot be captured: \(String(cString: strerror(errno)))")
        }
    }

    /// Hands on what children have written.
    static func flush() { clua_capture_flush() }

    static func end() {
        guard current != nil else { return }
        clua_capture_end()
        current = nil
        rest = []
    }

    /// What was given of a line that is longer than asked for.
    private nonisolated(unsafe) static var rest: ArraySlice<UInt8> = []

    /// A line for C's stdin, by the rules of read(2).
    private static func read(_ bytes: UnsafeMutablePointer<CChar>?, _ room: Int) -> Int {
        guard let bytes, let output = current else { return 0 }
        if rest.isEmpty {
            do {
                guard let line = try output.input(prompt: "", isPassword: false) else { return 0 }
                rest = (line.keptBytes + [UInt8(ascii: "\n")])[...]
            } catch {
                if !(error is Interruption), let L = host?.state { clua_raise_soon(L, "\(error)") }
                errno = EINTR
                return -1
            }
        }
        let count = min(room, rest.count)
        UnsafeMutableRawPointer(bytes).copyMemory(from: Array(rest.prefix(count)), byteCount: count)
        rest = rest.dropFirst(count)
        return count
    }
}

/// Ctrl-C while a line was waited for.
struct Interruption: Error {}
