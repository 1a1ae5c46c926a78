/// What a kernel needs to know of an input or output before it sees its address.
struct Operand {
    let layout: TensorLayout
    let dtype: DType
    init(_ layout: TensorLayout, _ dtype: DType) {
        self.layout = layout
        self.dtype = dtype
    }
    var shape: [Int] { layout.shape }
}

/// A kernel with its sizes fixed: called with the addresses of the inputs followed by that of the output. Eager operations make one and
/// call it once; a plan keeps it. It throws only for what can be seen in the numbers alone (labels outside the classes).
typealias Launch = (UnsafeMutablePointer<UnsafeMutableRawPointer>) throws -> Void
/// One that never throws.
typealias PlainLaunch = (UnsafeMutablePointer<UnsafeMutableRawPointer>) -> Void

extension UnsafeMutablePointer where Pointee == UnsafeMutableRawPointer {
    @inline(__always) func floats(_ i: Int) -> UnsafeMutablePointer<Float> { self[i].assumingMemoryBound(to: Float.self) }
    @inline(__always) func ints(_ i: Int) -> UnsafeMutablePointer<Int32> { self[i].assumingMemoryBound(to: Int32.self) }

    /// Calls a kernel with these addresses instead.
    @inline(__always) func with(_ first: UnsafeMutableRawPointer, _ second: UnsafeMutableRawPointer, _ kernel: Launch) rethrows {
        var pair = (first, second)
        try withUnsafeMutablePointer(to: &pair) { try $0.withMemoryRebound(to: UnsafeMutableRawPointer.self, capacity: 2) { try kernel($0) } }
    }
}

/// The kernel with the address at one place moved by so many elements.
func shifted(_ place: Int, by elements: Int, _ kernel: @escaping Launch) -> Launch {
    { p in
        let whole = p[place]
        p[place] = whole + elements * DType.byteCount
        defer { p[place] = whole }
        try kernel(p)
    }
}

/// A count of products that sums over many operations can take: a thousand years' work at most.
func saturatingProduct(_ a: Int, _ b: Int) -> Int {
    let (product, overflow) = a.multipliedReportingOverflow(by: b)
    return overflow ? 1 << 53 : min(product, 1 << 53)
}
