#include "weight_cache/content_registry.h"

#include <string.h>

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "base/digest.h"

namespace onepack {
namespace {

// Drops the expired pointers of a map.
template <typename Map>
void EraseExpired(Map& map) {
  for (auto entry = map.begin(); entry != map.end();) {
    entry = entry->second.expired() ? map.erase(entry) : std::next(entry);
  }
}

// Longer names are told apart by their digests: a file may have names of any length, and those of
// contents that are gone stay until the next sweep, which counts them and not their bytes. A name
// proves nothing, so one that has the digest of another as its bytes gets a comparison for it.
constexpr size_t kLongestName = 64;

std::string_view Shorten(std::string_view name, Digest* digest) {
  if (name.size() <= kLongestName) return name;
  const Bytes bytes(reinterpret_cast<const uint8_t*>(name.data()), name.size());
  *digest = DigestBuilder("name").AddBytes(bytes).Finish();
  return {reinterpret_cast<const char*>(digest->bytes.data()), digest->bytes.size()};
}

// Of a data file without them (kNotFound): there is nothing to compare.
Status AllowDetached(Status status) {
  return status.code() == StatusCode::kNotFound ? Status::Ok() : std::move(status);
}

// nullopt where it is not known and the bytes cannot be hashed.
Result<std::optional<Digest>> HashOfRaw(const RawBytes& raw) {
  if (const uint8_t* known = raw.FindHash()) return std::optional<Digest>(Digest::Of(known));
  std::optional<Digest> hash;
  ONEPACK_RETURN_IF_ERROR(AllowDetached(raw.Read([&](Bytes bytes) { hash = Sha256Of(bytes); })));
  return hash;
}

// nullopt when the witness cannot be read: that is no reason to refuse the one who asks. Nor is it
// that his own bytes were detached. Where one of them knows its hash, the other's bytes are read
// alone.
Result<std::optional<bool>> AreEqual(const RawBytes& witness, const RawBytes& raw) {
  if (raw.FindHash() != nullptr || witness.FindHash() != nullptr) {
    ONEPACK_ASSIGN_OR_RETURN(const std::optional<Digest> hash, HashOfRaw(raw));
    Result<std::optional<Digest>> other = HashOfRaw(witness);
    if (!hash || !other.ok() || !*other) return std::optional<bool>();
    return std::optional<bool>(*hash == **other);
  }
  bool equal = false;
  bool can_tell = false;
  Status status = raw.Read([&](Bytes bytes) {
    Status witness_status = witness.Read([&](Bytes other) {
      equal = bytes.size() == other.size() &&
              (bytes.empty() || memcmp(bytes.data(), other.data(), bytes.size()) == 0);
    });
    can_tell = witness_status.ok();
  });
  ONEPACK_RETURN_IF_ERROR(AllowDetached(std::move(status)));
  return can_tell ? std::optional<bool>(equal) : std::nullopt;
}

}  // namespace

Result<std::shared_ptr<Content>> ContentRegistry::Register(
    std::string_view name, const DataRange& range, const std::shared_ptr<const RawBytes>& raw) try {
  // As it is with all of a foundation that is loaded already: no claim has to be made out.
  if (ContentPtr known = TakeKnown(range, raw)) return known;
  Digest digest;
  const Claim<std::string_view> claim{range.size, Shorten(name, &digest)};
  std::vector<ContentPtr> compared;
  for (;;) {
    ContentPtr candidate;
    {
      const std::lock_guard<ForkSafeMutex> lock(mutex_);
      ContentPtr known = FindKnown(range);
      if (known == nullptr && !name.empty()) candidate = NextNamesake(claim, compared);
      if (known != nullptr || candidate == nullptr) {
        if (known == nullptr) {
          known = std::make_shared<Content>();
          known->has_namesake_ = !compared.empty();
          if (!name.empty()) {
            by_claim_.emplace(Claim<std::string>{claim.size, std::string(claim.name)}, known);
          }
        }
        Add(known, range, raw);
        return known;
      }
    }
    // Outside the lock: this reads. Another thread may add namesakes meanwhile, and the next round
    // looks for them.
    ONEPACK_ASSIGN_OR_RETURN(const std::optional<bool> same, IsSame(candidate, *raw));
    if (same.value_or(false)) {
      const std::lock_guard<ForkSafeMutex> lock(mutex_);
      Add(candidate, range, raw);
      return candidate;
    }
    compared.push_back(std::move(candidate));
  }
} catch (const std::bad_alloc&) {
  return Status::Error(StatusCode::kResourceExhausted, "out of memory while registering a tensor");
}

void ContentRegistry::Record(Content& content, Bytes bytes) {
  if (HashOf(content)) return;
  if (const std::optional<Digest> hash = Sha256Of(bytes)) Record(content, *hash);
}

void ContentRegistry::Record(Content& content, const Digest& hash) {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  content.sha256_ = hash;
}

std::optional<Digest> ContentRegistry::HashOf(const Content& content) const {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  return content.sha256_;
}

Result<std::optional<bool>> ContentRegistry::IsSame(const ContentPtr& content,
                                                    const RawBytes& raw) const {
  std::vector<std::shared_ptr<const RawBytes>> witnesses;
  std::optional<Digest> recorded;
  {
    const std::lock_guard<ForkSafeMutex> lock(mutex_);
    recorded = content->sha256_;
    // Before there are any: to drop the last pointer to one takes locks of its owner's.
    witnesses.reserve(content->witnesses_.size());
    for (const auto& witness : content->witnesses_) {
      if (auto alive = witness.lock()) witnesses.push_back(std::move(alive));
    }
  }
  for (const auto& witness : witnesses) {
    ONEPACK_ASSIGN_OR_RETURN(const std::optional<bool> equal, AreEqual(*witness, raw));
    if (equal) return equal;
  }
  if (!recorded) return std::optional<bool>();
  ONEPACK_ASSIGN_OR_RETURN(const std::optional<Digest> hash, HashOfRaw(raw));
  return std::optional<bool>(hash == recorded);
}

ContentRegistry::ContentPtr ContentRegistry::TakeKnown(const DataRange& range,
                                                       const std::shared_ptr<const RawBytes>& raw) {
  const std::lock_guard<ForkSafeMutex> lock(mutex_);
  ContentPtr known = FindKnown(range);
  if (known != nullptr) AddWitness(*known, raw);
  return known;
}

// For all below, the mutex is held.

ContentRegistry::ContentPtr ContentRegistry::FindKnown(const DataRange& range) const {
  const auto found = by_range_.find(range);
  return found == by_range_.end() ? nullptr : found->second.lock();
}

// Erases the expired ones on its way: a program that is loaded again and again leaves one for each
// time.
ContentRegistry::ContentPtr ContentRegistry::NextNamesake(const Claim<std::string_view>& claim,
                                                          const std::vector<ContentPtr>& compared) {
  const auto [begin, end] = by_claim_.equal_range(claim);
  for (auto entry = begin; entry != end;) {
    ContentPtr candidate = entry->second.lock();
    if (candidate == nullptr) {
      entry = by_claim_.erase(entry);
      continue;
    }
    if (std::find(compared.begin(), compared.end(), candidate) == compared.end()) return candidate;
    ++entry;
  }
  return nullptr;
}

void ContentRegistry::Add(const ContentPtr& content, const DataRange& range,
                          const std::shared_ptr<const RawBytes>& raw) {
  by_range_.insert_or_assign(range, content);
  AddWitness(*content, raw);
  if (by_range_.size() + by_claim_.size() >= sweep_at_) Sweep();
}

void ContentRegistry::AddWitness(Content& content, const std::shared_ptr<const RawBytes>& raw) {
  // One of each owner: a payload may have as many constants of one range as it has room for.
  const auto has_owner_of_raw = [&raw](const auto& witness) {
    return !witness.owner_before(raw) && !raw.owner_before(witness);
  };
  auto& witnesses = content.witnesses_;
  witnesses.erase(std::remove_if(witnesses.begin(), witnesses.end(),
                                 [](const auto& witness) { return witness.expired(); }),
                  witnesses.end());
  if (std::none_of(witnesses.begin(), witnesses.end(), has_owner_of_raw)) witnesses.push_back(raw);
}

// Twice as many as are alive before the next sweep: amortised, a sweep costs nothing.
void ContentRegistry::Sweep() {
  EraseExpired(by_range_);
  EraseExpired(by_claim_);
  sweep_at_ = 2 * (by_range_.size() + by_claim_.size()) + 64;
}

}  // namespace onepack
