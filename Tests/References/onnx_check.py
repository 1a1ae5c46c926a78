"""Checks exported networks: onnx.checker accepts each file, and ONNX Runtime computes what Trellis computed, for every batch that the case has, of one size or several.

usage: onnx_check.py DIRECTORY   (with NAME.onnx and NAME.npz, as Tests/References/onnx_cases.lua writes them)
"""
import glob
import os
import sys

import numpy as np
import onnx
import onnxruntime as ort

BOUND = 1e-4


def check(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    problems = []
    if model.ir_version != 8 or [(o.domain, o.version) for o in model.opset_import] != [("", 17)]:
        problems.append("not opset 17 at IR version 8")
    name = os.path.basename(path)[:-5]
    if {p.key: p.value for p in model.metadata_props}.get("case", name) != name:
        problems.append("the metadata are not those given")
    names = [n.name for n in model.graph.node]
    if len(set(names)) != len(names) or not all(names):
        problems.append("nodes without a name of their own")
    used = {i for n in model.graph.node for i in n.input} | {o.name for o in model.graph.output}
    unused = [i.name for i in model.graph.initializer if i.name not in used]
    unread = [n.name for n in model.graph.node if not used & set(n.output)]
    if unused or unread:
        problems.append(f"unused: {unused[:3] + unread[:3]}")
    if any(p.key == "architecture" for p in model.metadata_props):
        # Where a convolution is in the network is where its weight is.
        lost = [n.name for n in model.graph.node if n.op_type == "Conv" and n.name != n.input[1].removesuffix(".weight") + "/conv2d"]
        if lost:
            problems.append(f"convolutions not named by their module: {lost[:3]}")
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    arrays = np.load(path[:-5] + ".npz")
    worst = 0.0
    for batch in sorted(int(key[7:]) for key in arrays if key.startswith("images_")):
        ours = arrays[f"output_{batch}"]
        theirs = session.run(None, {"images": arrays[f"images_{batch}"]})[0]
        if theirs.shape != ours.shape:
            problems.append(f"batch {batch}: shape {theirs.shape}, ours is {ours.shape}")
            continue
        if ours.size > 1 and np.ptp(ours) < 1e-3:
            problems.append(f"batch {batch}: all values are the same, which tests nothing")
        difference = float(np.max(np.abs(theirs - ours)))
        worst = max(worst, difference)
        if not difference <= BOUND:
            problems.append(f"batch {batch}: differs by {difference:.3g}, bound {BOUND}")
    return len(names), worst, problems


def main():
    paths = sorted(glob.glob(os.path.join(sys.argv[1], "*.onnx")))
    if not paths:
        sys.exit("no files to check")
    failed = 0
    for path in paths:
        name = os.path.basename(path)
        try:
            nodes, worst, problems = check(path)
        except Exception as error:  # The checker's and the runtime's own errors are the finding.
            nodes, worst, problems = 0, float("nan"), [f"{type(error).__name__}: {str(error)[:400]}"]
        failed += bool(problems)
        print(f"{name:28} {nodes:5} nodes  largest difference {worst:.2e}" + "".join(f"\n    {p}" for p in problems))
    print(f"{len(paths)} files checked, {failed} failed (onnx {onnx.__version__}, onnxruntime {ort.__version__})")
    sys.exit(failed > 0)


main()
