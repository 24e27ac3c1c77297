#include "client/cli/job_text.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/curve_text.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"
#include "client/report/chosen.h"
#include "client/report/comparison_tables.h"
#include "client/report/final_tables.h"
#include "client/report/metric_tables.h"
#include "client/report/search_tables.h"
#include "client/report/variant.h"
#include "client/status_details.h"

namespace modelpatch::client {
namespace {

std::string PolicyText(const v1::AlphaPolicy& policy) {
  switch (policy.policy_case()) {
    case v1::AlphaPolicy::kFixedAlpha:
      return absl::StrCat("fixed at ", Number(policy.fixed_alpha()));
    case v1::AlphaPolicy::kBudget:
      return absl::StrCat("budget of ", Number(policy.budget().epsilon_points()), " points");
    case v1::AlphaPolicy::kMean:
    case v1::AlphaPolicy::POLICY_NOT_SET:
      break;
  }
  return "best mean";
}

// What was asked for beyond the paper's recipe.
void AppendAlternatives(const v1::FineTuneOptions& options, std::vector<std::string>& parts) {
  if (options.schedule() == v1::LEARNING_RATE_SCHEDULE_CONSTANT) parts.push_back("constant rate");
  if (options.label_smoothing() > 0) parts.push_back(absl::StrCat("smoothing ", Number(options.label_smoothing())));
  if (options.l2_penalty() > 0) parts.push_back(absl::StrCat("L2 ", Number(options.l2_penalty())));
  if (options.has_elastic_weight_consolidation()) {
    const v1::ElasticWeightConsolidation& elastic = options.elastic_weight_consolidation();
    parts.push_back(absl::StrCat("EWC ", Number(elastic.weight()), " on ", ShortName(elastic.task())));
  }
  if (options.has_contrastive_mixing()) {
    parts.push_back(absl::StrCat("contrastive ", Number(options.contrastive_mixing().weight())));
  }
  if (options.has_ema_decay()) parts.push_back(absl::StrCat("EMA ", Number(options.ema_decay())));
  if (options.has_snapshot_interval_steps()) {
    parts.push_back(absl::StrCat("snapshots every ", options.snapshot_interval_steps()));
  }
  if (options.learned_head()) parts.push_back("learned head");
}

std::string FineTuneText(const v1::FineTuneOptions& options) {
  std::vector<std::string> parts;
  if (options.has_steps()) parts.push_back(absl::StrCat(options.steps(), " steps"));
  if (options.has_batch_size()) parts.push_back(absl::StrCat("batch ", options.batch_size()));
  if (options.has_learning_rate()) parts.push_back(absl::StrCat("learning rate ", Number(options.learning_rate())));
  if (options.has_warmup_steps()) parts.push_back(absl::StrCat("warm-up ", options.warmup_steps()));
  if (options.has_weight_decay()) parts.push_back(absl::StrCat("weight decay ", Number(options.weight_decay())));
  if (options.has_seed()) parts.push_back(absl::StrCat("seed ", options.seed()));
  AppendAlternatives(options, parts);
  return absl::StrJoin(parts, ", ");
}

std::string StepsText(const v1::PatchJob& job) {
  Table table({{"STEP"},
               {"KIND"},
               {"STATE"},
               {"DEVICE"},
               {"MEMORY", Align::kRight},
               {"DONE", Align::kRight},
               {"STARTED"},
               {"ENDED"}});
  for (const v1::PatchJobStep& step : job.steps()) {
    table.AddRow({step.id(), KindName(step.kind()), StateName(step.state()), step.device(),
                  step.memory_bytes() > 0 ? Bytes(step.memory_bytes()) : "",
                  step.progress().total_steps() > 0
                      ? absl::StrCat(step.progress().step(), "/", step.progress().total_steps())
                      : "",
                  Time(step.start_time()), Time(step.end_time())});
  }
  return table.Render();
}

std::string LinesText(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Properties lines;
  for (const auto& [label, value] : pairs) lines.Add(label, value);
  return lines.Render();
}

// A title, then the table, marked rows with a `*` behind them; "" for an empty table.
std::string TableText(const std::string& title, const report::DisplayTable& shown) {
  if (shown.empty()) return "";
  std::vector<Column> columns;
  for (const report::DisplayColumn& column : shown.columns) {
    columns.push_back({Printable(column.title), column.numeric ? Align::kRight : Align::kLeft});
  }
  columns.push_back({""});
  Table table(std::move(columns));
  for (const report::DisplayRow& row : shown.rows) {
    std::vector<std::string> cells = row.cells;
    cells.resize(shown.columns.size());
    cells.push_back(row.marked ? "*" : "");
    table.AddRow(std::move(cells));
  }
  return absl::StrCat("\n", title, ":\n", table.Render());
}

// What came of a job that has SUCCEEDED.
std::string ResultText(const v1::PatchJob& job) {
  const v1::PatchJobResult& result = job.result();
  Properties found;
  found.Add("checkpoints", absl::StrJoin(result.checkpoints(), ", "));
  found.Add("beside them", absl::StrJoin(result.other_checkpoints(), ", "));
  found.Add("chosen", report::ChosenText(job));
  found.Add("mixture", MixtureText(result.mixture()));
  std::string text = absl::StrCat("\n", found.Render(), LinesText(report::MetricLines(result)));
  const std::string search = LinesText(report::SearchLines(job));
  if (!search.empty()) absl::StrAppend(&text, "\nsearch:\n", search);
  absl::StrAppend(
      &text, TableText("choosing α by one supported task, asked about another", report::ProxyTable(result.metrics())));
  return text;
}

}  // namespace

std::string JobText(const v1::PatchJob& job, bool unicode) {
  const v1::PatchJobSpec& spec = job.spec();
  Properties lines;
  lines.Add("name", job.name());
  lines.Add("state", StateName(job.state()));
  lines.Add("model", spec.model());
  lines.Add("patching tasks", absl::StrJoin(spec.patching_tasks(), ", "));
  lines.Add("supported tasks", absl::StrJoin(spec.supported_tasks(), ", "));
  lines.Add("strategy", report::MethodText(spec));
  lines.Add("α policy", PolicyText(spec.alpha_policy()));
  lines.Add("fine-tuning", FineTuneText(spec.fine_tune()));
  lines.Add("created", Time(job.create_time()));
  lines.Add("started", Time(job.start_time()));
  lines.Add("ended", Time(job.end_time()));
  if (job.error().code() != 0) lines.Add("error", job.error().message());
  std::string text = lines.Render();
  if (job.steps_size() > 0) absl::StrAppend(&text, "\n", StepsText(job));
  const v1::PatchJobResult& result = job.result();
  if (!result.points().empty()) {
    const auto points = ToVector(result.points());
    const std::optional<double> chosen = report::IsOnCurve(job) ? std::optional(result.alpha()) : std::nullopt;
    absl::StrAppend(&text, "\non validation data:\n", CurveTable(points, chosen), "\n",
                    CurvePlot(points, chosen, unicode));
  }
  if (job.state() == v1::PATCH_JOB_STATE_SUCCEEDED) absl::StrAppend(&text, ResultText(job));
  absl::StrAppend(&text, TableText("after each task of the sequence, on test data", report::SequenceTable(job)));
  if (!result.comparisons().empty()) {
    absl::StrAppend(&text, TableText("beside its alternatives, on test data", report::ComparisonTable(job)));
  }
  absl::StrAppend(&text, TableText("on test data, with intervals of 95 %", report::FinalTable(job)));
  return text;
}

std::string JobsText(const v1::ListPatchJobsResponse& response) {
  Table table(
      {{"NAME"}, {"STATE"}, {"MODEL"}, {"PATCHING"}, {"SUPPORTED"}, {"α", Align::kRight}, {"CREATED"}, {"ENDED"}});
  const auto names = [](const auto& tasks) {
    return absl::StrJoin(tasks, ",", [](std::string* out, const std::string& name) { out->append(ShortName(name)); });
  };
  for (const v1::PatchJob& job : response.patch_jobs()) {
    table.AddRow({ShortName(job.name()), StateName(job.state()), ShortName(job.spec().model()),
                  StrategyName(job.spec().strategy()), names(job.spec().patching_tasks()),
                  names(job.spec().supported_tasks()),
                  job.state() == v1::PATCH_JOB_STATE_SUCCEEDED ? Number(job.result().alpha()) : "",
                  Time(job.create_time()), Time(job.end_time())});
  }
  return table.Render();
}

std::string EventText(const v1::PatchJobEvent& event) {
  std::string text;
  if (event.has_state_change()) {
    const v1::PatchJobStateChange& change = event.state_change();
    text = change.step_id().empty() ? absl::StrCat("job ", StateName(change.state()))
                                    : absl::StrCat("step ", change.step_id(), " ", StateName(change.step_state()));
    if (!change.message().empty()) absl::StrAppend(&text, ": ", change.message());
  } else if (event.has_point()) {
    text = absl::StrCat("α ", Number(event.point().alpha()));
    for (const v1::TaskAccuracy& accuracy : event.point().accuracies()) {
      absl::StrAppend(&text, "  ", ShortName(accuracy.task()), " ", Percent(accuracy.accuracy()));
    }
  } else if (event.has_log()) {
    text = absl::StrCat(event.log().severity(), ": ", event.log().message());
  }
  return text.empty() ? "" : Printable(text) + "\n";
}

absl::Status OutcomeOf(const v1::PatchJob& job) {
  if (job.state() == v1::PATCH_JOB_STATE_SUCCEEDED) return absl::OkStatus();
  if (job.state() == v1::PATCH_JOB_STATE_CANCELLED) return absl::CancelledError(job.name() + " was cancelled");
  if (job.state() == v1::PATCH_JOB_STATE_FAILED) {
    const absl::Status error = FromRpcStatus(job.error());
    return error.ok() ? absl::UnknownError(job.name() + " failed") : error;
  }
  return absl::FailedPreconditionError(absl::StrCat(job.name(), " is ", StateName(job.state()), " and has not ended"));
}

}  // namespace modelpatch::client
