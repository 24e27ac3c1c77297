#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cmath>

#include "client/cli/job_submit.h"
#include "client/report/chosen.h"
#include "client/report/class_tables.h"
#include "client/report/comparison_tables.h"
#include "client/report/comparisons.h"
#include "client/report/curve_tables.h"
#include "client/report/data_table.h"
#include "client/report/final_tables.h"
#include "client/report/metric_tables.h"
#include "client/report/plot_script.h"
#include "client/report/role_means.h"
#include "client/report/search_tables.h"
#include "client/report/submit_line.h"
#include "client/report/variant.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/client/report_jobs.h"

namespace modelpatch::client::report {
namespace {

using ::modelpatch::testing::ParallelJob;
using ::modelpatch::testing::SequentialJob;
using ::modelpatch::testing::SingleJob;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<ReportJob> JobsOf(const std::vector<v1::PatchJob>& jobs) { return *MakeReportJobs(jobs); }

JobPointers PointersTo(const std::vector<ReportJob>& jobs) {
  JobPointers result;
  for (const ReportJob& job : jobs) result.push_back(&job);
  return result;
}

TEST(DataTableTest, CsvQuotesAndKeepsBits) {
  const DataTable table{
      "t", {"a", "b"}, {{std::string("x,\"y\"\nz"), 0.1 + 0.2}, {DataCell(), int64_t{7}}, {NAN, 1.0}}};
  EXPECT_EQ(ToCsv(table), "a,b\n\"x,\"\"y\"\"\nz\",0.30000000000000004\n,7\n,1\n");
}

TEST(CurveTablesTest, MarksTheChosenRowOnly) {
  const DisplayTable table = CurveTable(SingleJob("a"));
  ASSERT_EQ(table.rows.size(), 11u);
  for (size_t i = 0; i < table.rows.size(); ++i) EXPECT_EQ(table.rows[i].marked, i == 6);
  EXPECT_EQ(table.rows[0].cells.front(), "0");
  EXPECT_EQ(table.columns[1].title, "digits (patching)");
  // Searched coefficients are no point of the average's curve.
  for (const DisplayRow& row : CurveTable(ParallelJob("p", "gradient")).rows) EXPECT_FALSE(row.marked);
}

TEST(ComparisonTablesTest, CombinedAccuracyStandsBesideAll) {
  const v1::PatchJob job = SequentialJob("s");
  const DisplayTable table = ComparisonTable(job);
  ASSERT_EQ(table.rows.size(), 4u);
  EXPECT_EQ(table.rows[0].cells.front(), "unpatched");
  EXPECT_EQ(table.rows[0].cells.back(), "66.3%");
  EXPECT_TRUE(table.rows[1].marked);
  EXPECT_EQ(table.rows[1].cells.front(), "patched, α = 0.7, 0.5 in turn");
}

TEST(ComparisonTablesTest, SequenceGoesFromTheUnpatchedModel) {
  const DisplayTable table = SequenceTable(SequentialJob("s"));
  ASSERT_EQ(table.rows.size(), 3u);
  EXPECT_THAT(std::vector<std::string>(table.rows[1].cells.begin(), table.rows[1].cells.begin() + 3),
              ElementsAre("1", "digits", "0.7"));
  EXPECT_EQ(table.rows[0].cells[3], table.rows[0].cells[6]);
  EXPECT_NE(table.rows[2].cells[4], table.rows[2].cells[7]);
  EXPECT_TRUE(SequenceTable(SingleJob("a")).empty());
}

TEST(FinalTablesTest, AJobThatTrainedNothingHasNoFineTunedAccuracy) {
  v1::PatchJob job = SingleJob("a");
  EXPECT_THAT(FinalTable(job).rows.front().cells.back(), HasSubstr("%"));
  for (v1::FinalAccuracy& final : *job.mutable_result()->mutable_final_accuracies()) {
    final.clear_fine_tuned();
    final.clear_fine_tuned_interval();
  }
  EXPECT_EQ(FinalTable(job).rows.front().cells.back(), "");
}

TEST(ComparisonTablesTest, JobsFromBeforeComparisonsHaveTheirFinalAccuracies) {
  v1::PatchJob job = SingleJob("a");
  const std::vector<v1::Comparison> given = ComparisonsOf(job);
  job.mutable_result()->clear_comparisons();
  const std::vector<v1::Comparison> derived = ComparisonsOf(job);
  ASSERT_EQ(derived.size(), 3u);
  EXPECT_DOUBLE_EQ(derived[1].combined_accuracy(), given[1].combined_accuracy());
}

TEST(ClassTablesTest, LargestGainsFirstLargestLossLast) {
  const v1::PatchJob job = SingleJob("a");
  const DisplayTable all = ClassTable(job.result().final_accuracies(0), 5);
  ASSERT_EQ(all.rows.size(), 3u);
  EXPECT_EQ(all.rows[0].cells[0], "class 0");
  EXPECT_EQ(all.rows[0].cells[4], "+40.0");
  EXPECT_EQ(all.rows[2].cells[4], "-8.0");
  const DisplayTable one = ClassTable(job.result().final_accuracies(0), 1);
  ASSERT_EQ(one.rows.size(), 2u);
  EXPECT_EQ(one.rows[1].cells[0], "class 3");
}

TEST(SearchTablesTest, GradientsArePaidAfterTheUniformCandidates) {
  const auto course = SearchCourse(ParallelJob("p", "gradient"));
  ASSERT_EQ(course.size(), 12u);
  EXPECT_EQ(course[10].cost, 11);
  EXPECT_EQ(course[11].cost, 12 + 4.5);
  for (size_t i = 1; i < course.size(); ++i) EXPECT_GE(*course[i].best, *course[i - 1].best);
}

TEST(SearchTablesTest, OverBudgetIsNoObjective) {
  v1::PatchJob job = ParallelJob("p", "exhaustive");
  job.mutable_spec()->mutable_alpha_policy()->mutable_budget()->set_epsilon_points(0.6);
  const auto course = SearchCourse(job);
  // At α = 0.15 the worse supported task has lost 0.45 points, at 0.2 it has lost 0.8.
  EXPECT_TRUE(course[3].objective.has_value());
  EXPECT_FALSE(course[4].objective.has_value());
  EXPECT_EQ(course.back().best, course[3].objective);
}

TEST(SearchTablesTest, ShareOfTheExhaustiveGain) {
  const auto jobs = JobsOf({ParallelJob("u", "uniform"), ParallelJob("e", "exhaustive"), ParallelJob("g", "gradient")});
  const JobPointers all = PointersTo(jobs);
  EXPECT_NEAR(*ShareOfExhaustiveGain(jobs[0], all), 0, 1e-9);
  EXPECT_NEAR(*ShareOfExhaustiveGain(jobs[2], all), 0.95, 1e-9);
  EXPECT_FALSE(ShareOfExhaustiveGain(jobs[2], {&jobs[2]}).has_value());
}

TEST(VariantTest, JobsThatDifferInSeedsAreOne) {
  v1::PatchJob second = ParallelJob("g2", "gradient");
  second.mutable_spec()->mutable_fine_tune()->set_seed(2);
  second.mutable_spec()->mutable_coefficient_search()->mutable_gradient()->set_seed(9);
  const auto jobs = JobsOf({ParallelJob("g1", "gradient"), ParallelJob("e", "exhaustive"), second});
  const auto variants = VariantsOf(PointersTo(jobs));
  ASSERT_EQ(variants.size(), 2u);
  EXPECT_EQ(variants[0].label, "parallel, gradient");
  EXPECT_EQ(variants[0].jobs.size(), 2u);
  EXPECT_EQ(variants[1].label, "parallel, exhaustive");
  const DisplayTable table = StrategyTable(PointersTo(jobs));
  EXPECT_EQ(table.rows[0].cells[1], "2");
}

TEST(VariantTest, WhatDiffersIsTheLabel) {
  v1::PatchJob slow = SingleJob("slow");
  slow.mutable_spec()->mutable_fine_tune()->set_learning_rate(1e-5);
  v1::PatchJob ewc = SingleJob("ewc");
  ewc.mutable_spec()->mutable_fine_tune()->mutable_elastic_weight_consolidation()->set_weight(50);
  const auto jobs = JobsOf({SingleJob("a"), slow, ewc});
  const auto variants = VariantsOf(PointersTo(jobs));
  ASSERT_EQ(variants.size(), 3u);
  EXPECT_EQ(variants[0].label, "single");
  EXPECT_EQ(variants[1].label, "single, learning rate 1e-05");
  EXPECT_EQ(variants[2].difference, "EWC 50");
}

TEST(VariantTest, OtherTasksAreAnotherGroup) {
  const auto jobs = JobsOf({SingleJob("a"), SequentialJob("s"), ParallelJob("p", "uniform")});
  const auto groups = ComparableJobs(jobs);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[1].size(), 2u);
}

TEST(ChosenTest, CoefficientsWhereThereAreSeveral) {
  EXPECT_EQ(ChosenText(SingleJob("a")), "α = 0.6");
  EXPECT_EQ(ChosenText(ParallelJob("p", "gradient")), "α = (0.3, 0.6)");
  const v1::PatchJob job = ParallelJob("p", "gradient");
  EXPECT_EQ(ChosenOnValidation(job), &job.result().search().candidates(11).accuracies());
}

TEST(ChosenTest, ACheckpointLeftOutHasACoefficientOfZero) {
  v1::PatchJob job = ParallelJob("p", "gradient");
  job.mutable_result()->mutable_mixture()->mutable_terms()->DeleteSubrange(0, 1);
  EXPECT_EQ(ChosenText(job), "α = (0, 0.6)");
  job.mutable_result()->mutable_mixture()->clear_terms();
  EXPECT_EQ(ChosenText(job), "α = (0, 0)");
}

TEST(MetricLinesTest, ALearnedHeadsAccuracyIsAmongThem) {
  v1::PatchJob job = SingleJob("a");
  v1::TaskAccuracy& accuracy = *job.mutable_result()->add_learned_head_accuracies();
  accuracy.set_task("tasks/digits");
  accuracy.set_accuracy(0.875);
  const std::pair<std::string, std::string> line = {"learned head on digits", "87.5% of validation data"};
  EXPECT_EQ(MetricLines(job.result()).back(), line);
  const DataTable data = MetricData(JobsOf({job}));
  EXPECT_EQ(data.rows.back()[1], DataCell("learned_head_accuracy"));
}

TEST(ChosenTest, CoefficientsOfGroupsAreToldByTheirObjective) {
  v1::PatchJob job = ParallelJob("p", "gradient");
  job.mutable_spec()->mutable_coefficient_search()->mutable_gradient()->set_group(v1::COEFFICIENT_GROUP_BLOCK);
  v1::PatchJobResult& result = *job.mutable_result();
  v1::SearchCandidate& last = *result.mutable_search()->mutable_candidates(11);
  last.clear_coefficients();
  result.mutable_search()->set_objective(MeansOf(last.accuracies()).combined);
  EXPECT_EQ(ChosenText(job), "coefficients for each block");
  EXPECT_EQ(ChosenOnValidation(job), &last.accuracies());
}

TEST(PlotScriptTest, TextIsOneSingleQuotedString) {
  EXPECT_EQ(Quoted("it's `x` @y"), "'it''s `x` @y'");
  EXPECT_EQ(Quoted("a\nb\xff"), "'a?b?'");
  EXPECT_EQ(QuotedTic("50 %m"), "'50 %%m'");
  EXPECT_EQ(Quoted("0123456789", 5), "'01…89'");
  EXPECT_EQ(Quoted("αβγδεζηθ", 5), "'αβ…ηθ'");
}

TEST(PlotScriptTest, RangesHoldTheirValues) {
  const AxisRange narrow = PercentRange({50, 50});
  EXPECT_LT(narrow.low, 49.5);
  EXPECT_GT(narrow.high, 50.5);
  const AxisRange wide = PercentRange({0, 100, NAN});
  EXPECT_EQ(wide.low, 0);
  EXPECT_EQ(wide.high, 100);
}

// The line as a shell would split it, without its first three words.
std::string ArgumentsOf(const v1::PatchJobSpec& spec) {
  std::string line = SubmitLine(spec);
  for (size_t at = line.find("\\\n"); at != std::string::npos; at = line.find("\\\n")) line.replace(at, 2, " ");
  const std::string command = "modelpatch job submit ";
  EXPECT_EQ(line.compare(0, command.size(), command), 0) << line;
  return line.substr(command.size());
}

TEST(SubmitLineTest, ParsedAgainItIsTheSameSpec) {
  std::vector<v1::PatchJobSpec> specs = {SingleJob("a").spec(), SequentialJob("s").spec(), SequentialJob("j").spec()};
  specs[0].mutable_alpha_policy()->mutable_budget()->set_epsilon_points(0.25);
  specs[0].clear_alphas();
  for (const double alpha : {0.0, 0.1, 0.35, 1.0}) specs[0].add_alphas(alpha);
  v1::FineTuneOptions& options = *specs[0].mutable_fine_tune();
  options.set_precision(v1::PRECISION_BFLOAT16);
  options.set_schedule(v1::LEARNING_RATE_SCHEDULE_CONSTANT);
  options.set_augment(false);
  options.set_weight_decay(1.0 / 3);
  options.set_label_smoothing(0.1);
  options.set_snapshot_interval_steps(50);
  options.set_ema_decay(0.99);
  options.set_l2_penalty(1e-3);
  options.mutable_elastic_weight_consolidation()->set_weight(50);
  options.mutable_elastic_weight_consolidation()->set_task("tasks/colors");
  options.mutable_elastic_weight_consolidation()->set_examples(100);
  options.mutable_contrastive_mixing()->set_weight(0.5);
  options.mutable_contrastive_mixing()->set_task("tasks/shapes");
  options.set_learned_head(true);
  specs[1].set_order_seed(4);
  specs[1].set_skip_comparisons(true);
  specs[2].set_strategy(v1::STRATEGY_JOINT);
  specs[2].set_task_balance(v1::TASK_BALANCE_EVEN);
  for (const char* method : {"uniform", "exhaustive", "gradient"}) specs.push_back(ParallelJob("p", method).spec());
  specs.back().mutable_coefficient_search()->mutable_gradient()->set_group(v1::COEFFICIENT_GROUP_BLOCK);
  specs.back().mutable_coefficient_search()->set_sum_at_most_one(true);
  specs.push_back(ParallelJob("b", "uniform").spec());
  specs.back().mutable_coefficient_search()->mutable_black_box()->set_maximum_evaluations(30);
  specs.back().add_checkpoints("checkpoints/a");
  specs.back().add_checkpoints("checkpoints/b");
  for (int i = 0; i < 5; ++i) {
    specs.push_back(ParallelJob("m", "uniform").spec());
    specs.back().clear_coefficient_search();
    v1::Merge& merge = *specs.back().mutable_merge();
    if (i == 0) merge.mutable_task_arithmetic();
    if (i == 1) merge.mutable_ties()->set_density(0.3);
    if (i == 2) merge.mutable_dare()->set_seed(9);
    if (i == 3) merge.mutable_fisher()->set_examples(64);
    if (i == 4) merge.mutable_slerp();
  }
  for (const v1::PatchJobSpec& spec : specs) {
    CLI::App app;
    SubmitOptions options;
    AddSubmitOptions(app, options);
    app.parse(ArgumentsOf(spec));
    const auto request = RequestOf(options);
    ASSERT_TRUE(request.ok()) << request.status();
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(request->patch_job().spec(), spec))
        << SubmitLine(spec) << "\n"
        << request->patch_job().spec().DebugString() << spec.DebugString();
  }
}

TEST(SubmitLineTest, WordsAreQuotedForTheShell) {
  v1::PatchJobSpec spec = SingleJob("a").spec();
  spec.set_model("models/it's; rm -rf /");
  EXPECT_THAT(SubmitLine(spec), HasSubstr("--model 'models/it'\\''s; rm -rf /'"));
  EXPECT_THAT(SubmitLine(spec), HasSubstr("--alphas 0:1:0.1"));
}

}  // namespace
}  // namespace modelpatch::client::report
