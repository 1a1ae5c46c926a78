/// What moves: cars and people.
extension Scene {
    mutating func cars() -> [Thing] {
        var things: [Thing] = []
        for side in [-1.0, 1.0] {
            // Parked in a row at the kerb.
            if draw.chance(0.6) {
                var z = draw.between(4, 14)
                while z < 60 {
                    if draw.chance(0.65) { things.append(car(x: middle + side * (half - 1.05), z: z)) }
                    z += draw.between(5.5, 8)
                }
            }
            if draw.chance(0.6) {
                var z = draw.between(6, 26)
                while z < 80 {
                    things.append(car(x: middle + side * half * draw.between(0.3, 0.5), z: z))
                    z += draw.between(12, 40)
                }
            }
        }
        return things
    }

    private mutating func car(x: Double, z: Double) -> Thing {
        let tone = paintColour()
        let van = draw.chance(0.25)
        let width = draw.between(1.65, 1.85)
        let height = van ? draw.between(1.9, 2.3) : draw.between(1.4, 1.6)
        let length = draw.between(3.8, 4.7)
        let rear = draw.chance(0.5)
        let seed = draw.uniform()
        return Thing(
            depth: z,
            shadow: { $0.castShadow(x: x, z: z + length / 2, across: width * 0.75, along: length * 0.62, strength: 0.6) },
            paint: { scene in
                // The flank nearer to the camera's axis is seen; the other is hidden by the front.
                let flank = x > 0 ? x - width / 2 : x + width / 2
                if abs(x) > width / 2 {
                    scene.paintAlong(x: flank, depth: z...z + length, height: 0...height) { depth, up in
                        scene.flank(tone, at: (depth - z) / length, up: up, height: height, length: length, z: depth, van: van)
                    }
                }
                scene.paintFacing(x: x, z: z, width: -width / 2...width / 2, height: 0...height) { across, up in
                    scene.tail(tone, across / width, up / height, z: z, van: van, rear: rear, seed: seed)
                }
            })
    }

    @inline(__always)
    private func flank(
        _ tone: Tone, at s: Double, up: Double, height: Double, length: Double, z: Double, van: Bool
    ) -> (tone: Tone, label: UInt8)? {
        let label = ShapesClass.car.rawValue
        for wheel in [0.2, 0.8] {
            let (a, b) = ((s - wheel) * length / 0.33, (up - 0.33) / 0.33)
            let reach = a * a + b * b
            if reach < 1 { return (lit(Tone(grey: reach < 0.3 ? 0.5 : 0.08), z), label) }
        }
        guard up > 0.28 else { return nil }
        let bonnet = height * 0.62
        // Up the rear window, along the roof, down the windscreen, along the bonnet.
        let share = s < 0.12 ? s / 0.12 : s < 0.68 ? 1 : max(0, 1 - (s - 0.68) / 0.16)
        guard up < (van ? height : bonnet + share * (height - bonnet)) else { return nil }
        let window = up > height * 0.6 && up < height * 0.92 && s > 0.08 && s < 0.74 && abs(s - 0.42) > 0.02 && (!van || s > 0.5)
        if window { return (lit(sky(s * 0.3, horizon * 0.5) * 0.4, z), label) }
        let door = abs(s - 0.42) < 0.006 || abs(up - height * 0.45) < 0.012
        return (lit(tone * (door ? 0.55 : 0.72 + 0.12 * up / height), z), label)
    }

    @inline(__always)
    private func tail(
        _ tone: Tone, _ p: Double, _ q: Double, z: Double, van: Bool, rear: Bool, seed: Double
    ) -> (tone: Tone, label: UInt8)? {
        let label = ShapesClass.car.rawValue
        let side = abs(p)
        if q < 0.24, side > 0.29, side < 0.46 { return (lit(Tone(grey: 0.07), z), label) }
        guard q > 0.14 else { return nil }
        let slope = van ? 0.02 : 0.13
        guard side < (q < 0.6 ? 0.5 : 0.48 - slope * (q - 0.6) / 0.4) else { return nil }
        if q > 0.62, q < 0.93, side < 0.4 - slope * (q - 0.6) / 0.4 {
            // The screen mirrors the sky.
            return (lit(sky(p * 0.4 + seed, horizon * (1 - q) * 1.6) * 0.62, z), label)
        }
        if q > 0.4, q < 0.53, side > 0.34 { return (lit(rear ? Tone(0.75, 0.06, 0.05) : Tone(0.97, 0.96, 0.88), z * 0.5), label) }
        if q > 0.26, q < 0.36, side < 0.16 { return (lit(Tone(0.9, 0.88, 0.7), z), label) }
        if q < 0.24 { return (lit(Tone(grey: 0.12), z), label) }
        return (lit(tone * (0.82 + 0.25 * q), z), label)
    }

    mutating func person(x: Double, z: Double) -> Thing {
        let height = draw.between(1.5, 1.9)
        let (coat, trousers) = (paintColour(), paintColour() * 0.6)
        let skin = Tone(0.86, 0.66, 0.54) * draw.between(0.45, 1.05)
        let hair = Tone(0.2, 0.15, 0.1) * draw.between(0.4, 2)
        let stride = draw.between(0.02, 0.16)
        let label = ShapesClass.person.rawValue
        return Thing(
            depth: z, shadow: { $0.castShadow(x: x, z: z, across: 0.35, along: 0.3) },
            paint: { scene in
                scene.paintFacing(x: x, z: z, width: -0.45...0.45, height: 0...height) { across, up in
                    let q = up / height
                    let side = abs(across)
                    if q > 0.86 {
                        let (a, b) = (across / 0.115, (q - 0.93) / 0.07)
                        return a * a + b * b < 1 ? (scene.lit(b > 0.25 ? hair : skin, z), label) : nil
                    }
                    if q > 0.45 {
                        let wide = 0.25 - 0.07 * (q - 0.45) - (q > 0.8 ? (q - 0.8) * 2.2 : 0)
                        guard side < wide else { return nil }
                        let arm = side > wide - 0.08
                        return (scene.lit(coat * (arm ? 0.82 : 1), z), label)
                    }
                    let spread = 0.09 + stride * (0.45 - q) * 2
                    guard abs(side - spread) < 0.085 else { return nil }
                    return (scene.lit(q < 0.05 ? Tone(grey: 0.1) : trousers, z), label)
                }
            })
    }
}
