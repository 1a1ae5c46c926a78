import Base
import XCTest

@testable import LuaHost
@testable import Networks
@testable import Search
@testable import Tensors

/// Variables with dynamic scope (`DynamicScope`) are as they were after an error in whatever they hold for.
final class SurroundingsTests: XCTestCase {
    /// Each fails inside of what some parts hold for.
    private static let failing = [
        "trellis.compile(function(x) error('here') end)(tensor.ones(2))",
        "trellis.compile(function(x) return x:reshape{7} end)(tensor.ones(2))",
        "trellis.no_grad(function() error('here') end)",
        "trellis.profile(function() error('here') end)",
        "trellis.check_numbers(function() error('here') end)",
        "local x = tensor.ones(2):requires_grad(); local y = (x * x):sum(); x:detach():add_(1); y:backward()",
        "nn.module{forward = function(self, x) error('here') end}(tensor.ones(2))",
        "nn.module{inner = nn.module{forward = function(self, x) return x:reshape{7} end}, forward = function(self, x) return self.inner(x) end}(tensor.ones(2))",
        "nn.branch('a', function() error('here') end)",
        "nn.batch_norm(3)(tensor.ones(2, 4, 5, 5))",
        "nas.space(function(ctx) nas.choice('a', {'x', 'y'}) error('here') end)",
        "nas.space(function(ctx) local d = nas.choice('a', {'x', 'y'}) return nn.module{forward = function(self, x) return nas.when(d:weight(1), function() error('here') end) end} end):supernet{seed = 1}:cost(nas.cost.multiply_adds, {input = {1, 3, 8, 8}})",
        "local s = nas.trellis{layers = 2, filters = 4, cell = nas.cell{blocks = 1}}; s:supernet{classes = 3, seed = 1}:step(optim.sgd({tensor.ones(1):requires_grad()}, {lr = 1}), tensor.ones(1, 2, 8, 8), tensor.ones(1))",
        "nas.load('nowhere.json')",
    ]

    private func text(_ value: Any) -> [String: String] {
        Dictionary(uniqueKeysWithValues: Mirror(reflecting: value).children.map { part in
            // Of a path the joined text is a memory of it.
            (part.label ?? "", (part.value as? ModulePath.Names)?.list.description ?? String(describing: part.value))
        })
    }

    func testErrorsLeaveNothing() throws {
        let scripting = try Scripting()
        let scopes: [(name: String, fresh: Any, now: () -> Any)] = [
            ("Tensors", Tensors.Surroundings(), { Tensors.Surroundings.now }), ("Networks", Networks.Surroundings(), { Networks.Surroundings.now }),
            ("Search", Search.Surroundings(), { Search.Surroundings.now }), ("LuaHost", LuaHost.Surroundings(), { LuaHost.Surroundings.now }),
        ]
        for source in SurroundingsTests.failing {
            let error = try XCTUnwrap(scripting.run(source), source)
            XCTAssertTrue(!source.contains("'here'") || error.contains("here"), "\(source): \(error)")
            for scope in scopes {
                let (wanted, found) = (text(scope.fresh), text(scope.now()))
                XCTAssertFalse(wanted.isEmpty)
                // Which thread recorded last says nothing while none does.
                for (part, value) in wanted where part != "recordingThread" { XCTAssertEqual(found[part], value, "\(scope.name), \(part), after \(source)") }
            }
        }
    }
}
