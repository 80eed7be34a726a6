// The raw weights of one graph while XNNPACK packs them.
//
// XNNPACK wants an address for every weight when a graph is defined, and reads the bytes behind it
// only if it has to pack. So an address is all it gets at first: that of mapped bytes which nobody
// has touched, or, where the source is not mapped, of reserved memory which is filled at the last
// moment. What was packed is let go of at once. Peak memory is thus what is packed so far and the
// tensor in hand; and where everything is found packed, nothing is read at all.
//
// Threads: that of the build; BeforePacking and AfterServing from several at once, when weights are
//          packed ahead.
// Errors:  those of reading; kCancelled when the application says so.

#ifndef ONEPACK_DELEGATE_PACKING_RAW_WEIGHTS_H_
#define ONEPACK_DELEGATE_PACKING_RAW_WEIGHTS_H_

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mapping.h"
#include "delegate/graph/payload.h"
#include "delegate/xnn/xnn_provider.h"

namespace onepack {

class RawWeights final : public PackingObserver {
 public:
  // How a constant is widened: by its datatype (WidenedDatatype), `invalid` for not at all. Rows of
  // 4-bit integers begin at a whole byte each.
  struct Widening {
    wire::xnnpack::XNNDatatype from = wire::xnnpack::XNNDatatype::invalid;
    size_t row_length = 0;

    bool operator<(const Widening& other) const {
      return std::tie(from, row_length) < std::tie(other.from, other.row_length);
    }
  };

  // Called with the size of each raw weight that was served, in the thread that was served; an
  // error ends the build.
  using ServedCallback = std::function<Status(uint64_t raw_bytes)>;

  // `registry` gets the hashes of what is packed; null for none. Both outlive the build.
  RawWeights(ContentRegistry* registry, ServedCallback on_served)
      : registry_(registry), on_served_(std::move(on_served)) {}

  // The address that stands for a constant. The same constant has one address, unless it is widened
  // in different ways.
  Result<const void*> Place(const Payload& payload, uint32_t constant_index,
                            const Widening& widening);

  // A weight of the graph: its addresses, and its scales in the payload (0 for none). One whose
  // scales XNNPACK was not shown (`is_expected_hit`) must be found; if it is not, the build ends
  // and was_surprised() says why.
  void AddUse(const void* kernel, const void* bias, uint32_t scale_index, bool is_expected_hit,
              const Payload& payload);

  // So many bytes were served, and will be served once more: they are not reported again.
  void ExpectAgain(uint64_t bytes) { reported_bytes_ += bytes; }
  uint64_t served_bytes() const { return served_bytes_; }
  // Of what was expected again, what was not served so far.
  uint64_t reported_bytes() const { return reported_bytes_; }
  const ServedCallback& on_served() const { return on_served_; }

  Status BeforePacking(const void* kernel, const void* bias) override;
  Status AfterServing(const void* kernel, const void* bias) override;

  bool was_surprised() const { return was_surprised_; }

 private:
  struct Placed {
    const Constant* constant = nullptr;
    std::shared_ptr<Content> content;
    Buffer mapped;     // of a mapped source
    Mapping reserved;  // of another, and of one that is widened: filled when `is_read`
    Widening widening;
    size_t uses = 0;  // that are still to be served
    bool is_read = false;
    // Scales that are read together with a kernel.
    std::vector<const Constant*> scales;
    bool is_expected_hit = false;
  };

  Placed* Find(const void* address);
  std::mutex& MutexOf(const Placed& placed);
  // For both, its mutex is held.
  Status Fill(Placed& placed);
  void LetGo(Placed& placed);
  Status Report(uint64_t served);

  ContentRegistry* const registry_;
  const ServedCallback on_served_;
  std::unordered_map<const void*, Placed> by_address_;  // does not change while weights are packed
  std::map<std::pair<uint32_t, Widening>, const void*> by_index_;
  std::atomic<bool> was_surprised_{false};
  std::atomic<uint64_t> served_bytes_{0};
  uint64_t reported_bytes_ = 0;  // not 0 in the thread of the build only, while no other packs

  // Each guards what changes in a share of the placed weights; held while one is read and hashed.
  std::array<std::mutex, 16> mutexes_;
};

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_PACKING_RAW_WEIGHTS_H_
