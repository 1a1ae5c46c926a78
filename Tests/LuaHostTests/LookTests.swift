import CKernels
import CLua
import Foundation
import Notebook
import XCTest

@testable import LuaHost

/// Looking into what runs, and asking it to stop.
final class LookTests: XCTestCase {
    /// A session whose looks are these texts, one at each opportunity.
    private final class Looked {
        let session: Session
        var texts: [String]
        /// What the looks gave, or their errors.
        var found: [String] = []
        private let variables: LookVariables
        private var finding = ""

        init(_ texts: [String]) throws {
            clua_interrupt_install()
            clua_interrupt_patient(true)
            session = Session(try ScriptHost(.standard, output: TerminalOutput()))
            self.texts = texts
            variables = try XCTUnwrap(LookVariables(session.host))
            session.host.answerLooks { [unowned self] in
                while !self.texts.isEmpty { found.append(look(self.texts.removeFirst())) }
                return true
            }
        }

        deinit {
            clua_interrupt_patient(false)
            session.host.close()
        }

        func look(_ text: String) -> String {
            switch session.look("found = (function() return \(text) end)() ; return", name: "look", number: 1, variables, isSilent: true) {
            case .done: break
            case .failed(let report), .incomplete(let report): return report.message
            case .interrupted: return "interrupted"
            }
            var shown = ""
            guard let L = session.host.thread else { return "closed" }
            variables.push(L)
            Stack.rawGet(L, -1, "found")
            shown = Stack.display(L, -1)
            clua_pop(L, 2)
            return shown
        }

        /// Asks for a look, or acts, after so many seconds, while `source` runs.
        func run(_ source: String, after seconds: Double? = nil, _ act: @escaping @Sendable () -> Void = { clua_look_ask() }) -> String {
            if let seconds {
                Thread {
                    Thread.sleep(forTimeInterval: seconds)
                    act()
                }.start()
            }
            switch session.run(source, name: "[1]", number: 1, isSilent: true) {
            case .done: return "done"
            case .failed(let report), .incomplete(let report): return report.message
            case .interrupted: return "interrupted"
            }
        }
    }

    private static let wait = "local t = os.clock() repeat n = n + 1 until os.clock() - t > 0.5"

    func testLooksBetweenInstructions() throws {
        let looked = try Looked(["n > 0", "n + nothing", "mine", "math.random(1000)"])
        XCTAssertEqual(looked.run("n = 0 math.randomseed(7) \(Self.wait) drawn = math.random(1000)", after: 0.2), "done")
        XCTAssertEqual(looked.found[0], "true")
        XCTAssertTrue(looked.found[1].contains("global 'nothing'"), looked.found[1])
        // The job draws what it would have drawn.
        XCTAssertEqual(looked.found[3], looked.look("drawn"))
    }

    func testLooksIntoCoroutines() throws {
        let looked = try Looked(["n > 0"])
        XCTAssertEqual(looked.run("n = 0 coroutine.wrap(function() pcall(function() \(Self.wait) end) end)()", after: 0.2), "done")
        XCTAssertEqual(looked.found, ["true"])
    }

    func testAssignmentsAreTheLooks() throws {
        let looked = try Looked(["(function() own = 5; kept = 2; set() ; return own + kept + added end)()", "own + kept", "added"])
        XCTAssertEqual(looked.run("n, kept = 0, 1 function set() added = 10 end \(Self.wait) assert(kept == 1 and own == nil and added == nil)", after: 0.2), "done")
        XCTAssertEqual(looked.found, ["17", "7", "10"])
    }

    func testWritesAreErrors() throws {
        let looked = try Looked([
            "w:detach():add_(1)", "(function() w:detach()[1][1] = 1 end)()", "sgd:step()", "sgd:zero_grad()", "(function() sgd.lr = 1 end)()", "net:train()",
            "net:load_state(state)", "loss:backward()", "loader:next()", "(function() net:fit(set, {steps = 1}) end)()", "step(w:detach())",
            "set:batches{size = 1}:next():size(1)", "tensor.grad(loss, w):size(1)", "(w + 1):size(2)",
        ])
        XCTAssertEqual(looked.run("""
            n = 0 net = nn.linear(3, 2) sgd = optim.sgd(net:parameters(), {lr = 0.1}) w = net:parameters():list()[1]
            set = data.shapes{images = 2, size = {16, 16}, classes = 2, seed = 1} loader = set:batches{size = 1, ahead = 0} state = net:state()
            loss = (w * w):sum() step = trellis.compile(function(x) x:add_(1) return x:sum() end)
            before = w:to_table()
            \(Self.wait)
            after = w:to_table() for i = 1, #before do for j = 1, 3 do assert(before[i][j] == after[i][j]) end end
            assert(loader:state().batch == 0 and sgd.lr == 0.1)
            """, after: 0.2), "done")
        for (i, text) in looked.found.prefix(11).enumerated() { XCTAssertTrue(text.contains("a look changes nothing"), "\(i): \(text)") }
        XCTAssertEqual(Array(looked.found.suffix(3)), ["1", "2", "3"])
    }

    /// `whole` was trained without disturbance, `net` is as it was before; `at` runs when so many samples were asked for.
    private static let job = """
        asked, at = 0, {}
        set = data.from{count = 12, names = {"a", "b"}, inputs = {"image"}, targets = {"labels"}, sample = function(i)
          asked = asked + 1
          if at[asked] then at[asked]() end
          return {image = tensor.randn(3, 8, 8, {seed = i}), labels = tensor.full({8, 8}, i % 2, {dtype = "int32"})}
        end}
        function make() return nn.sequential{nn.conv2d(3, 4, {kernel = 3, padding = 1}), nn.relu(), nn.conv2d(4, 2, {kernel = 1})} end
        function fit(net, more)
          local options = {steps = 20, batch = 4, lr = 0.1, seed = 3, every = 7, validation = set:subset{1, 2}}
          for name, value in pairs(more or {}) do options[name] = value end
          return net:fit(set, options)
        end
        function same(a, b)
          for name, value in pairs(a:state()) do assert(value:equal(b:state()[name]), name) end
        end
        function send(signal) io.popen("kill -" .. signal .. " $PPID"):close() end
        tensor.manual_seed(1) whole = make() tensor.manual_seed(1) net = make()
        history = fit(whole)
        asked = 0

        """

    private func begin(_ looks: [String]) throws -> Looked {
        let looked = try Looked(looks)
        XCTAssertEqual(looked.run(Self.job), "done")
        return looked
    }

    /// Native loops can be looked into between two steps, and go on as if nothing had been.
    func testLooksIntoFit() throws {
        let looked = try begin(["net:state()['1.weight']:size(1)", "tensor.randn(2):size(1)"])
        XCTAssertEqual(looked.run("at[30] = function() send('QUIT') end fit(net) same(net, whole)"), "done")
        XCTAssertEqual(looked.found, ["4", "2"])
    }

    /// The first interrupt ends a training after its step, in the middle of a stretch between two rows; resuming gives what an undisturbed one gives.
    func testStopsAndResumes() throws {
        let looked = try begin([])
        XCTAssertEqual(looked.run("at[45] = function() send('INT') end fit(net) after = true"), "interrupted")
        XCTAssertEqual(looked.run("assert(not after and asked < 60) again = fit(net, {resume = true}) same(net, whole) assert(#again.rows == #history.rows) "
            + "for i, row in ipairs(again.rows) do assert(row.loss == history.rows[i].loss and row.miou == history.rows[i].miou) end"), "done")
        XCTAssertTrue(looked.run("fit(net, {resume = true})").contains("that Ctrl-C stopped"))
    }

    /// The same with files, and again after an interrupt that did not wait.
    func testStopsAndResumesFiles() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let looked = try begin([])
        let files = "{out = '\(directory)', resume = true}"
        XCTAssertEqual(looked.run("at[45] = function() send('INT') end fit(net, \(files))"), "interrupted")
        XCTAssertEqual(looked.run("asked = 0 at = {[9] = function() send('INT') send('INT') end} fit(net, \(files))"), "interrupted")
        XCTAssertEqual(looked.run("at = {} again = fit(net, \(files)) same(net, whole) assert(again:csv() == history:csv())"), "done")
    }

    func testStoppable() throws {
        let looked = try Looked([])
        let loop = "steps, left = 0, false trellis.stoppable(function() while not trellis.stopping() do steps = steps + 1 end left = true end) after = true"
        XCTAssertEqual(looked.run("after = nil " + loop, after: 0.2) { clua_interrupt() }, "interrupted")
        XCTAssertEqual(looked.run("assert(left and steps > 0 and after == nil and not trellis.stopping())"), "done")
        // One that does not stop is ended by the second.
        XCTAssertEqual(looked.run("trellis.stoppable(function() while true do end end)", after: 0.2) {
            clua_interrupt()
            Thread.sleep(forTimeInterval: 0.3)
            clua_interrupt()
        }, "interrupted")
        XCTAssertEqual(looked.run("while true do end", after: 0.2) { clua_interrupt() }, "interrupted")
    }
}
