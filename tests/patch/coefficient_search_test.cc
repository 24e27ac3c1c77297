#include "core/patch/coefficient_search.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "core/base/random.h"
#include "tests/support/status_matchers.h"

namespace modelpatch::patch {
namespace {

using ::modelpatch::testing::FailsWith;
using Values = std::vector<double>;

constexpr int64_t kExamples = 20'000;
constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

// A patching and a supported task whose losses are Σ wᵢ·(αᵢ − cᵢ)², so that c is the optimum, with accuracies that fall
// with the losses in steps of one example.
struct Toy {
  Values optimum;
  Values weights;
  // The supported task loses as many points as this times Σαᵢ instead, if it is positive.
  double supported_points = 0;
  int64_t evaluations = 0;
  int64_t gradients = 0;

  double Loss(std::span<const double> at) const {
    double loss = 0;
    for (size_t i = 0; i < at.size(); ++i) loss += weights[i] * (at[i] - optimum[i]) * (at[i] - optimum[i]);
    return loss;
  }
  std::vector<TaskAccuracy> Evaluate(std::span<const double> at) {
    ++evaluations;
    const auto correct = [](double accuracy) {
      return static_cast<int64_t>(std::floor(std::clamp(accuracy, 0.0, 1.0) * kExamples));
    };
    const double patching = 0.9 - 0.3 * Loss(at);
    const double sum = std::accumulate(at.begin(), at.end(), 0.0);
    const double supported = supported_points > 0 ? 0.9 - supported_points / 100 * sum : patching;
    const auto split = data::Split::kValidation;
    return {{"digits", TaskRole::kPatching, split, correct(patching), kExamples},
            {"shapes", TaskRole::kSupported, split, correct(supported), kExamples}};
  }
  // With noise of the step's own, as of a batch.
  CoefficientGradient Differentiate(std::span<const double> at, int64_t step) {
    ++gradients;
    base::RandomStream random(11, "noise", static_cast<uint64_t>(step));
    CoefficientGradient result{Loss(at), {}, 0.25};
    for (size_t i = 0; i < at.size(); ++i) {
      result.gradient.push_back(2 * weights[i] * (at[i] - optimum[i]) + 0.05 * random.Normal());
    }
    return result;
  }
};

SearchInput InputOf(Toy& toy, size_t checkpoints, size_t groups = 1) {
  SearchInput input;
  input.checkpoints = checkpoints;
  input.groups = groups;
  for (int i = 0; i <= 10; ++i) input.alphas.push_back(i / 10.0);
  input.evaluate = [&toy](std::span<const double> at) { return toy.Evaluate(at); };
  input.differentiate = [&toy](std::span<const double> at, int64_t step) { return toy.Differentiate(at, step); };
  return input;
}

CoefficientSearchOptions OptionsOf(SearchMethod method) {
  CoefficientSearchOptions options;
  options.method = method;
  for (int i = 0; i <= 10; ++i) options.grid.push_back(i / 10.0);
  options.maximum_evaluations = 60;
  options.steps = 40;
  return options;
}

const std::vector<SearchMethod> kMethods = {SearchMethod::kUniform, SearchMethod::kExhaustive, SearchMethod::kBlackBox,
                                            SearchMethod::kGradient};

// What holds for every search, whatever it finds.
void ExpectSound(const SearchOutcome& outcome, const SearchInput& input, const CoefficientSearchOptions& options,
                 int64_t evaluations) {
  EXPECT_EQ(static_cast<int64_t>(outcome.candidates.size()), evaluations);
  EXPECT_LE(evaluations, MaximumCandidates(options, input.checkpoints, input.alphas.size()));
  std::set<Values> different;
  for (const SearchCandidate& candidate : outcome.candidates) {
    different.insert(candidate.coefficients);
    ASSERT_EQ(candidate.coefficients.size(), input.checkpoints * input.groups);
    double sum = 0;
    for (const double value : candidate.coefficients) {
      EXPECT_GE(value, 0);
      EXPECT_LE(value, 1);
      sum += value;
    }
    if (options.sum_at_most_one && input.groups == 1) {
      EXPECT_LE(sum, 1 + 1e-9);
    }
  }
  EXPECT_EQ(different.size(), outcome.candidates.size()) << "some were evaluated twice";
  ASSERT_GE(outcome.candidates.size(), input.alphas.size());
  for (size_t i = 0; i < input.alphas.size(); ++i) {
    for (const double value : outcome.candidates[i].coefficients) {
      EXPECT_DOUBLE_EQ(value, input.alphas[i] / static_cast<double>(input.checkpoints));
    }
  }
  ASSERT_LT(outcome.best_uniform, input.alphas.size());
  const std::vector<TaskAccuracy>& zero_shot = outcome.candidates[0].accuracies;
  const std::vector<TaskAccuracy>& chosen = outcome.candidates[outcome.chosen].accuracies;
  EXPECT_GE(PolicyScore(chosen, input.policy),
            PolicyScore(outcome.candidates[outcome.best_uniform].accuracies, input.policy));
  if (input.policy == AlphaPolicy::kBudget) {
    EXPECT_TRUE(IsWithinBudget(chosen, zero_shot, input.epsilon_points));
  }
}

double DistanceTo(const Values& optimum, const SearchOutcome& outcome) {
  double largest = 0;
  for (size_t i = 0; i < optimum.size(); ++i) {
    largest = std::max(largest, std::abs(outcome.candidates[outcome.chosen].coefficients[i] - optimum[i]));
  }
  return largest;
}

TEST(CoefficientSearchTest, EachMethodRecoversAPlantedOptimum) {
  for (const SearchMethod method : kMethods) {
    if (method == SearchMethod::kUniform) continue;
    for (const Values& optimum : {Values{0.6, 0.2, 0.4}, Values{1, 0, 0.3}, Values{0.8, 0.1}, Values{0.7}}) {
      Toy toy{optimum, Values(optimum.size(), 1.0)};
      const SearchInput input = InputOf(toy, optimum.size());
      const CoefficientSearchOptions options = OptionsOf(method);
      ASSERT_OK_AND_ASSIGN(const SearchOutcome outcome, SearchCoefficients(options, input, {}, nullptr));
      ExpectSound(outcome, input, options, toy.evaluations);
      const double allowed = method == SearchMethod::kExhaustive ? 1e-9 : 0.08;
      EXPECT_LE(DistanceTo(optimum, outcome), allowed) << NameOf(method) << " of " << optimum.size();
    }
  }
}

TEST(CoefficientSearchTest, UniformRecoversAnOptimumOnItsLine) {
  Toy toy{{0.2, 0.2, 0.2}, {1, 2, 3}};
  const SearchInput input = InputOf(toy, 3);
  ASSERT_OK_AND_ASSIGN(const SearchOutcome outcome, SearchCoefficients({}, input, {}, nullptr));
  ExpectSound(outcome, input, {}, toy.evaluations);
  EXPECT_LE(DistanceTo(toy.optimum, outcome), 1e-9);
  EXPECT_EQ(outcome.chosen, outcome.best_uniform);
}

TEST(CoefficientSearchTest, RandomOptimaAreSoundAndMostOfTheGainIsFound) {
  base::RandomStream random(3, "test");
  for (int round = 0; round < 20; ++round) {
    Toy planted;
    for (int i = 0; i < 3; ++i) {
      planted.optimum.push_back(random.Uniform());
      planted.weights.push_back(random.Uniform(0.3, 1));
    }
    for (const SearchMethod method : kMethods) {
      for (const bool sum_at_most_one : {false, true}) {
        Toy toy = planted;
        const SearchInput input = InputOf(toy, 3);
        CoefficientSearchOptions options = OptionsOf(method);
        options.sum_at_most_one = sum_at_most_one;
        options.seed = static_cast<uint64_t>(round);
        ASSERT_OK_AND_ASSIGN(const SearchOutcome outcome, SearchCoefficients(options, input, {}, nullptr));
        ExpectSound(outcome, input, options, toy.evaluations);
        if (sum_at_most_one || method == SearchMethod::kUniform) continue;
        const double uniform = toy.Loss(outcome.candidates[outcome.best_uniform].coefficients);
        EXPECT_LE(toy.Loss(outcome.candidates[outcome.chosen].coefficients), 0.1 * uniform + 0.005) << NameOf(method);
      }
    }
  }
}

TEST(CoefficientSearchTest, TheSumConstraintMovesTheOptimumToItsEdge) {
  for (const SearchMethod method : {SearchMethod::kExhaustive, SearchMethod::kBlackBox, SearchMethod::kGradient}) {
    Toy toy{{0.9, 0.7}, {1, 1}};
    const SearchInput input = InputOf(toy, 2);
    CoefficientSearchOptions options = OptionsOf(method);
    options.sum_at_most_one = true;
    ASSERT_OK_AND_ASSIGN(const SearchOutcome outcome, SearchCoefficients(options, input, {}, nullptr));
    ExpectSound(outcome, input, options, toy.evaluations);
    EXPECT_LE(DistanceTo({0.6, 0.4}, outcome), method == SearchMethod::kExhaustive ? 1e-9 : 0.08) << NameOf(method);
  }
}

// Steps of one length for all coefficients would leave it where it starts, at a third each.
TEST(CoefficientSearchTest, TheGradientGoesAlongTheEdgeOfTheSum) {
  Toy toy{{0.9, 0.7, 0.5}, {1, 1, 1}};
  const SearchInput input = InputOf(toy, 3);
  CoefficientSearchOptions options = OptionsOf(SearchMethod::kGradient);
  options.sum_at_most_one = true;
  ASSERT_OK_AND_ASSIGN(const SearchOutcome outcome, SearchCoefficients(options, input, {}, nullptr));
  ExpectSound(outcome, input, options, toy.evaluations);
  EXPECT_LE(DistanceTo({1.6 / 3, 1.0 / 3, 0.4 / 3}, outcome), 0.08);
}

TEST(CoefficientSearchTest, ABudgetIsKept) {
  for (const SearchMethod method : kMethods) {
    // Σα may be 0.5 at most: two points are lost for each unit, and one is allowed.
    Toy toy{{0.9, 0.6}, {1, 1}, /*supported_points=*/2};
    SearchInput input = InputOf(toy, 2);
    input.policy = AlphaPolicy::kBudget;
    input.epsilon_points = 1;
    ASSERT_OK_AND_ASSIGN(const SearchOutcome outcome, SearchCoefficients(OptionsOf(method), input, {}, nullptr));
    ExpectSound(outcome, input, OptionsOf(method), toy.evaluations);
    const Values& chosen = outcome.candidates[outcome.chosen].coefficients;
    EXPECT_LE(chosen[0] + chosen[1], 0.5 + 1e-9) << NameOf(method);
    EXPECT_GE(chosen[0] + chosen[1], 0.3) << NameOf(method);
  }
}

TEST(CoefficientSearchTest, NothingWithinTheBudgetButTheModelItself) {
  for (const SearchMethod method : kMethods) {
    Toy toy{{0.9, 0.6}, {1, 1}, /*supported_points=*/50};
    SearchInput input = InputOf(toy, 2);
    input.policy = AlphaPolicy::kBudget;
    input.epsilon_points = 0;
    ASSERT_OK_AND_ASSIGN(const SearchOutcome outcome, SearchCoefficients(OptionsOf(method), input, {}, nullptr));
    ExpectSound(outcome, input, OptionsOf(method), toy.evaluations);
    EXPECT_EQ(outcome.candidates[outcome.chosen].coefficients, (Values{0, 0})) << NameOf(method);
  }
}

TEST(CoefficientSearchTest, TheObjectiveOfABudgetFallsWithWhatIsLostBeyondIt) {
  const auto split = data::Split::kValidation;
  const std::vector<TaskAccuracy> zero_shot = {{"a", TaskRole::kPatching, split, 100, 1000},
                                               {"b", TaskRole::kSupported, split, 900, 1000}};
  const std::vector<TaskAccuracy> within = {{"a", TaskRole::kPatching, split, 700, 1000},
                                            {"b", TaskRole::kSupported, split, 895, 1000}};
  const std::vector<TaskAccuracy> beyond = {{"a", TaskRole::kPatching, split, 900, 1000},
                                            {"b", TaskRole::kSupported, split, 880, 1000}};
  EXPECT_DOUBLE_EQ(SearchObjective(within, zero_shot, AlphaPolicy::kBudget, 0.5), 0.7);
  EXPECT_NEAR(SearchObjective(beyond, zero_shot, AlphaPolicy::kBudget, 0.5), 0.9 - 1.5, 1e-9);
  EXPECT_DOUBLE_EQ(SearchObjective(beyond, zero_shot, AlphaPolicy::kMean, 0.5), 0.89);
}

TEST(CoefficientSearchTest, GroupsHaveCoefficientsOfTheirOwn) {
  Toy toy{{0.8, 0.1, 0.3, 0.6}, {1, 1, 1, 1}};
  const SearchInput input = InputOf(toy, 2, 2);
  CoefficientSearchOptions options = OptionsOf(SearchMethod::kGradient);
  options.group = CoefficientGroup::kBlock;
  ASSERT_OK_AND_ASSIGN(const SearchOutcome outcome, SearchCoefficients(options, input, {}, nullptr));
  ExpectSound(outcome, input, options, toy.evaluations);
  EXPECT_LE(DistanceTo(toy.optimum, outcome), 0.08);
}

TEST(CoefficientSearchTest, GradientsAreCountedAndAFewCandidatesSuffice) {
  Toy toy{{0.6, 0.2, 0.4}, {1, 1, 1}};
  const SearchInput input = InputOf(toy, 3);
  ASSERT_OK_AND_ASSIGN(const SearchOutcome outcome,
                       SearchCoefficients(OptionsOf(SearchMethod::kGradient), input, {}, nullptr));
  EXPECT_EQ(toy.gradients, 40);
  EXPECT_DOUBLE_EQ(outcome.gradient_evaluations, 10);
  EXPECT_LE(outcome.candidates.size(), input.alphas.size() + 13);
}

TEST(CoefficientSearchTest, TiesTakeTheSmallestSum) {
  // A flat objective: θ_zs is as good as anything.
  Toy toy{{0.5, 0.5}, {0, 0}};
  for (const SearchMethod method : kMethods) {
    const SearchInput input = InputOf(toy, 2);
    ASSERT_OK_AND_ASSIGN(const SearchOutcome outcome, SearchCoefficients(OptionsOf(method), input, {}, nullptr));
    EXPECT_EQ(outcome.chosen, 0u) << NameOf(method);
  }
}

TEST(CoefficientSearchTest, ASeedDecidesEverything) {
  const auto run = [](uint64_t seed) {
    Toy toy{{0.6, 0.2, 0.4}, {1, 1, 1}};
    CoefficientSearchOptions options = OptionsOf(SearchMethod::kBlackBox);
    options.seed = seed;
    std::vector<Values> visited;
    EXPECT_OK(SearchCoefficients(options, InputOf(toy, 3), {},
                                 [&](const SearchCandidate& candidate) { visited.push_back(candidate.coefficients); }));
    return visited;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(CoefficientSearchTest, CancellationAndErrorsEndIt) {
  for (const SearchMethod method : {SearchMethod::kExhaustive, SearchMethod::kBlackBox, SearchMethod::kGradient}) {
    for (const size_t after : {size_t{3}, size_t{13}}) {
      Toy toy{{0.6, 0.2, 0.4}, {1, 1, 1}};
      base::CancellationSource cancellation;
      size_t seen = 0;
      const auto cancelled =
          SearchCoefficients(OptionsOf(method), InputOf(toy, 3), cancellation.token(), [&](const SearchCandidate&) {
            if (++seen == after) cancellation.Cancel();
          });
      EXPECT_EQ(cancelled.status().code(), absl::StatusCode::kCancelled);
      EXPECT_EQ(seen, after);

      SearchInput broken = InputOf(toy, 3);
      size_t calls = 0;
      broken.evaluate = [&](std::span<const double> at) -> absl::StatusOr<std::vector<TaskAccuracy>> {
        if (++calls == after) return base::DataLoss("BLOB_DAMAGED", "no weights");
        return toy.Evaluate(at);
      };
      EXPECT_THAT(SearchCoefficients(OptionsOf(method), broken, {}, nullptr),
                  FailsWith(absl::StatusCode::kDataLoss, "BLOB_DAMAGED"));
      EXPECT_EQ(calls, after);
    }
  }
}

TEST(CoefficientSearchTest, AGradientThatIsNotFiniteIsAnError) {
  Toy toy{{0.6, 0.2}, {1, 1}};
  SearchInput input = InputOf(toy, 2);
  input.differentiate = [](std::span<const double>, int64_t) { return CoefficientGradient{0, {0.1, std::nan("")}, 0}; };
  EXPECT_THAT(SearchCoefficients(OptionsOf(SearchMethod::kGradient), input, {}, nullptr),
              FailsWith(absl::StatusCode::kFailedPrecondition, "LOSS_NOT_FINITE"));
}

TEST(CoefficientSearchTest, BadOptionsAreNamed) {
  const auto field = [](CoefficientSearchOptions options, size_t checkpoints) {
    const absl::Status status = CheckCoefficientSearch(options, checkpoints);
    EXPECT_THAT(status, FailsWith(kInvalid, "BAD_SEARCH_OPTION"));
    return base::FieldOf(status);
  };
  for (const SearchMethod method : kMethods) EXPECT_OK(CheckCoefficientSearch(OptionsOf(method), 2));
  CoefficientSearchOptions options = OptionsOf(SearchMethod::kExhaustive);
  EXPECT_EQ(field(options, 4), "method");
  options.grid = {0.5, 1};
  EXPECT_EQ(field(options, 2), "grid");
  options.grid = {0, 0.5, 0.5};
  EXPECT_EQ(field(options, 2), "grid[1]");
  options.grid = {0, 0.5, -1};
  EXPECT_EQ(field(options, 2), "grid[2]");
  options.grid = {0, std::nan("")};
  EXPECT_EQ(field(options, 2), "grid[1]");
  options.grid.clear();
  for (int i = 0; i < 30; ++i) options.grid.push_back(i / 30.0);
  EXPECT_EQ(field(options, 3), "grid");
  EXPECT_OK(CheckCoefficientSearch(options, 2));
  options = OptionsOf(SearchMethod::kBlackBox);
  options.maximum_evaluations = 0;
  EXPECT_EQ(field(options, 2), "maximum_evaluations");
  options = OptionsOf(SearchMethod::kGradient);
  options.learning_rate = 0;
  EXPECT_EQ(field(options, 2), "learning_rate");
  options.learning_rate = std::nan("");
  EXPECT_EQ(field(options, 2), "learning_rate");
  options = OptionsOf(SearchMethod::kGradient);
  options.steps = 0;
  EXPECT_EQ(field(options, 2), "steps");
  options = OptionsOf(SearchMethod::kGradient);
  options.batch_size = -1;
  EXPECT_EQ(field(options, 2), "batch_size");
  options = OptionsOf(SearchMethod::kUniform);
  options.group = CoefficientGroup::kLayer;
  EXPECT_EQ(field(options, 2), "group");
}

TEST(CoefficientSearchTest, InputThatIsNotASearchIsRefused) {
  Toy toy{{0.6, 0.2}, {1, 1}};
  for (const Values& alphas : {Values{}, Values{0.5, 1}, Values{0, 0.5, 0.5}, Values{0, 1.5}}) {
    SearchInput input = InputOf(toy, 2);
    input.alphas = alphas;
    EXPECT_THAT(SearchCoefficients({}, input, {}, nullptr), FailsWith(kInvalid, "BAD_SEARCH_INPUT"));
  }
  SearchInput fixed = InputOf(toy, 2);
  fixed.policy = AlphaPolicy::kFixed;
  EXPECT_THAT(SearchCoefficients({}, fixed, {}, nullptr), FailsWith(kInvalid, "BAD_SEARCH_INPUT"));
}

}  // namespace
}  // namespace modelpatch::patch
