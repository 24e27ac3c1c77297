// The alternatives of fine-tuning on a tiny model, each against a small computation of its own.
#include "core/train/fine_tuner.h"

#include <torch/torch.h>

#include "core/train/training_loss.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_clip.h"

namespace modelpatch::train {
namespace {

constexpr int64_t kBatch = 6;

class FineTunerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    model_ = testing::MakeTinyModel();
    ASSERT_NE(model_, nullptr);
    classes_ = {
        {"circle", {"a red circle", "a circle"}}, {"square", {"a blue square"}}, {"digit", {"the digit seven"}}};
    ASSERT_OK_AND_ASSIGN(head_, model::MakeZeroShotHead(*model_, classes_, {}));
    torch::manual_seed(7);
    pixels_ = torch::randn({kBatch, 3, 16, 16});
    options_.steps = 10;
    options_.warmup_steps = 0;
    options_.learning_rate = 1e-3;
    options_.gradient_clip = 0;
  }

  FineTuner Tuner(const FineTuneOptions& options, FineTunerParts parts = {}) const {
    parts.model = model_;
    parts.head = head_;
    return FineTuner(std::move(parts), options);
  }

  StepReport Step(FineTuner& tuner, std::span<const std::vector<int32_t>> candidates = {}) const {
    const auto report = tuner.Step(pixels_, labels_, candidates);
    EXPECT_OK(report);
    return report.ok() ? *report : StepReport{};
  }

  at::Tensor Features(const tensor::WeightSet& weights) const {
    const at::NoGradGuard no_grad;
    return model::NormalizeFeatures(model_->image_encoder->Forward(weights.views(), pixels_));
  }

  static at::Tensor Trained(const tensor::WeightSet& weights) {
    return weights.flat().narrow(0, 0, weights.layout().trainable_size());
  }

  std::shared_ptr<const model::ClipModel> model_;
  std::vector<model::ClassPrompts> classes_;
  model::ZeroShotHead head_;
  at::Tensor pixels_;
  const std::vector<int32_t> labels_ = {0, 1, 2, 0, 1, 0};
  FineTuneOptions options_;
};

TEST_F(FineTunerTest, AllClassesAsCandidatesChangeNoBit) {
  const std::vector<std::vector<int32_t>> all(kBatch, {0, 1, 2});
  FineTuner without = Tuner(options_);
  FineTuner with = Tuner(options_);
  for (int i = 0; i < 3; ++i) {
    Step(without);
    Step(with, all);
  }
  EXPECT_EQ(without.weights().Digest(), with.weights().Digest());
}

TEST_F(FineTunerTest, StartsWhereItIsTold) {
  const tensor::WeightSet start = model_->image_weights.Clone();
  at::Tensor flat = Trained(start);
  flat.mul_(1.25);
  FineTunerParts parts;
  parts.start = start;
  const FineTuner tuner = Tuner(options_, parts);
  EXPECT_EQ(tuner.weights().Digest(), start.Digest());
  EXPECT_NE(tuner.weights().Digest(), model_->image_weights.Digest());
}

TEST_F(FineTunerTest, TheConstantScheduleStaysAfterTheWarmUp) {
  options_.schedule = LearningRateSchedule::kConstant;
  options_.warmup_steps = 2;
  FineTuner tuner = Tuner(options_);
  EXPECT_DOUBLE_EQ(Step(tuner).learning_rate, 0.5e-3);
  for (int i = 1; i < 5; ++i) EXPECT_DOUBLE_EQ(Step(tuner).learning_rate, 1e-3) << i;
}

TEST_F(FineTunerTest, LabelSmoothingIsInTheLoss) {
  options_.label_smoothing = 0.2;
  FineTuner tuner = Tuner(options_);
  const at::Tensor logs =
      at::log_softmax(at::mm(Features(model_->image_weights), head_.embeddings->t()) * model_->logit_scale, 1);
  double expected = 0;
  for (int64_t i = 0; i < kBatch; ++i) {
    const double own = logs[i][labels_[static_cast<size_t>(i)]].item<double>();
    expected -= (0.8 * own + 0.2 * logs[i].mean().item<double>()) / kBatch;
  }
  EXPECT_NEAR(Step(tuner).loss, expected, 1e-4);
}

// Both penalties are nothing at the first step, and then differ from the plain run by their gradient alone.
TEST_F(FineTunerTest, PenaltiesPullTowardsTheStart) {
  const tensor::WeightSet fisher(model_->image_weights.shared_layout(), tensor::Device());
  at::Tensor importance = Trained(fisher);
  importance.copy_(torch::rand(importance.sizes()));
  for (const bool elastic : {false, true}) {
    FineTuneOptions options = options_;
    (elastic ? options.elastic_weight : options.l2_penalty) = 20;
    FineTunerParts parts;
    if (elastic) parts.fisher = fisher;
    FineTuner plain = Tuner(options_);
    FineTuner held = Tuner(options, parts);
    EXPECT_EQ(Step(plain).loss, Step(held).loss);
    ASSERT_EQ(plain.weights().Digest(), held.weights().Digest());

    const at::Tensor distance = Trained(held.weights()) - Trained(model_->image_weights);
    const at::Tensor weighted = elastic ? distance * importance : distance;
    const double plain_loss = Step(plain).loss;
    EXPECT_NEAR(Step(held).loss - plain_loss, 10 * (distance * weighted).sum().item<double>(), 1e-4);
    EXPECT_TRUE(
        at::allclose(held.state().weights.gradient() - plain.state().weights.gradient(), 20 * weighted, 1e-3, 1e-5));
    for (int i = 0; i < 6; ++i) {
      Step(plain);
      Step(held);
    }
    const auto moved = [&](const FineTuner& tuner) {
      return (tuner.weights().flat() - model_->image_weights.flat()).norm().item<double>();
    };
    EXPECT_LT(moved(held), moved(plain));
  }
}

TEST_F(FineTunerTest, PenaltiesAreRelativeToTheStartAndNotToTheModel) {
  const tensor::WeightSet start = model_->image_weights.Clone();
  at::Tensor flat = Trained(start);
  flat.mul_(1.5);
  FineTunerParts parts;
  parts.start = start;
  FineTuner plain = Tuner(options_, parts);
  options_.l2_penalty = 1;
  FineTuner held = Tuner(options_, parts);
  EXPECT_EQ(Step(plain).loss, Step(held).loss);
}

TEST_F(FineTunerTest, TheMovingAverageIsTheLoopsOne) {
  options_.ema_decay = 0.75;
  FineTuner tuner = Tuner(options_);
  ASSERT_TRUE(tuner.average().has_value());
  at::Tensor expected = model_->image_weights.flat().clone();
  for (int i = 0; i < 5; ++i) {
    Step(tuner);
    expected = 0.75 * expected + 0.25 * tuner.weights().flat();
  }
  EXPECT_TRUE(at::allclose(tuner.average()->flat(), expected, 1e-5, 1e-7));
  EXPECT_FALSE(Tuner({}).average().has_value());
}

class ContrastiveFineTunerTest : public FineTunerTest {
 protected:
  FineTunerParts WithPrompts() const {
    FineTunerParts parts;
    auto bank = PromptBank::Make(*model_, classes_, {});
    EXPECT_OK(bank);
    parts.prompts = *std::move(bank);
    return parts;
  }
};

TEST_F(ContrastiveFineTunerTest, MixesTheTwoLosses) {
  const FineTunerParts parts = WithPrompts();
  const ChosenPrompts chosen = parts.prompts->Choose(labels_, options_.seed, 0);
  const at::Tensor texts = parts.prompts->embeddings().index_select(0, torch::tensor(chosen.rows, at::kLong));
  const double contrastive =
      ContrastiveLoss(at::mm(Features(model_->image_weights), texts.t()) * model_->logit_scale, chosen.prompt_of)
          .item<double>();
  FineTuner plain = Tuner(options_);
  const double entropy = Step(plain).loss;
  for (const double share : {0.25, 1.0}) {
    options_.contrastive_weight = share;
    FineTuner mixed = Tuner(options_, parts);
    EXPECT_NEAR(Step(mixed).loss, (1 - share) * entropy + share * contrastive, 1e-4) << share;
  }
}

TEST_F(ContrastiveFineTunerTest, OtherImagesThatAreTheSameGiveTheSameGradient) {
  options_.contrastive_weight = 0.5;
  FineTuner own = Tuner(options_, WithPrompts());
  FineTuner other = Tuner(options_, WithPrompts());
  const LabelledImages images{pixels_, labels_};
  ASSERT_OK_AND_ASSIGN(const StepReport report, other.Step(pixels_, labels_, {}, &images));
  EXPECT_NEAR(Step(own).loss, report.loss, 1e-5);
  EXPECT_TRUE(at::allclose(own.state().weights.gradient(), other.state().weights.gradient(), 1e-3, 1e-6));
}

TEST_F(ContrastiveFineTunerTest, EqualPromptsAreOneAndTheChoiceIsAFunctionOfTheStep) {
  const FineTunerParts parts = WithPrompts();
  EXPECT_EQ(parts.prompts->embeddings().size(0), 4);
  bool both = false;
  for (int64_t step = 0; step < 20; ++step) {
    const ChosenPrompts chosen = parts.prompts->Choose(labels_, 1, step);
    EXPECT_EQ(chosen.prompt_of, parts.prompts->Choose(labels_, 1, step).prompt_of);
    ASSERT_EQ(chosen.prompt_of.size(), labels_.size());
    // Both images of the square, which has one prompt.
    EXPECT_EQ(chosen.prompt_of[1], chosen.prompt_of[4]);
    EXPECT_NE(chosen.prompt_of[0], chosen.prompt_of[1]);
    both = both || chosen.rows.size() == 4;
  }
  EXPECT_TRUE(both) << "the circle's second prompt never came";
}

TEST_F(FineTunerTest, TheLearnedHeadStartsAtTheZeroShotHeadAndMoves) {
  FineTuner frozen = Tuner(options_);
  EXPECT_EQ(frozen.learned_head(), nullptr);
  options_.learned_head = true;
  FineTuner learned = Tuner(options_);
  ASSERT_NE(learned.learned_head(), nullptr);
  const at::Tensor start = *head_.embeddings * model_->logit_scale;
  EXPECT_TRUE(at::equal(learned.learned_head()->weight(), start));
  EXPECT_NEAR(Step(frozen).loss, Step(learned).loss, 1e-4);
  EXPECT_TRUE(at::allclose(frozen.state().weights.gradient(), learned.state().weights.gradient(), 1e-3, 1e-6));
  EXPECT_FALSE(at::equal(learned.learned_head()->weight(), start));
}

TEST_F(FineTunerTest, EverythingTogetherIsTheSameTwice) {
  options_.schedule = LearningRateSchedule::kConstant;
  options_.label_smoothing = 0.1;
  options_.l2_penalty = 0.1;
  options_.contrastive_weight = 0.3;
  options_.learned_head = true;
  options_.ema_decay = 0.9;
  const std::vector<std::vector<int32_t>> candidates = {{0, 1}, {1, 2}, {}, {0, 2}, {0, 1}, {}};
  std::vector<std::string> digests;
  for (int run = 0; run < 2; ++run) {
    FineTunerParts parts;
    ASSERT_OK_AND_ASSIGN(parts.prompts, PromptBank::Make(*model_, classes_, {}));
    FineTuner tuner = Tuner(options_, parts);
    for (int i = 0; i < 3; ++i) Step(tuner, candidates);
    digests.push_back(tuner.weights().Digest() + tuner.average()->Digest());
  }
  EXPECT_EQ(digests[0], digests[1]);
}

}  // namespace
}  // namespace modelpatch::train
