import Base
import Foundation
import XCTest

/// Both ways of writing, through files without a name and through `.NAME.tmp`, behave alike.
final class AtomicFileTests: TemporaryDirectoryTestCase {
    override func tearDown() {
        AtomicFile.prefersNoName = true
        super.tearDown()
    }

    private func bothWays(_ body: () throws -> Void) throws {
        for prefersNoName in [true, false] {
            AtomicFile.prefersNoName = prefersNoName
            try body()
            for name in names { try FileManager.default.removeItem(atPath: path(name)) }
        }
    }

    private func permissions(_ name: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path(name))[.posixPermissions] as? Int
    }

    func testAFileAppearsWholeOrNotAtAll() throws { try bothWays { try aFileAppearsWholeOrNotAtAll() } }

    private func aFileAppearsWholeOrNotAtAll() throws {
        try AtomicFile.write("old".utf8, to: path("a"))
        assertThrows("stopped") {
            try AtomicFile.write(path("a")) { file throws(FileError) in
                try file.write(Array("half".utf8))
                XCTAssertEqual(contents("a"), "old")
                throw FileError("", "stopped")
            }
        }
        XCTAssertEqual(contents("a"), "old")
        XCTAssertEqual(names, ["a"])
        try AtomicFile.write("new".utf8, to: path("a"))
        XCTAssertEqual(contents("a"), "new")
    }

    /// A program that is killed while it writes leaves no file of any name.
    func testNothingHasANameBeforeItIsComplete() throws {
        try AtomicFile.write(path("a")) { file throws(FileError) in
            let block = [UInt8](repeating: 7, count: 1 << 20)
            try file.write(block)
            XCTAssertEqual(names, [])
        }
        XCTAssertEqual(names, ["a"])
    }

    /// What a killed program left where files have names from the start goes with the next write.
    func testWhatAKilledWriterLeftGoes() throws { try bothWays { try whatAKilledWriterLeftGoes() } }

    private func whatAKilledWriterLeftGoes() throws {
        try "half".write(toFile: path(".a.tmp"), atomically: false, encoding: .utf8)
        try AtomicFile.write("new".utf8, to: path("a"))
        XCTAssertEqual(contents("a"), "new")
        XCTAssertEqual(names, ["a"])
    }

    func testASymbolicLinkStaysOne() throws { try bothWays { try aSymbolicLinkStaysOne() } }

    private func aSymbolicLinkStaysOne() throws {
        try FileManager.default.createDirectory(atPath: path("below"), withIntermediateDirectories: true)
        try AtomicFile.write("old".utf8, to: path("below/target"))
        try FileManager.default.createSymbolicLink(atPath: path("link"), withDestinationPath: "below/target")
        try AtomicFile.write("new".utf8, to: path("link"))
        XCTAssertEqual(contents("below/target"), "new")
        XCTAssertEqual(try FileManager.default.destinationOfSymbolicLink(atPath: path("link")), "below/target")
        // To a file that is not there yet, over another link.
        try FileManager.default.createSymbolicLink(atPath: path("below/second"), withDestinationPath: "absent")
        try FileManager.default.createSymbolicLink(atPath: path("first"), withDestinationPath: "below/second")
        try AtomicFile.write("made".utf8, to: path("first"))
        XCTAssertEqual(contents("below/absent"), "made")
        XCTAssertEqual(try FileManager.default.destinationOfSymbolicLink(atPath: path("first")), "below/second")
    }

    /// Names above the file, and those behind a link, need not be UTF-8: each way again, over a file that is there.
    func testNamesThatAreNotUTF8() throws { try bothWays { try namesThatAreNotUTF8() } }

    private func namesThatAreNotUTF8() throws {
        let odd = Array(path("d").utf8CString.dropLast()) + [CChar(bitPattern: 0xe9), 0]
        let before = FileManager.default.currentDirectoryPath
        XCTAssertEqual(mkdir(odd, 0o777), 0)
        XCTAssertEqual(chdir(odd), 0)
        defer {
            for name in ["f", "link"] { unlink(name) }
            unlink([CChar(bitPattern: 0xff), 0])
            chdir(before)
            rmdir(odd)
        }
        XCTAssertEqual(symlink([CChar(bitPattern: 0xff), 0], "link"), 0)
        for text in ["first", "second"] {
            for name in ["f", "link"] {
                try AtomicFile.write(text.utf8, to: name)
                XCTAssertEqual(try String(contentsOfFile: name, encoding: .utf8), text)
            }
        }
        XCTAssertEqual(access([CChar(bitPattern: 0xff), 0], F_OK), 0)
    }

    func testPermissions() throws { try bothWays { try permissions() } }

    private func permissions() throws {
        let mask = umask(0o027)
        defer { umask(mask) }
        try AtomicFile.write("x".utf8, to: path("a"))
        XCTAssertEqual(try permissions("a"), 0o640)
        chmod(path("a"), 0o604)
        try AtomicFile.write("y".utf8, to: path("a"))
        XCTAssertEqual(try permissions("a"), 0o604)
    }

    func testWhatIsNoFile() throws { try bothWays { try whatIsNoFile() } }

    private func whatIsNoFile() throws {
        assertThrows("got a directory") { try AtomicFile.write("x".utf8, to: directory) }
        assertThrows("No such file or directory", "create the directory first") { try AtomicFile.write("x".utf8, to: path("absent/a")) }
        try AtomicFile.write("x".utf8, to: "/dev/null")
        let status = (try FileManager.default.attributesOfItem(atPath: "/dev/null"))[.type] as? FileAttributeType
        XCTAssertEqual(status, .typeCharacterSpecial)
        let pipe = Pipe()
        try AtomicFile.write("through".utf8, to: "/dev/fd/\(pipe.fileHandleForWriting.fileDescriptor)")
        try pipe.fileHandleForWriting.close()
        XCTAssertEqual(pipe.fileHandleForReading.readDataToEndOfFile(), Data("through".utf8))
    }

    /// Of many writers at once every reader sees a whole file, and no other name is left.
    func testWritersAtOnce() throws { try bothWays { try writersAtOnce() } }

    private func writersAtOnce() throws {
        let file = path("a")
        DispatchQueue.concurrentPerform(iterations: 8) { writer in
            let block = [UInt8](repeating: UInt8(48 + writer), count: 50_000)
            for _ in 0..<20 {
                do { try AtomicFile.write(block, to: file) } catch { XCTFail("\(error)") }
            }
        }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        XCTAssertEqual(bytes.count, 50_000)
        XCTAssertEqual(Set(bytes).count, 1)
        XCTAssertEqual(names, ["a"])
    }
}

final class DirectoryTests: TemporaryDirectoryTestCase {
    func testMaking() throws {
        try Directory.make(path("a/b//c"))
        XCTAssertTrue(Directory.isDirectory(path("a/b/c")))
        try Directory.make(path("a/b/c"))
        try AtomicFile.write("x".utf8, to: path("file"))
        assertThrows("cannot make the directory", "is a file") { try Directory.make(path("file/below")) }
        assertThrows("got an empty one") { try Directory.make("") }
    }
}
