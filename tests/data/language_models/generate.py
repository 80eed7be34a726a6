"""Export the state_*.pte: language models of one attention layer that remember what they read in different ways.

    pip install executorch==1.5.1 torch==2.13.0
    python generate.py FOLDER
"""
import sys, torch
from torch import nn
from torch.export import export, Dim
import executorch.extension.llm.custom_ops.custom_ops
from executorch.exir import to_edge_transform_and_lower, EdgeCompileConfig, ExecutorchBackendConfig
from executorch.exir.passes import MemoryPlanningPass
from executorch.exir.passes.init_mutable_pass import InitializedMutableBufferPass
from executorch.exir.passes.sym_shape_eval_pass import ConstraintBasedSymShapeEvalPass
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner

VOCABULARY, WIDTH, CONTEXT, RING, WINDOW = 32, 16, 16, 8, 4

class Model(nn.Module):
    def __init__(s, kind):
        super().__init__(); torch.manual_seed(0); s.kind = kind
        s.embedding = nn.Embedding(VOCABULARY, WIDTH)
        s.q, s.k, s.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        s.head = nn.Linear(WIDTH, VOCABULARY)
        if kind == "recurrent":
            s.register_buffer("state", torch.zeros(1, WIDTH))
        else:
            by_head = kind in ("index_copy", "index_put", "all_positions")
            length = RING if kind == "ring" else CONTEXT
            shape = (1, 1, length, WIDTH) if by_head else (1, length, 1, WIDTH)
            s.register_buffer("k_cache", torch.zeros(shape)); s.register_buffer("v_cache", torch.zeros(shape))
        if kind == "ring": s.register_buffer("cache_positions", torch.full((RING,), -1, dtype=torch.long))
        s.register_buffer("mask", torch.tril(torch.ones(CONTEXT, CONTEXT, dtype=torch.bool)), persistent=False)

    def forward(s, tokens, input_pos):
        x = s.embedding(tokens)
        if s.kind == "recurrent":
            state = torch.tanh(s.state * 0.9 + x[:, -1]); s.state.copy_(state)
            return s.head(state.unsqueeze(1))[:, -1]
        return s.head(s.attend(s.q(x), s.k(x), s.v(x), tokens.size(1), input_pos))[:, -1]

    def attend(s, q, k, v, n, input_pos):
        if s.kind in ("index_put", "all_positions"):
            if s.kind == "index_put": s.k_cache[:, :, input_pos] = k.unsqueeze(1); s.v_cache[:, :, input_pos] = v.unsqueeze(1)
            else: s.k_cache.index_copy_(2, input_pos, k.unsqueeze(1)); s.v_cache.index_copy_(2, input_pos, v.unsqueeze(1))
            return s.plain(q, s.mask[input_pos])
        start = input_pos[0].item(); torch._check_is_size(start)
        if s.kind == "ring": return s.in_ring(q, k, v, n, start)
        torch._check(start < CONTEXT)
        if s.kind == "index_copy":
            positions = torch.arange(n) + start
            s.k_cache.index_copy_(2, positions, k.unsqueeze(1)); s.v_cache.index_copy_(2, positions, v.unsqueeze(1))
            return s.plain(q, s.mask[positions])
        q, k, v = q.unsqueeze(2), k.unsqueeze(2), v.unsqueeze(2)
        if s.kind == "sdpa_with_kv_cache":
            return torch.ops.llama.sdpa_with_kv_cache(q, k, v, s.k_cache, s.v_cache, start, n, None, 0, True)[:, :, 0]
        torch.ops.llama.update_cache(k, s.k_cache, start); torch.ops.llama.update_cache(v, s.v_cache, start)
        return torch.ops.llama.custom_sdpa(q, s.k_cache, s.v_cache, start, None, 0, True)[:, :, 0]

    def plain(s, q, mask):
        return nn.functional.scaled_dot_product_attention(q.unsqueeze(1), s.k_cache, s.v_cache, attn_mask=mask)[:, 0]

    def in_ring(s, q, k, v, n, start):
        positions = torch.arange(n, dtype=torch.long) + start
        places = positions % RING
        known = torch.where(torch.arange(RING) < start, s.cache_positions, torch.full((RING,), -1, dtype=torch.long))
        s.cache_positions.copy_(known); s.cache_positions.index_copy_(0, places, positions)
        for new, cache in ((k, s.k_cache), (v, s.v_cache)):
            torch.ops.llama.update_cache_with_indices(new.unsqueeze(2), cache, start, places.unsqueeze(0))
        age = (start + torch.arange(n).view(-1, 1)) - s.cache_positions
        mask = torch.where((s.cache_positions >= 0) & (age >= 0) & (age < WINDOW), 0.0, float("-inf"))
        return torch.ops.llama.custom_sdpa(q.unsqueeze(2), s.k_cache, s.v_cache, start, mask, 0, False)[:, :, 0]

def program(kind):
    is_dynamic = kind != "index_put"
    tokens = torch.tensor([[1, 2, 3]] if is_dynamic else [[1]])
    positions = torch.tensor([0, 1, 2] if kind == "all_positions" else [0])
    n = Dim("n", max=CONTEXT - 1)
    shapes = {"tokens": {1: n}, "input_pos": {0: n} if kind == "all_positions" else None} if is_dynamic else None
    with torch.no_grad():
        exported = export(Model(kind).eval(), (tokens, positions), dynamic_shapes=shapes, strict=True)
    info = {"get_max_seq_len": CONTEXT, "get_vocab_size": VOCABULARY, "get_eos_id": VOCABULARY - 1}
    edge = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()], constant_methods=info,
                                       compile_config=EdgeCompileConfig(_check_ir_validity=False, _skip_dim_order=True))
    return edge.to_executorch(ExecutorchBackendConfig(
        passes=[InitializedMutableBufferPass(["cache_positions"])], sym_shape_eval_pass=ConstraintBasedSymShapeEvalPass(),
        memory_planning_pass=MemoryPlanningPass(alloc_graph_input=False))).buffer

for kind in ("index_copy", "index_put", "all_positions", "update_cache", "sdpa_with_kv_cache", "ring", "recurrent"):
    with open(f"{sys.argv[1]}/state_{kind}.pte", "wb") as file: file.write(program(kind))
