import Base
import Figures
import Glibc
import Runs
import Tensors

/// `trellis runs`: what searches and trainings left, as a list or side by side; and once more.
enum RunsCommand {
    static let usage = """
        usage: trellis runs [DIR] [options]      lists the runs below DIR (the directory that one is in)
          --where CONDITION     those that fit: kind=search, 'miou>0.3', status!=done, settings.lr=0.05; may be given several times
          --sort NAME           by a fact, a result or a setting, the largest first; --sort=-NAME the smallest first
          --compare             side by side: the settings in which they differ, and their results
          --columns A,B,...     side by side, by what you say
          --curve NAME          numbers by step, as overlaid curves, in the terminal
          --save FILE           the curves as a picture: .svg, .png, .pdf or .txt
        or:    trellis runs repeat RUN [--out DIR]   runs it again, with its settings, into DIR (RUN-repeat), and says whether the numbers are the same

        """

    /// The exit status: 0; 1 where a run that is repeated fails or comes to other numbers, and for what cannot be read; 2 for wrong usage; 130 after Ctrl-C.
    static func run(_ arguments: [String], _ registry: Registry) -> Int32 {
        do {
            if arguments.first == "repeat" { return try repeating(Array(arguments.dropFirst()), registry) }
            let request = try Request(arguments)
            if request.showsHelp {
                Terminal.out(usage)
                return 0
            }
            try list(request)
            return 0
        } catch let error as UsageError {
            Terminal.error("trellis runs: \(error.text)\n\(usage)")
            return 2
        } catch is Interrupted {
            return 130
        } catch {
            Terminal.error("trellis runs: \(error)\n")
            return 1
        }
    }

    fileprivate struct UsageError: Error { let text: String }

    // MARK: Lists

    private struct Request {
        var directory = "."
        var filters: [RunFilter] = []
        var sort: (name: String, largestFirst: Bool)?
        var compares = false
        var columns: [String] = []
        var curve: String?
        var path: String?
        var showsHelp = false

        init(_ arguments: [String]) throws {
            var rest = Words(arguments), directories: [String] = []
            while let word = rest.next() {
                switch word.name {
                case "--where": do { filters.append(try RunFilter(rest.value(of: word))) } catch let error as FileError { throw UsageError(text: "\(error)") }
                case "--sort":
                    let name = try rest.value(of: word)
                    sort = name.hasPrefix("-") ? (String(name.dropFirst()), false) : (name, true)
                case "--compare": compares = true
                case "--columns": columns = try rest.value(of: word).split(separator: ",").map(String.init)
                case "--curve": curve = try rest.value(of: word)
                case "--save": path = try rest.value(of: word)
                case "--help", "-h": showsHelp = true
                default:
                    guard !word.name.hasPrefix("-") else { throw UsageError(text: "unknown option '\(word.name)'") }
                    directories.append(word.name)
                }
            }
            guard directories.count <= 1 else { throw UsageError(text: "one directory expected, got '\(directories.joined(separator: "', '"))'") }
            guard path == nil || curve != nil else { throw UsageError(text: "--save is for the picture of --curve") }
            directory = directories.first ?? directory
        }
    }

    private static func list(_ request: Request) throws {
        var runs = try Run.all(below: request.directory).filter { run in try request.filters.allSatisfy { try $0.matches(run) } }
        if let (name, largestFirst) = request.sort { runs = try RunFilter.sorted(runs, by: name, largestFirst: largestFirst) }
        if runs.isEmpty {
            Terminal.out("no runs below \(request.directory)\(request.filters.isEmpty ? "" : " that fit")\n")
            return
        }
        if let name = request.curve {
            let chart = try RunPlot.chart(runs, name)
            if let path = request.path { try chart.save(path) } else { Terminal.out(try TerminalOutput().drawing(of: chart) + "\n") }
        } else {
            let table = try request.compares ? RunTable.comparison(runs) : request.columns.isEmpty ? RunTable.list(runs) : RunTable(runs, columns: request.columns)
            Terminal.out(table.text + "\n")
        }
    }

    // MARK: Once more

    private static func repeating(_ arguments: [String], _ registry: Registry) throws -> Int32 {
        var rest = Words(arguments), directories: [String] = [], out: String?
        while let word = rest.next() {
            switch word.name {
            case "--out": out = try rest.value(of: word)
            case "--help", "-h":
                Terminal.out(usage)
                return 0
            default:
                guard !word.name.hasPrefix("-") else { throw UsageError(text: "unknown option '\(word.name)'") }
                directories.append(word.name)
            }
        }
        guard directories.count == 1 else { throw UsageError(text: "repeat: the directory of one run expected") }
        let path = directories[0].count > 1 && directories[0].hasSuffix("/") ? String(directories[0].dropLast()) : directories[0]
        return try again(Run(path), into: out ?? free(path + "-repeat"), registry)
    }

    private static func again(_ first: Run, into directory: String, _ registry: Registry) throws -> Int32 {
        guard let script = first.card.script else {
            throw FileError(first.directory, "does not say which script it is a run of", remedy: "what scripts/*.lua leave does; nas.run takes script = PATH")
        }
        guard access(script, F_OK) == 0 else { throw FileError(script, "the script of \(first.directory) is not there any more") }
        let start = ["--config", first.directory + "/settings.json", "--out", directory] + first.card.words
        for options in [start] + first.card.continuations.map({ ["--out", directory, "--resume"] + $0 }) {
            let words = [script] + options
            Terminal.out("trellis \(words.joined(separator: " "))\n")
            let status = Runner.main(["trellis"] + words, registry: registry)
            guard status == 0 else {
                Terminal.error("trellis runs: the repetition of \(first.directory) ended with status \(status)\n")
                return status
            }
        }
        let repetition = try Repetition(first, Run(directory))
        Terminal.out(repetition.text + "\n")
        return repetition.isSame ? 0 : 1
    }

    /// The name, or the first of `name-2`, `name-3`, ... that is not there.
    private static func free(_ name: String) -> String {
        guard access(name, F_OK) == 0 else { return name }
        return (2...).lazy.map { "\(name)-\($0)" }.first { access($0, F_OK) != 0 } ?? name
    }
}

/// The words of a command line; `--name=value` is one of them.
private struct Words {
    private var rest: ArraySlice<String>

    init(_ words: [String]) { rest = words[...] }

    struct Word {
        let name: String
        fileprivate let joined: String?
    }

    mutating func next() -> Word? {
        guard let word = rest.popFirst() else { return nil }
        guard word.hasPrefix("--"), let equals = word.firstIndex(of: "=") else { return Word(name: word, joined: nil) }
        return Word(name: String(word[..<equals]), joined: String(word[word.index(after: equals)...]))
    }

    mutating func value(of word: Word) throws -> String {
        if let joined = word.joined { return joined }
        guard let value = rest.popFirst() else { throw RunsCommand.UsageError(text: "\(word.name) needs a value") }
        return value
    }
}
