/// The ground: road with markings and puddles, pavement, lawn and water.
extension Scene {
    mutating func paintGround() {
        let scene = self
        let zebra = draw.chance(0.4) ? draw.between(6, 20) : nil
        let lanes = draw.chance(0.7)
        canvas.paint(u: -canvas.halfWidth...canvas.halfWidth, v: horizon...1, depth: { _, v in min(scene.eye / (v - scene.horizon), Scene.skyline) }) { u, v in
            guard v > scene.horizon + 1e-6 else { return nil }
            let z = scene.eye / (v - scene.horizon)
            let x = (u - scene.vanishing) * z
            return scene.ground(u, v, x, min(z, 4000), zebra: zebra, lanes: lanes)
        }
    }

    @inline(__always)
    private func ground(_ u: Double, _ v: Double, _ x: Double, _ z: Double, zebra: Double?, lanes: Bool) -> (tone: Tone, label: UInt8) {
        let across = x - middle
        let out = abs(across) - half
        // Texture finer than a point would only flicker.
        let near = 1 / (1 + z * 0.06)
        if out < 0 { return road(u, v, across, z, near, zebra: zebra, lanes: lanes) }
        if out < pavement { return paved(across, out, z, near) }
        if let canal, canal == (across > 0 ? 1 : -1), has(.water), out > pavement + 0.8, out < pavement + 9 {
            return water(u, v, x, z)
        }
        guard has(.grass) else { return paved(across, out, z, near) }
        let blades = noise.smooth(x * 9, z * 5) * near
        let patches = noise.rough(x * 0.5, z * 0.5, octaves: 3)
        return (lit(green * (0.75 + 0.5 * blades + 0.35 * patches), z), ShapesClass.grass.rawValue)
    }

    @inline(__always)
    private func road(
        _ u: Double, _ v: Double, _ across: Double, _ z: Double, _ near: Double, zebra: Double?, lanes: Bool
    ) -> (tone: Tone, label: UInt8) {
        let label = ShapesClass.road.rawValue
        let grain = noise.smooth(across * 14, z * 14) * near
        let stains = noise.rough(across * 0.7, z * 0.35, octaves: 3)
        // A puddle mirrors the sky and is road all the same.
        if wet, noise.rough(across * 0.8 + 300, z * 0.35, octaves: 3) > 0.62 {
            return (lit(sky(u, 2 * horizon - v) * 0.8, z * 0.3), label)
        }
        var tone = concrete * (0.62 + 0.22 * grain + 0.2 * stains)
        let dash = abs(across) < 0.09 && fraction(z / 7) < 0.5
        let border = abs(abs(across) - half + 0.3) < 0.07
        if lanes, dash || border { tone = Tone(grey: 0.82) * (0.85 + 0.2 * stains) }
        if let zebra, z > zebra, z < zebra + 3, fraction(across / 1.1) < 0.5 { tone = Tone(grey: 0.84) * (0.85 + 0.2 * stains) }
        return (lit(tone, z), label)
    }

    /// Pavement: slabs with joints, a kerb towards the road.
    @inline(__always)
    private func paved(_ across: Double, _ out: Double, _ z: Double, _ near: Double) -> (tone: Tone, label: UInt8) {
        let grain = noise.smooth(across * 14, z * 14) * near
        let slab = noise.at(Int((across / 0.9).rounded(.down)), Int((z / 0.9).rounded(.down)))
        var tone = concrete * (0.86 + 0.16 * grain + 0.12 * slab * near)
        if fraction(across / 0.9) < 0.07 || fraction(z / 0.9) < 0.07 { tone *= 1 - 0.35 * near }
        if out < 0.18 { tone = concrete * 1.25 }
        return (lit(tone, z), label(.pavement, else: .road))
    }

    /// Water: the sky upside down, dimmed and rippled.
    @inline(__always)
    private func water(_ u: Double, _ v: Double, _ x: Double, _ z: Double) -> (tone: Tone, label: UInt8) {
        let ripple = noise.smooth(x * 0.9, z * 4) - 0.5
        let mirrored = sky(u + ripple * 0.03, 2 * horizon - v - ripple * 0.05)
        return (lit(mirrored * (0.72 + 0.2 * ripple) * Tone(0.86, 1, 1), z * 0.3), ShapesClass.water.rawValue)
    }

    /// Darkens an ellipse on the ground.
    func castShadow(x: Double, z: Double, across: Double, along: Double, strength: Double = 0.45) {
        guard z - along > 1 else { return }
        let (low, high) = (v(0, z + along), v(0, z - along))
        let left = min(u(x - across, z - along), u(x - across, z + along))
        let right = max(u(x + across, z - along), u(x + across, z + along))
        let scene = self
        canvas.shade(u: left...right, v: low...high) { u, v in
            guard v > scene.horizon + 1e-6 else { return 1 }
            let depth = scene.eye / (v - scene.horizon)
            let (a, b) = (((u - scene.vanishing) * depth - x) / across, (depth - z) / along)
            let inside = 1 - (a * a + b * b)
            return inside > 0 ? 1 - strength * min(1, inside * 2.5) : 1
        }
    }

    /// Paints a vertical rectangle that faces the camera: `shader` gets metres right of `x` and above the ground.
    func paintFacing(
        x: Double, z: Double, width: ClosedRange<Double>, height: ClosedRange<Double>,
        _ shader: (_ across: Double, _ up: Double) -> (tone: Tone, label: UInt8)?
    ) {
        let (eye, horizon, vanishing) = (eye, horizon, vanishing)
        canvas.paint(
            u: u(x + width.lowerBound, z)...u(x + width.upperBound, z), v: v(height.upperBound, z)...v(height.lowerBound, z), depth: { _, _ in z }
        ) { u, v in
            let (across, up) = ((u - vanishing) * z - x, eye - (v - horizon) * z)
            guard width.contains(across), height.contains(up) else { return nil }
            return shader(across, up)
        }
    }

    /// Paints a vertical rectangle that runs along the road: `shader` gets its distance and metres above the ground.
    func paintAlong(
        x: Double, depth: ClosedRange<Double>, height: ClosedRange<Double>,
        _ shader: (_ z: Double, _ up: Double) -> (tone: Tone, label: UInt8)?
    ) {
        // Seen edge on from too near there is nothing to see.
        guard abs(x) > 0.05, depth.lowerBound > 0.3 else { return }
        let (eye, horizon, vanishing) = (eye, horizon, vanishing)
        let (first, last) = (u(x, depth.lowerBound), u(x, depth.upperBound))
        let top = min(v(height.upperBound, depth.lowerBound), v(height.upperBound, depth.upperBound))
        let bottom = max(v(height.lowerBound, depth.lowerBound), v(height.lowerBound, depth.upperBound))
        canvas.paint(u: min(first, last)...max(first, last), v: top...bottom, depth: { u, _ in x / (u - vanishing) }) { u, v in
            let offset = u - vanishing
            guard offset * x > 1e-9 else { return nil }
            let z = x / offset
            let up = eye - (v - horizon) * z
            guard depth.contains(z), height.contains(up) else { return nil }
            return shader(z, up)
        }
    }
}
