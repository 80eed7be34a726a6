#include "tests/counts/measures.h"

#include <memory>
#include <utility>
#include <vector>

#include "onepack/language_model.h"
#include "tests/counts/application.h"
#include "tests/weight_cache/cache_helpers.h"

namespace onepack {
namespace {

const ProgramFiles& BaseModel() {
  static const ProgramFiles files{"llm_8da4w/base.pte", {"llm_8da4w/foundation.ptd"}};
  return files;
}

const ProgramFiles& AdapterModel() {
  static const ProgramFiles files{"llm_8da4w/a0.pte",
                                  {"llm_8da4w/foundation.ptd", "llm_8da4w/a0.ptd"}};
  return files;
}

const ProgramFiles& SmallDelegate() {
  static const ProgramFiles files{"lora_8da4w/base.pte", {"lora_8da4w/foundation.ptd"}};
  return files;
}

Status NotWhatItsNameSays(const char* what) {
  return Status::Error(StatusCode::kInternal, "%s", what);
}

// Loads and closes `files` over a cache of its own: whatever is made once in a process is made.
Status WarmUp(const ProgramFiles& files, LinearLayout linears) {
  ONEPACK_ASSIGN_OR_RETURN(const Application application, Application::Create(linears));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method, application.Load(files));
  return Status::Ok();
}

// What loading `files` into `application` takes; the method stays loaded, in `method`.
Result<Counts> CountsOfLoad(const Application& application, const ProgramFiles& files,
                            Ref<Method>* method) {
  return CountsOf([&]() -> Status {
    ONEPACK_ASSIGN_OR_RETURN(*method, application.Load(files));
    return Status::Ok();
  });
}

Result<Counts> FirstLoad(LinearLayout linears) {
  ONEPACK_RETURN_IF_ERROR(WarmUp(BaseModel(), linears));
  ONEPACK_ASSIGN_OR_RETURN(const Application application, Application::Create(linears));
  Ref<Method> method;
  ONEPACK_ASSIGN_OR_RETURN(Counts counts, CountsOfLoad(application, BaseModel(), &method));
  const WeightCacheStats stats = application.Stats();
  if (stats.misses.total() == 0 ||
      (stats.in_place_bytes > 0) != (linears == LinearLayout::kInPlace)) {
    return NotWhatItsNameSays("nothing was packed, or taken in place");
  }
  return counts;
}

Result<Counts> FirstLoadPacked() { return FirstLoad(LinearLayout::kPacked); }
Result<Counts> FirstLoadInPlace() { return FirstLoad(LinearLayout::kInPlace); }

// A load of `files` while the base model is loaded; `packs`: it has weights of its own.
Result<Counts> LaterLoad(const ProgramFiles& files, bool packs) {
  ONEPACK_RETURN_IF_ERROR(WarmUp(files, LinearLayout::kPacked));
  ONEPACK_ASSIGN_OR_RETURN(const Application application,
                           Application::Create(LinearLayout::kPacked));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> first, application.Load(BaseModel()));
  const WeightCacheStats before = application.Stats();
  Ref<Method> method;
  ONEPACK_ASSIGN_OR_RETURN(Counts counts, CountsOfLoad(application, files, &method));
  const WeightCacheStats after = application.Stats();
  if (after.hits == before.hits) return NotWhatItsNameSays("no weight was found");
  if ((after.misses.total() > before.misses.total()) != packs) {
    return NotWhatItsNameSays("packed what was there, or nothing of its own");
  }
  return counts;
}

Result<Counts> FullHitLoad() { return LaterLoad(BaseModel(), /*packs=*/false); }
Result<Counts> AdapterLoad() { return LaterLoad(AdapterModel(), /*packs=*/true); }

// Each of a thousand weights is looked up, and its pin dropped, once.
Result<Counts> CacheLookUps() {
  constexpr int kEntries = 1000;
  const std::shared_ptr<PackedWeightCache> cache = PackedWeightCache::Create();
  std::vector<PackKey> keys;
  std::vector<PackedWeight> pins;
  for (int i = 0; i < kEntries; ++i) {
    keys.push_back(KeyOf(i));
    pins.push_back(FindOrPack(cache, keys.back(), static_cast<uint8_t>(i)));
  }
  return CountsOf([&] {
    for (const PackKey& key : keys) {
      if (!cache->Find(key)) return NotWhatItsNameSays("a weight was not found");
    }
    return Status::Ok();
  });
}

Status Append(LanguageModel& model, const std::vector<int64_t>& tokens) {
  auto logits = model.Append(tokens);
  return logits.ok() ? Status::Ok() : logits.TakeStatus();
}

// One token, after a prompt and a step that leave nothing to be done once.
Result<Counts> DecodeStep(LinearLayout linears) {
  ONEPACK_ASSIGN_OR_RETURN(const Application application, Application::Create(linears));
  ONEPACK_ASSIGN_OR_RETURN(const Application::Opened opened, application.Open(BaseModel()));
  ONEPACK_ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model,
                           LanguageModel::Load(opened.program, opened.options));
  const std::vector<int64_t> prompt{3, 17, 99};
  const std::vector<int64_t> token{5};
  ONEPACK_RETURN_IF_ERROR(Append(*model, prompt));
  ONEPACK_RETURN_IF_ERROR(Append(*model, token));
  ONEPACK_ASSIGN_OR_RETURN(Counts counts, CountsOf([&] { return Append(*model, token); }));
  if (model->context().size() != 5) return NotWhatItsNameSays("not one token");
  return counts;
}

Result<Counts> DecodeStepPacked() { return DecodeStep(LinearLayout::kPacked); }
Result<Counts> DecodeStepInPlace() { return DecodeStep(LinearLayout::kInPlace); }

// One row through a method that is one delegate.
Result<Counts> DelegateRun() {
  ONEPACK_ASSIGN_OR_RETURN(const Application application,
                           Application::Create(LinearLayout::kPacked));
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method, application.Load(SmallDelegate()));
  std::vector<float> row(64, 0.5f);
  const int32_t sizes[] = {1, 64};
  const uint8_t order[] = {0, 1};
  ONEPACK_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Over({ScalarType::kFloat, sizes, order},
                                                       {reinterpret_cast<uint8_t*>(row.data()),
                                                        row.size() * sizeof(float)}));
  const auto run = [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(method->SetInput(0, Value::OfTensor(&tensor)));
    return method->Execute();
  };
  for (int i = 0; i < 2; ++i) ONEPACK_RETURN_IF_ERROR(run());
  return CountsOf(run);
}

constexpr Measure kMeasures[] = {
    {"first_load", FirstLoadPacked},
    {"first_load_in_place", FirstLoadInPlace},
    {"full_hit_load", FullHitLoad},
    {"adapter_load", AdapterLoad},
    {"thousand_look_ups", CacheLookUps},
    {"decode_step", DecodeStepPacked},
    {"decode_step_in_place", DecodeStepInPlace},
    {"delegate_run", DelegateRun},
};

}  // namespace

Span<const Measure> Measures() { return kMeasures; }

}  // namespace onepack
