/// `steps` times twelve multiply-adds of a vector, in chains that do not wait for each other: as fast as this level's instructions go.
/// Returns something that depends on all of them.
public func peakLoop(_ steps: Int) -> Float {
    let x = V(repeating: 0.9999), y = V(repeating: 1e-6)
    var a = Row(1), b = Row(2), c = Row(3), d = Row(4)
    for _ in 0..<steps {
        a = Row(step: a, x, y)
        b = Row(step: b, x, y)
        c = Row(step: c, x, y)
        d = Row(step: d, x, y)
    }
    let sum = a.a + a.b + a.c + b.a + b.b + b.c + c.a + c.b + c.c + d.a + d.b + d.c
    return sum[0]
}

extension Row {
    @inline(always) fileprivate init(step r: Row, _ x: V, _ y: V) {
        a = fma(y, r.a, x)
        b = fma(y, r.b, x)
        c = fma(y, r.c, x)
    }
}
