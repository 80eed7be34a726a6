"""Nodes that move elements: concatenate, slice, transpose, reshape, pad, copy."""

import torch
from recording import Case, Fn, t

F = torch.nn.functional
F16 = torch.float16


def cat_cases():
    for count in (2, 3, 4, 5):
        sizes = [(2, n + 1, 3) for n in range(count)]
        yield Case(f"cat{count}_f32", lambda: Fn(lambda *x: torch.cat(x, 1)),
                   [tuple(t(*s) for s in sizes)], (f"XNNConcatenate{count}",))
    for count in (6, 9, 13):
        yield Case(f"cat{count}_f32", lambda: Fn(lambda *x: torch.cat(x, -1)),
                   [tuple(t(2, n % 3 + 1) for n in range(count))], ("XNNConcatenate5",))
    yield Case("cat2_dim0_f16", lambda: Fn(lambda *x: torch.cat(x, 0)), [(t(1, 5), t(3, 5))],
               ("XNNConcatenate2",), F16)
    yield Case("cat3_last_dim_f16", lambda: Fn(lambda *x: torch.cat(x, -1)),
               [(t(2, 2, 1), t(2, 2, 5), t(2, 2, 2))], ("XNNConcatenate3",), F16)
    yield Case("cat5_f16", lambda: Fn(lambda *x: torch.cat(x, 1)),
               [tuple(t(2, n + 1) for n in range(5))], ("XNNConcatenate5",), F16)
    yield Case("cat_rank1_f32", lambda: Fn(lambda *x: torch.cat(x)), [(t(3), t(4))],
               ("XNNConcatenate2",))
    yield Case("cat_of_sum_f32", lambda: Fn(lambda x, y: torch.cat((x + y, x, x + y), -3)),
               [(t(1, 2, 3, 2), t(1, 2, 3, 2))], ("XNNConcatenate3", "XNNAdd"))
    yield Case("cat_same_input_f32", lambda: Fn(lambda x: torch.cat((x, x), 1)), [(t(2, 3),)],
               outside=True)
    yield Case("stack_f32", lambda: Fn(lambda x, y: torch.stack((x, y), -1)),
               [(t(2, 3), t(2, 3))], ("XNNConcatenate2",))


def slice_cases():
    yield Case("slice_f32", lambda: Fn(lambda x: x[1:3, :, 2:5]), [(t(4, 2, 6),)],
               ("XNNStaticSlice",))
    yield Case("slice_f16", lambda: Fn(lambda x: x[:, 1:, -3:-1]), [(t(2, 3, 5),)],
               ("XNNStaticSlice",), F16)
    yield Case("slice_rank1_f32", lambda: Fn(lambda x: x[3:]), [(t(9),)], ("XNNStaticSlice",))
    yield Case("slice_rank5_f32", lambda: Fn(lambda x: x[:, 1:2, :, :, :1]), [(t(2, 3, 1, 2, 2),)],
               ("XNNStaticSlice",))
    yield Case("slice_step_f32", lambda: Fn(lambda x: x[:, ::2] + 1), [(t(2, 6),)], ("XNNAdd",))
    yield Case("chunk_f32", lambda: Fn(lambda x: torch.chunk(x, 3, -1)), [(t(2, 9),)],
               outside=True)
    yield Case("chunk_glu_f32", lambda: Fn(lambda x: F.glu(x, 1)), [(t(2, 6, 3),)], outside=True)
    yield Case("narrow_f32", lambda: Fn(lambda x: torch.narrow(x, 1, 1, 2) * 2), [(t(3, 4),)],
               ("XNNStaticSlice",))


def permute_cases():
    for sizes, order in (((2, 3), (1, 0)), ((2, 3, 4), (2, 0, 1)), ((1, 2, 3, 4), (0, 2, 1, 3)),
                         ((1, 2, 3, 2, 2), (4, 3, 2, 1, 0)),
                         ((1, 2, 1, 3, 2, 2), (3, 0, 5, 1, 4, 2))):
        yield Case(f"permute_rank{len(sizes)}_f32", lambda o=order: Fn(lambda x: x.permute(o) * 2),
                   [(t(*sizes),)], ("XNNStaticTranspose",))
    yield Case("permute_f16", lambda: Fn(lambda x: torch.permute_copy(x, (2, 1, 0))),
               [(t(2, 3, 5),)], ("XNNStaticTranspose",), F16)
    yield Case("transpose_f32", lambda: Fn(lambda x: torch.relu(x.transpose(1, 2))),
               [(t(2, 3, 4, 2),)], ("XNNStaticTranspose",))
    yield Case("permute_twice_f32",
               lambda: Fn(lambda x: x.permute(0, 2, 3, 1).abs().permute(0, 3, 1, 2)),
               [(t(1, 3, 2, 4),)], ("XNNStaticTranspose",))


def reshape_cases():
    yield Case("view_f32", lambda: Fn(lambda x: (x + x).view(6, 4)), [(t(2, 3, 4),)],
               ("XNNStaticReshape",))
    yield Case("view_f16", lambda: Fn(lambda x: torch.reshape(x.abs(), (-1, 2))), [(t(2, 3, 4),)],
               ("XNNStaticReshape",), F16)
    yield Case("view_rank6_f32", lambda: Fn(lambda x: x.neg().view(1, 2, 1, 3, 2, 2)),
               [(t(2, 12),)], ("XNNStaticReshape",))
    yield Case("view_rank0_f32", lambda: Fn(lambda x: x.neg().view(())), [(t(1, 1),)],
               ("XNNStaticReshape",))
    yield Case("view_from_rank0_f32", lambda: Fn(lambda x: x.neg().view(1, 1, 1)), [(t(),)],
               ("XNNStaticReshape",))
    yield Case("flatten_f32", lambda: Fn(lambda x: torch.flatten(x * 2, 1)), [(t(2, 3, 2, 2),)],
               ("XNNStaticReshape",))
    yield Case("unsqueeze_f32", lambda: Fn(lambda x: torch.unsqueeze(x.abs(), -1)), [(t(2, 3),)],
               ("XNNStaticReshape",))
    yield Case("unsqueeze_first_f32", lambda: Fn(lambda x: torch.unsqueeze(x.abs(), 0)),
               [(t(2, 3),)], ("XNNAbs",))
    yield Case("squeeze_f32", lambda: Fn(lambda x: torch.squeeze(x.abs(), 1)), [(t(2, 1, 3),)],
               ("XNNAbs",))
    yield Case("squeeze_all_f32", lambda: Fn(lambda x: torch.squeeze(x).abs()),
               [(t(1, 2, 1, 3),)], ("XNNAbs",))


def pad_cases():
    yield Case("pad_f32", lambda: Fn(lambda x: F.pad(x, (1, 2), value=0.5)), [(t(2, 3),)],
               ("XNNStaticConstantPad",))
    yield Case("pad_f16", lambda: Fn(lambda x: F.pad(x, (0, 1, 2, 0), value=-1.5)),
               [(t(2, 3, 2),)], ("XNNStaticConstantPad",), F16)
    yield Case("pad_rank4_f32", lambda: Fn(lambda x: F.pad(x, (1, 1, 2, 0, 0, 1))),
               [(t(1, 2, 3, 2),)], ("XNNStaticConstantPad",))
    yield Case("pad_all_dims_f32", lambda: Fn(lambda x: F.pad(x, (1, 0) * 4, value=2.25)),
               [(t(1, 2, 2, 2),)], ("XNNStaticConstantPad",))
    yield Case("pad_conv_f32",
               lambda: torch.nn.Sequential(torch.nn.ZeroPad2d((1, 0, 2, 1)),
                                           torch.nn.Conv2d(2, 3, 3)), [(t(1, 2, 5, 4),)],
               ("XNNConv2d", "XNNStaticConstantPad"))


def copy_cases():
    yield Case("clone_f32", lambda: Fn(torch.clone), [(t(2, 3),)], outside=True)
    yield Case("clone_f16", lambda: Fn(lambda x: (x + 1).clone()), [(t(2, 3),)], ("XNNAdd",), F16)
    yield Case("clone_output_and_use_f32", lambda: Fn(lambda x: (x.clone(), x.abs())),
               [(t(2, 3),)], ("XNNAbs",))
    yield Case("to_channels_last_f32",
               lambda: Fn(lambda x: (x * 2).to(memory_format=torch.channels_last)),
               [(t(1, 2, 3, 4),)], ("XNNStaticTranspose",))
    yield Case("to_contiguous_f32",
               lambda: Fn(lambda x: x.to(memory_format=torch.contiguous_format) * 2),
               [(t(1, 2, 3, 4, channels_last=True),)], outside=True)
    yield Case("to_channels_last_and_back_f32",
               lambda: Fn(lambda x: (x.to(memory_format=torch.channels_last) * 2).to(
                   memory_format=torch.contiguous_format)),
               [(t(1, 2, 3, 4),)], ("XNNMultiply",))
    yield Case("to_channels_last_f16",
               lambda: Fn(lambda x: x.abs().to(memory_format=torch.channels_last)),
               [(t(1, 2, 3, 4),)], ("XNNAbs",), F16)
    for source, target in ((torch.float32, F16), (F16, torch.float32),
                           (torch.float32, torch.int32), (torch.int64, torch.float32),
                           (torch.float32, torch.bool), (torch.float32, torch.float64)):
        names = [str(d).replace("torch.", "") for d in (source, target)]
        before = (lambda x: x.abs()) if source.is_floating_point else (lambda x: x)
        after = (lambda x: x.neg()) if target == torch.float32 else (lambda x: x)
        yield Case(f"to_{names[1]}_from_{names[0]}",
                   lambda b=before, a=after, d=target: Fn(lambda x: a(b(x).to(d))),
                   [(t(2, 3, dtype=source),)], outside=True)
    yield Case("expand_f32", lambda: Fn(lambda x: x.expand(3, 2, 4) + 1), [(t(2, 1),)],
               ("XNNAdd",), outside=True)
    yield Case("repeat_f32", lambda: Fn(lambda x: x.abs().repeat(2, 1, 3)), [(t(2, 2),)],
               ("XNNAbs",))


def cases():
    yield from cat_cases()
    yield from slice_cases()
    yield from permute_cases()
    yield from reshape_cases()
    yield from pad_cases()
    yield from copy_cases()
