extension Registry {
    /// Everything the host offers. A module is one line here and one file beside this one.
    public static let standard = Registry([
        TrellisModule.module,
        TensorModule.module,
        NNModule.module,
        OptimModule.module,
        NASModule.module,
        DataModule.module,
        MetricsModule.module,
        CheckpointModule.module, FilesModule.module,
        ProgressModule.module,
        PlotModule.module,
        SessionModule.module,
        DisplayModule.module,
        HelpModule.module,
    ])
}
