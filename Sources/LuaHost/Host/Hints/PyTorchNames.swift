/// What names of PyTorch, NumPy and Python are called here: for messages on names that are not there, and for `help "pytorch"`.
enum PyTorchNames {
    struct Row {
        /// The name there, without what it belongs to.
        let name: String
        /// How it is written here, perhaps with a word on what differs.
        let here: String
    }

    /// What the rows of a group belong to.
    enum Owner: String, CaseIterable {
        case tensor = "x", module = "net", optimiser = "optimizer", torch, nn, functional = "F", optim = "torch.optim", numpy = "np", data = "torch.utils.data"

        /// Names under which Python programs import it.
        var modules: [String] {
            switch self {
            case .tensor, .module, .optimiser: []
            case .torch: ["torch"]
            case .nn: ["nn", "torch.nn"]
            case .functional: ["F", "torch.nn.functional"]
            case .optim: ["optim", "torch.optim", "torch.optim.lr_scheduler", "lr_scheduler"]
            case .numpy: ["np", "numpy"]
            case .data: ["torch.utils.data"]
            }
        }
    }

    /// How the name of an owner is called here; nil when nothing is known of it.
    static func here(_ owner: Owner, _ name: String) -> String? { byName[owner]?[name] }

    /// The same for the first of several owners that has the name.
    static func here(_ owners: [Owner], _ name: String) -> String? { owners.lazy.compactMap { here($0, name) }.first }

    /// Whose counterpart a table of the host is.
    static func owners(ofTable name: String) -> [Owner] {
        switch name {
        case "tensor": [.torch, .numpy]
        case "nn": [.nn, .functional]
        case "nn.functional": [.functional]
        case "optim": [.optim]
        case "data": [.data]
        default: []
        }
    }

    /// Whose counterpart a type of the host is.
    static func owners(ofType name: String) -> [Owner] {
        switch name {
        case "tensor": [.tensor]
        case "module", "supernet": [.module]
        case "optimiser": [.optimiser]
        default: []
        }
    }

    /// All names that are known of owners, in the order of the table.
    static func names(_ owners: [Owner]) -> [String] { owners.flatMap { rows[$0] ?? [] }.flatMap { $0.name.split(separator: " ").map(String.init) } }

    /// The same for a dotted name of a Python program: "torch.nn.functional.relu", "np.zeros".
    static func here(path: String) -> String? {
        let parts = path.split(separator: ".").map(String.init)
        for count in stride(from: parts.count - 1, to: 0, by: -1) {
            let module = parts[..<count].joined(separator: ".")
            for owner in Owner.allCases where owner.modules.contains(module) {
                if let found = here(owner, parts[count]) { return found }
            }
        }
        return nil
    }

    private static let byName: [Owner: [String: String]] = rows.mapValues { rows in
        Dictionary(rows.flatMap { row in row.name.split(separator: " ").map { (String($0), row.here) } }, uniquingKeysWith: { first, _ in first })
    }

    /// Options of layers and functions by their names there. Those of the same name are not listed.
    static let options = [
        "kernel_size": ["kernel"], "keepdim": ["keep"], "ignore_index": ["ignore"], "weight": ["weights"], "scale_factor": ["scale"],
        "learning_rate": ["lr"], "batch_size": ["batch", "size"], "max_norm": ["clip"], "dim": ["dimension"], "axis": ["dimension"],
        "output_size": ["size"], "count_include_pad": ["count_padding"],
    ]

    /// Options that say where something is, or how it gets there.
    static let places: Set<String> = ["device", "pin_memory", "num_workers", "non_blocking"]
    static let cpu = "nothing to do: Trellis computes on the CPU, with kernels made for it; the networks of a search fit there, and no data is copied"
    private static let checkpoints = "checkpoint.save(path, {net = net, optimiser = sgd}) and checkpoint.load; weights alone: net:save(\"w.safetensors\")"

    /// Rows in the order of the table; several names that mean one thing are joined by spaces.
    static let rows: [Owner: [Row]] = [
        .tensor: [
            Row(name: "numpy tolist", here: "x:to_table()"),
            Row(name: "to cuda cpu device is_cuda half bfloat16 pin_memory", here: cpu),
            Row(name: "double", here: "float32 it is: x:float()"), Row(name: "long short byte bool", here: "x:int()"),
            Row(name: "type astype", here: "x:cast(\"int32\"); x.dtype says what it is"),
            Row(name: "T mT H", here: "x:t(), or x:transpose(1, 2)"), Row(name: "ndim", here: "x.rank"), Row(name: "len", here: "#x"),
            Row(name: "swapaxes movedim", here: "x:transpose(a, b), or x:permute(...)"), Row(name: "mm bmm dot mv", here: "x:matmul(y)"),
            Row(name: "argsort", here: "select(2, x:sort())"), Row(name: "amax", here: "x:max()"), Row(name: "amin", here: "x:min()"),
            Row(name: "unbind", here: "for i, part in ipairs(x) do"), Row(name: "expand_as", here: "x:expand(y:size())"),
            Row(name: "view_as reshape_as", here: "x:reshape(y:size())"), Row(name: "repeat tile", here: "tensor.cat({x, x}, 1), or x:expand(...)"),
            Row(name: "scatter scatter_ index_put_", here: "x[mask] = value, or x[{...}] = value"), Row(name: "masked_select", here: "x[mask]"),
            Row(name: "nonzero", here: "x:ne(0) is a mask, and y[mask] takes what it marks"), Row(name: "clip clamp_ clamp_min clamp_max", here: "x:clamp(low, high)"),
            Row(name: "subtract", here: "x - y"), Row(name: "multiply", here: "x * y"), Row(name: "divide true_divide", here: "x / y"),
            Row(name: "matrix_power", here: "x:matmul(x)"), Row(name: "nelement", here: "x.count"), Row(name: "data", here: "x:detach()"),
            Row(name: "append", here: "tensor.cat{x, y}"), Row(name: "zero_grad", here: "x.grad = nil"), Row(name: "retain_grad", here: "tensor.grad(loss, x)"),
            Row(name: "register_hook", here: "tensor.grad(loss, x) gives the derivative"),
            Row(name: "normal_ uniform_", here: "x:copy_(tensor.randn(...)) or tensor.rand"),
            Row(name: "logical_and", here: "a * b of two masks"), Row(name: "logical_or", here: "a:maximum(b) of two masks"), Row(name: "logical_not", here: "x:eq(0)"),
        ],
        .module: [
            Row(name: "to cuda cpu half float double share_memory", here: cpu),
            Row(name: "state_dict", here: "net:state(); files: net:save(\"w.safetensors\")"),
            Row(name: "load_state_dict", here: "net:load_state(state); files: net:load(\"w.safetensors\")"),
            Row(name: "named_parameters", here: "for name, p in pairs(net:parameters()) do"), Row(name: "named_buffers", here: "for name, b in pairs(net:buffers()) do"),
            Row(name: "named_children named_modules modules", here: "for name, m in net:children() do"), Row(name: "forward", here: "net(x)"),
            Row(name: "apply", here: "for name, m in net:children() do f(m) end"), Row(name: "requires_grad_", here: "for _, p in pairs(net:parameters()) do p.requires_grad = false end"),
            Row(name: "get_parameter", here: "net:parameters()[\"1.weight\"]"), Row(name: "get_submodule", here: "net:child(\"1.2\")"),
            Row(name: "register_buffer register_parameter add_module", here: "put it into the table of nn.module{...}"),
            Row(name: "append extend", here: "make the list first: nn.sequential(list)"), Row(name: "shape size", here: "net:parameters() shows the shapes"),
            Row(name: "predict", here: "net(x), or net:segment(image)"), Row(name: "fit_generator", here: "net:fit(set, {...})"), Row(name: "summary", here: "print(net); net:count{height = h, width = w}"),
            Row(name: "compile", here: "trellis.compile(function(x, y) ... end)"),
        ],
        .optimiser: [
            Row(name: "param_groups", here: "sgd.groups; sgd.lr = 0.1 sets the rate"), Row(name: "state_dict", here: "sgd:state()"),
            Row(name: "load_state_dict", here: "sgd:load_state(state)"), Row(name: "backward", here: "loss:backward()"),
        ],
        .torch: [
            Row(name: "tensor Tensor as_tensor from_numpy FloatTensor", here: "tensor.from{{1, 2}, {3, 4}}"), Row(name: "LongTensor IntTensor", here: "tensor.from({1, 2}, {dtype = \"int32\"})"),
            Row(name: "empty empty_like", here: "tensor.zeros(2, 3)"), Row(name: "zeros", here: "tensor.zeros(2, 3)"), Row(name: "ones", here: "tensor.ones(2, 3)"),
            Row(name: "full", here: "tensor.full({2, 3}, value)"), Row(name: "rand", here: "tensor.rand(2, 3)"), Row(name: "randn", here: "tensor.randn(2, 3)"),
            Row(name: "randint", here: "tensor.randint(low, high, sizes)"), Row(name: "randperm", here: "tensor.randperm(n)"), Row(name: "arange", here: "tensor.arange(n); tensor.range counts to the last"),
            Row(name: "linspace", here: "tensor.linspace(first, last, count)"), Row(name: "eye", here: "tensor.eye(n)"), Row(name: "zeros_like", here: "tensor.zeros_like(x)"),
            Row(name: "ones_like", here: "tensor.ones_like(x)"), Row(name: "cat concat concatenate", here: "tensor.cat({x, y}, dimension)"), Row(name: "stack", here: "tensor.stack({x, y}, dimension)"),
            Row(name: "where", here: "tensor.where(condition, a, b)"), Row(name: "manual_seed seed", here: "tensor.manual_seed(seed)"),
            Row(name: "no_grad inference_mode", here: "trellis.no_grad(function() ... end)"), Row(name: "set_grad_enabled enable_grad", here: "trellis.no_grad(function() ... end)"),
            Row(name: "autograd", here: "tensor.grad(value, inputs)"), Row(name: "compile", here: "trellis.compile(f)"), Row(name: "set_num_threads get_num_threads", here: "trellis.threads(count)"),
            Row(name: "save load", here: checkpoints + "; a .pth file is converted in Python, as net:load(\"x.pth\") says"),
            Row(name: "device cuda backends amp mps", here: cpu), Row(name: "float32 float float64 double", here: "\"float32\", in options: {dtype = \"float32\"}"),
            Row(name: "int32 int64 long int", here: "\"int32\", in options: {dtype = \"int32\"}"), Row(name: "is_tensor", here: "getmetatable(x) == \"tensor\""),
            Row(name: "einsum", here: "x:matmul(y), with x:permute(...) before"), Row(name: "nn", here: "the module nn: help(nn)"), Row(name: "optim", here: "the module optim: help(optim)"),
            Row(name: "max min sum mean std var abs exp log sqrt pow relu sigmoid tanh softmax matmul argmax argmin sort topk clamp reshape flatten squeeze unsqueeze transpose permute",
                here: "a method: x:sum(), x:max(dimension), x:matmul(y) and so on"),
            Row(name: "mm bmm dot", here: "x:matmul(y)"), Row(name: "add sub mul div", here: "x + y, x - y, x * y, x / y"), Row(name: "utils", here: "set:batches{...} makes batches; help(data)"),
            Row(name: "logical_and", here: "a * b of two masks"), Row(name: "allclose", here: "x:allclose(y)"), Row(name: "equal", here: "x:equal(y)"),
        ],
        .nn: [
            Row(name: "Module", here: "nn.module{conv = nn.conv2d(...), forward = function(self, x) return self.conv(x) end}"),
            Row(name: "ModuleList ModuleDict ParameterList", here: "a plain table in nn.module{...}"), Row(name: "Sequential", here: "nn.sequential{...}"),
            Row(name: "Parameter", here: "tensor.zeros(n, {requires_grad = true}) in the table of nn.module{...}"), Row(name: "Conv2d", here: "nn.conv2d(in, out, {kernel = 3, padding = 1})"),
            Row(name: "Linear", here: "nn.linear(in, out)"), Row(name: "BatchNorm2d BatchNorm1d SyncBatchNorm", here: "nn.batch_norm(channels)"),
            Row(name: "ReLU ReLU6 LeakyReLU GELU SiLU ELU", here: "nn.relu(); others by nn.lambda(function(x) ... end)"), Row(name: "Sigmoid", here: "nn.sigmoid()"), Row(name: "Tanh", here: "nn.tanh()"),
            Row(name: "Softmax LogSoftmax", here: "nn.softmax(dimension), or x:softmax(2), x:log_softmax(2)"), Row(name: "Identity", here: "nn.identity()"), Row(name: "Flatten", here: "nn.flatten()"),
            Row(name: "MaxPool2d", here: "nn.max_pool2d{kernel = 2}"), Row(name: "AvgPool2d", here: "nn.avg_pool2d{kernel = 2}"), Row(name: "AdaptiveAvgPool2d", here: "nn.global_avg_pool()"),
            Row(name: "Upsample UpsamplingBilinear2d", here: "nn.resize{scale = 2}"), Row(name: "Dropout Dropout2d", here: "nn.dropout(0.5)"),
            Row(name: "CrossEntropyLoss NLLLoss", here: "nn.cross_entropy(logits, labels, {ignore = 255})"), Row(name: "MSELoss", here: "nn.mse_loss(input, target)"), Row(name: "L1Loss", here: "nn.l1_loss(input, target)"),
            Row(name: "BCELoss BCEWithLogitsLoss", here: "nn.cross_entropy with two classes"), Row(name: "init", here: "trellis.no_grad(function() p:copy_(tensor.randn(p:size()) * 0.01) end)"),
            Row(name: "DataParallel", here: "nothing to do: kernels use all cores; trellis.threads(n) sets how many"), Row(name: "utils", here: "{clip = 1} of optim.sgd and optim.adam limits the norm of gradients"),
            Row(name: "ConvTranspose2d", here: "nn.resize{scale = 2} and nn.conv2d behind it"), Row(name: "LayerNorm GroupNorm InstanceNorm2d", here: "nn.batch_norm(channels), or nn.module with x:mean and x:var"),
            Row(name: "Embedding", here: "weight:index_select(1, positions)"),
        ],
        .functional: [
            Row(name: "relu relu_", here: "x:relu()"), Row(name: "softmax", here: "x:softmax(dimension)"), Row(name: "log_softmax", here: "x:log_softmax(dimension)"), Row(name: "sigmoid", here: "x:sigmoid()"),
            Row(name: "tanh", here: "x:tanh()"), Row(name: "cross_entropy nll_loss", here: "nn.cross_entropy(logits, labels)"), Row(name: "mse_loss", here: "nn.mse_loss(input, target)"),
            Row(name: "l1_loss", here: "nn.l1_loss(input, target)"), Row(name: "interpolate upsample", here: "nn.functional.resize(x, {size = {h, w}})"),
            Row(name: "conv2d", here: "nn.functional.conv2d(x, weight, bias, {padding = 1})"), Row(name: "max_pool2d", here: "nn.functional.max_pool2d(x, {kernel = 2})"),
            Row(name: "avg_pool2d", here: "nn.functional.avg_pool2d(x, {kernel = 2})"), Row(name: "adaptive_avg_pool2d", here: "x:mean({3, 4}, {keep = true})"), Row(name: "dropout", here: "nn.functional.dropout(x, p)"),
            Row(name: "one_hot", here: "labels:one_hot(classes)"), Row(name: "pad", here: "x:pad({1, 1}, {1, 1})"), Row(name: "linear", here: "nn.functional.linear(x, weight, bias)"), Row(name: "batch_norm", here: "nn.functional.batch_norm(x, {...})"),
            Row(name: "gumbel_softmax", here: "nas.gumbel{hard = true}, a relaxation"), Row(name: "normalize", here: "x / x:norm(2, dimension, {keep = true})"),
        ],
        .optim: [
            Row(name: "SGD", here: "optim.sgd(net:parameters(), {lr = 0.1})"), Row(name: "Adam", here: "optim.adam(net:parameters(), {lr = 1e-3})"), Row(name: "AdamW", here: "optim.adamw(net:parameters())"),
            Row(name: "RMSprop Adagrad LBFGS", here: "optim.sgd, optim.adam and optim.adamw are there"), Row(name: "CosineAnnealingLR", here: "optim.cosine{...}"), Row(name: "StepLR MultiStepLR", here: "optim.step{...}"),
            Row(name: "PolynomialLR", here: "optim.poly{...}"), Row(name: "LambdaLR lr_scheduler", here: "sgd.lr = ... before each step; schedules: optim.cosine, poly, step, warm_up"),
        ],
        .numpy: [
            Row(name: "array asarray", here: "tensor.from{{1, 2}, {3, 4}}"), Row(name: "zeros", here: "tensor.zeros(2, 3)"), Row(name: "ones", here: "tensor.ones(2, 3)"), Row(name: "arange", here: "tensor.arange(n)"),
            Row(name: "linspace", here: "tensor.linspace(first, last, count)"), Row(name: "concatenate vstack hstack", here: "tensor.cat({x, y}, dimension)"), Row(name: "stack", here: "tensor.stack({x, y})"),
            Row(name: "load", here: "tensor.load(\"x.npy\"), or .npz"), Row(name: "save savez", here: "x:save(\"x.npy\"), or tensor.save(\"x.npz\", {...})"), Row(name: "random", here: "tensor.rand, tensor.randn, tensor.randint"),
            Row(name: "mean sum std var max min argmax sqrt exp log abs", here: "a method: x:mean(), x:max(dimension) and so on"), Row(name: "dot matmul", here: "x:matmul(y)"), Row(name: "where", here: "tensor.where(condition, a, b)"),
            Row(name: "pi", here: "math.pi"), Row(name: "inf", here: "math.huge"), Row(name: "float32 int32", here: "\"float32\" and \"int32\", in options: {dtype = \"int32\"}"), Row(name: "reshape transpose squeeze", here: "a method: x:reshape(2, 3)"),
            Row(name: "newaxis", here: "x:unsqueeze(dimension)"), Row(name: "isnan", here: "x:ne(x)"),
        ],
        .data: [
            Row(name: "DataLoader", here: "set:batches{size = 4}"), Row(name: "Dataset", here: "data.folder{...}, data.camvid(directory) and others: help(data)"), Row(name: "random_split Subset", here: "set:split(0.1), set:subset(first, last)"),
        ],
    ]

    /// What is different for who comes from Python, before the table.
    private static let language: [(String, String)] = [
        ("x[0], x[-1], x[1:3], x[:, 0]", "x[1], x[-1], x[{{2, 3}}], x[{{}, 1}]: counted from 1, the last included"), ("x.mean()", "x:mean(), a colon before a method"),
        ("f(x, dim=1, keepdim=True)", "f(x, 1, {keep = true}): names in one table, last"), ("x > 0", "x:gt(0) is a mask; if x:gt(0):any() then"),
        ("x += 1, a != b, a ** 2, a // b", "x = x + 1, a ~= b, a ^ 2, a // b"), ("True, False, None", "true, false, nil"), ("and, or, not, a if c else b", "and, or, not, c and a or b"),
        ("def f(x): ...", "local function f(x) ... end"), ("lambda x: x + 1", "function(x) return x + 1 end"), ("for i in range(n):", "for i = 1, n do ... end"),
        ("for i, v in enumerate(list):", "for i, v in ipairs(list) do ... end"), ("for k, v in d.items():", "for k, v in pairs(d) do ... end"), ("if a: ... elif b: ... else: ...", "if a then ... elseif b then ... else ... end"),
        ("[1, 2, 3], {\"a\": 1}", "{1, 2, 3}, {a = 1}"), ("len(list), list.append(v)", "#list, list[#list + 1] = v"), ("f\"loss {x:.3f}\"", "string.format(\"loss %.3f\", x)"), ("\"a\" + \"b\"", "\"a\" .. \"b\""),
        ("import foo", "local foo = require \"foo\""), ("# a comment", "-- a comment"), ("try: ... except: ...", "local ok, err = pcall(function() ... end)"), ("with torch.no_grad():", "trellis.no_grad(function() ... end)"),
    ]

    /// The page of help: Python on the left, Lua and Trellis on the right.
    static var page: [(title: String, rows: [(String, String)])] {
        let tables = Owner.allCases.map { owner in
            (title: owner.rawValue, rows: (rows[owner] ?? []).map { row in
                (row.name.split(separator: " ").prefix(3).map { owner.rawValue + "." + $0 }.joined(separator: ", "), row.here)
            })
        }
        return [(title: "Python", rows: language)] + tables
    }
}
