import Figures
import Networks
import Search
import Tensors

/// Decisions as pictures have them: with how probable their options are, and what an architecture decides.
struct DecisionPictures {
    let decisions: DecisionList
    /// Probabilities of the options, row by row, by decision; nothing where none are known.
    var probabilities: [String: [Double]] = [:]
    var architecture: Assignment?

    /// - Throws: `HostError` for probabilities that are none: a picture would show them as gaps, or not at all.
    init(_ net: Supernet, architecture: Assignment? = nil) throws {
        decisions = net.decisions
        self.architecture = architecture
        for decision in decisions.all {
            let values = try net.probabilities(decision.name)
            if let numbers = try values.nonFinite() { throw HostError("the probabilities of decision '\(decision.name)' hold \(numbers), so there is nothing to draw") }
            probabilities[decision.name] = try values.floats().map(Double.init)
        }
    }

    init(_ decisions: DecisionList, probabilities: [String: [Double]] = [:], architecture: Assignment? = nil) {
        (self.decisions, self.probabilities, self.architecture) = (decisions, probabilities, architecture)
    }

    // MARK: Options

    private func probability(_ decision: Decision, _ option: Int) -> Double { probabilities[decision.name].flatMap { $0.indices.contains(option) ? $0[option] : nil } ?? .nan }

    private func isOn(_ decision: Decision, _ option: Int) -> Bool {
        architecture?[decision.name].map { decision.domain.options(of: $0).contains(option) } ?? false
    }

    /// A decision with its options; of branches one for each state.
    func rows(_ decision: Decision) -> [DecisionDrawing] {
        if case .branches(let branches) = decision.domain {
            return branches.states.enumerated().map { s, state in
                DecisionDrawing(
                    "\(decision.name) ← \(state)", kind: "\(branches.keep) of \(branches.states.count) states",
                    options: branches.options.enumerated().map { o, name in
                        let option = s * branches.options.count + o
                        return OptionDrawing(name, probability: probability(decision, option), isDecided: isOn(decision, option))
                    })
            }
        }
        let options = (0..<decision.optionCount).map {
            OptionDrawing(decision.domain.label(of: $0), probability: probability(decision, $0), isDecided: isOn(decision, $0))
        }
        return [DecisionDrawing(decision.name, kind: kind(decision), options: options)]
    }

    private func kind(_ decision: Decision) -> String {
        let parent = decision.parent.map { " where \(condition([.option($0.decision, $0.option)]))" } ?? ""
        switch decision.domain {
        case .subset(let subset):
            return (subset.least == subset.most ? "\(subset.least)" : "\(subset.least) to \(subset.most)") + " of \(subset.options.count)" + parent
        default: return decision.domain.kind + parent
        }
    }

    /// "rates: 2, width: 8".
    func condition(_ gates: [Gate.Condition]) -> String {
        gates.map { gate in
            switch gate {
            case .option(let name, let i): "\(name): \(decisions[name]?.domain.label(of: i) ?? "\(i + 1)")"
            case .reached(let name, let layer, let state): "\(name): \(decisions[name]?.domain.labels[state] ?? "\(state + 1)") after layer \(layer)"
            }
        }.joined(separator: ", ")
    }

    /// Whether the architecture has what gates open.
    func use(_ gates: [Gate.Condition]) -> NetworkDrawing.Use {
        guard architecture != nil, !gates.isEmpty else { return .open }
        let isThere = gates.allSatisfy { gate in
            guard let decision = decisions[gate.decision] else { return true }
            switch gate {
            case .option(_, let i): return isOn(decision, i)
            case .reached(_, let layer, let state): return isReached(decision, layer, state)
            }
        }
        return isThere ? .on : .off
    }

    private func isReached(_ decision: Decision, _ layer: Int, _ state: Int) -> Bool {
        guard case .paths(let paths) = decision.domain else { return false }
        return paths.arrows.indices.contains { id in
            let arrow = paths.arrows[id]
            return isOn(decision, id) && (layer == 0 ? arrow.layer == 1 && arrow.from == state : arrow.layer == layer && arrow.to == state)
        }
    }

    /// That all gates of one of the lists are open, where that is known; decisions as independent of each other.
    func probability(_ lists: [[Gate.Condition]]) -> Double {
        guard !lists.isEmpty else { return .nan }
        let products = lists.map { gates in
            gates.reduce(1.0) { product, gate in
                guard case .option(let name, let i) = gate, let decision = decisions[name] else { return product }
                return product * probability(decision, i)
            }
        }
        return min(1, products.reduce(0, +))
    }

    // MARK: Paths

    /// The layers and states of a paths decision; on its arrows what else is decided there.
    func trellis(_ decision: Decision, _ paths: Paths) throws -> TrellisDrawing {
        let arrows = paths.arrows.indices.map { id -> Figures.TrellisArrow in
            let arrow = paths.arrows[id]
            return Figures.TrellisArrow(layer: arrow.layer, from: arrow.from, to: arrow.to, probability: probability(decision, id), option: option(onArrow: id, of: decision))
        }
        let decided = architecture?[decision.name].map { value in decision.domain.options(of: value).map { arrows[$0] } }
        return try TrellisDrawing(layers: paths.layers, states: paths.states, starts: paths.reached(0), arrows: arrows, decided: decided)
    }

    /// What the one choice on an arrow decided, or would.
    private func option(onArrow id: Int, of paths: Decision) -> String? {
        let nested = decisions.children(of: Literal(decision: paths.name, option: id))
        guard nested.count == 1, case .choice(let choice) = nested[0].domain else { return nil }
        if architecture != nil { return choice.options.indices.first { isOn(nested[0], $0) }.map { choice.options[$0] } }
        guard let p = probabilities[nested[0].name] else { return nil }
        return choice.options.indices.filter { nested[0].domain.canBeOn($0) }.max { (p[$0], $1) < (p[$1], $0) }.map { choice.options[$0] }
    }

    /// Decisions as figures: a trellis for each paths decision, and all others in rows.
    func figures(_ names: [String], title: String? = nil) throws -> [any Figure] {
        var figures: [any Figure] = []
        for decision in names.compactMap({ decisions[$0] }) {
            guard case .paths(let paths) = decision.domain else { continue }
            figures.append(try Self.figure(trellis(decision, paths), title: decision.name))
        }
        let others = names.compactMap { decisions[$0] }.filter { if case .paths = $0.domain { false } else { true } }
        if !others.isEmpty || figures.isEmpty { figures.append(DecisionsFigure(others.flatMap(rows), title: title)) }
        return figures
    }

    static func figure(_ drawing: TrellisDrawing, title: String?) -> TrellisFigure {
        var figure = TrellisFigure(drawing, title: title)
        (figure.headLabel, figure.stemLabel, figure.legendLabel) = ("", "", "probability of an arrow")
        return figure
    }

    // MARK: Networks

    /// The graph of a network's modules with its decisions on it.
    func network(_ flow: NetworkFlow) throws -> NetworkDrawing {
        var calls: [String: Int] = [:]
        let nodes = try flow.nodes.map { node -> NetworkDrawing.Node in
            var drawn = NetworkDrawing.Node(.module, name: "", note: node.note)
            switch node.kind {
            case .input: drawn = .init(.end, name: "input")
            case .output: drawn = .init(.end, name: "output")
            case .module(let path):
                calls[path, default: 0] += 1
                drawn.name = path + ((calls[path] ?? 1) > 1 ? " (\(calls[path] ?? 1))" : "")
            case .junction: drawn = .init(.junction, name: node.decisions.isEmpty ? "" : "sum")
            case .paths(let name):
                guard let decision = decisions[name], case .paths(let paths) = decision.domain else { break }
                drawn = .init(.trellis(try trellis(decision, paths)), name: name, note: paths.isMany ? "paths" : "path")
            }
            drawn.decisions = node.decisions.compactMap { decisions[$0] }.flatMap(rows)
            drawn.condition = condition(node.gates)
            if !node.shared.isEmpty { drawn.note = [node.note, "decided below: " + node.shared.joined(separator: ", ")].filter { !$0.isEmpty }.joined(separator: "; ") }
            drawn.use = use(node.gates)
            return drawn
        }
        let edges = flow.edges.map { edge -> NetworkDrawing.Edge in
            let uses = edge.gates.map(use)
            let use: NetworkDrawing.Use = uses.isEmpty ? .open : uses.contains(.on) ? .on : uses.contains(.open) ? .open : .off
            return NetworkDrawing.Edge(from: edge.from, to: edge.to, probability: probability(edge.gates), use: use)
        }
        return try NetworkDrawing(nodes: nodes, edges: edges)
    }

    /// The graph of a network's modules, and after it the decisions that stand in no module of their own.
    func figures(_ flow: NetworkFlow, title: String?) throws -> [any Figure] {
        let rest: [any Figure] = try flow.elsewhere.isEmpty ? [] : figures(flow.elsewhere, title: "decided on arrows, or in several places")
        return [NetworkFigure(try network(flow), title: title)] + rest
    }
}
