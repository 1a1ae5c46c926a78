import CKernels

// Arithmetic on the vector of this level, under one name for the three widths.
#if KernelsV4
typealias VI = SIMD16<Int32>
@inline(always) func maximum(_ a: V, _ b: V) -> V { trellis_max16(a, b) }
@inline(always) func minimum(_ a: V, _ b: V) -> V { trellis_min16(a, b) }
@inline(always) func squareRoot(_ a: V) -> V { trellis_sqrt16(a) }
@inline(always) func floor(_ a: V) -> V { trellis_floor16(a) }
@inline(always) func ceil(_ a: V) -> V { trellis_ceil16(a) }
@inline(always) func roundEven(_ a: V) -> V { trellis_round16(a) }
@inline(always) func float(_ a: VI) -> V { trellis_float16(a) }
@inline(always) func integer(_ a: V) -> VI { trellis_int16(a) }
@inline(always) func load(_ p: UnsafePointer<Int32>) -> VI { trellis_load16i(p) }
@inline(always) func store(_ p: UnsafeMutablePointer<Int32>, _ v: VI) { trellis_store16i(p, v) }
@inline(always) func near(_ p: UnsafePointer<Float>, _ i: VI) -> V { trellis_near16(p, i) }
@inline(always) func pick(_ p: UnsafePointer<Float>, _ i: VI) -> V { trellis_pick16(p, i) }
@inline(always) func gather(_ p: UnsafePointer<Float>, _ i: VI) -> V { trellis_gather16(p, i) }
@inline(always) func evens(_ p: UnsafePointer<Float>) -> V { trellis_even16(p) }
@inline(always) func spread(_ p: UnsafeMutablePointer<Float>, _ v: V) { trellis_spread16(p, v) }
@inline(always) func sum(_ v: V) -> Float { trellis_sum16(v) }
@inline(always) func anyNaN(_ a: V, _ b: V) -> Bool { trellis_has_nan16(a, b) }
#elseif KernelsV3
typealias VI = SIMD8<Int32>
@inline(always) func maximum(_ a: V, _ b: V) -> V { trellis_max8(a, b) }
@inline(always) func minimum(_ a: V, _ b: V) -> V { trellis_min8(a, b) }
@inline(always) func squareRoot(_ a: V) -> V { trellis_sqrt8(a) }
@inline(always) func floor(_ a: V) -> V { trellis_floor8(a) }
@inline(always) func ceil(_ a: V) -> V { trellis_ceil8(a) }
@inline(always) func roundEven(_ a: V) -> V { trellis_round8(a) }
@inline(always) func float(_ a: VI) -> V { trellis_float8(a) }
@inline(always) func integer(_ a: V) -> VI { trellis_int8(a) }
@inline(always) func load(_ p: UnsafePointer<Int32>) -> VI { trellis_load8i(p) }
@inline(always) func store(_ p: UnsafeMutablePointer<Int32>, _ v: VI) { trellis_store8i(p, v) }
@inline(always) func near(_ p: UnsafePointer<Float>, _ i: VI) -> V { trellis_near8(p, i) }
@inline(always) func pick(_ p: UnsafePointer<Float>, _ i: VI) -> V { trellis_pick8(p, i) }
@inline(always) func gather(_ p: UnsafePointer<Float>, _ i: VI) -> V { trellis_gather8(p, i) }
@inline(always) func evens(_ p: UnsafePointer<Float>) -> V { trellis_even8(p) }
@inline(always) func spread(_ p: UnsafeMutablePointer<Float>, _ v: V) { trellis_spread8(p, v) }
@inline(always) func sum(_ v: V) -> Float { trellis_sum8(v) }
@inline(always) func anyNaN(_ a: V, _ b: V) -> Bool { trellis_has_nan8(a, b) }
#else
typealias VI = SIMD4<Int32>
@inline(always) func maximum(_ a: V, _ b: V) -> V { trellis_max4(a, b) }
@inline(always) func minimum(_ a: V, _ b: V) -> V { trellis_min4(a, b) }
@inline(always) func squareRoot(_ a: V) -> V { trellis_sqrt4(a) }
@inline(always) func floor(_ a: V) -> V { trellis_floor4(a) }
@inline(always) func ceil(_ a: V) -> V { trellis_ceil4(a) }
@inline(always) func roundEven(_ a: V) -> V { trellis_round4(a) }
@inline(always) func float(_ a: VI) -> V { trellis_float4(a) }
@inline(always) func integer(_ a: V) -> VI { trellis_int4(a) }
@inline(always) func load(_ p: UnsafePointer<Int32>) -> VI { trellis_load4i(p) }
@inline(always) func store(_ p: UnsafeMutablePointer<Int32>, _ v: VI) { trellis_store4i(p, v) }
@inline(always) func near(_ p: UnsafePointer<Float>, _ i: VI) -> V { trellis_near4(p, i) }
@inline(always) func pick(_ p: UnsafePointer<Float>, _ i: VI) -> V { trellis_pick4(p, i) }
@inline(always) func gather(_ p: UnsafePointer<Float>, _ i: VI) -> V { trellis_gather4(p, i) }
@inline(always) func evens(_ p: UnsafePointer<Float>) -> V { trellis_even4(p) }
@inline(always) func spread(_ p: UnsafeMutablePointer<Float>, _ v: V) { trellis_spread4(p, v) }
@inline(always) func sum(_ v: V) -> Float { trellis_sum4(v) }
@inline(always) func anyNaN(_ a: V, _ b: V) -> Bool { trellis_has_nan4(a, b) }
#endif

/// The first `n` elements, or a whole vector where there are as many: a branch that is predicted costs less than a mask.
@inline(always) func loadUpTo(_ p: UnsafePointer<Float>, _ n: Int) -> V { n >= lanes ? load(p) : load(p, n) }
@inline(always) func storeUpTo(_ p: UnsafeMutablePointer<Float>, _ v: V, _ n: Int) {
    if n >= lanes { store(p, v) } else { store(p, v, n) }
}

@inline(always) func splat(_ x: Float) -> V { V(repeating: x) }

@inline(always) func bits(_ v: V) -> VI { unsafeBitCast(v, to: VI.self) }
@inline(always) func fromBits(_ v: VI) -> V { unsafeBitCast(v, to: V.self) }
