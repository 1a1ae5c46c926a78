/// What stands behind the pavements: rows of houses with gaps, and trees in the gaps.
extension Scene {
    /// How a house looks.
    private struct Facade {
        enum Wall { case brick, concrete, plaster, glass }
        var wall: Wall
        var tone: Tone
        var storey: Double
        var bay: Double
        var roof: Tone
        var seed: Noise
        var lit: Double
    }

    mutating func backdrop() -> [Thing] {
        var things: [Thing] = []
        guard has(.building) else { return things }
        let density = draw.between(0.25, 1)
        for side in [-1.0, 1.0] {
            let onWater = canal == side && has(.water)
            let setback = (onWater ? 9.5 : 0) + (has(.grass) ? draw.between(0.3, 5) : draw.between(0, 0.8))
            var z = draw.between(1.5, 9)
            while z < 110 {
                let length = draw.between(7, 20)
                if draw.chance(density) {
                    things.append(house(side: side, setback: setback, from: z, to: z + length))
                } else if has(.tree) {
                    for _ in 0..<draw.below(4) {
                        let at = z + length * draw.uniform()
                        things.append(tree(x: edge(side) + side * (setback + draw.between(1, 9)), z: max(at, 4), shadow: false))
                    }
                }
                z += length + (draw.chance(0.35) ? draw.between(2, 9) : 0)
            }
        }
        return things
    }

    private mutating func house(side: Double, setback: Double, from near: Double, to far: Double) -> Thing {
        let x = edge(side) + side * setback
        let storeys = 1 + draw.below(draw.chance(0.3) ? 7 : 3)
        let kind = draw.pick([Facade.Wall.brick, .brick, .concrete, .concrete, .plaster, .plaster, .glass])
        let tone: Tone
        switch kind {
        case .brick: tone = Tone(0.56, 0.3, 0.22) * draw.between(0.75, 1.2)
        case .concrete: tone = concrete * draw.between(0.8, 1.2)
        case .plaster: tone = paintColour()
        case .glass: tone = Tone(0.3, 0.36, 0.42)
        }
        let facade = Facade(
            wall: kind, tone: tone, storey: draw.between(2.7, 3.5), bay: draw.between(2, 3.4), roof: paintColour() * 0.6,
            seed: Noise(seed: draw.next()), lit: draw.uniform() < 0.3 ? 0.3 : 0.05)
        let height = Double(storeys) * facade.storey + 0.6
        let width = draw.between(8, 16)
        let gable = storeys < 4 && draw.chance(0.5) ? draw.between(1.5, 3) : 0
        // The camera never stands inside a wall.
        let start = max(near, 1.2)
        return Thing(depth: start) { scene in
            scene.paintAlong(x: x, depth: start...max(far, start + 0.1), height: 0...height) { z, up in
                scene.facade(facade, along: z, up: up, z: z, height: height, facing: 0.86)
            }
            // A roof that slopes away from the road shows as a band above the wall.
            if gable > 0 {
                scene.paintAlong(x: x, depth: start...max(far, start + 0.1), height: height...height + gable * 0.8) { z, up in
                    let tiles = fraction(up / 0.3) < 0.2 ? 0.8 : 1
                    return (scene.lit(facade.roof * tiles, z), ShapesClass.building.rawValue)
                }
            }
            let range = side > 0 ? 0...width : -width...0
            scene.paintFacing(x: x, z: start, width: range, height: 0...height + gable) { across, up in
                let slope = gable - abs(abs(across) - width / 2) * gable * 2 / width
                guard up <= height + slope else { return nil }
                return scene.facade(facade, along: across, up: up, z: start, height: height + gable, facing: 1.04)
            }
        }
    }

    @inline(__always)
    private func facade(_ f: Facade, along: Double, up: Double, z: Double, height: Double, facing: Double) -> (tone: Tone, label: UInt8) {
        let label = ShapesClass.building.rawValue
        let near = 1 / (1 + z * 0.05)
        let (column, row) = ((along / f.bay).rounded(.down), (up / f.storey).rounded(.down))
        let (a, b) = (along / f.bay - column, up / f.storey - row)
        let cell = f.seed.at(Int(column), Int(row))
        var tone = f.tone * facing
        switch f.wall {
        case .brick:
            let course = (up / 0.22).rounded(.down)
            let brick = along / 0.5 + course * 0.5
            let joint = fraction(up / 0.22) < 0.16 || fraction(brick) < 0.08
            tone *= joint ? 1 + 0.3 * near : 0.9 + 0.2 * f.seed.at(Int(brick.rounded(.down)), Int(course) + 999) * near
        case .concrete: tone *= 0.88 + 0.16 * noise.smooth(along * 14, up * 14) * near + 0.12 * noise.smooth(along * 0.6, up * 0.6)
        case .plaster: tone *= 0.94 + 0.1 * noise.rough(along, up, octaves: 3)
        case .glass: break
        }
        let glass = f.wall == .glass
        let wide = glass ? 0.04...0.96 : 0.24...0.76
        let tall = glass ? 0.1...0.97 : row == 0 ? 0.02...0.7 : 0.28...0.8
        guard up < height - 0.5 || glass, wide.contains(a), tall.contains(b) else {
            if up > height - 0.35 { tone *= 0.75 }
            return (lit(tone, z), label)
        }
        if row == 0, !glass, cell < 0.4 { return (lit(f.roof * 1.3, z), label) }
        if cell > 1 - f.lit { return (lit(Tone(0.98, 0.86, 0.55), z), label) }
        // Panes mirror a bit of sky: the same colours as above the roofs, in another place.
        let pane = sky(along * 0.07 + cell * 3, horizon * (0.2 + 0.7 * b)) * (glass ? 0.86 : 0.3 + 0.45 * cell)
        let bar = abs(a - 0.5) < 0.02 || abs(b - 0.55) < 0.015
        return (lit(bar ? tone * 0.7 : pane.mixed(Tone(0.1, 0.12, 0.16), 0.25), z), label)
    }

    /// A leafy tree or a conifer.
    mutating func tree(x: Double, z: Double, shadow: Bool = true) -> Thing {
        let conifer = draw.chance(0.25)
        let radius = draw.between(1.1, 2.3)
        let bottom = conifer ? 0.6 : draw.between(1.6, 2.6)
        let top = bottom + radius * (conifer ? draw.between(2.6, 3.6) : draw.between(1.7, 2.4))
        let leaves = Noise(seed: draw.next())
        let hue = green.mixed(Tone(0.2, 0.34, 0.2), draw.uniform()) * draw.between(0.75, 1.15)
        let bark = Tone(0.3, 0.24, 0.19) * draw.between(0.7, 1.2)
        let label = ShapesClass.tree.rawValue
        let cast: ((Scene) -> Void)? = shadow ? { $0.castShadow(x: x + 0.4, z: z, across: radius, along: radius * 0.8) } : nil
        return Thing(depth: z, shadow: cast) { scene in
            scene.paintFacing(x: x, z: z, width: -0.16...0.16, height: 0...bottom + radius * 0.5) { across, up in
                (scene.lit(bark * (0.8 + 1.5 * across + 0.3 * leaves.smooth(across * 30, up * 6)), z), label)
            }
            scene.paintFacing(x: x, z: z, width: -radius * 1.25...radius * 1.25, height: bottom - 0.3...top + 0.3) { across, up in
                let height = (up - bottom) / (top - bottom)
                let (a, b) = (across / radius, 2 * height - 1)
                // Beyond what the roughest edge can reach.
                if !conifer, a * a + b * b > 1.66 { return nil }
                let rough = leaves.rough(across * 1.6, up * 1.6, octaves: 4)
                let inside: Double
                if conifer {
                    let layers = 0.82 + 0.18 * fraction(height * 5)
                    inside = (1 - height) * radius * layers / max(0.05, abs(across)) - 1 + (rough - 0.5)
                } else {
                    inside = 1 - (a * a + b * b) + (rough - 0.5) * 1.3
                }
                // Gaps between the leaves show what is behind them.
                guard inside > 0, inside > 0.45 || leaves.smooth(across * 7, up * 7) < 0.72 else { return nil }
                let blades = leaves.smooth(across * 9, up * 9)
                return (scene.lit(hue * (0.5 + 0.55 * blades + 0.35 * height), z), label)
            }
        }
    }
}
