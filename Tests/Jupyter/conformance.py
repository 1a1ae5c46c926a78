"""jupyter_kernel_test with every sample filled in. The kernelspec `trellis` has to be on JUPYTER_PATH."""
import unittest

import jupyter_kernel_test as jkt


class Kernel(jkt.KernelTests):
    kernel_name = "trellis"
    language_name = "lua"
    file_extension = ".lua"
    code_hello_world = "print('hello, world')"
    code_stderr = "io.stderr:write('x')"
    completion_samples = [
        {"text": "tos", "matches": {"tostring"}},
        {"text": "tensor.zer", "matches": {"zeros", "zeros_like"}},
        {"text": "nothing.here.", "matches": set()},
    ]
    complete_code_samples = ["1", "print('hello, world')", "for i = 1, 3 do end", "? nn"]
    incomplete_code_samples = ["for i = 1, 3 do", "f(", "x = [[a", "x = {"]
    invalid_code_samples = ["x = = 1", "end"]
    code_page_something = "?print"
    code_generate_error = "error('x')"
    code_execute_result = [{"code": "6*7", "result": "42"}, {"code": "local x = 1\nx + 1", "result": "2"}, {"code": "'a', nil", "result": "a\tnil"}]
    code_display_data = [
        {"code": "display(display.html('<b>x</b>'))", "mime": "text/html"},
        {"code": "display(plot.line{1, 2})", "mime": "image/svg+xml"},
        {"code": "display(plot.line{1, 2})", "mime": "image/png"},
    ]
    code_inspect_sample = "tensor.zeros"
    code_clear_output = "display.clear()"
    code_history_pattern = "6?7"
    supported_history_operations = ("tail", "range", "search")


class Welcome(jkt.IopubWelcomeTests):
    support_iopub_welcome = True
    kernel_name = "trellis"


if __name__ == "__main__":
    result = unittest.main(exit=False).result
    raise SystemExit(not result.wasSuccessful() or bool(result.skipped))
