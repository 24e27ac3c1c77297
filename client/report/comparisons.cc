#include "client/report/comparisons.h"

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/text_format.h"
#include "client/report/chosen.h"
#include "client/report/role_means.h"

namespace modelpatch::client::report {

std::vector<v1::Comparison> ComparisonsOf(const v1::PatchJob& job) {
  const v1::PatchJobResult& result = job.result();
  std::vector<v1::Comparison> comparisons(result.comparisons().begin(), result.comparisons().end());
  if (!comparisons.empty() || result.final_accuracies().empty()) return comparisons;
  comparisons.resize(3);
  comparisons[0].set_kind(v1::COMPARISON_KIND_UNPATCHED);
  comparisons[1].set_kind(v1::COMPARISON_KIND_PATCHED);
  *comparisons[1].mutable_mixture() = result.mixture();
  comparisons[2].set_kind(v1::COMPARISON_KIND_FINE_TUNED);
  for (const v1::FinalAccuracy& final : result.final_accuracies()) {
    for (const auto& [comparison, accuracy] : {std::pair(&comparisons[0], &final.zero_shot()),
                                               {&comparisons[1], &final.patched()},
                                               {&comparisons[2], &final.fine_tuned()}}) {
      v1::TaskAccuracy& added = *comparison->add_accuracies();
      added = *accuracy;
      added.set_task(final.task());
      added.set_role(final.role());
    }
  }
  for (v1::Comparison& comparison : comparisons) {
    comparison.set_combined_accuracy(MeansOf(comparison.accuracies()).combined);
  }
  return comparisons;
}

const v1::Comparison* FindComparison(const std::vector<v1::Comparison>& comparisons, v1::ComparisonKind kind,
                                     int after) {
  for (const v1::Comparison& comparison : comparisons) {
    if (comparison.kind() == kind && (after == 0 || comparison.after() == after)) return &comparison;
  }
  return nullptr;
}

std::string ComparisonText(const v1::PatchJob& job, const v1::Comparison& comparison) {
  const bool is_sequence = job.spec().strategy() == v1::STRATEGY_SEQUENTIAL;
  switch (comparison.kind()) {
    case v1::COMPARISON_KIND_UNPATCHED:
      return "unpatched";
    case v1::COMPARISON_KIND_PATCHED:
      return absl::StrCat("patched, ", ChosenText(job));
    case v1::COMPARISON_KIND_FINE_TUNED:
      return is_sequence ? "fine-tuned in sequence, no interpolation" : "fine-tuned, no interpolation (α = 1)";
    case v1::COMPARISON_KIND_SPECIALISED:
      return "specialised models, one a task";
    case v1::COMPARISON_KIND_PATCHED_SO_FAR:
      return absl::StrCat("patched after task ", comparison.after(), ", ", ShortName(comparison.after_task()));
    case v1::COMPARISON_KIND_FINE_TUNED_SO_FAR:
      return absl::StrCat("fine-tuned after task ", comparison.after(), ", ", ShortName(comparison.after_task()));
    case v1::COMPARISON_KIND_SNAPSHOT:
      return absl::StrCat("snapshot at step ", comparison.training_step());
    case v1::COMPARISON_KIND_MOVING_AVERAGE:
      return "moving average of the fine-tuning";
    case v1::COMPARISON_KIND_AVERAGE:
      return "average of the fine-tuned models (α = 1)";
    default:
      return KindName(comparison.kind());
  }
}

bool IsSoFar(v1::ComparisonKind kind) {
  return kind == v1::COMPARISON_KIND_PATCHED_SO_FAR || kind == v1::COMPARISON_KIND_FINE_TUNED_SO_FAR;
}

}  // namespace modelpatch::client::report
