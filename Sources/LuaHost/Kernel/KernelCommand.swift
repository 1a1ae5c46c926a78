import Base
import Glibc
import Jupyter
import Notebook
import Tensors

/// `trellis kernel`: the Jupyter kernel, and how front ends come to know of it.
enum KernelCommand {
    static let usage = """
        usage: trellis kernel install [--user | --prefix DIR]
                   lets Jupyter's front ends find the kernel: in the user's folder (the default), or in DIR/share/jupyter;
                   as root it installs libzmq5 where that is missing
               trellis kernel -f CONNECTION
                   runs the kernel; front ends do that

        """

    /// The exit status: 0; 1 when something cannot be done; 2 for wrong usage.
    static func run(_ arguments: [String], _ registry: Registry) -> Int32 {
        do {
            switch arguments.first {
            case "-f" where arguments.count == 2: try Kernel(ConnectionFile(path: arguments[1]), registry: registry).run()
            case "install": try install(Array(arguments.dropFirst()))
            case "-h", "--help": Terminal.out(usage)
            default:
                Terminal.error(usage)
                return 2
            }
            return 0
        } catch let error as UsageError {
            Terminal.error("trellis kernel: \(error.message)\n\(usage)")
            return 2
        } catch {
            Terminal.error("trellis kernel: \(error)\n")
            return 1
        }
    }

    private struct UsageError: Error { let message: String }

    private static func install(_ arguments: [String]) throws {
        let root: String
        switch arguments.count {
        case 0: root = try userFolder()
        case 1 where arguments[0] == "--user": root = try userFolder()
        case 2 where arguments[0] == "--prefix": root = arguments[1] + "/share/jupyter"
        default: throw UsageError(message: "--user or --prefix DIR expected, got '\(arguments.joined(separator: " "))'")
        }
        let folder = root + "/kernels/" + KernelIdentity.name
        try Directory.make(folder)
        try AtomicFile.write((specification.text(width: 100) + "\n").utf8, to: folder + "/kernel.json")
        try AtomicFile.write(logo.utf8, to: folder + "/logo-svg.svg")
        Terminal.out("wrote \(folder)/kernel.json: Jupyter has '\(KernelIdentity.displayName)' now\n")
        try needLibraries()
    }

    /// As jupyter_core finds it.
    private static func userFolder() throws -> String {
        if let folder = Terminal.environment("JUPYTER_DATA_DIR"), !folder.isEmpty { return folder }
        if let folder = Terminal.environment("XDG_DATA_HOME"), !folder.isEmpty { return folder + "/jupyter" }
        guard let home = Terminal.environment("HOME"), !home.isEmpty else { throw HostError("no HOME to install into; give --prefix DIR") }
        return home + "/.local/share/jupyter"
    }

    private static var specification: JSONValue {
        .object([
            .init("argv", .array([.string(program), .string("kernel"), .string("-f"), .string("{connection_file}")])),
            .init("display_name", .string(KernelIdentity.displayName)), .init("interrupt_mode", .string("message")), .init("language", .string("lua")),
            .init("metadata", .object([.init("supported_encryption", .array([.string("curve")]))])),
        ])
    }

    /// This program.
    private static var program: String {
        var path = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &path, path.count - 1)
        return count > 0 ? String(decoding: path[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : "trellis"
    }

    /// Installs libzmq5 as root; says what to type otherwise.
    private static func needLibraries() throws {
        guard let why = Wire.missingLibrary else { return }
        let command = "apt-get install -y --no-install-recommends libzmq5"
        guard getuid() == 0 else { throw HostError("the kernel needs libzmq: \(why); please type\n    sudo \(command)") }
        Terminal.out("installing libzmq5\n")
        fflush(nil)
        guard system("DEBIAN_FRONTEND=noninteractive \(command) >/dev/null") == 0, Wire.missingLibrary == nil else {
            throw HostError("libzmq5 could not be installed; the command was: \(command)")
        }
    }

    /// A path through a small trellis.
    private static let logo = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="64" height="64">
        <g stroke="#9aa5b1" stroke-width="2"><path d="M12 14L32 32L52 14M12 32L32 50L52 32M12 14H52M12 32H52M12 50H52M12 50L32 32L52 50M12 32L32 14L52 32" fill="none"/></g>
        <path d="M12 14L32 32L52 50" fill="none" stroke="#0072b2" stroke-width="5" stroke-linecap="round" stroke-linejoin="round"/>
        <g fill="#9aa5b1"><circle cx="32" cy="14" r="4"/><circle cx="52" cy="14" r="4"/><circle cx="12" cy="32" r="4"/><circle cx="52" cy="32" r="4"/>
        <circle cx="12" cy="50" r="4"/><circle cx="32" cy="50" r="4"/></g>
        <g fill="#0072b2"><circle cx="12" cy="14" r="6"/><circle cx="32" cy="32" r="6"/><circle cx="52" cy="50" r="6"/></g>
        </svg>

        """
}
