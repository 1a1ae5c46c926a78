import Figures
import Notebook
import XCTest

@testable import LuaHost

/// An output that keeps what it is told.
private final class Told: Output {
    var lines: [String] = []
    let columns = 80
    let progress = ProgressStyle.display(every: 0, clock: false)
    let showsProgress = true
    let coloursErrors = false
    func drawing(of figure: any Figure) throws -> String { "drawing" }
    func stream(_ bytes: UnsafeRawBufferPointer, isError: Bool) {}
    func display(_ bundle: MIMEBundle, id: String?) { lines.append("display \(id ?? "-") \(text(bundle))") }
    func update(_ bundle: MIMEBundle, id: String) { lines.append("update \(id) \(text(bundle))") }
    func clear(wait: Bool) { lines.append("clear \(wait)") }
    func result(_ bundle: MIMEBundle, number: Int) { lines.append("result \(number) \(text(bundle))") }
    func failure(_ report: ErrorReport) { lines.append("failure " + report.text(coloured: false)) }
    func input(prompt: String, isPassword: Bool) throws -> String? { nil }
    private func text(_ bundle: MIMEBundle) -> String {
        bundle.plain + (bundle.html.map { _ in " +html" } ?? "") + (bundle.figure.map { _ in " +figure" } ?? "") + bundle.others.keys.sorted().map { " +" + $0 }.joined()
    }
}

/// Texts evaluated one after another, whatever shows them.
final class SessionTests: XCTestCase {
    private func session() throws -> (Session, Told) {
        let told = Told()
        return (Session(try ScriptHost(.standard, output: told)), told)
    }

    /// What the output was told while a text ran; an error's report behind it.
    private func run(_ session: Session, _ told: Told, _ text: String, _ number: Int = 1) -> [String] {
        told.lines = []
        switch session.run(text, name: "cell \(number)", number: number) {
        case .done: break
        case .failed(let report): told.lines.append("error " + report.text(coloured: false))
        case .incomplete(let report): told.lines.append("incomplete " + report.message)
        case .interrupted: told.lines.append("interrupted")
        }
        return told.lines
    }

    func testValues() throws {
        let (s, told) = try session()
        XCTAssertEqual(run(s, told, "local x = 6\nx * 7", 3), ["result 3 42"])
        XCTAssertEqual(run(s, told, "x, _"), ["result 1 6\t42"])
        XCTAssertEqual(run(s, told, "x;"), [])
        XCTAssertEqual(run(s, told, "plot.line{1, 2}"), ["result 1 drawing +figure"])
        XCTAssertEqual(run(s, told, "x, plot.line{1, 2}"), ["display - 6", "result 1 drawing +figure"])
        XCTAssertEqual(run(s, told, "nn.linear(2, 1):count()").first?.hasSuffix("+html"), true)
        XCTAssertEqual(run(s, told, "metrics.confusion{'a', 'b'}").first?.hasSuffix("+html"), true)
        XCTAssertEqual(run(s, told, "nas.gallery.auto_deeplab").first?.hasSuffix("+html"), true)
        XCTAssertEqual(run(s, told, "tostring(plot.line{1, 2})"), ["result 1 drawing"])
    }

    /// What `assert` passes on is no news; a call that is none is.
    func testAssertionsAreNotShown() throws {
        let (s, told) = try session()
        XCTAssertEqual(run(s, told, "x = 1\nassert(x == 1)"), [])
        XCTAssertEqual(run(s, told, "assert(x == 1 and\n  x)"), [])
        XCTAssertEqual(run(s, told, "assert(true)\nx"), ["result 1 1"])
    }

    /// A search in one display, of the paper's trellis and of another space.
    func testDashboard() throws {
        let (s, told) = try session()
        let own = "nas.space(function(c) local op = nas.choice('op', {'skip_connect', 'sep_conv_3x3'}) "
            + "local net = {mix = nas.mix(op, function(name) return nas.parts.operator(name, 3) end)} "
            + "function net.forward(self, x) return self.mix(x) end return nn.module(net, {name = 'small'}) end):supernet{seed = 1}"
        for net in ["nas.trellis{layers = 3, strides = {4, 8}, cell = nas.cell{blocks = 2}}:supernet{classes = 3, seed = 1}", own] {
            let lines = run(s, told, """
                local board = plot.dashboard(\(net), {total = 400})
                for i = 1, 400 do board:update(i, {{"loss", 1 / i}, {"mIoU", i < 200 and "-" or i / 400}}) end
                board:finish()
                """)
            XCTAssertTrue(lines.first?.hasPrefix("display trellis-") ?? false, "\(lines)")
            XCTAssertTrue(lines.dropFirst().allSatisfy { $0.hasPrefix("update trellis-") && $0.hasSuffix(" +figure") }, "\(lines)")
            XCTAssertEqual(Set(lines.map { $0.split(separator: " ")[1] }).count, 1)
            XCTAssertEqual(lines.count, 22)
            XCTAssertTrue(lines.last?.contains("search 400/400 (100%)  loss 0.0025  mIoU 1.00") ?? false, "\(lines)")
        }
    }

    func testDisplays() throws {
        let (s, told) = try session()
        XCTAssertEqual(run(s, told, "display(1) local d = display('a', {id = 'x'}) d:update('b')"), ["display - 1", "display x a", "update x b"])
        XCTAssertEqual(run(s, told, "display(display.html('<b>x</b>', {plain = 'x'}))"), ["display - x +html"])
        XCTAssertEqual(run(s, told, "display(display.markdown('*x*'))"), ["display - *x* +text/markdown"])
        XCTAssertEqual(run(s, told, "display.clear{wait = true}"), ["clear true"])
        let live = run(s, told, "n = 0 local l = plot.live(function(k) n = n + k return plot.line{n} end) l:update(1) l:update(2) l:finish() return n")
        XCTAssertEqual(live.map { $0.split(separator: " ")[0] }, ["display", "update", "result"])
        XCTAssertEqual(live.last, "result 1 3")
        XCTAssertEqual(run(s, told, "plot.live(function() end):update()").first?.contains("must return a figure"), true)
    }

    func testProgressIsADisplay() throws {
        let (s, told) = try session()
        let lines = run(s, told, "local b = progress.bar{total = 4, label = 'x'} for i = 1, 4 do b:update(i, {loss = i}) end b:finish()")
        XCTAssertEqual(lines.count, 5)
        XCTAssertTrue(lines[0].hasPrefix("display trellis-"), lines[0])
        XCTAssertTrue(lines[0].hasSuffix(" x 1/4 (25%)  loss 1 +html"), lines[0])
        XCTAssertTrue(lines[4].hasPrefix("update trellis-") && lines[4].hasSuffix(" x 4/4 (100%)  loss 4 +html"), lines[4])
    }

    func testErrorsShowTheLine() throws {
        let (s, told) = try session()
        XCTAssertEqual(
            run(s, told, "x = 1\nlocal y = x + missing.a"),
            ["error cell 1:2: attempt to index a nil value (global 'missing')\n  2 | local y = x + missing.a\n                    ^\n"])
        XCTAssertEqual(run(s, told, "function f()\n  error('boom')\nend", 2), [])
        let called = run(s, told, "f()", 3)
        XCTAssertEqual(called.first?.hasPrefix("error cell 2:2: boom\n  2 |   error('boom')\nstack traceback:"), true, "\(called)")
        let syntax = run(s, told, "x = = 1")
        XCTAssertEqual(syntax.first?.contains("  1 | x = = 1\n"), true, "\(syntax)")
        XCTAssertEqual(run(s, told, "for i = 1, 2 do").first?.hasPrefix("incomplete"), true)
    }

    func testQuestions() throws {
        let (s, told) = try session()
        XCTAssertEqual(s.completeness("x = 1"), .complete)
        XCTAssertEqual(s.completeness("for i = 1, 2 do"), .incomplete)
        XCTAssertEqual(s.completeness("x = = 1"), .invalid)
        XCTAssertEqual(s.completeness("? nn"), .complete)
        XCTAssertEqual(s.inspect("nn.conv2d(3, 8)", at: 5)?.contains("nn.conv2d"), true)
        XCTAssertEqual(s.inspect("nn.conv2d(3, ", at: 13)?.contains("nn.conv2d"), true)
        XCTAssertNil(s.inspect("nothing.here", at: 9))
        _ = run(s, told, "t = {a = 1}\nfunction g(x)\n  return x\nend", 7)
        XCTAssertEqual(s.inspect("t", at: 1), "A table: {a = 1}\n")
        XCTAssertEqual(s.inspect("g", at: 1, withSource: true)?.contains("function g(x)\n  return x\nend"), true)
        guard case .words(let from, let words) = s.complete("tensor.zer") else { return XCTFail("no words") }
        let matches = s.matches(words, "tensor.zer", from: from)
        XCTAssertEqual(matches.map(\.text), ["zeros", "zeros_like"])
        XCTAssertEqual(matches[0].type, "function")
        XCTAssertTrue(matches[0].signature.hasPrefix("("), matches[0].signature)
        XCTAssertEqual(SourceScan.indent(after: "for i = 1, 2 do\n  if x then"), "    ")
        XCTAssertEqual(SourceScan.indent(after: "f("), "  ")
    }
}
