import Base
import CLua
import Networks
import Tensors

extension DirectoryLock: LuaObject {
    public static let objectType = ObjectType(
        "lock", of: DirectoryLock.self, summary: "A directory that this process alone writes into, see `files.lock`.",
        methods: [
            Binding(
                module: "lock", name: "release", summary: "Gives the directory back. It is given back when the program ends, too.",
                example: "files.make_directory('mine')\nfiles.lock('mine'):release()"
            ) { call in
                try call.this(as: DirectoryLock.self).release()
                return 0
            },
        ],
        fields: [Field("directory", .string, "Which.", of: { (l: DirectoryLock) in l.directory })],
        unique: true, describe: { "lock on \($0.directory)" })
}

/// Directories and whole files, for scripts.
enum FilesModule {
    static let module = LuaModule(
        "files", summary: "Directories, files that appear whole or not at all, locks.", types: [DirectoryLock.objectType], bindings: [makeDirectory, write, readJSON, lock])

    private static let makeDirectory = Binding(
        module: "files", name: "make_directory", parameters: [Argument("path", .string)], summary: "Makes a directory and those above it; one that is there is fine.",
        detail: "An error says what is in the way.", example: "files.make_directory('results/first')\nfiles.make_directory('results/first')"
    ) { call in
        try Directory.make(call.get(1))
        return 0
    }

    private static let write = Binding(
        module: "files", name: "write", parameters: [Argument("path", .string), Argument("text", .string, "any bytes")],
        summary: "Writes a file whole or not at all: whatever happens, the one before stays until the new one is complete.",
        detail: "A symbolic link stays one, an existing file keeps its permissions, nothing else is left in the directory.",
        example: "files.write('numbers.csv', 'a,b\\n1,2\\n')\nprint(io.open('numbers.csv'):read())  --> a,b"
    ) { call in
        try AtomicFile.write(Stack.bytes(call.thread, call.index(2)).map(Array.init) ?? [], to: call.get(1))
        return 0
    }

    private static let readJSON = Binding(
        module: "files", name: "read_json", parameters: [Argument("path", .string)], returns: [Returns(.any)], summary: "What a JSON file holds, as plain values.",
        detail: "Objects and lists are tables, null is nil. Text that is no JSON is an error with line and column.",
        example: "files.write('a.json', '{\"epochs\": 3, \"sizes\": [64, 96]}')\nprint(files.read_json('a.json').epochs, files.read_json('a.json').sizes[2])  --> 3\t96"
    ) { call in
        let path: String = try call.get(1)
        do { return call.push(try PlainValue(Files.json(path))) } catch let error as CheckpointError { throw FileError(path, "\(error)") }
    }

    private static let lock = Binding(
        module: "files", name: "lock", parameters: [Argument("directory", .string, "has to be there")], returns: [Returns(.object("lock"))],
        summary: "Keeps other processes from writing into a directory: two runs would mix up their files.",
        detail: """
            The file run.lock in it says who holds it: process, machine, since when. While that process runs this is an error; the lock of one that has ended is taken over, with a \
            word; of one on another machine nobody here can tell, so the error says which file to remove. It holds until `release`, or until the program ends; keep the lock \
            in a variable, it goes with it. `fit` locks its `out` itself; within a process locks nest.
            """,
        example: "files.make_directory('mine')\nlocal lock = files.lock('mine')\nprint(io.open('mine/run.lock'):read():match('process'))  --> process\nlock:release()"
    ) { call in call.push(try DirectoryLock(call.get(1))) }
}
