// How the jobs of a report compare: StrategyTable and JobData of search_tables.h.
#include <algorithm>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/text_format.h"
#include "client/report/comparisons.h"
#include "client/report/role_means.h"
#include "client/report/search_tables.h"

namespace modelpatch::client::report {
namespace {

using Format = std::function<std::string(double)>;

std::string Whole(double value) { return absl::StrFormat("%.0f", value); }
std::string Tenth(double value) { return absl::StrFormat("%.1f", value); }

// "71.8%", or of several jobs the mean and the range: "71.8% (70.9% to 72.3%)".
std::string MeanText(const std::vector<double>& values, const Format& format) {
  if (values.empty()) return "";
  double sum = 0;
  for (const double value : values) sum += value;
  const std::string mean = format(sum / static_cast<double>(values.size()));
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (values.size() == 1 || *least == *most) return mean;
  return absl::StrCat(mean, " (", format(*least), " to ", format(*most), ")");
}

// What `value` gives for each job, where it gives something.
template <typename Value>
std::vector<double> Collect(const JobPointers& jobs, const Value& value) {
  std::vector<double> result;
  for (const ReportJob* job : jobs) {
    if (const std::optional<double> one = value(*job)) result.push_back(*one);
  }
  return result;
}

// The means of the job's result on test data; nothing without a result.
std::optional<RoleMeans> PatchedMeans(const ReportJob& job) {
  const std::vector<v1::Comparison> comparisons = ComparisonsOf(job.job);
  const v1::Comparison* patched = FindComparison(comparisons, v1::COMPARISON_KIND_PATCHED);
  if (patched == nullptr) return std::nullopt;
  RoleMeans means = MeansOf(patched->accuracies());
  means.combined = patched->combined_accuracy();
  return means;
}

std::optional<double> Combined(const ReportJob& job) {
  const auto means = PatchedMeans(job);
  return means ? std::optional<double>(means->combined) : std::nullopt;
}
std::optional<double> Patching(const ReportJob& job) {
  const auto means = PatchedMeans(job);
  return means ? means->patching : std::nullopt;
}
std::optional<double> Supported(const ReportJob& job) {
  const auto means = PatchedMeans(job);
  return means ? means->supported : std::nullopt;
}

bool HasSearch(const ReportJob& job) {
  return !job.job.result().search().method().empty() && job.job.result().search().method() != "line";
}

std::optional<double> SearchValue(const ReportJob& job, double (*value)(const v1::SearchSummary&)) {
  if (job.job.result().search().method().empty()) return std::nullopt;
  return value(job.job.result().search());
}

std::optional<double> GainOverUniform(const ReportJob& job) {
  if (!HasSearch(job)) return std::nullopt;
  return job.job.result().search().objective() - job.job.result().search().uniform_objective();
}

DataCell Cell(const std::optional<double>& value) { return value ? DataCell(*value) : DataCell(); }

}  // namespace

DisplayTable StrategyTable(const JobPointers& jobs) {
  DisplayTable table;
  table.columns = {{"method"},
                   {"jobs", true},
                   {"combined", true},
                   {"patching mean", true},
                   {"supported mean", true},
                   {"evaluations", true},
                   {"gradients, in evaluations", true},
                   {"search, s", true},
                   {"job, s", true},
                   {"over uniform, points", true},
                   {"of exhaustive's gain", true}};
  for (const Variant& variant : VariantsOf(jobs)) {
    const auto search = [&](double (*value)(const v1::SearchSummary&)) {
      return Collect(variant.jobs, [&](const ReportJob& job) { return SearchValue(job, value); });
    };
    const auto seconds = Collect(variant.jobs, [](const ReportJob& job) -> std::optional<double> {
      return SecondsOf(job.job) > 0 ? std::optional<double>(SecondsOf(job.job)) : std::nullopt;
    });
    const auto share = Collect(variant.jobs, [&](const ReportJob& job) { return ShareOfExhaustiveGain(job, jobs); });
    table.rows.push_back(
        {{variant.label, absl::StrCat(variant.jobs.size()), MeanText(Collect(variant.jobs, Combined), Percent),
          MeanText(Collect(variant.jobs, Patching), Percent), MeanText(Collect(variant.jobs, Supported), Percent),
          MeanText(search([](const v1::SearchSummary& s) { return double(s.evaluations()); }), Whole),
          MeanText(search([](const v1::SearchSummary& s) { return s.gradient_evaluations(); }), Tenth),
          MeanText(search([](const v1::SearchSummary& s) { return s.seconds(); }), Tenth), MeanText(seconds, Whole),
          MeanText(Collect(variant.jobs, GainOverUniform), Points), MeanText(share, Percent)},
         false});
  }
  return table;
}

DataTable JobData(const std::vector<ReportJob>& jobs) {
  DataTable table{"jobs",
                  {"job", "model", "strategy", "search", "seed", "alpha", "sequence_alphas", "mixture",
                   "combined_accuracy", "patching_mean", "supported_mean", "evaluations", "gradient_evaluations",
                   "search_seconds", "job_seconds", "objective", "uniform_objective", "share_of_exhaustive_gain"},
                  {}};
  JobPointers all;
  for (const ReportJob& job : jobs) all.push_back(&job);
  for (const ReportJob& job : jobs) {
    const v1::PatchJobResult& result = job.job.result();
    const v1::SearchSummary& search = result.search();
    const bool has_search = !search.method().empty();
    const std::string alphas = absl::StrJoin(result.sequence_alphas(), ";",
                                             [](std::string* out, double value) { out->append(ExactNumber(value)); });
    table.rows.push_back(
        {job.label, job.job.spec().model(), StrategyName(job.job.spec().strategy()), SearchText(job.job.spec()),
         SeedOf(job.job.spec()), result.alpha(), alphas, MixtureText(result.mixture()), Cell(Combined(job)),
         Cell(Patching(job)), Cell(Supported(job)), has_search ? DataCell(int64_t{search.evaluations()}) : DataCell(),
         has_search ? DataCell(search.gradient_evaluations()) : DataCell(),
         has_search ? DataCell(search.seconds()) : DataCell(), SecondsOf(job.job),
         has_search ? DataCell(search.objective()) : DataCell(),
         HasSearch(job) ? DataCell(search.uniform_objective()) : DataCell(), Cell(ShareOfExhaustiveGain(job, all))});
  }
  return table;
}

}  // namespace modelpatch::client::report
