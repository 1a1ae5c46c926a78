import Networks
import Tensors
import XCTest

@testable import Search

/// Random spaces of every kind of decision over small networks with norms, depthwise convolutions and heads with biases, the same for the same seed.
enum RandomSpaces {
    struct Draw {
        var state: UInt64
        mutating func below(_ n: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % n
        }
    }

    /// A part of a network that decides something, made again for each build from one seed.
    indirect enum Part {
        case mix(String, [Int], nested: [Part?], hasNone: Bool)
        case branches(String, Int, least: Int)
        case scale(String)
        case paths(String, layers: Int, isMany: Bool)
    }

    static let channels = 3

    static func random(_ draw: inout Draw, _ name: String, depth: Int, allowsMany: Bool) -> Part {
        switch draw.below(allowsMany ? 5 : 4) {
        case 0, 1:
            let kinds = (0..<2 + draw.below(2)).map { _ in draw.below(4) }
            return .mix(name, kinds, nested: kinds.indices.map { i in depth > 0 && draw.below(2) == 0 ? random(&draw, "\(name).\(i)", depth: depth - 1, allowsMany: allowsMany) : nil }, hasNone: allowsMany)
        case 2: return .branches(name, 2 + draw.below(2), least: 0)
        case 3: return draw.below(2) == 0 ? .scale(name) : .paths(name, layers: 2, isMany: false)
        default: return .paths(name, layers: 2, isMany: true)
        }
    }

    /// - Parameter isSmooth: without kinks, of which second derivatives know nothing and differences do.
    static func operation(_ kind: Int, isSmooth: Bool) throws -> Module {
        let c = channels, activation = isSmooth ? Layer.activation(.tanh) : Layer.relu()
        switch kind {
        case 0: return Sequential([activation, try Conv2d(c, c, kernel: (3, 3), padding: (1, 1), bias: false), try BatchNorm(c)])
        case 1: return try Conv2d(c, c, kernel: (1, 1))
        case 2:
            return Sequential([activation, try Conv2d(c, c, kernel: (3, 3), padding: (1, 1), groups: c, bias: false), try BatchNorm(c, affine: false)])
        default: return Lambda("identity") { x, _ in x }
        }
    }

    /// A module of closures, with children.
    final class Built: Module {
        private let parts: [(name: String, module: Module)]
        private let body: (Tensor) throws -> Tensor
        init(_ parts: [(name: String, module: Module)], _ body: @escaping (Tensor) throws -> Tensor) { (self.parts, self.body) = (parts, body) }
        override var children: [(name: String, module: Module)] { parts }
        override func forward(_ x: Tensor) throws -> Tensor { try body(x) }
    }

    static func build(_ part: Part, isSmooth: Bool = false) throws -> Module {
        let construction = try Construction.required(for: "test")
        switch part {
        case .mix(let name, let kinds, let nested, let hasNone):
            let d = try construction.decide(name, .choice(Choice(options: kinds.indices.map { "o\($0)" } + (hasNone ? ["none"] : []))))
            return try Mix(d) { _, i in
                let own = try operation(kinds[i], isSmooth: isSmooth)
                guard let inner = nested[i] else { return own }
                return Sequential([own, try build(inner, isSmooth: isSmooth)])
            }
        case .branches(let name, let count, let least):
            let d = try construction.decide(name, .subset(Subset(options: (0..<count).map { "b\($0)" }, least: least)))
            let modules = try (0..<count).filter { d.isOn($0) }.map { (name: "b\($0)", index: $0, module: try operation($0, isSmooth: isSmooth)) }
            return Built(modules.map { ($0.name, $0.module) }) { x in
                var total = x
                for (_, index, module) in modules { if let gate = try d.gate(index) { total = try total + gate.when { try module(x) } } }
                return total
            }
        case .scale(let name):
            let d = try construction.decide(name, .number(Number(low: 1, high: 3)))
            return Lambda("scale") { x, _ in try x * d.expect([1, 2, 3].map { try Tensor.scalar(Float($0)) }) }
        case .paths(let name, let layers, let isMany):
            let domain = try Paths(layers: layers, states: ["4", "8"], start: isMany ? [0, 1] : [0], isMany: isMany)
            let d = try construction.decide(name, .paths(domain))
            var modules: [(name: String, id: Int, module: Module)] = []
            for layer in 1...layers { for arrow in try d.arrows(intoLayer: layer) { modules.append(("a\(arrow.id)", arrow.id, try operation(arrow.id % 3, isSmooth: isSmooth))) } }
            // A head of each state with a bias: what does not exist must add nothing.
            let heads = try d.reached(layer: layers).map { (state: $0.state, module: try Conv2d(channels, channels, kernel: (1, 1))) }
            return Built(modules.map { ($0.name, $0.module) } + heads.map { ("h\($0.state)", $0.module) }) { x in
                var now: [Int: Tensor] = [:]
                for (state, gate) in try d.reached(layer: 0) { now[state] = try gate.when { x } }
                for layer in 1...layers {
                    var next: [Int: Tensor] = [:]
                    for (state, _) in try d.reached(layer: layer) {
                        for (from, gate, id) in try d.into(layer: layer, state: state) {
                            let (source, module) = (try XCTUnwrap(now[from]), try XCTUnwrap(modules.first { $0.id == id }).module)
                            let term = try gate.when { try module(source) }
                            next[state] = try next[state].map { try $0 + term } ?? term
                        }
                    }
                    now = next
                }
                var total: Tensor?
                for (state, gate) in try d.reached(layer: layers) {
                    let head = try XCTUnwrap(heads.first { $0.state == state }).module, source = try XCTUnwrap(now[state])
                    let term = try gate.when { try head(source) }
                    total = try total.map { try $0 + term } ?? term
                }
                return try XCTUnwrap(total)
            }
        }
    }

    static func space(_ seed: UInt64, allowsMany: Bool, isSmooth: Bool = false) throws -> ModuleSpace {
        var draw = Draw(state: seed)
        let parts = (0..<1 + draw.below(2)).map { random(&draw, "d\($0)", depth: 1, allowsMany: allowsMany) }
        return try ModuleSpace(classes: channels) { _ in
            let stem = try Conv2d(channels, channels, kernel: (1, 1))
            let modules = try parts.enumerated().map { ("p\($0)", try build($1, isSmooth: isSmooth)) }
            return Sequential(named: [("stem", stem)] + modules)
        }
    }

    static func input(_ seed: UInt64) throws -> Tensor { try Tensor.random(.normal(mean: 0, deviation: 1), [2, channels, 5, 6], from: RandomState(seed: seed)) }

    /// Of the input's pixels, every class among them.
    static func labels(_ seed: UInt64) throws -> Tensor { try Tensor(ints: (0..<60).map { Int32(($0 * 7 + Int(seed)) % channels) }, shape: [2, 5, 6]) }
}
