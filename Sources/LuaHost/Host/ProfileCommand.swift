import Figures
import Glibc
import Segmentation
import Tensors

/// `trellis profile [--save FILE] [--depth N] [options] script [args]`: runs a script and reports where the time of its tensor operations went.
struct ProfileCommand {
    static let usage = """
        usage: trellis profile [--save FILE] [--depth N] [options] script [args]
          --save FILE   also write the picture: .svg, .png, .pdf or .txt
          --depth N     names of a module's path that count (default 3)
        The other options are those of `trellis`.

        """

    private var paths: [String] = []
    private var depth = 3
    private let options: Options

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        func value(_ name: String) throws -> String {
            rest = rest.dropFirst()
            guard let value = rest.first else { throw HostError("'\(name)' needs a value") }
            rest = rest.dropFirst()
            return value
        }
        var found: [String] = []
        parsing: while let first = rest.first {
            switch first {
            case "--save":
                let path = try value(first)
                guard !path.standsForBytes else { throw HostError("--save: '\(FileName.escaped(path.keptBytes))' is not UTF-8") }
                do { _ = try FigureFormat(path: path) } catch { throw HostError("--save: \(error)") }
                found.append(path)
            case "--depth":
                let text = try value(first)
                guard let number = Int(text), number >= 0 else { throw HostError("--depth: 0 or more expected, got '\(text)'") }
                depth = number
            default: break parsing
            }
        }
        paths = found
        options = try Options(["trellis"] + rest)
        guard options.showsHelp || options.script != nil || !options.actions.isEmpty else { throw HostError("there is no script to profile") }
    }

    /// Runs the command and returns the exit status, that of the script.
    static func run(_ arguments: [String], _ registry: Registry) -> Int32 {
        do {
            let command = try ProfileCommand(arguments)
            if command.options.showsHelp {
                Terminal.out(usage)
                return 0
            }
            return try command.run(registry)
        } catch let error as HostError {
            Terminal.error("trellis profile: \(error)\n\(usage)")
            return 2
        } catch {
            Terminal.error("trellis profile: \(error)\n")
            return 1
        }
    }

    private func run(_ registry: Registry) throws -> Int32 {
        let profile = PlanProfile()
        let status = try profile.measure { try Runner.start(options, registry) }
        let report = ProfileReport(profile: profile, depth: depth)
        Terminal.out("\n" + report.text() + "\n")
        let figure = report.figure(title: options.script.flatMap { $0 }.map { String(decoding: $0.keptBytes, as: UTF8.self) })
        for path in paths {
            try figure.save(path, scale: 2)
            Terminal.out("\(path)\n")
        }
        if paths.isEmpty, profile.total.calls > 0, Terminal.isTerminal(1) {
            Terminal.out("\n" + figure.text(TextStyle(width: min(100, Terminal.width), colour: Terminal.hasColour(1) ? .indexed : .none)) + "\n")
        }
        return status
    }
}
