import Base
import Notebook
import Tensors

/// `trellis notebook`: runs a script or a notebook cell by cell and writes what came out as a page, a notebook or Markdown.
enum NotebookCommand {
    static let usage = """
        usage: trellis notebook IN -o OUT [-o OUT ...] [options]
          IN                 a script in the percent format (cells begin with '-- %%'), or a notebook (.ipynb) of Lua cells
          -o OUT             a page (.html), a notebook (.ipynb) or Markdown (.md, with its pictures in a folder beside it)
          -p NAME=VALUE      a global that is set behind the cell tagged 'parameters', or first: a number, true, false, nil, else a text
          --check OLD.ipynb  compare what comes out with what is stored, and say what differs
          --allow-errors     go on after a cell that fails
          --timeout SECONDS  that a cell may take
          --no-code          leave out the source of the cells

        """

    /// The exit status: 0; 1 after a cell that failed, outputs that differ or a file that cannot be read or written; 2 for wrong usage; 130 after Ctrl-C.
    static func run(_ arguments: [String], _ registry: Registry) -> Int32 {
        let options: Options
        do { options = try Options(arguments) } catch {
            Terminal.error("trellis notebook: \(error)\n\(usage)")
            return 2
        }
        if options.showsHelp {
            Terminal.out(usage)
            return 0
        }
        do { return try run(options, registry) } catch {
            Terminal.error("trellis notebook: \(error)\n")
            return 1
        }
    }

    private static func run(_ options: Options, _ registry: Registry) throws -> Int32 {
        var document = try read(options.input)
        for warning in document.warnings { Terminal.error("trellis notebook: \(options.input): \(warning)\n") }
        let stored = try options.check.map(read)
        document.inject(options.parameters)
        let job = NotebookRun(allowsErrors: options.allowsErrors, timeout: options.timeout, path: options.input)
        let ending = try job.run(&document, registry: registry)
        if case .interrupted = ending {
            Terminal.error("trellis notebook: interrupted; nothing was written\n")
            return 130
        }
        for path in options.outputs {
            try write(document, to: path, options)
            Terminal.out("wrote \(path)\n")
        }
        var status: Int32 = 0
        if let stored, let path = options.check {
            let differences = OutputComparison.report(stored: stored, made: document)
            for line in differences { Terminal.out(line + "\n") }
            if !differences.isEmpty {
                Terminal.error("trellis notebook: the outputs are not those of \(path)\n")
                status = 1
            }
        }
        if case .failed(let text) = ending {
            Terminal.error("trellis notebook: \(text)")
            status = 1
        }
        return status
    }

    private static func read(_ path: String) throws -> NotebookDocument {
        let bytes = try Files.contents(path, limit: 1 << 28)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw HostError("\(path): expected UTF-8") }
        if path.hasSuffix(".ipynb") {
            do { return try NotebookDocument.read(json: text) } catch { throw HostError("\(path): \(error)") }
        }
        return PercentScript.read(text)
    }

    private static func write(_ document: NotebookDocument, to path: String, _ options: Options) throws {
        let place = PathParts(path)
        switch place.ending {
        case "ipynb": try AtomicFile.write(try document.json().utf8, to: path)
        case "md":
            let pictures = String(place.name.dropLast(3)) + "_files"
            let (text, files) = try document.markdown(pictures: pictures, code: options.showsCode)
            if !files.isEmpty { try Directory.make(place.folder + "/" + pictures) }
            for file in files { try AtomicFile.write(file.bytes, to: place.folder + "/" + pictures + "/" + file.name) }
            try AtomicFile.write(text.utf8, to: path)
        default:
            let source = PathParts(options.input)
            var page = NotebookPage(document, showsCode: options.showsCode, folder: source.folder)
            try AtomicFile.write(try page.html(title: source.name).utf8, to: path)
        }
    }

    /// The command line taken apart.
    private struct Options {
        var input = ""
        var outputs: [String] = []
        var parameters: [(name: String, source: String)] = []
        var check: String?
        var allowsErrors = false
        var timeout: Double?
        var showsCode = true
        var showsHelp = false

        init(_ arguments: [String]) throws {
            var rest = arguments[...]
            func value(_ option: String) throws -> String {
                guard let value = rest.popFirst() else { throw HostError("'\(option)' needs a value") }
                return value
            }
            while let argument = rest.popFirst() {
                switch argument {
                case "-o", "--output": outputs.append(try value(argument))
                case "-p", "--parameter": parameters.append(try Options.parameter(try value(argument)))
                case "--check": check = try value(argument)
                case "--allow-errors": allowsErrors = true
                case "--timeout":
                    let given = try value(argument)
                    guard let seconds = Double(given), seconds > 0, seconds < 1e9 else { throw HostError("--timeout: seconds above 0 expected, got '\(given)'") }
                    timeout = seconds
                case "--no-code": showsCode = false
                case "-h", "--help": showsHelp = true
                default:
                    guard !argument.hasPrefix("-") else { throw HostError("unrecognized option '\(argument)'") }
                    guard input.isEmpty else { throw HostError("one script or notebook expected, got '\(input)' and '\(argument)'") }
                    input = argument
                }
            }
            if showsHelp { return }
            guard !input.isEmpty else { throw HostError("a script or a notebook expected") }
            guard !outputs.isEmpty || check != nil else { throw HostError("say what to write: -o OUT.html, .ipynb or .md") }
            for path in outputs where !["html", "ipynb", "md"].contains(PathParts(path).ending) {
                throw HostError("'\(path)': a name that ends in .html, .ipynb or .md expected")
            }
        }

        /// "name=value" as a name and Lua source.
        private static func parameter(_ text: String) throws -> (name: String, source: String) {
            guard let equals = text.firstIndex(of: "="), isIdentifier(String(text[..<equals])) else { throw HostError("-p: NAME=VALUE expected, got '\(text)'") }
            let value = String(text[text.index(after: equals)...])
            let isLiteral = ["true", "false", "nil"].contains(value) || Double(value)?.isFinite == true
            return (String(text[..<equals]), isLiteral ? value : luaQuoted(value, limit: .max))
        }
    }
}

/// A path taken apart.
private struct PathParts {
    /// "." where the path names none.
    let folder: String
    let name: String

    init(_ path: String) {
        let slash = path.lastIndex(of: "/")
        folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    }

    /// What stands behind the last dot, in small letters.
    var ending: String { name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? "" }
}
