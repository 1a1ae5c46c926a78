/// Sums of products as Einstein wrote them: `"bhid,bhjd->bhij"`. Contractions of two tensors are batched matrix products, from the left to the right.
struct Einsum {
    /// A tensor whose dimensions have letters.
    private struct Term {
        var tensor: Tensor
        var letters: [Character]
    }

    private var terms: [Term] = []
    private let output: [Character]

    /// - Throws: `TensorError` for what is no equation, or one of other tensors.
    init(_ equation: String, _ tensors: [Tensor]) throws {
        let text = equation.filter { $0 != " " }
        let sides = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let lists = sides[0].split(separator: ",", omittingEmptySubsequences: false).map { Array($0) }
        guard lists.count == tensors.count else {
            throw Einsum.error("'\(equation)' names \(lists.count) tensor\(lists.count == 1 ? "" : "s"), got \(tensors.count)")
        }
        if let wrong = (lists.flatMap { $0 }).first(where: { !$0.isASCII || !$0.isLetter }) {
            throw Einsum.error("'\(equation)': dimensions are letters, got '\(wrong)'")
        }
        if sides.count > 1 {
            guard sides[1].hasPrefix(">") else { throw Einsum.error("'\(equation)': '->' stands between the tensors and the result") }
            output = Array(sides[1].dropFirst())
        } else {
            // As in NumPy: the letters that stand once, in alphabetical order.
            let all = lists.flatMap { $0 }
            output = Set(all).filter { letter in all.count { $0 == letter } == 1 }.sorted()
        }
        guard Set(output).count == output.count else { throw Einsum.error("'\(equation)': a letter stands twice in the result") }
        if let wrong = output.first(where: { letter in !lists.contains { $0.contains(letter) } }) {
            throw Einsum.error("'\(equation)': '\(wrong)' of the result is in none of the tensors")
        }
        var sizes: [Character: Int] = [:]
        for (i, (letters, tensor)) in zip(lists, tensors).enumerated() {
            guard letters.count == tensor.rank else {
                throw Einsum.error("'\(equation)': tensor \(i + 1) has \(letters.count) letters and the shape \(Shapes.text(tensor.shape))")
            }
            for (letter, size) in zip(letters, tensor.shape) {
                if let known = sizes[letter], known != size { throw Einsum.error("'\(equation)': '\(letter)' is \(known) and, in tensor \(i + 1), \(size)") }
                sizes[letter] = size
            }
            terms.append(try Einsum.withoutRepeats(Term(tensor: tensor, letters: letters)))
        }
    }

    private static func error(_ problem: String) -> TensorError { TensorError("einsum", problem) }

    func value() throws -> Tensor {
        var all = terms[0]
        for (i, term) in terms.enumerated().dropFirst() {
            let later = Set(terms[(i + 1)...].flatMap(\.letters) + output)
            all = try Einsum.product(all, term, needed: later)
        }
        all = try Einsum.summed(all, needed: Set(output))
        let result = try all.tensor.permute(output.compactMap { all.letters.firstIndex(of: $0) })
        // Of one tensor it may be a view so far.
        return terms.count == 1 ? try result.clone() : result
    }

    /// A letter that stands twice means the diagonal.
    private static func withoutRepeats(_ term: Term) throws -> Term {
        var term = term
        while let first = term.letters.indices.first(where: { i in term.letters[..<i].contains(term.letters[i]) }),
            let before = term.letters.firstIndex(of: term.letters[first]) {
            let rest = term.letters.indices.filter { $0 != first && $0 != before }
            let n = term.tensor.shape[first]
            let shape = rest.map { term.tensor.shape[$0] }
            let flat = try term.tensor.permute(rest + [before, first]).reshape(shape + [n * n])
            let diagonal = try flat.slice(starts: shape.map { _ in 0 } + [0], sizes: shape + [n], steps: shape.map { _ in 1 } + [n + 1])
            term = Term(tensor: diagonal, letters: rest.map { term.letters[$0] } + [term.letters[first]])
        }
        return term
    }

    /// Without the dimensions that nobody needs any more.
    private static func summed(_ term: Term, needed: Set<Character>) throws -> Term {
        let axes = term.letters.indices.filter { !needed.contains(term.letters[$0]) }
        if axes.isEmpty { return term }
        return Term(tensor: try term.tensor.sum(axes), letters: term.letters.filter(needed.contains))
    }

    private static func product(_ first: Term, _ second: Term, needed: Set<Character>) throws -> Term {
        let a = try summed(first, needed: needed.union(second.letters)), b = try summed(second, needed: needed.union(first.letters))
        let shared = a.letters.filter(b.letters.contains)
        let batch = shared.filter(needed.contains), contracted = shared.filter { !needed.contains($0) }
        let rows = a.letters.filter { !shared.contains($0) }, columns = b.letters.filter { !shared.contains($0) }
        func sizes(_ term: Term, _ letters: [Character]) -> [Int] { letters.compactMap { term.letters.firstIndex(of: $0) }.map { term.tensor.shape[$0] } }
        func matrices(_ term: Term, _ parts: [[Character]]) throws -> Tensor {
            let order = parts.flatMap { $0 }.compactMap { term.letters.firstIndex(of: $0) }
            return try term.tensor.permute(order).reshape(parts.map { sizes(term, $0).reduce(1, *) })
        }
        let product = try matrices(a, [batch, rows, contracted]).matmul(matrices(b, [batch, contracted, columns]))
        return Term(
            tensor: try product.reshape(sizes(a, batch) + sizes(a, rows) + sizes(b, columns)), letters: batch + rows + columns)
    }
}

extension Tensor {
    /// Σ of products of tensors over the letters that the result does not have: `Tensor.einsum("ij,jk->ik", [a, b])`. A letter that stands twice in a tensor
    /// means its diagonal; without `->` the result has the letters that stand once, in alphabetical order.
    public static func einsum(_ equation: String, _ tensors: [Tensor]) throws -> Tensor {
        let call = PyTorchCall("torch.einsum", [.text("\"\(equation)\"")] + tensors.indices.map { .input($0) })
        return try whole("einsum", tensors, call) { try Einsum(equation, tensors).value() }
    }
}
