#include "client/report/search_tables.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/text_format.h"
#include "client/report/role_means.h"

namespace modelpatch::client::report {
namespace {

// Half an example of a million: rounding, and no loss.
constexpr double kRoundingPoints = 1e-6;

bool IsUniform(const v1::SearchCandidate& candidate) {
  const auto& c = candidate.coefficients();
  return !c.empty() && std::all_of(c.begin(), c.end(), [&](double value) { return value == c.Get(0); });
}

// The accuracies without a patch, or null.
const google::protobuf::RepeatedPtrField<v1::TaskAccuracy>* Unpatched(const v1::PatchJob& job) {
  const v1::PatchJobResult& result = job.result();
  for (const v1::SearchCandidate& candidate : result.search().candidates()) {
    if (IsUniform(candidate) && candidate.coefficients(0) == 0) return &candidate.accuracies();
  }
  for (const v1::SweepPoint& point : result.points()) {
    // α = 0 of a sequence is the patch of all tasks but the last.
    if (point.alpha() == 0 && job.spec().strategy() != v1::STRATEGY_SEQUENTIAL) return &point.accuracies();
  }
  return nullptr;
}

std::optional<double> Objective(const v1::PatchJob& job, const v1::SearchCandidate& candidate) {
  const RoleMeans means = MeansOf(candidate.accuracies());
  if (!job.spec().alpha_policy().has_budget()) return means.combined;
  if (const auto* base = Unpatched(job)) {
    for (const v1::TaskAccuracy& accuracy : candidate.accuracies()) {
      const v1::TaskAccuracy* before = FindTask(*base, accuracy.task());
      if (accuracy.role() != v1::TASK_ROLE_SUPPORTED || before == nullptr) continue;
      const double lost_points = (before->accuracy() - accuracy.accuracy()) * 100;
      if (lost_points > job.spec().alpha_policy().budget().epsilon_points() + kRoundingPoints) return std::nullopt;
    }
  }
  return means.patching;
}

DataCell Cell(const std::optional<double>& value) { return value ? DataCell(*value) : DataCell(); }

}  // namespace

std::vector<SearchStep> SearchCourse(const v1::PatchJob& job) {
  const v1::SearchSummary& search = job.result().search();
  std::vector<SearchStep> course;
  double gradients = 0;
  std::optional<double> best;
  for (const v1::SearchCandidate& candidate : search.candidates()) {
    if (!IsUniform(candidate)) gradients = search.gradient_evaluations();
    SearchStep step;
    step.cost = static_cast<double>(course.size()) + 1 + gradients;
    step.objective = Objective(job, candidate);
    if (step.objective && (!best || *step.objective > *best)) best = step.objective;
    step.best = best;
    course.push_back(step);
  }
  return course;
}

DataTable SearchData(const std::vector<ReportJob>& jobs) {
  DataTable table{"search",
                  {"job", "method", "evaluation", "cost", "coefficients", "objective", "best_objective",
                   "patching_mean", "supported_mean"},
                  {}};
  for (const ReportJob& job : jobs) {
    const v1::SearchSummary& search = job.job.result().search();
    const std::vector<SearchStep> course = SearchCourse(job.job);
    for (int i = 0; i < search.candidates_size(); ++i) {
      const v1::SearchCandidate& candidate = search.candidates(i);
      const RoleMeans means = MeansOf(candidate.accuracies());
      const SearchStep& step = course[static_cast<size_t>(i)];
      const std::string coefficients = absl::StrJoin(
          candidate.coefficients(), ";", [](std::string* out, double value) { out->append(ExactNumber(value)); });
      table.rows.push_back({job.label, search.method(), int64_t{i} + 1, step.cost, coefficients, Cell(step.objective),
                            Cell(step.best), Cell(means.patching), Cell(means.supported)});
    }
  }
  return table;
}

std::vector<std::pair<std::string, std::string>> SearchLines(const v1::PatchJob& job) {
  const v1::SearchSummary& search = job.result().search();
  if (search.method().empty()) return {};
  std::vector<std::pair<std::string, std::string>> lines;
  lines.emplace_back("method", search.method());
  lines.emplace_back("evaluations", absl::StrCat(search.evaluations(), " passes over all validation data"));
  if (search.gradient_evaluations() > 0) {
    lines.emplace_back("gradients cost", absl::StrCat(Number(search.gradient_evaluations()), " such passes"));
  }
  lines.emplace_back("seconds", Number(search.seconds()));
  lines.emplace_back("objective", Percent(search.objective()));
  if (search.method() != "line") {
    lines.emplace_back("objective of uniform",
                       absl::StrCat(Percent(search.uniform_objective()), " (",
                                    Points(search.objective() - search.uniform_objective()), " points by searching)"));
  }
  return lines;
}

double SecondsOf(const v1::PatchJob& job) {
  if (!job.has_start_time() || !job.has_end_time()) return 0;
  return static_cast<double>(job.end_time().seconds() - job.start_time().seconds()) +
         1e-9 * (job.end_time().nanos() - job.start_time().nanos());
}

std::optional<double> ShareOfExhaustiveGain(const ReportJob& job, const JobPointers& jobs) {
  if (job.job.spec().strategy() != v1::STRATEGY_PARALLEL || job.job.spec().has_merge()) return std::nullopt;
  const auto key = [](const ReportJob& one) {
    v1::PatchJobSpec spec = one.job.spec();
    spec.clear_coefficient_search();
    spec.clear_skip_comparisons();
    return KeyOf(spec);
  };
  for (const ReportJob* other : jobs) {
    if (!other->job.spec().coefficient_search().has_exhaustive() || key(*other) != key(job)) continue;
    const v1::SearchSummary& all = other->job.result().search();
    const double most = all.objective() - all.uniform_objective();
    if (!(most > 0)) return std::nullopt;
    return (job.job.result().search().objective() - all.uniform_objective()) / most;
  }
  return std::nullopt;
}

}  // namespace modelpatch::client::report
