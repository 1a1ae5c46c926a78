import CKernels
import CLua
import Glibc
import XCTest

@testable import LuaHost

/// A host with everything in it, for tests that are written in Lua.
final class Scripting {
    let host: ScriptHost
    /// What `print` was given, one entry a line.
    private(set) var printed: [String] = []

    init() throws { host = try ScriptHost(.standard) }

    /// Anchors that Swift still needed when Lua collected the last userdata that held them.
    var strays: Int64 { host.state.map { clua_host_of($0).pointee.strays } ?? 0 }

    /// Runs a chunk; nil when it ended well.
    func run(_ source: String, name: String = "=[t]") -> String? {
        var options = EvaluationOptions()
        options.returnsExpression = false
        options.keepsLocals = false
        switch host.evaluate(source, name: name, options: options) {
        case .done: return nil
        case .failed(let error): return error.message + "\n" + (error.traceback ?? "")
        case .incomplete: return "the chunk is incomplete"
        case .interrupted: return "interrupted"
        }
    }

    /// What a chunk prints, and its error.
    func output(of source: String) -> (lines: [String], error: String?) {
        let prelude = """
            local lines = {}
            function print(...)
              local parts = {}
              for i = 1, select('#', ...) do parts[i] = tostring((select(i, ...))) end
              lines[#lines + 1] = table.concat(parts, '\\t')
            end
            function printed() return table.concat(lines, '\\n') end
            """
        if let error = run(prelude) { return ([], error) }
        let error = run(source, name: "=example")
        var text = ""
        var options = EvaluationOptions()
        options.keepsLocals = false
        _ = host.evaluate("return printed()", name: "=[t]", options: options) { L, first, _ in text = Stack.string(L, first) ?? "" }
        return (text.isEmpty ? [] : text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init), error)
    }
}

/// Tests in an empty directory of their own.
class ScriptTestCase: XCTestCase {
    private var before = ""
    private var directory = ""

    override func setUp() {
        before = String(cString: getcwd(nil, 0))
        var template = Array("/tmp/trellis-tests-XXXXXX".utf8CString)
        directory = String(cString: mkdtemp(&template))
        chdir(directory)
    }

    override func tearDown() {
        chdir(before)
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Runs `body` in an empty directory of its own, which goes with the test's.
    func inNewDirectory(_ body: () throws -> Void) rethrows {
        let outside = String(cString: getcwd(nil, 0))
        var template = Array((directory + "/run-XXXXXX").utf8CString)
        chdir(String(cString: mkdtemp(&template)))
        defer { chdir(outside) }
        try body()
    }

    func files(_ path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }
}
