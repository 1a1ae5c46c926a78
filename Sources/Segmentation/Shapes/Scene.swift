/// One street scene: where the camera stands, what the weather is like, and the means to paint surfaces.
///
/// World: X to the right of the camera, Y up from the ground, Z ahead, in metres. A point is seen at
/// u = vanishing + X / Z, v = horizon + (eye - Y) / Z (pinhole, focal length one image height).
struct Scene {
    var draw: Draw
    let canvas: Canvas
    let noise: Noise
    private let classes: Int

    /// Height of the horizon and of the camera; where parallels to the road meet.
    let horizon: Double
    let eye: Double
    let vanishing: Double
    /// X of the road's middle, half its width, and the width of the pavements.
    let middle: Double
    let half: Double
    let pavement: Double
    /// Side (-1 left, 1 right) of the canal, if any.
    let canal: Double?

    /// Colours of the day.
    let zenith: Tone
    let haze: Tone
    let light: Tone
    let clouds: Double
    let hazeDepth: Double
    /// The greens of leaves and lawn, and the concrete of walls, road and pavement.
    let green: Tone
    let concrete: Tone
    let wet: Bool

    /// - Throws: `FileError` when there is not the memory.
    init(_ start: Draw, size: Size, classes: Int, keepsDepth: Bool) throws {
        draw = start
        canvas = try Canvas(size: size, keepsDepth: keepsDepth)
        self.classes = classes
        noise = Noise(seed: draw.next())
        horizon = draw.between(0.36, 0.54)
        eye = draw.between(1.4, 2.6)
        vanishing = draw.between(-0.22, 0.22)
        half = draw.between(3.2, 5.6)
        middle = draw.between(-1.6, 1.6)
        pavement = draw.between(1.6, 3.2)
        canal = draw.chance(0.5) ? (draw.chance(0.5) ? 1 : -1) : nil
        let day = Scene.days[draw.below(Scene.days.count)]
        let shift = draw.between(0.9, 1.08)
        zenith = day.zenith * shift
        haze = day.haze * shift
        light = day.light * shift
        clouds = day.clouds * draw.between(0.6, 1.3)
        hazeDepth = draw.between(90, 320)
        green = Tone(0.24, 0.42, 0.16).mixed(Tone(0.46, 0.42, 0.14), draw.uniform() * draw.uniform())
        concrete = Tone(grey: draw.between(0.36, 0.56)) * Tone(1.02, 1, draw.between(0.93, 1.02))
        wet = draw.chance(0.3)
    }

    private struct Day {
        var zenith: Tone
        var haze: Tone
        var light: Tone
        var clouds: Double
    }

    private static let days = [
        Day(zenith: Tone(0.32, 0.52, 0.85), haze: Tone(0.76, 0.84, 0.92), light: Tone(1.02, 1, 0.96), clouds: 0.7),
        Day(zenith: Tone(0.44, 0.62, 0.88), haze: Tone(0.86, 0.9, 0.94), light: Tone(1.1, 1.07, 1), clouds: 1),
        Day(zenith: Tone(0.62, 0.66, 0.7), haze: Tone(0.8, 0.82, 0.83), light: Tone(0.85, 0.87, 0.9), clouds: 0.9),
        Day(zenith: Tone(0.36, 0.4, 0.62), haze: Tone(0.95, 0.72, 0.52), light: Tone(0.98, 0.82, 0.68), clouds: 0.8),
        Day(zenith: Tone(0.2, 0.24, 0.4), haze: Tone(0.5, 0.46, 0.54), light: Tone(0.58, 0.58, 0.68), clouds: 0.6),
    ]

    /// Whether things of a kind are there. With two classes all are, and everything but the sky is one class.
    func has(_ kind: ShapesClass) -> Bool { classes == 2 || Int(kind.rawValue) < classes }

    /// Label of `kind`, or of the first of `others` that exists. The last one must.
    func label(_ kind: ShapesClass, else others: ShapesClass...) -> UInt8 {
        ([kind] + others).first(where: has)?.rawValue ?? ShapesClass.road.rawValue
    }

    /// Where things beside the road begin: the outer edge of the pavement on a side.
    func edge(_ side: Double) -> Double { middle + side * (half + pavement) }

    func u(_ x: Double, _ z: Double) -> Double { vanishing + x / z }
    func v(_ y: Double, _ z: Double) -> Double { horizon + (eye - y) / z }

    /// A surface's colour in the light of the day and the haze of its distance.
    @inline(__always)
    func lit(_ tone: Tone, _ z: Double) -> Tone {
        let far = z / (z + hazeDepth)
        return (tone * light).mixed(haze, far * far * 0.85)
    }

    /// The sky's colour where it is seen: darker upwards, with clouds that flatten towards the horizon.
    @inline(__always)
    func sky(_ u: Double, _ v: Double) -> Tone {
        let up = max(0, min(1, (horizon - v) / max(horizon, 0.1)))
        let clear = haze.mixed(zenith, up * (2 - up))
        let depth = 0.25 + up
        let cover = noise.rough(u * 2.2 / depth + 40, up * 3.5 / depth, octaves: 4)
        let cloud = max(0, min(1, (cover - 0.48) * 5)) * clouds
        return clear.mixed(Tone(grey: 0.96) * (light * 0.5 + Tone(grey: 0.47)), min(cloud, 0.9))
    }

    /// One of the colours that cars, clothes, doors and plaster share.
    mutating func paintColour() -> Tone {
        let base = draw.pick([
            Tone(0.72, 0.16, 0.13), Tone(0.16, 0.26, 0.52), Tone(0.86, 0.84, 0.8), Tone(0.14, 0.14, 0.16), Tone(0.78, 0.62, 0.36),
            Tone(0.5, 0.54, 0.56), Tone(0.26, 0.44, 0.36), Tone(0.8, 0.48, 0.26), Tone(0.62, 0.7, 0.78),
        ])
        return base * draw.between(0.85, 1.12)
    }

    /// Everything, back to front.
    /// - Throws: `Interrupted`.
    mutating func painted() throws -> Sample {
        paintSky()
        paintSkyline()
        paintGround()
        var things = backdrop()
        things.sort { $0.depth > $1.depth }
        for thing in things { thing.paint(self) }
        things = street()
        for thing in things { thing.shadow?(self) }
        things.sort { $0.depth > $1.depth }
        for thing in things { thing.paint(self) }
        return try canvas.sample(noise: Noise(seed: noise.seed ^ Draw.Purpose.noise.rawValue), classes: classes)
    }

    /// Something that stands on the ground, with the distance that decides what hides it.
    struct Thing {
        var depth: Double
        var shadow: ((Scene) -> Void)?
        var paint: (Scene) -> Void
    }

    private mutating func paintSky() {
        let scene = self
        canvas.fill(above: horizon, label: ShapesClass.sky.rawValue) { u, v in scene.sky(u, v) }
    }

    /// Metres to what is farthest.
    static let skyline = 260.0

    /// Far away woods, or far away houses where there are no trees.
    private mutating func paintSkyline() {
        guard has(.building) else { return }
        let woods = has(.tree) && draw.chance(0.6)
        let label = woods ? ShapesClass.tree.rawValue : ShapesClass.building.rawValue
        let base = draw.between(0.015, 0.05)
        let rise = draw.between(0.02, 0.09)
        let scene = self
        canvas.paint(u: -canvas.halfWidth...canvas.halfWidth, v: 0...horizon + 0.03, depth: { _, _ in Scene.skyline }) { u, v in
            let height = woods
                ? base + rise * scene.noise.rough(u * 6, 90, octaves: 5)
                : base + rise * scene.noise.at(Int((u * 28 + 1000).rounded(.down)), 91)
            guard v > scene.horizon - height else { return nil }
            let grain = scene.noise.smooth(u * 90, v * 90)
            let tone = woods ? scene.green * (0.6 + 0.6 * grain) : scene.concrete * (0.85 + 0.2 * grain)
            return (scene.lit(tone, Scene.skyline), label)
        }
    }
}
