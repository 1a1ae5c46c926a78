import Segmentation

/// What `trellis WORD` does when WORD is no script.
enum Subcommand {
    /// The exit status, or nil when the command line is none of these. A file of that name beside us is a script all the same
    /// if written ./doctor.
    static func run(_ arguments: [String], _ registry: Registry) -> Int32? {
        guard arguments.count > 1 else { return nil }
        let rest = Array(arguments.dropFirst(2))
        switch arguments[1] {
        case "profile": return ProfileCommand.run(rest, registry)
        case "kernel": return KernelCommand.run(rest, registry)
        case "notebook": return NotebookCommand.run(rest, registry)
        case "runs": return RunsCommand.run(rest, registry)
        case "stubs": return stubs(rest, registry)
        case "reference": return noArguments("reference", rest) ?? print(Reference(registry).markdown)
        case "doctor": return noArguments("doctor", rest) ?? print(Doctor.report)
        default: return nil
        }
    }

    private static func print(_ text: String) -> Int32 {
        Terminal.out(text)
        return 0
    }

    private static func noArguments(_ name: String, _ rest: [String]) -> Int32? {
        if rest.isEmpty { return nil }
        Terminal.error("trellis: usage: trellis \(name)\n")
        return 2
    }

    private static func stubs(_ rest: [String], _ registry: Registry) -> Int32 {
        guard rest.count == 1, !rest[0].hasPrefix("-") else {
            Terminal.error("trellis: usage: trellis stubs DIR\n")
            return 2
        }
        guard !rest[0].standsForBytes else {
            Terminal.error("trellis: expected a directory whose name is UTF-8, got '\(FileName.escaped(rest[0].keptBytes))'\n")
            return 2
        }
        do {
            for line in try Stubs(registry).write(to: rest[0]) { Terminal.out(line + "\n") }
            return 0
        } catch {
            Terminal.error("trellis: \(error)\n")
            return 1
        }
    }
}
