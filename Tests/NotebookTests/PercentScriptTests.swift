import Tensors
import XCTest

@testable import Notebook

/// Scripts as cells, by Jupytext's rules.
final class PercentScriptTests: XCTestCase {
    private func cells(_ text: String) -> [NotebookCell] { PercentScript.read(text).cells }

    func testCells() {
        let found = cells("-- %% [markdown]\n-- # Title\n--\n-- Text.\n\n-- %%\nx = 1\n\n\n-- %% a title [md] tags=[\"a\", \"b\"]\n-- more\n-- %% [raw]\n-- as it is\n")
        XCTAssertEqual(found.map(\.kind), [.markdown, .code, .markdown, .raw])
        XCTAssertEqual(found.map(\.source), ["# Title\n\nText.", "x = 1", "more", "as it is"])
        XCTAssertEqual(found.map(\.line), [2, 7, 11, 13])
        XCTAssertEqual(found[2].title, "a title")
        XCTAssertEqual(found[2].tags, ["a", "b"])
    }

    func testMarkers() {
        for marker in ["-- %%", "--%%", "  -- %%", "-- %%%", "-- %% x", "-- In[7]:", "-- In[ ]"] {
            XCTAssertEqual(cells("a = 1\n\(marker)\nb = 2\n").map(\.source), ["a = 1", "b = 2"], marker)
        }
        for line in ["-- %%time", "--- %%", "print('-- %%')", "-- %", "-- In[x]:"] {
            XCTAssertEqual(cells("a = 1\n\(line)\nb = 2\n").count, 1, line)
        }
    }

    func testOptions() {
        let cell = cells("-- %% name a=1 b=\"x y\"\n")[0]
        XCTAssertEqual(cell.title, "name")
        XCTAssertEqual(cell.metadata, [.init("a", .integer(1)), .init("b", .string("x y"))])
        let object = cells("-- %% name {\"tags\": [\"parameters\"], \"a\": 1}\nx = 1\n")[0]
        XCTAssertEqual(object.title, "name")
        XCTAssertEqual(object.tags, ["parameters"])
        XCTAssertEqual(object.metadata.map(\.key), ["a", "tags"])
        let equal = cells("-- %% where x = y\n")[0]
        XCTAssertEqual(equal.title, "where x = y")
    }

    func testHeader() {
        XCTAssertEqual(cells("#!/usr/bin/env trellis\n-- -*- coding: utf-8 -*-\n-- ---\n-- jupyter: {}\n-- ---\n\n-- %%\nx = 1\n").map(\.source), ["x = 1"])
        XCTAssertEqual(cells("").count, 0)
        XCTAssertEqual(cells("\n\nx = 1\r\ny = 2").map(\.source), ["\n\nx = 1\ny = 2"])
    }

    func testMarkersInLongStringsWarn() {
        let document = PercentScript.read("x = [[\n-- %%\n]]\n-- %%\ny = '[['\n-- %%\nz = 1\n")
        XCTAssertEqual(document.cells.count, 4)
        XCTAssertEqual(document.warnings.count, 1)
        XCTAssertTrue(document.warnings[0].hasPrefix("line 2:"))
    }
}
