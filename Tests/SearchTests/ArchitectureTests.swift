import XCTest
@testable import Search

final class ArchitectureTests: XCTestCase {
    private var full: Architecture {
        var architecture = Gallery.autoDeepLab
        architecture.scores = ArchitectureScores(pathLogProbability: -3.1415926535897931, strengths: (0..<10).map { 0.1 * Double($0) })
        architecture.provenance = Provenance(seed: .max, date: "2026-11-23", data: "shapes \"3\"\n\u{1}é", source: "a\\b")
        architecture.notes = ["one", "zwei ●"]
        return architecture
    }

    // MARK: JSON

    func testRoundTrip() throws {
        for architecture in Gallery.all + [full] {
            let text = try architecture.json
            XCTAssertEqual(try Architecture(json: text), architecture)
            XCTAssertEqual(try Architecture(json: text).json, text)
            // Another reader agrees that it is JSON.
            XCTAssertNoThrow(try JSONSerialization.jsonObject(with: Data(text.utf8)))
            // Files of before say the same.
            XCTAssertEqual(try Architecture(json: Version1.text(architecture)), architecture)
        }
    }

    func testFiles() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("trellis-space-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("found.json").path
        try full.save(to: path)
        try Gallery.dartsV2.save(to: path)
        XCTAssertEqual(try Architecture(contentsOf: path), Gallery.dartsV2)
        XCTAssertEqual(try FileManager.default.contentsOfDirectory(atPath: folder.path), ["found.json"])
        XCTAssertEqual(spaceError { try Architecture(contentsOf: path + "x") }?.location, path + "x")
        let nowhere = spaceError { try full.save(to: folder.path + "/none/found.json") }
        XCTAssertTrue(nowhere?.got.contains("No such file") ?? false, "\(String(describing: nowhere))")
        try Data([0xff, 0xfe]).write(to: URL(fileURLWithPath: path))
        XCTAssertEqual(spaceError { try Architecture(contentsOf: path) }?.got, "other bytes")
    }

    /// The space of a file is all there is to know of it: mask and options too.
    func testOptionsAreStored() throws {
        var options = SpaceOptions()
        (options.stem, options.stemWidth, options.down, options.affine, options.headReach, options.batchNormEpsilon) = (.three, 5, .bilinear, true, 19, 2e-5)
        let space = try TrellisSpace(layers: 3, strides: [4, 8], cell: CellSpace(blocks: 1), options: options)
        let back = try Architecture(json: space.randomArchitecture(seed: 1).json)
        XCTAssertEqual(back.space, space.summary)
        XCTAssertEqual(try back.space.space().options, options)
    }

    /// What differs between two records is said, the first of it.
    func testDifferencesOfSpaces() throws {
        func record(_ layers: Int = 3, filters: Int = 8, operators: [String] = CellSpace.paperOperators, _ change: (inout SpaceOptions) -> Void = { _ in }, mask: Bool = false) throws -> SpaceRecord {
            var options = SpaceOptions()
            change(&options)
            return try SpaceRecord(TrellisSpace(layers: layers, strides: [4, 8], filters: filters, cell: CellSpace(blocks: 1, operators: operators), options: options) { layer, from, to in
                !(mask && layer == 2 && from == 4 && to == 8)
            })
        }
        let own = try record()
        XCTAssertNil(own.difference(from: own))
        XCTAssertEqual(own.difference(from: try record(4)), .init(place: "layers", expected: "3", got: "4"))
        XCTAssertEqual(own.difference(from: try record(filters: 4)), .init(place: "filters", expected: "8", got: "4"))
        XCTAssertNil(own.difference(from: try record(filters: 4), in: .decisions))
        XCTAssertEqual(own.difference(from: try record { $0.affine = true }), .init(place: "affine", expected: "false", got: "true"))
        XCTAssertNil(own.difference(from: try record { $0.affine = true }, in: .decisions))
        XCTAssertEqual(own.difference(from: try record(operators: ["skip_connect"]))?.place, "operators")
        XCTAssertEqual(own.difference(from: try record(mask: true)), .init(place: "decision 'paths'", expected: "an arrow 4 -> 8 into layer 2", got: "none"))
        XCTAssertEqual(try record(mask: true).difference(from: own), .init(place: "decision 'paths'", expected: "no arrow 4 -> 8 into layer 2", got: "one"))

        func list(_ options: [String], _ more: Bool = false) throws -> SpaceRecord {
            var builder = DecisionListBuilder()
            try builder.meet("op", .choice(Choice(options: options)))
            if more { try builder.meet("width", .number(Number(low: 1, high: 3))) }
            return SpaceRecord(builder.list())
        }
        let small = try list(["a", "b"])
        XCTAssertEqual(small.difference(from: try list(["a", "c"])), .init(place: "decision 'op'", expected: "a choice of a, b", got: "a choice of a, c"))
        XCTAssertEqual(small.difference(from: try list(["a", "b"], true))?.place, "decision 'width'")
        XCTAssertEqual(try list(["a", "b"], true).difference(from: small)?.got, "none of that name")
        XCTAssertNotNil(own.difference(from: small))
    }

    /// A record of a script keeps its text under a hash.
    func testScriptsInRecords() throws {
        var builder = DecisionListBuilder()
        try builder.meet("op", .choice(Choice(options: ["a", "b"])))
        let record = SpaceRecord(builder.list(), script: SpaceScript(name: "s.lua", text: "return 1\n"))
        XCTAssertEqual(try SpaceRecord(json: record.json), record)
        let file = ArchitectureFile(Assignment(["op": .option(1)]), of: record)
        let back = try ArchitectureFile(json: file.json)
        XCTAssertEqual(back.space, record)
        XCTAssertEqual(back.assignment, file.assignment)
        XCTAssertNil(try back.architecture())
        let edited = spaceError { try ArchitectureFile(json: file.json.replacingOccurrences(of: "return 1", with: "return 2"), file: "f") }
        XCTAssertTrue(edited?.description.contains("it was edited") ?? false, "\(String(describing: edited))")
        let other = spaceError { try back.assignment(in: SpaceRecord(DecisionListBuilder().list()), at: "f") }
        XCTAssertTrue(other?.description.contains("f: decision 'op': expected none of that name, got a choice of a, b") ?? false, "\(String(describing: other))")
    }

    func testWhatIsRefused() throws {
        try refuse(full.json) { refused in
            refused("trellis.architecture", "other", "f.json.format", "no architecture of Trellis")
            refused("\"version\": 2", "\"version\": 3", "f.json.version: expected 1 or 2, got 3")
            refused("\"version\": 2,", "", "f.json: expected a member \"version\"")
            refused("\"scores\"", "\"socres\"", "got 'socres'", "did you mean 'scores'?")
            refused("\"filters\": 8", "\"filters\": 8.5", "f.json: space.trellis.filters: expected a whole number, got 8.5")
            // What the record says of the trellis and its decisions belong together.
            refused("\"blocks\": 5,", "\"blocks\": 4,", "f.json: space: decision 'cell.5'", "was the file edited?")
            refused("\"layers\": 12", "\"layers\": 13", "f.json: space: decision 'paths'", "a path of 13 layers", "got a path of 12 layers")
            refused("[\"4\", \"8\"]", "[\"4\", \"16\"]", "decisions.paths[4]", "an arrow that exists")
            refused("[0.0, 0.1", "[0.1", "scores.strengths")
            refused("]\n}\n", "]\n}\n}", "the end of the text")
        }
    }

    private func refuse(_ text: String, _ cases: ((String, String, String...) -> Void) -> Void) throws {
        cases { from, to, expected in
            XCTAssertTrue(text.contains(from), "\(from) is not in \(text)")
            let error = spaceError { try Architecture(json: text.replacingOccurrences(of: from, with: to), file: "f.json") }
            for part in expected { XCTAssertTrue(error?.description.contains(part) ?? false, "\(to): no '\(part)' in \(String(describing: error))") }
        }
    }

    func testWhatIsRefusedOfVersion1() {
        let text = Version1.text(full)
        func refused(_ from: String, _ to: String, _ expected: String..., line: UInt = #line) {
            XCTAssertTrue(text.contains(from), "\(from) is not there", line: line)
            let changed = text.replacingOccurrences(of: from, with: to)
            let error = spaceError({ try Architecture(json: changed, file: "f.json") }, line: line)
            for part in expected {
                XCTAssertTrue(error?.description.contains(part) ?? false, "no '\(part)' in \(String(describing: error))", line: line)
            }
        }
        refused("trellis.architecture", "other", "f.json.format", "no architecture of Trellis")
        refused("\"version\": 1,", "", "f.json: expected a member \"version\"")
        refused("\"path\"", "\"paht\"", "got 'paht'", "did you mean 'path'?")
        refused("\"blocks\": 5,", "", "f.json.space: expected a member \"blocks\"")
        refused("\"filters\": 8", "\"filters\": 8.5", "f.json.space.filters: expected a whole number, got 8.5")
        refused("\"filters\": 8", "\"filters\": true", "got a boolean")
        refused("\"filters\": 8", "\"filters\": 8, \"filters\": 8", "line 8, column 19: expected every key once")
        refused("[4, 4, 4,", "[4, 4, 16,", "f.json: path[3]", "got 16")
        refused("[4, 4, 4,", "[4, 4, 5,", "one of the strides [4, 8, 16, 32]")
        refused("[4, 4, 4,", "[4, 4,", "12 strides", "got 11")
        refused("[4, 4, 4, 8", "[16, 8, 4, 8", "path[1]", "the stem gives 4")
        refused("\"state\": 6}", "\"state\": 7}", "cell.block 5.branch 2", "from 1 to 6")
        refused("\"state\": 6}", "\"state\": 0}", "from 1 to 6")
        refused("{\"operator\": \"atrous_conv_5x5\"", "{\"operator\": \"none\"", "cell.block 1.branch 1")
        refused("\"none\",", "\"nothing\",", "cell.operators[1]")
        refused("\"strides\": [4, 8", "\"strides\": [4, 9", "strides[2]")
        refused("[{\"operator\"", "[[], {\"operator\"", "cell[1]: expected a list of 2, got 3")
        refused("\"seed\": 18446744073709551615", "\"seed\": -1", "provenance.seed")
        refused("[0.0, 0.1", "[0.1", "scores.strengths")
        refused("}\n", "", "expected")
        refused("}\n", "}\n}", "the end of the text")
    }

    func testTextThatIsNoJSON() throws {
        // Every prefix of a good text is bad.
        let text = try full.json
        for end in stride(from: 0, to: text.count - 3, by: 37) {
            let error = spaceError { try Architecture(json: String(text.prefix(end)), file: "f") }
            XCTAssertEqual(error?.kind, .format)
            XCTAssertTrue(error?.location.hasPrefix("f: line ") ?? false, "\(String(describing: error))")
        }
    }

    // MARK: Notation, gallery, drawing

    func testPublishedNotation() {
        let pairs = [("a", 0), ("b", 1), ("c", 2), ("d", 1)]
        let released = CellGenotype(published: pairs, notation: .previousFirst)
        XCTAssertEqual(released.branches.map(\.state), [2, 1, 3, 1])
        let kin = CellGenotype(published: pairs, notation: .twoBackFirst)
        XCTAssertEqual(kin.branches.map(\.state), [1, 2, 3, 2])
        for notation in [CellGenotype.Notation.previousFirst, .twoBackFirst] {
            let back = CellGenotype(published: pairs, notation: notation).published(notation: notation)
            XCTAssertEqual(back.map(\.operation), pairs.map(\.0))
            XCTAssertEqual(back.map(\.input), pairs.map(\.1))
        }
        XCTAssertEqual(released.canonical.branches.map(\.state), [1, 2, 1, 3])
    }

    func testGallery() throws {
        for architecture in Gallery.all {
            try architecture.validate()
            XCTAssertEqual(try Gallery.named(XCTUnwrap(architecture.name)), architecture)
            XCTAssertEqual(architecture.path.count, 12)
        }
        XCTAssertTrue(spaceError { try Gallery.named("autodeeplab") }?.remedy.contains("'auto_deeplab'") ?? false)
        let published = Gallery.autoDeepLab
        XCTAssertEqual(published.path, [4, 4, 4, 8, 16, 8, 16, 16, 32, 32, 16, 8])
        try published.validate(in: TrellisSpace(cell: CellSpace()))
        XCTAssertEqual(published.cell.published(notation: .previousFirst).map(\.input), [1, 0, 1, 0, 3, 1, 4, 2, 3, 5])
        XCTAssertEqual(Gallery.convDeconv.path, Gallery.convDeconv.path.reversed())
        XCTAssertEqual(Gallery.stackedHourglass.path.prefix(6), Gallery.stackedHourglass.path.suffix(6))
        XCTAssertEqual(Gallery.deepLabV3.path.max(), 16)
        // The five blocks of NASNet-A: {h_i, h_{i-1}} as its paper draws them.
        XCTAssertEqual(Gallery.nasNetA.cell.blocks.map { Set($0.branches.map(\.state)) }, [[1, 2], [1], [1, 2], [1], [2]])
        XCTAssertEqual(Gallery.pnasNet5.cell.branches.map(\.state), [1, 1, 2, 2, 2, 2, 5, 2, 1, 2])
        // The plain cell can be decoded.
        XCTAssertTrue(Gallery.plainCell.blocks.allSatisfy { $0.first.state < $0.second.state })
    }

    func testAMaskedArrowDoesNotFit() throws {
        let space = try TrellisSpace(cell: CellSpace()) { layer, from, to in !(layer == 4 && from == 4 && to == 8) }
        let error = spaceError { try Gallery.autoDeepLab.validate(in: space) }
        XCTAssertEqual(error?.location, "path[4]")
        XCTAssertEqual(error?.got, "4 to 8 into layer 4, which the mask cuts")
        let small = try TrellisSpace(cell: CellSpace(blocks: 3))
        XCTAssertEqual(spaceError { try Gallery.autoDeepLab.validate(in: small) }?.location, "cell")
    }

    /// The mask is a part of what is stored: a file that is edited to a path that it forbids is refused.
    func testTheMaskIsStored() throws {
        let space = try TrellisSpace(layers: 4, strides: [4, 8], cell: CellSpace(blocks: 2)) { layer, from, to in from == to || layer == 2 }
        XCTAssertTrue(space.isMasked)
        XCTAssertFalse(try TrellisSpace(layers: 4, strides: [4, 8], cell: CellSpace(blocks: 2)).isMasked)
        XCTAssertFalse(try TrellisSpace(layers: 4, strides: [4, 8], cell: CellSpace(blocks: 2)) { _, _, _ in true }.isMasked)
        // Every path there is comes back, and with it the space; of all others none does.
        let every: [[Int]] = (0..<16).map { n in (0..<4).map { n >> $0 & 1 == 0 ? 4 : 8 } }
        for path in every {
            let architecture = try Architecture(space: space.summary, path: path, cell: space.randomArchitecture(seed: 1).cell)
            if [[4, 4, 4, 4], [4, 8, 8, 8]].contains(path) {
                let back = try Architecture(json: architecture.json)
                XCTAssertEqual(back, architecture)
                XCTAssertEqual(try back.space.space().arrows, space.arrows)
            } else {
                for error in [spaceError({ try architecture.json }), spaceError({ try Architecture(json: Version1.text(architecture), file: "f") })] {
                    XCTAssertTrue(error?.description.contains("which the mask cuts") ?? false, "\(path): \(String(describing: error))")
                }
            }
        }
        let random = try space.randomArchitecture(seed: 2)
        XCTAssertEqual(random.space, space.summary)
        let text = try random.json
        XCTAssertTrue(text.contains("\"arrows\": [[[4, 4]], [[4, 4], [4, 8]], [[4, 4], [8, 8]], [[4, 4], [8, 8]]]"), text)
        // An edited path that the mask forbids.
        let paths = try XCTUnwrap(text.split(separator: "\n").first { $0.contains("\"paths\": [") })
        let strayed = text.replacingOccurrences(of: paths, with: "    \"paths\": [[\"4\", \"8\"], [\"8\", \"8\"], [\"8\", \"8\"], [\"8\", \"8\"]],")
        XCTAssertTrue(spaceError { try Architecture(json: strayed, file: "f") }?.description.contains("f: decisions.paths[1]: expected an arrow that exists, got 4 -> 8 into layer 1") ?? false)
        XCTAssertTrue(random.description.contains("strides 4 8, masked"))
        for neighbour in try space.decisionList().neighbours(of: space.assignment(of: random)) {
            XCTAssertNoThrow(try Architecture(json: space.architecture(of: neighbour).json))
        }
        // Files of before have no mask, and are read as they were.
        let before = Version1.text(random)
        let arrows = try XCTUnwrap(before.split(separator: "\n").first { $0.contains("\"arrows\"") })
        let old = before.replacingOccurrences(of: ",\n" + arrows, with: "")
        XCTAssertNil(try Architecture(json: old).space.arrows)
        for (from, to, words) in [
            ("[[[4, 4]], [[4, 4]", "[[[4, 4], [4, 8]], [[4, 4]", "space.arrows: expected arrows on paths"), ("[[[4, 4]],", "[[[4, 4]], [],", "expected a list of 4, got 5"),
            ("[[[4, 4]],", "[[[4, 16]],", "space.arrows[1][1]: expected two strides of the space"), ("[[[4, 4]],", "[[[4]],", "expected a list of 2, got 1"),
            ("[[[4, 4]],", "[[],", "cuts every arrow into layer 1"),
        ] {
            let error = spaceError { try Architecture(json: before.replacingOccurrences(of: from, with: to), file: "f") }
            XCTAssertTrue(error?.description.contains(words) ?? false, "\(words): \(String(describing: error))")
        }
    }

    func testCellsThatNoDecodingGives() throws {
        XCTAssertEqual(Gallery.nasNetA.cell.undecodableBlocks, [2, 4, 5])
        XCTAssertEqual(
            Gallery.nasNetA.cell.undecodableNote, "blocks 2, 4 and 5 read one state twice: a cell of the paper's count, but none that decoding gives")
        XCTAssertEqual(Gallery.all.filter { !$0.cell.undecodableBlocks.isEmpty }.compactMap(\.name), ["nasnet_a", "amoebanet_a", "pnasnet_5"])
        let once = CellGenotype(blocks: [CellBlock(CellBranch("skip_connect", 1), CellBranch("sep_conv_3x3", 1))])
        XCTAssertEqual(once.undecodableNote, "block 1 reads one state twice: a cell of the paper's count, but none that decoding gives")
        XCTAssertTrue(Gallery.pnasNet5.description.contains("note: blocks 1, 2 and 3 read one state twice"))
        XCTAssertFalse(Gallery.autoDeepLab.description.contains("twice"))
        // What decoding, drawing and mutating give is none of them.
        let space = try TrellisSpace(layers: 3, cell: CellSpace(blocks: 3))
        var generator = SplitMix64(seed: 4)
        for seed in 0..<50 {
            let drawn = try space.randomArchitecture(seed: UInt64(seed))
            let alpha = (0..<space.cell.edgeCount * space.cell.operators.count).map { _ in Double(SplitMix64.below(7, using: &generator)) }
            let mutated = try space.architecture(of: space.decisionList().mutate(space.assignment(of: drawn), using: &generator))
            for cell in [drawn.cell, mutated.cell, try space.cell.decode(logits: alpha).cell] {
                XCTAssertEqual(cell.undecodableBlocks, [])
            }
        }
    }

    func testDrawing() {
        let space = SpaceSummary(layers: 3, strides: [4, 8], filters: 1, blocks: 1, operators: ["skip_connect", "sep_conv_3x3"])
        let architecture = Architecture(
            name: "toy", space: space, path: [4, 8, 4],
            cell: CellGenotype(blocks: [CellBlock(CellBranch("skip_connect", 1), CellBranch("sep_conv_3x3", 2))]),
            scores: ArchitectureScores(pathLogProbability: -1.23456, strengths: [0.5, 0.25]), provenance: Provenance(seed: 3))
        XCTAssertEqual(
            architecture.description,
            """
            architecture toy: 3 layers, 1 block, strides 4 8, seed 3
            path log probability -1.2346

                 4  ●───●   ·   ●
                          ╲   ╱
                 8      ·   ●   ·
             layer  0   1   2   3

            block 1  = skip_connect(two-back) 0.5  + sep_conv_3x3(previous) 0.25
            """)
    }

    func testDrawingOfASpace() throws {
        let space = try TrellisSpace(layers: 3, strides: [4, 8], filters: 1, cell: smallCell()) { layer, _, to in !(layer == 3 && to == 8) }
        XCTAssertEqual(
            space.drawing,
            """
                 4  ●───●───●───●
                      ╲   ╳   ╱
                 8      ●───●
             layer  0   1   2   3
            """)
        XCTAssertTrue(space.description.contains("no path through the nodes (layer, stride) (3, 8)"))
    }
}
