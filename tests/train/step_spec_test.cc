#include "core/train/step_spec.h"

#include <cmath>

#include "core/train/pretrain_spec.h"
#include "core/train/step_result.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::train {
namespace {

using ::modelpatch::testing::FailsWith;

NamedTask Digits() {
  NamedTask task;
  task.name = "digits";
  task.source.format = "generator";
  task.source.generator = "digits";
  task.source.generated_train = 10;
  return task;
}

TEST(StepSpecTest, FineTuneSurvivesJson) {
  StepSpec spec;
  spec.blob_directory = "/blobs";
  spec.device = "cuda:1";
  spec.lease_bytes = int64_t{1} << 40;
  FineTuneSpec work;
  work.model_directory = "/models/x";
  work.tasks = {Digits(), Digits()};
  work.balance = TaskBalance::kEven;
  work.start_directory = "/search";
  work.elastic_task = Digits();
  work.options.elastic_weight = 2;
  work.options.schedule = LearningRateSchedule::kConstant;
  work.options.seed = 0xffffffffffffffffULL;
  work.options.learning_rate = 1.0 / 3;
  work.options.precision = model::Precision::kBFloat16;
  spec.work = work;
  ASSERT_OK_AND_ASSIGN(const StepSpec read, StepSpecFromJson(StepSpecToJson(spec)));
  const auto& parsed = std::get<FineTuneSpec>(read.work);
  EXPECT_EQ(parsed.options.seed, work.options.seed);
  EXPECT_EQ(parsed.options.learning_rate, work.options.learning_rate);
  EXPECT_EQ(parsed.options.precision, model::Precision::kBFloat16);
  EXPECT_EQ(parsed.options.schedule, LearningRateSchedule::kConstant);
  EXPECT_EQ(parsed.options.elastic_weight, 2);
  ASSERT_EQ(parsed.tasks.size(), 2u);
  EXPECT_EQ(parsed.tasks[1].source, work.tasks[1].source);
  EXPECT_EQ(parsed.balance, TaskBalance::kEven);
  EXPECT_EQ(parsed.start_directory, "/search");
  EXPECT_TRUE(parsed.elastic_task.has_value());
  EXPECT_FALSE(parsed.contrastive_task.has_value());
  EXPECT_EQ(read.device, "cuda:1");
  EXPECT_EQ(read.lease_bytes, spec.lease_bytes);
}

TEST(StepSpecTest, SearchSurvivesJson) {
  StepSpec spec;
  SearchSpec work;
  work.model_directory = "/m";
  work.fine_tune_directories = {"/f", "/g"};
  work.coefficient_search.method = patch::SearchMethod::kExhaustive;
  work.coefficient_search.grid = {0, 1.0 / 3};
  work.merge = patch::MergeOptions{patch::MergeMethod::kTies, 0.5};
  work.comparison = ComparisonSpec{{"/s"}, {}, {"/u"}};
  work.patching_tasks = {Digits()};
  work.supported_tasks = {Digits(), Digits()};
  work.alphas = {0, 0.1, 1};
  work.policy = patch::AlphaPolicy::kBudget;
  spec.work = work;
  ASSERT_OK_AND_ASSIGN(const StepSpec read, StepSpecFromJson(StepSpecToJson(spec)));
  const auto& parsed = std::get<SearchSpec>(read.work);
  EXPECT_EQ(parsed.alphas, work.alphas);
  EXPECT_EQ(parsed.policy, patch::AlphaPolicy::kBudget);
  EXPECT_EQ(parsed.supported_tasks.size(), 2u);
  EXPECT_EQ(parsed.fine_tune_directories, work.fine_tune_directories);
  EXPECT_EQ(parsed.coefficient_search.method, patch::SearchMethod::kExhaustive);
  EXPECT_EQ(parsed.coefficient_search.grid, work.coefficient_search.grid);
  ASSERT_TRUE(parsed.merge.has_value());
  EXPECT_EQ(parsed.merge->density, 0.5);
  ASSERT_TRUE(parsed.comparison.has_value());
  EXPECT_EQ(parsed.comparison->fine_tuned_so_far_directories, work.comparison->fine_tuned_so_far_directories);
}

TEST(StepSpecTest, OtherJsonIsRefused) {
  for (const char* bad : {"", "[]", "{}", "{\"blob_directory\": 3}", "{\"search\": {}}"}) {
    EXPECT_THAT(StepSpecFromJson(bad), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_STEP_SPEC")) << bad;
  }
}

TEST(StepSpecTest, AnUnknownNameIsRefused) {
  StepSpec spec;
  spec.work = SearchSpec();
  std::string json = StepSpecToJson(spec);
  const size_t at = json.find("\"uniform\"");
  ASSERT_NE(at, std::string::npos);
  json.replace(at, 9, "\"unicorn\"");
  EXPECT_THAT(StepSpecFromJson(json), FailsWith(absl::StatusCode::kInvalidArgument, "BAD_STEP_SPEC"));
}

TEST(StepResultTest, SearchResultSurvivesJson) {
  SearchResult result;
  result.alpha = 0.35;
  result.terms = {{"b", 0.35}};
  result.curve = {{0.35, {{"b", 0.35}}, {{"digits", patch::TaskRole::kPatching, data::Split::kValidation, 3, 7}}}};
  result.comparisons = {{ComparisonKind::kFineTunedSoFar,
                         {{"b", 1}},
                         2,
                         0,
                         {{"shapes", patch::TaskRole::kSupported, data::Split::kTest, 1, 2}}}};
  result.details = {{"digits", {0.1, 0.2}, {0.3, 0.4}, {}, {-0.1, 0.1}, {"zero"}, {{5, 1, 2, 3}}}};
  result.search.candidates = {{{0.5, 0.25}, {}}};
  result.trade_off.path_correction_cost = 0.25;
  result.cka = {{"shapes", 0.9}};
  result.proxy_choices = {{"shapes", 0.5, "colors", 0.75, 0.01}};
  ASSERT_OK_AND_ASSIGN(const SearchResult read, SearchResultFromJson(SearchResultToJson(result)));
  EXPECT_EQ(read.alpha, 0.35);
  EXPECT_EQ(read.terms, result.terms);
  EXPECT_EQ(read.curve[0].accuracies[0].correct, 3);
  EXPECT_EQ(read.comparisons[0].kind, ComparisonKind::kFineTunedSoFar);
  EXPECT_EQ(read.comparisons[0].after, 2);
  EXPECT_EQ(read.comparisons[0].accuracies[0].role, patch::TaskRole::kSupported);
  EXPECT_EQ(read.comparisons[0].accuracies[0].split, data::Split::kTest);
  EXPECT_EQ(read.details[0].patched.high, 0.4);
  EXPECT_EQ(read.details[0].classes[0].fine_tuned, 3);
  EXPECT_EQ(read.search.candidates[0].coefficients, result.search.candidates[0].coefficients);
  EXPECT_EQ(read.trade_off.path_correction_cost, 0.25);
  EXPECT_EQ(read.cka.at("shapes"), 0.9);
  EXPECT_EQ(read.proxy_choices[0].cost, 0.01);
  EXPECT_THAT(SearchResultFromJson("{}"), FailsWith(absl::StatusCode::kDataLoss, "BAD_STEP_RESULT"));
  EXPECT_THAT(FineTuneResultFromJson("no"), FailsWith(absl::StatusCode::kDataLoss, "BAD_STEP_RESULT"));
}

TEST(PretrainSpecTest, ReadsMembersAndRefusesUnknownOnes) {
  constexpr char kTask[] = R"({"name": "t", "source": {"format": "idx", "train": "mnist"}})";
  const std::string good = std::string(R"({"width": 96, "tasks": [)") + kTask + "]}";
  ASSERT_OK_AND_ASSIGN(const PretrainSpec spec, ParsePretrainSpec(good, "/data"));
  EXPECT_EQ(spec.width, 96);
  EXPECT_EQ(spec.tasks[0].source.train, "/data/mnist");
  EXPECT_EQ(spec.tasks[0].source.test, "");
  const auto code = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(ParsePretrainSpec(R"({"widht": 96})", "/"), FailsWith(code, "BAD_PRETRAIN_SPEC"));
  EXPECT_THAT(ParsePretrainSpec(R"({"width": "wide"})", "/"), FailsWith(code, "BAD_PRETRAIN_SPEC"));
  EXPECT_THAT(ParsePretrainSpec("{}", "/"), FailsWith(code, "BAD_PRETRAIN_SPEC"));
}

}  // namespace
}  // namespace modelpatch::train
