import CKernels

// The vector of this instruction-set level. A different width per level keeps the standard library's specialisations of
// the three modules apart: no function compiled for AVX can be picked by the linker for baseline code.
#if KernelsV4
typealias V = SIMD16<Float>
@inline(always) func load(_ p: UnsafePointer<Float>) -> V { trellis_load16(p) }
@inline(always) func load(_ p: UnsafePointer<Float>, _ n: Int) -> V { trellis_load16_part(p, Int32(truncatingIfNeeded: n)) }
@inline(always) func store(_ p: UnsafeMutablePointer<Float>, _ v: V) { trellis_store16(p, v) }
@inline(always) func store(_ p: UnsafeMutablePointer<Float>, _ v: V, _ n: Int) { trellis_store16_part(p, v, Int32(truncatingIfNeeded: n)) }
#elseif KernelsV3
typealias V = SIMD8<Float>
@inline(always) func load(_ p: UnsafePointer<Float>) -> V { trellis_load8(p) }
@inline(always) func load(_ p: UnsafePointer<Float>, _ n: Int) -> V { trellis_load8_part(p, Int32(truncatingIfNeeded: n)) }
@inline(always) func store(_ p: UnsafeMutablePointer<Float>, _ v: V) { trellis_store8(p, v) }
@inline(always) func store(_ p: UnsafeMutablePointer<Float>, _ v: V, _ n: Int) { trellis_store8_part(p, v, Int32(truncatingIfNeeded: n)) }
#else
typealias V = SIMD4<Float>
@inline(always) func load(_ p: UnsafePointer<Float>) -> V { trellis_load4(p) }
@inline(always) func load(_ p: UnsafePointer<Float>, _ n: Int) -> V { trellis_load4_part(p, Int32(truncatingIfNeeded: n)) }
@inline(always) func store(_ p: UnsafeMutablePointer<Float>, _ v: V) { trellis_store4(p, v) }
@inline(always) func store(_ p: UnsafeMutablePointer<Float>, _ v: V, _ n: Int) { trellis_store4_part(p, v, Int32(truncatingIfNeeded: n)) }
#endif

@inline(always) var lanes: Int { V.scalarCount }

/// sum + a b, in one rounding where the level has the instruction. (Without it `addingProduct` would call libm's fmaf per lane.)
#if KernelsV4 || KernelsV3
@inline(always) func fma(_ sum: V, _ a: V, _ b: V) -> V { sum.addingProduct(a, b) }
#else
@inline(always) func fma(_ sum: V, _ a: V, _ b: V) -> V { sum + a * b }
#endif

/// max(v, 0) in each lane; NaN stays NaN.
@inline(always) func positive(_ v: V) -> V { v.replacing(with: V.zero, where: v .< V.zero) }
