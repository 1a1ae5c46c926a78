import Base
import CKernels
import CLua
import Glibc

/// What this machine has of what the host can use.
enum Doctor {
    static var report: String {
        var rows: [(String, String)] = []
        rows.append(("trellis", TrellisModule.version))
        rows.append(("lua", luaRelease))
        rows.append(("readline", String(cString: clua_line_editor_version())))
        rows.append(("system", system))
        rows.append(("processor", processor))
        rows.append(("instructions", instructions))
        rows.append(("threads", threads))
        rows.append(("memory", memory))
        rows.append(("blas", blas))
        rows.append(("terminal", terminal))
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { pad($0.0, width) + "  " + $0.1 + "\n" }.joined()
    }

    /// What numbers and times may depend on, by name.
    static var machine: [(String, String)] {
        [("host", HostName.mine), ("system", system), ("processor", processor), ("instructions", instructions), ("threads", threads), ("memory", megabytes(totalMemory))]
    }

    private static var system: String {
        var name = utsname()
        uname(&name)
        func text<T>(_ field: T) -> String { withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
        let release = value("PRETTY_NAME", in: "/etc/os-release", separator: "=").map { $0.split(separator: "\"").joined() }
        return (release.map { $0 + ", " } ?? "") + text(name.sysname) + " " + text(name.release) + " " + text(name.machine)
    }

    private static var processor: String { value("model name", in: "/proc/cpuinfo", separator: ":") ?? "unknown" }

    private static var instructions: String {
        let level = Int(trellis_cpu_level())
        let names = [2: "SSE4.2", 3: "AVX2 and FMA", 4: "AVX-512"]
        let wish = Terminal.environment("TRELLIS_CPU").map { " (TRELLIS_CPU=\($0))" } ?? ""
        return "x86-64-v\(level): \(names[level] ?? "?")\(wish)"
    }

    private static var threads: String {
        let cores = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        guard let wish = Terminal.environment("TRELLIS_THREADS") else { return "\(cores)" }
        return "\(wish) of \(cores) (TRELLIS_THREADS)"
    }

    private static var memory: String {
        let available = value("MemAvailable", in: "/proc/meminfo", separator: ":").flatMap { Int($0.split(separator: " ").first ?? "") }
        return megabytes(totalMemory) + (available.map { ", " + megabytes($0 * 1024) + " available" } ?? "")
    }

    private static var totalMemory: Int { sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) }

    private static func megabytes(_ bytes: Int) -> String { "\(bytes >> 20) MB" }

    private static var blas: String {
        guard let library = dlopen("libopenblas.so.0", RTLD_LAZY | RTLD_LOCAL) else {
            return "none: libopenblas.so.0 is missing (apt-get install libopenblas0-pthread)"
        }
        typealias Describe = @convention(c) () -> UnsafePointer<CChar>?
        func ask(_ name: String) -> String? {
            dlsym(library, name).flatMap { unsafeBitCast($0, to: Describe.self)() }.map { String(cString: $0) }
        }
        return ask("openblas_get_config") ?? "libopenblas.so.0"
    }

    private static var terminal: String {
        let name = Terminal.environment("TERM") ?? "unknown"
        return Terminal.isTerminal(1) ? "\(name), \(Terminal.width) columns\(Terminal.hasColour(1) ? ", colour" : "")" : "none"
    }

    /// The text after "name<separator>" in a file of such lines.
    private static func value(_ name: String, in path: String, separator: Character) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var line: UnsafeMutablePointer<CChar>?
        var room = 0
        defer { free(line) }
        while getline(&line, &room, file) > 0, let start = line {
            let text = String(cString: start)
            guard text.hasPrefix(name), let at = text.firstIndex(of: separator) else { continue }
            return text[text.index(after: at)...].trimmingSpaces
        }
        return nil
    }
}
