import Networks
import Tensors

/// A step in which the weights stand one step of their own optimiser ahead (DARTS, Liu et al. 2019, section 2.3): what is minimised is
/// L_val(w'(α), α), w'(α) = w - ξ ∂L_train(w, α) / ∂w with the optimiser's momentum and weight decay.
///
/// Its derivative ∂L_val/∂α - ξ ∂²L_train/∂α∂w · ∂L_val/∂w' (eq. 7) is exact: the product is that of recorded second derivatives, where the paper takes a finite
/// difference (eq. 8). What is drawn at random for decisions is drawn once, for both batches. Weights and running statistics stay as they are.
final class Unrolling {
    let ahead: VirtualStep
    /// L_train.
    let training: StepPlans.Loss
    /// Tensors of the validation batch, which come first among the inputs; those of the training batch and the virtual step's arguments follow.
    private let validationCount: Int
    private let trainingCount: Int

    init(ahead: VirtualStep, training: StepPlans.Loss, validationCount: Int, trainingCount: Int) {
        (self.ahead, self.training) = (ahead, training)
        (self.validationCount, self.trainingCount) = (validationCount, trainingCount)
    }

    /// What its inputs are called, for messages.
    var inputNames: [String] {
        func batch(_ name: String, _ count: Int) -> [String] { (0..<count).map { $0 == 0 ? "the images of \(name)" : "input \($0 + 1) of \(name)" } }
        return batch("the batch", validationCount) + batch("the training batch", trainingCount) + ahead.argumentNames
    }

    /// Writes the loss and its derivatives down.
    /// - Returns: L_val(w', α), and derivatives by `targets`; nil of what it does not depend on.
    func differentiate(_ validation: StepPlans.Loss, _ inputs: [Tensor], _ targets: [Tensor], _ network: Module) throws -> (value: Tensor, gradients: [Tensor?]) {
        let batch = Array(inputs.prefix(validationCount)), trained = Array(inputs.dropFirst(validationCount).prefix(trainingCount))
        let arguments = Array(inputs.dropFirst(validationCount + trainingCount))
        return try Recording.supposing {
            let slopes = try Gradient.compute(of: [training.value(trained, network)], with: ahead.parameters, createGraph: true)
            let places = try GradientMode.disabled { try ahead.places(slopes, arguments) }
            let (value, direct) = try Recording.supposing(places.map { ($0.parameter, $0.value) }) {
                let value = try validation.value(batch, network)
                return (value, try Gradient.compute(of: [value], with: targets + places.map(\.parameter)))
            }
            let moved = zip(zip(slopes.compactMap { $0 }, places), direct.dropFirst(targets.count)).compactMap { pair, gradient in
                gradient.map { (slope: pair.0, place: pair.1, gradient: $0) }
            }
            let seeds = try GradientMode.disabled { try moved.map { try -($0.gradient * $0.place.slope) } }
            let mixed = try Gradient.compute(of: moved.map(\.slope), seeds: seeds, with: targets)
            let gradients = try zip(direct, mixed).map { direct, mixed -> Tensor? in
                guard let direct, let mixed else { return direct ?? mixed }
                return try direct + mixed
            }
            return (value, gradients)
        }
    }
}
