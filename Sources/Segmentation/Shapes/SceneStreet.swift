/// What stands on pavement and verge: lamps, poles with wires, signs, fences, trees.
extension Scene {
    mutating func street() -> [Thing] {
        var things: [Thing] = []
        for side in [-1.0, 1.0] {
            if has(.pole) { things += poles(side) }
            if has(.tree), draw.chance(0.7) {
                var z = draw.between(5, 14)
                let spacing = draw.between(7, 18)
                while z < 70 {
                    things.append(tree(x: edge(side) - side * 0.3 + draw.between(-0.3, 0.3), z: z))
                    z += spacing * draw.between(0.8, 1.3)
                }
            }
            if has(.fence), draw.chance(0.65) { things += fence(side) }
            if has(.sign) {
                for _ in 0..<(1 + draw.below(3)) { things.append(sign(side, z: draw.between(4, 30))) }
            }
        }
        if has(.car) { things += cars() }
        if has(.person) {
            for _ in 0..<(1 + draw.below(6)) {
                let side: Double = draw.chance(0.5) ? -1 : 1
                let crossing = draw.chance(0.15)
                let x = crossing ? middle + draw.between(-half, half) : middle + side * (half + pavement * draw.between(0.15, 0.85))
                things.append(person(x: x, z: draw.between(4, 28)))
            }
        }
        return things
    }

    /// Half the width of something thin: never so narrow that it falls between the centres of pixels.
    private func thin(_ metres: Double, _ z: Double) -> Double { max(metres, 1.05 * canvas.pixel * z) / 2 }

    private mutating func poles(_ side: Double) -> [Thing] {
        let lamps = draw.chance(0.55)
        let height = lamps ? draw.between(5, 7.5) : draw.between(6, 8.5)
        let spacing = draw.between(11, 24)
        let x = middle + side * (half + draw.between(0.3, 0.7))
        let tone = draw.chance(0.5) ? concrete * 0.75 : Tone(0.3, 0.27, 0.25)
        let sag = draw.between(0.4, 1.1)
        var things: [Thing] = []
        var z = draw.between(3.5, 3.5 + spacing)
        while z < 75 {
            let at = z
            things.append(Thing(depth: at) { $0.paintPole(x: x, z: at, height: height, tone: tone, arm: lamps ? -side * 1.5 : 0) })
            if !lamps {
                let next = at + spacing
                for drop in [0.15, 0.75] {
                    for offset in [-0.45, 0.45] {
                        things.append(Thing(depth: at) {
                            $0.paintWire(x: x + offset, from: at, to: next, height: height - drop, sag: sag)
                        })
                    }
                }
            }
            z += spacing
        }
        return things
    }

    private func paintPole(x: Double, z: Double, height: Double, tone: Tone, arm: Double) {
        let scene = self
        let label = ShapesClass.pole.rawValue
        let wide = thin(0.16, z)
        paintFacing(x: x, z: z, width: -wide...wide, height: 0...height) { across, _ in
            (scene.lit(tone * (1 - 0.35 * across / wide), z), label)
        }
        let beam = thin(0.1, z)
        if arm == 0 {
            for drop in [0.15, 0.75] {
                paintFacing(x: x, z: z, width: -0.6...0.6, height: height - drop - beam...height - drop + beam) { _, _ in
                    (scene.lit(tone * 0.8, z), label)
                }
            }
            return
        }
        paintFacing(x: x, z: z, width: min(arm, 0)...max(arm, 0), height: height - beam...height + beam) { _, _ in
            (scene.lit(tone * 0.9, z), label)
        }
        paintFacing(x: x + arm, z: z, width: -0.35...0.35, height: height - 0.1 - beam...height + 0.04) { _, up in
            (scene.lit(up < height - 0.05 ? Tone(0.95, 0.92, 0.8) : tone, z), label)
        }
    }

    /// A wire along the road that hangs in a parabola (for a taut wire as good as a catenary).
    private func paintWire(x: Double, from near: Double, to far: Double, height: Double, sag: Double) {
        let scene = self
        func hang(_ z: Double) -> Double {
            let t = (z - near) / (far - near)
            return height - 4 * sag * t * (1 - t)
        }
        paintAlong(x: x, depth: near...far, height: height - sag - 1...height + 1) { z, up in
            // Width across the wire's slope in the image, not straight up.
            let slope = (scene.v(hang(z * 1.001), z * 1.001) - scene.v(hang(z), z)) / (x / (z * 1.001) - x / z)
            let wide = scene.thin(0.035, z) * 0.8 * (1 + slope * slope).squareRoot()
            guard abs(up - hang(z)) < wide else { return nil }
            return (scene.lit(Tone(0.16, 0.16, 0.18), z * 0.5), ShapesClass.pole.rawValue)
        }
    }

    private mutating func sign(_ side: Double, z: Double) -> Thing {
        let x = middle + side * (half + 0.45)
        let shape = draw.below(4)
        let height = draw.between(2.2, 3)
        let radius = draw.between(0.34, 0.5)
        let (rim, face) = draw.pick([
            (Tone(0.8, 0.1, 0.1), Tone(0.95, 0.95, 0.92)), (Tone(0.95, 0.95, 0.95), Tone(0.1, 0.3, 0.7)),
            (Tone(0.15, 0.15, 0.15), Tone(0.95, 0.8, 0.15)),
        ])
        return Thing(depth: z) { scene in
            if scene.has(.pole) {
                let wide = scene.thin(0.08, z)
                scene.paintFacing(x: x, z: z, width: -wide...wide, height: 0...height) { _, _ in
                    (scene.lit(scene.concrete * 0.9, z), ShapesClass.pole.rawValue)
                }
            }
            scene.paintFacing(x: x, z: z, width: -radius...radius, height: height - radius...height + radius) { across, up in
                let (a, b) = (across / radius, (up - height) / radius)
                let reach: Double
                switch shape {
                case 0: reach = (a * a + b * b).squareRoot()
                case 1: reach = max(abs(a) * 1.8 + b, -b * 1.15)
                case 2: reach = abs(a) + abs(b)
                default: reach = max(abs(a), abs(b) * 1.3)
                }
                guard reach < 1 else { return nil }
                let mark = abs(a) < 0.12 && abs(b) < 0.4
                return (scene.lit(reach > 0.78 || mark ? rim : face, z), ShapesClass.sign.rawValue)
            }
        }
    }

    /// Pickets and rails along the outer edge of the pavement; what is behind shows between them.
    private mutating func fence(_ side: Double) -> [Thing] {
        let x = edge(side) + side * 0.15
        let height = draw.between(0.8, 1.4)
        let tone = draw.chance(0.4) ? paintColour() : Tone(0.45, 0.34, 0.24) * draw.between(0.7, 1.3)
        let spacing = draw.between(0.22, 0.5)
        let (start, end) = (draw.between(2, 12), draw.between(18, 55))
        var things: [Thing] = []
        for z in stride(from: start, to: max(end, start + 4), by: 3) {
            things.append(Thing(depth: z + 1.5) { scene in
                let pixel = scene.canvas.pixel
                scene.paintAlong(x: x, depth: z...z + 3, height: 0...height) { depth, up in
                    let rail = abs(up - height * 0.3) < 0.05 || abs(up - height * 0.85) < 0.05
                    let picket = fraction(depth / spacing) < 0.42
                    // Too far to tell pickets apart: a fence all the same.
                    let blurred = spacing * abs(x) / (depth * depth) < 2.2 * pixel
                    guard rail || picket || blurred else { return nil }
                    return (scene.lit(tone * (rail ? 0.85 : blurred && !picket ? 0.7 : 1), depth), ShapesClass.fence.rawValue)
                }
            })
        }
        return things
    }
}
