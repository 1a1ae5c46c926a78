import Base
import CLua
import Glibc

/// The user's editor, for `edit`.
struct Editor {
    private let log: SessionLog

    init(_ log: SessionLog) { self.log = log }

    func edit(_ call: Call) throws {
        let L = call.thread
        guard call.has(1) else {
            guard let last = log.entries.last else { return try edit(text: "") }
            return try edit(text: last.text)
        }
        let index = call.index(1)
        if let number = Stack.integer(L, index) {
            guard let entry = log.entries.last(where: { $0.number == number }) else { throw call.bad(1, "the number of an entry expected, got \(number)") }
            return try edit(text: entry.text)
        }
        if let path = Stack.string(L, index) { return try open(path, line: 1) }
        guard lua_type(L, index) == LUA_TFUNCTION, lua_iscfunction(L, index) == 0, let place = LuaFunctionInfo.place(L, index) else {
            throw call.bad(1, "the number of an entry, a path, or a function that is written in Lua expected, got \(Stack.typeName(L, index))")
        }
        if let entry = log.entries.last(where: { "[\($0.number)]" == place.source }) { return try edit(text: entry.text) }
        try open(place.source, line: place.first)
    }

    /// Lets a text be edited, which runs next.
    private func edit(text: String) throws {
        var name = Array("/tmp/trellis-edit-XXXXXX.lua".utf8CString)
        let file = mkstemps(&name, 4)
        guard file >= 0 else { throw HostError("no temporary file: \(String(cString: strerror(errno)))") }
        close(file)
        let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(path) }
        try AtomicFile.write(text.keptBytes + [10], to: path)
        try open(path, line: 1)
        guard let edited = SourceTexts.file(path)?.trimmingSpaces, !edited.isEmpty else { return }
        log.queue(edited)
    }

    private func open(_ path: String, line: Int) throws {
        let editor = Terminal.environment("VISUAL") ?? Terminal.environment("EDITOR") ?? "vi"
        let quoted = "'" + path.replacing("'", with: "'\\''") + "'"
        fflush(nil)
        // "+12" is understood by vi, emacs, nano and their kin.
        let status = system("\(editor) \(line > 1 ? "+\(line) " : "")\(quoted)")
        guard status == 0 else { throw HostError("the editor '\(editor)' ended with status \(status >> 8 & 255); VISUAL or EDITOR says which it is") }
    }
}
