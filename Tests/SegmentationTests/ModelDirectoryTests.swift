import Networks
import Tensors
import XCTest
@testable import Segmentation

final class ModelDirectoryTests: TemporaryDirectoryTestCase {
    private func card() throws -> ModelCard {
        var card = ModelCard(
            architecture: .object([.init("path", .array([.integer(4)]))]), network: .object([.init("filters", .integer(2))]),
            data: ModelCard.Data(
                name: "streets \"x\"", classes: [ClassInfo("sky", Colour(1, 2, 3), id: 23), ClassInfo("road", Colour(4, 5, 255))],
                normalisation: Normalisation(mean: [0.1, 0.2, 0.3], deviation: [1, 0.5, 0.225])))
        card.counts = [.init("parameters", .integer(12))]
        card.result = [.init("miou", .number(1.0 / 3))]
        card.training = [.init("step", .integer(40))]
        card.seed = .max
        card.versions = [.init("trellis", .string("0.1"))]
        return card
    }

    func testCardReadsAsItWasWritten() throws {
        XCTAssertEqual(try ModelCard(json: card().json.utf8, path: "card"), try card())
        // A later version that an older one can read adds members.
        let more = try card().json.replacingOccurrences(of: "\"seed\"", with: "\"later\": [1], \"seed\"")
        XCTAssertEqual(try ModelCard(json: more.utf8, path: "card"), try card())
    }

    func testDamagedCards() throws {
        let good = try card().json
        func read(_ from: String, _ to: String) throws -> ModelCard {
            XCTAssertTrue(good.contains(from), from)
            return try ModelCard(json: good.replacingOccurrences(of: from, with: to).utf8, path: "x/card.json")
        }
        assertThrows("x/card.json", "a model of version 7, this program reads up to 1") { try read("\"version\": 1", "\"version\": 7") }
        assertThrows("no version") { try read("\"version\": 1", "\"version\": \"one\"") }
        assertThrows("expected the format \"trellis.model\"") { try read("trellis.model", "other") }
        assertThrows("the card is damaged") { try read("{", "") }
        assertThrows("no network or no architecture") { try read("\"network\"", "\"net\"") }
        assertThrows("no name, classes with colours or normalisation") { try read("[1, 2, 3]", "[1, 2, 300]") }
        assertThrows("no name, classes with colours or normalisation") { try read("\"std\"", "\"sd\"") }
    }

    func testWeightsComeBack() throws {
        let directory = ModelDirectory(path("a/model"))
        let net = try Nets.full(3)
        try directory.write(net.state(), card())
        XCTAssertEqual(try directory.card(), try card())
        let other = try Nets.full(3, seed: 77)
        try directory.load(into: other)
        XCTAssertEqual(try other.state().map { try $0.tensor.floats() }, try net.state().map { try $0.tensor.floats() })
        assertThrows("weights.safetensors", "do not fit the network of the card") { try directory.load(into: Nets.full(4)) }
    }

    /// A kill between the two files leaves the new weights with the card of those before.
    func testTheCardOfTheWeightsGoes() throws {
        let directory = ModelDirectory(path("model"))
        let net = try Nets.plain(3)
        try directory.write(net.state(), card())
        let before = try String(contentsOfFile: directory.cardPath, encoding: .utf8)
        var later = try card()
        later.training = [.init("step", .integer(80))]
        try directory.write(net.state(), later)
        try before.write(toFile: directory.cardPath, atomically: true, encoding: .utf8)
        XCTAssertEqual(try directory.card().training, later.training)
        var another = try card()
        another.network = .object([.init("filters", .integer(3))])
        try another.json.write(toFile: directory.cardPath, atomically: true, encoding: .utf8)
        assertThrows("the card and the weights are of different networks") { try directory.card() }
        try Tensor.save(net.state(), to: directory.weightsPath)
        assertThrows("these weights belong to no model directory") { try directory.card() }
        assertThrows("there is no such directory") { try ModelDirectory(path("nowhere")).card() }
        assertThrows("this is no model directory") { try ModelDirectory(self.directory).card() }
    }
}
