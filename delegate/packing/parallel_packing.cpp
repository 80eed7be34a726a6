#include "delegate/packing/parallel_packing.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "delegate/packing/lone_node.h"
#include "delegate/packing/packing_workers.h"
#include "delegate/xnn/handles.h"

namespace onepack {
namespace {

// A node to be packed, of one of the executors.
struct Task {
  const Payload* payload;
  Executor::PendingGraph* pending;
  const PackableNode* node;
  const DescribedWeight* weight;
  uint64_t raw_bytes;
};

// Kernels that mean one thing in their graph and have to be read for certain. The others are rare
// and left to the real runtime, which tells their meanings apart or packs them privately.
std::unordered_set<const void*> PlainKernels(const BuiltGraph& graph) {
  std::unordered_map<const void*, const WeightIdentity*> meanings;
  std::unordered_set<const void*> plain;
  std::unordered_set<size_t> packable;
  for (const PackableNode& node : graph.packable_nodes) packable.insert(node.weight);
  for (const DescribedWeight& weight : graph.weights) plain.insert(weight.kernel);
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    const DescribedWeight& weight = graph.weights[i];
    const auto known =
        meanings.try_emplace(weight.kernel, &weight.description.identity).first->second;
    const bool is_plain = packable.count(i) > 0 && *known == weight.description.identity;
    if (!is_plain) plain.erase(weight.kernel);
  }
  return plain;
}

uint64_t RawBytesOf(const Payload& payload, const PackableNode& node) {
  uint64_t total = 0;
  for (const auto& [id, value] : node.alone.values) {
    if (value.is_constant()) total += payload.constant(value.constant_index()).size();
  }
  return total;
}

// Largest first: the last ones to be packed are then small, and the workers are done together.
std::vector<Task> TasksOf(Span<const Ref<Executor>> executors) {
  std::vector<Task> tasks;
  std::unordered_set<PackKey, PackKeyHash> seen;
  for (const Ref<Executor>& executor : executors) {
    Executor::PendingGraph& pending = executor->pending();
    const auto plain = PlainKernels(pending.graph);
    for (const PackableNode& node : pending.graph.packable_nodes) {
      const DescribedWeight& weight = pending.graph.weights[node.weight];
      if (plain.count(weight.kernel) == 0) continue;
      if (!seen.insert(PackKey{weight.description.identity, {}, 0}).second) continue;
      const Payload& payload = executor->payload();
      tasks.push_back({&payload, &pending, &node, &weight, RawBytesOf(payload, node)});
    }
  }
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const Task& a, const Task& b) { return a.raw_bytes > b.raw_bytes; });
  return tasks;
}

// The real graph was built from the same values, so that this fails for want of memory only.
Status Pack(const Task& task, XnnProvider& provider, xnn_workspace_t workspace) {
  provider.ClearDescriptions();
  provider.Describe(task.weight->kernel, task.weight->bias, task.weight->description);
  WeightTable table;
  provider.BeginBuild(&task.pending->raw_weights, table);
  Status status = PackAlone(*task.payload, task.node->alone, table.handle(), workspace);
  ONEPACK_RETURN_IF_ERROR(provider.EndBuild());
  return status;
}

// What the workers share.
struct Work {
  const std::vector<Task>& tasks;
  LoadReporter& reporter;
  std::atomic<size_t> next{0};
  std::atomic<bool> has_failed{false};
};

// Until nothing is left, or something went wrong somewhere.
Status PackTasks(Work& work, XnnProvider& provider) {
  xnn_workspace_t created = nullptr;
  ONEPACK_RETURN_IF_XNN_ERROR(xnn_create_workspace(&created), "creating a workspace");
  const XnnWorkspace workspace(created);
  while (!work.has_failed && !work.reporter.is_cancelled()) {
    const size_t index = work.next++;
    if (index >= work.tasks.size()) break;
    ONEPACK_RETURN_IF_ERROR(Pack(work.tasks[index], provider, workspace.get()));
  }
  return Status::Ok();
}

void RunWorker(Work& work, XnnProvider& provider) {
  try {
    if (!PackTasks(work, provider).ok()) work.has_failed = true;
  } catch (const std::bad_alloc&) {
    work.has_failed = true;
  }
}

}  // namespace

PackedAhead PackAhead(const std::shared_ptr<WeightCache>& cache,
                      Span<const Ref<Executor>> executors, size_t threads, size_t min_bytes,
                      LoadReporter& reporter) {
  const std::vector<Task> tasks = TasksOf(executors);
  uint64_t raw_bytes = 0;
  for (const Task& task : tasks) raw_bytes += task.raw_bytes;
  threads = std::min<uint64_t>({threads, tasks.size(), raw_bytes / std::max<size_t>(min_bytes, 1)});
  PackedAhead packed;
  if (threads < 2) return packed;
  for (size_t i = 0; i < threads; ++i) {
    packed.push_back(std::make_unique<XnnProvider>(cache, Hits::kNotCounted));
  }
  Work work{tasks, reporter};
  RunWorkers(threads, reporter, [&](size_t worker) { RunWorker(work, *packed[worker]); });
  return packed;
}

}  // namespace onepack
