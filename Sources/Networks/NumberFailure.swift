import Tensors

extension Module {
    /// Says where the numbers of a step that came out NaN or infinite first stopped being finite: in the weights themselves, in what the step
    /// was given, or in the result of which operation in which module.
    /// - Parameters:
    ///   - given: what the step was computed from, by name.
    ///   - step: does once more what the step computed, as it was before the step changed anything.
    public func whereNotFinite(given: [Named], repeating step: () throws -> Void) throws -> String {
        let check = NumberCheck()
        try check.look(at: parameters())
        if let text = check.text { return "the weights themselves hold it: \(text)" }
        try check.look(at: given)
        if let text = check.text { return "it was there before: \(text)" }
        try check.watch(step)
        return check.text ?? "computed operation by operation the same step stays finite"
    }
}
